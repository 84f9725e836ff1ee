"""word2vec.c's files with gensim, in both directions."""

import numpy as np
import pytest

import fastw2v

pytestmark = pytest.mark.filterwarnings("ignore:.*are not valid UTF-8")


@pytest.mark.parametrize("binary", [True, False])
def test_gensim_reads_ours_and_we_read_gensims(model, tmp_path, binary):
    models = pytest.importorskip("gensim.models")
    embeddings = fastw2v.load(model)
    embeddings.export(tmp_path / "ours", format="word2vec-bin" if binary else "word2vec-text")
    keyed = models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert keyed.index_to_key == list(embeddings.words)
    np.testing.assert_allclose(keyed.vectors, embeddings.vectors, atol=0 if binary else 5e-7)
    embeddings.to_gensim().save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    again = fastw2v.load_word2vec_format(tmp_path / "theirs", binary=binary)
    np.testing.assert_allclose(again.vectors, embeddings.vectors, rtol=0 if binary else 1e-6)
    assert list(again.words) == keyed.index_to_key


def test_saved_as_gensim_saves(tmp_path):
    vectors = np.float32([[1e-7, -2.5, 1 / 3], [3e8, 0, 1e-30]])
    embeddings = fastw2v.Embeddings.from_vectors(["rare", "often"], vectors, [1, 5])
    embeddings.save_word2vec_format(tmp_path / "v.txt", tmp_path / "counts.txt")
    found = fastw2v.load_word2vec_format(tmp_path / "v.txt", tmp_path / "counts.txt")
    assert found.words == ["often", "rare"]
    assert found.vocab.counts.tolist() == [5, 1]
    np.testing.assert_array_equal(found.vectors, vectors[::-1])
    assert (tmp_path / "v.txt").read_text().startswith("2 3\noften ")
    embeddings.save_word2vec_format(tmp_path / "g.txt.gz", write_header=False)
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "g.txt.gz", no_header=True).vectors, vectors[::-1])
    fastw2v.Embeddings.from_vectors(["tiny"], [[1e-8, 0]]).save_word2vec_format(tmp_path / "t.txt")  # without a doubt
    assert fastw2v.load_word2vec_format(tmp_path / "t.txt")["tiny"][0] == np.float32(1e-8)
    embeddings.save_word2vec_format(tmp_path / "v.bin", binary=True)
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "v.bin", binary=True).vectors, vectors[::-1])
    with pytest.raises(ValueError, match="give write_header=True"):
        embeddings.save_word2vec_format(tmp_path / "v.bin", binary=True, write_header=False)
