"""word2vec.c's files as they are written: golden bytes, round trips, gensim in both directions."""

import os
import struct
import subprocess

import numpy as np
import pytest

import fastw2v
from fastw2v.embeddings import Embeddings
from fastw2v.errors import FormatError
from fastw2v.vocab import Vocab

pytestmark = pytest.mark.filterwarnings("ignore:.*are not valid UTF-8")

WORDS = ["the", "naïve", "caf\udce9"]
VECTORS = np.array([[0.5, -1.25, 3e-7], [1 / 3, 1000.0, -0.0], [0.1, 0.2, 0.3]], np.float32)

# what printf("%lld %lld\n"), printf("%s "), then printf("%lf ") or fwrite(float), then printf("\n") give
GOLDEN_TEXT = (
    b"3 3\n"
    b"the 0.500000 -1.250000 0.000000 \n"
    b"na\xc3\xafve 0.333333 1000.000000 -0.000000 \n"
    b"caf\xe9 0.100000 0.200000 0.300000 \n"
)
GOLDEN_BINARY = (
    b"3 3\n"
    + b"the "
    + struct.pack("<3f", 0.5, -1.25, 3e-7)
    + b"\nna\xc3\xafve "
    + struct.pack("<3f", 1 / 3, 1000, -0.0)
    + b"\ncaf\xe9 "
    + struct.pack("<3f", 0.1, 0.2, 0.3)
    + b"\n"
)


@pytest.fixture
def small():
    padded = np.zeros((3, 16), np.float32)  # as in training: rows are views into wider ones
    padded[:, :3] = VECTORS
    return Embeddings(Vocab(WORDS, np.array([3, 2, 1])), padded[:, :3])


def test_golden_bytes(small, tmp_path):
    small.export(tmp_path / "v.txt", format="word2vec-text")
    assert (tmp_path / "v.txt").read_bytes() == GOLDEN_TEXT
    small.export(tmp_path / "v.bin")
    assert (tmp_path / "v.bin").read_bytes() == GOLDEN_BINARY
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.bin", "v.txt"]


def test_a_word_with_a_space_is_refused_and_nothing_written(tmp_path):
    embeddings = Embeddings(Vocab(["New York"], np.ones(1, np.int64)), np.ones((1, 2), np.float32))
    with pytest.raises(FormatError, match="'New York' holds white space"):
        embeddings.export(tmp_path / "v.bin")
    assert not list(tmp_path.iterdir())


def test_export_that_cannot_be_written(small, tmp_path):
    with pytest.raises(FormatError, match="is a folder"):
        small.export(tmp_path)
    with pytest.raises(FormatError, match="cannot write"):
        small.export(tmp_path / "nowhere" / "v.bin")


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


def test_export_into_a_pipe_and_through_a_link(small, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    small.export(tmp_path / "pipe")
    assert reader.communicate(timeout=30)[0] == GOLDEN_BINARY
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for format_, golden in (("word2vec-bin", GOLDEN_BINARY), ("word2vec-text", GOLDEN_TEXT)):
        small.export(tmp_path / "link", format_)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").read_bytes() == golden


def test_unknown_format_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match="format is 'glove': give one of word2vec-bin, word2vec-text"):
        small.export(tmp_path / "v", format="glove")
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_nothing(small, tmp_path, monkeypatch):
    from fastw2v.vectors import word2vec_format

    def fail(file, *rest):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(word2vec_format, "_write_rows", fail)
    (tmp_path / "v.bin").write_text("old")
    with pytest.raises(FormatError, match="No space left"):
        small.export(tmp_path / "v.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["v.bin"]
    assert (tmp_path / "v.bin").read_text() == "old"


def test_a_very_long_word_comes_back(tmp_path):
    embeddings = Embeddings(Vocab(["x" * 2_000_000], np.ones(1, np.int64)), np.ones((1, 2), np.float32))
    for format_ in ("word2vec-bin", "word2vec-text"):
        embeddings.export(tmp_path / "v", format_)
        again = fastw2v.load_word2vec_format(tmp_path / "v", binary=format_ == "word2vec-bin")
        assert again.words == embeddings.words


def test_export_keeps_the_permissions_of_the_file_it_replaces(small, tmp_path):
    (tmp_path / "private").touch(mode=0o600)
    small.export(tmp_path / "private")
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
