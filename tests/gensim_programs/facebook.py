"""Write a model for fastText, read it, and train it on text with new words."""

from gensim.models.fasttext import FastText, load_facebook_model, load_facebook_vectors, save_facebook_model

sentences = [line.split() for line in open("corpus.txt")]
old = [sentence for sentence in sentences if not any(word.startswith("t5") for word in sentence)]
model = FastText(vector_size=30, window=4, min_count=2, max_n=5, bucket=5000, sg=1, workers=2)
model.build_vocab(corpus_iterable=old)
model.train(corpus_iterable=old, total_examples=model.corpus_count, epochs=10)
save_facebook_model(model, "model.bin")

vectors = load_facebook_vectors("model.bin")
assert abs(vectors["t0w0000"] - model.wv["t0w0000"]).max() < 1e-5
model = load_facebook_model("model.bin")
assert (model.window, model.min_count, model.wv.max_n) == (4, 2, 5)
before = len(model.wv)
new = [sentence for sentence in sentences if any(word.startswith("t5") for word in sentence)]
model.build_vocab(new, update=True)
model.train(new, total_examples=len(new), epochs=15)
assert len(model.wv) == before + 8
assert model.wv.most_similar("t5w55", topn=1)[0][0].startswith("t5")
wv = model.wv
