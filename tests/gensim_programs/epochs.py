"""Train by hand, one epoch at a time with a falling rate, over a vocabulary of counts with a rule of its own."""

from collections import Counter

import numpy as np
from gensim.models import Word2Vec
from gensim.utils import RULE_DEFAULT, RULE_DISCARD


def rule(word, count, min_count):
    return RULE_DISCARD if word.startswith("all") else RULE_DEFAULT


sentences = [line.split() for line in open("corpus.txt")]
counts = Counter(word for sentence in sentences for word in sentence)
model = Word2Vec(vector_size=30, min_count=5, sg=1, workers=2)
model.build_vocab_from_freq(counts, corpus_count=len(sentences), trim_rule=rule)
assert not any(word.startswith("all") for word in model.wv.index_to_key)
model.min_alpha = model.alpha
for _ in range(15):
    model.train(sentences, total_examples=model.corpus_count, epochs=1)
    model.alpha -= 0.001
    model.min_alpha = model.alpha
model.init_sims()
vectors = model.wv.get_normed_vectors()
cosines = vectors @ vectors[model.wv.key_to_index["t3w3"]]
nearest = [model.wv.index_to_key[row] for row in np.argsort(-cosines)[1:4]]
assert nearest == [word for word, _ in model.wv.most_similar("t3w3", topn=3)]
wv = model.wv
