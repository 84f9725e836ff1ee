"""Train with gensim as its documentation shows, from text to saved vectors, in a process that loads nothing else.

``python gensim_run.py corpus_file|iterable TEXT VECTORS OPTIONS_AS_JSON [OUTSIDE]``; the last line of output has the
seconds of training. The outside rows are saved only if the command names a file for them.
"""

import json
import sys
import time

from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence

how, text, vectors, options, *outside = sys.argv[1:]
model = Word2Vec(sg=1, hs=0, **json.loads(options))
corpus = {"corpus_file": text} if how == "corpus_file" else {"corpus_iterable": LineSentence(text)}
model.build_vocab(**corpus)
began = time.perf_counter()
model.train(**corpus, total_examples=model.corpus_count, total_words=model.corpus_total_words, epochs=model.epochs)
print(f"trained {time.perf_counter() - began:.6f}", file=sys.stderr)
model.wv.save_word2vec_format(vectors, binary=True)
for path in outside:
    rows = model.wv.vectors
    model.wv.vectors = model.syn1neg
    model.wv.save_word2vec_format(path, binary=True)
    model.wv.vectors = rows
