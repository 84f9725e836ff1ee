"""Save a model, load it, and train it on text with new words."""

from gensim.models import KeyedVectors, Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
old = [sentence for sentence in sentences if not any(word.startswith("t5") for word in sentence)]
new = [sentence for sentence in sentences if any(word.startswith(("t5", "t4")) for word in sentence)]
model = Word2Vec(old, vector_size=30, min_count=1, sg=1, workers=2, epochs=15, seed=7)
model.save("my.model")

model = Word2Vec.load("my.model")
before = len(model.wv)
model.build_vocab(new, update=True)
model.train(new, total_examples=model.corpus_count, epochs=15)
assert len(model.wv) == before + 8
assert (model.vector_size, model.seed, model.sg) == (30, 7, 1)
model.wv.save("my.vectors")
wv = KeyedVectors.load("my.vectors", mmap="r")
wv.save_word2vec_format("my.txt", binary=False)
