"""Represent documents by the mean of their words, and tell their topics apart."""

import numpy as np
from gensim.models import Word2Vec

documents = [line.split() for line in open("corpus.txt")]
topics = [next((word[:2] for word in document if word.startswith("t")), "t0") for document in documents]
model = Word2Vec(documents, vector_size=30, min_count=1, sg=1, epochs=15, workers=2)


def mean_of(document):
    known = [model.wv[word] for word in document if word in model.wv.key_to_index]
    return np.mean(known, axis=0) if known else np.zeros(model.vector_size)


X = np.array([mean_of(document) for document in documents])
centres = {topic: X[[t == topic for t in topics]].mean(axis=0) for topic in sorted(set(topics))}
guessed = [min(centres, key=lambda topic: np.linalg.norm(x - centres[topic])) for x in X]
assert np.mean([a == b for a, b in zip(guessed, topics, strict=True)]) > 0.9
assert model.wv.get_mean_vector(documents[0]).shape == (30,)
assert model.wv.n_similarity(["t0w0", "t0w1"], ["t0w2", "t0w3"]) > model.wv.n_similarity(["t0w0"], ["t1w1"])
wv = model.wv
