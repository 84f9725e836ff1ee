"""Stream documents from disk, and watch the loss of each epoch."""

from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from gensim.utils import simple_preprocess


class Documents:
    def __iter__(self):
        for line in open("prose.txt", encoding="utf-8"):
            yield simple_preprocess(line, deacc=True)


class Loss(CallbackAny2Vec):
    def __init__(self):
        self.epoch, self.before, self.losses, self.calls = 0, 0.0, [], []

    def on_train_begin(self, model):
        self.calls.append("begin")

    def on_epoch_end(self, model):
        loss = model.get_latest_training_loss()
        self.losses.append(loss - self.before)
        self.before = loss
        self.epoch += 1
        self.calls.append(model.wv.most_similar("tawa", topn=1)[0][0])

    def on_train_end(self, model):
        self.calls.append("end")


loss = Loss()
model = Word2Vec(vector_size=30, min_count=3, sg=1, workers=2)
model.build_vocab(Documents())
model.train(Documents(), total_examples=model.corpus_count, epochs=15, compute_loss=True, callbacks=[loss])
assert loss.epoch == 15
assert min(loss.losses) > 0  # With several workers the sums may overwrite each other, so a loss may rise.
assert loss.calls[0] == "begin"
assert loss.calls[-1] == "end"
wv = model.wv
