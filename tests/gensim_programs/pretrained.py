"""Use vectors that others have trained: a packed binary file, and GloVe's text without a header."""

from gensim.models import KeyedVectors

binary = KeyedVectors.load_word2vec_format("vectors.bin.gz", binary=True)
some = KeyedVectors.load_word2vec_format("vectors.bin.gz", binary=True, limit=10)
wv = KeyedVectors.load_word2vec_format("glove.txt", binary=False, no_header=True)
print(len(binary), len(some), wv.vector_size)
assert wv.doesnt_match(["t0w1", "t0w2", "t0w3", "t4w4"]) == "t4w4"
assert wv.most_similar(positive=["t1w1", "t1w2"], negative=["t0w0"], topn=1)[0][0].startswith("t1")
own = KeyedVectors(vector_size=2)
own.add_vectors(["here", "there"], [[1.0, 0.0], [0.0, 1.0]])
own.add_vector("between", [1.0, 1.0])
assert [word for word, _ in own.most_similar("here")] == ["between", "there"]
