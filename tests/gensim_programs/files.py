"""Train CBOW, gensim's default, on a file, on all files of a folder, and on a file that gensim reads fast."""

import shutil
from pathlib import Path

from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence, PathLineSentences, Text8Corpus

Path("parts").mkdir()
shutil.copy("corpus.txt", "parts/a.txt")
Path("text8").write_text(Path("corpus.txt").read_text().replace("\n", " "))
options = {"vector_size": 30, "min_count": 2, "workers": 2, "epochs": 25}
of_file = Word2Vec(LineSentence("corpus.txt"), **options)
of_text8 = Word2Vec(Text8Corpus("text8"), **options)
first = Word2Vec(LineSentence("corpus.txt", limit=100), **options)
model = Word2Vec(corpus_file="corpus.txt", **options)
assert set(of_file.wv.index_to_key) == set(of_text8.wv.index_to_key) == set(model.wv.index_to_key)
assert first.corpus_count == 100
wv = Word2Vec(sentences=PathLineSentences("parts"), **options).wv
