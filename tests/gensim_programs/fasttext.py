"""Find the neighbours of words that the text does not have, by their n-grams."""

from gensim.models import FastText

sentences = [line.split() for line in open("corpus.txt")]
model = FastText(sentences, vector_size=30, window=5, min_count=1, min_n=2, max_n=4, bucket=5000, sg=1, epochs=15)
assert "t0w0" in model.wv
assert "t0w9" not in model.wv.key_to_index
for word, cosine in model.wv.most_similar("t0w9", topn=3):
    print(f"{word} {cosine:.2f}")
    assert word.startswith("t0")
assert model.wv.similarity("t3w3", "t3w99") > model.wv.similarity("t3w3", "t1w99")
assert model.wv["t0w9"].shape == model.wv.get_sentence_vector(["t0w1", "t0w9"]).shape == (30,)
assert model.wv.doesnt_match(["t0w1", "t0w2", "t0w19", "t4w4"]) == "t4w4"
model.save("fasttext.model")
again = FastText.load("fasttext.model")
assert (again.wv["t0w9"] == model.wv["t0w9"]).all()
print(model.wv.min_n, model.wv.max_n, model.wv.bucket, model.wv.vectors_ngrams.shape)
wv = again.wv
