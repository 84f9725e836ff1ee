"""Graphs: `random_walks` walks on a graph as node2vec does, and `train_graph` trains on the walks.

- `edges` reads a file of edges.
- `adjacency` turns any graph that users have into arrays (CSR).
- `walks` has the kernels that walk.
- `node2vec` has the public functions.
"""
