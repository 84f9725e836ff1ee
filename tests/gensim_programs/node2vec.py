"""Embed the nodes of a graph: DeepWalk's random walks as sentences."""

import random

from gensim.models import Word2Vec

random.seed(1)
nodes = [(group, i) for group in range(6) for i in range(8)]
edges = {a: [b for b in nodes if b != a and (b[0] == a[0] or random.random() < 0.01)] for a in nodes}
walks = []
for _ in range(40):
    for node in nodes:
        walk = [node]
        while len(walk) < 10:
            walk.append(random.choice(edges[walk[-1]]))
        walks.append([f"t{group}w{i}" for group, i in walk])
model = Word2Vec(
    walks, vector_size=30, window=3, min_count=0, sg=1, hs=0, workers=2, epochs=10, batch_words=4, negative=5
)
wv = model.wv
