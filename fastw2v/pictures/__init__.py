"""Pictures (``pip install 'fastw2v[plot]'``): maps of words, and training curves.

`picture` is the entry. `points` places the words, `drawing` draws with matplotlib, and `page` writes HTML with
plotly.js. This package takes words, vectors and records, and knows nothing of `Embeddings`.
"""
