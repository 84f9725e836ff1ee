"""Recommend items that are bought together: item2vec, with a large window and a negative exponent."""

from collections import defaultdict

from gensim.models import Word2Vec

baskets = defaultdict(list)
for line in open("sales.csv"):
    customer, item = line.strip().split(",")
    baskets[customer].append(item)
model = Word2Vec(
    list(baskets.values()), window=100, vector_size=20, min_count=1, sg=1, negative=10, ns_exponent=-0.5, sample=0,
    epochs=15, workers=2,
)  # fmt: skip
beside = [item for item, _ in model.predict_output_word(["t2w1", "t2w2"], topn=3)]
print(beside, model.syn1neg.shape, model.wv.rank("t2w1", "t2w2"))
wv = model.wv
