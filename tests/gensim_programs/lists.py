"""Train on a list of lists, and ask."""

from gensim.models import Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(sentences, vector_size=30, window=5, min_count=1, workers=2, sg=1, epochs=15)
for word, cosine in model.wv.most_similar("t0w0", topn=3):
    print(f"{word} {cosine:.2f}")
print(model.wv.similarity("t0w0", "t0w1"), model.wv.similarity("t0w0", "t1w1"), "t0w0" in model.wv)
print(model, len(model.wv), model.wv.get_vecattr("t0w0", "count"))
wv = model.wv
