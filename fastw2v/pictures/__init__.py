"""Pictures (``pip install 'fastw2v[plot]'``): maps of words, and the course of a training.

`picture` is the door. `points` places the words, `drawing` draws with matplotlib, and `page` writes HTML with
plotly.js. This wing takes words, vectors and records, and knows nothing of `Embeddings`.
"""
