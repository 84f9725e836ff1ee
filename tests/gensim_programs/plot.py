"""Put the most frequent words on a plane, to draw them."""

import numpy as np
from gensim.models import Word2Vec

model = Word2Vec(
    sentences=[line.split() for line in open("corpus.txt")], vector_size=30, window=4, sg=1, workers=2, epochs=15
)
words = model.wv.index_to_key[:40]
vectors = model.wv[words]
centred = vectors - vectors.mean(axis=0)
plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
assert plane.shape == (40, 2)
labels = dict(zip(words, plane.tolist(), strict=True))
assert model.wv.vectors.shape == (len(model.wv.key_to_index), 30)
wv = model.wv
