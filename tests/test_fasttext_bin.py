"""fastText's models, ``.bin``: vectors of known and unknown words are the same in both programs, in both directions."""

import bz2
import gzip
import lzma
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import fastw2v
from fastw2v.cli import main
from fastw2v.embeddings import Embeddings
from fastw2v.errors import FastW2VWarning, FormatError
from fastw2v.kernels.composed import compose
from fastw2v.kernels.records import Model
from fastw2v.subwords.composition import compose_vocabulary
from fastw2v.subwords.ngrams import Ngrams, rows_of_words
from fastw2v.subwords.table import Subwords
from fastw2v.vectors import fasttext
from fastw2v.vectors.reader import read_vectors
from fastw2v.vocab import Vocab

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PROGRAM = CACHE / "fastw2v-bench" / "fasttext" / "fasttext"  # `bench.systems` makes it.
WORDS = ["</s>", "the", "naïve", "日本", "ab", "caf\udce9", "thethe"]
UNKNOWN = ["naïveté", "日本語", "unseen", "the-naïve", "é", "\U0001f600x"]
MAGIC = 793712314
SIZE = 3
USUAL = Ngrams(2, 4, 500)


# ------------------------------------------------------------------------------------------------------ twins


def ngrams_of(word, min_n, max_n):
    """The n-grams of a word in bytes, in fastText's order."""
    if word == "</s>":
        return []
    letters = ["<", *word, ">"]
    last = len(letters)
    pieces = [
        letters[i : i + n]
        for i in range(last)
        for n in range(max(min_n, 1), max_n + 1)
        if i + n <= last and not (n == 1 and i in (0, last - 1))
    ]
    return ["".join(piece).encode("utf-8", "surrogateescape") for piece in pieces]


def bucket_of(ngram, bucket):
    h = 2166136261
    for byte in ngram:
        h = ((h ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return h % bucket


def vector_of(word, rows, min_n, max_n, bucket, words=WORDS):
    """What fastText returns for a word, in double precision."""
    own = [words.index(word)] if word in words else []
    parts = own + [len(words) + bucket_of(ngram, bucket) for ngram in ngrams_of(word, min_n, max_n)]
    return rows[parts].astype(np.float64).mean(axis=0) if parts else np.zeros(rows.shape[1])


def model_bytes(words=WORDS, labels=(), rows=None, outside=None, *, version=12, quantised=False, pruned=-1, **given):
    """A model as fastText writes it."""
    arguments = {
        "dim": SIZE, "ws": 4, "epoch": 2, "minCount": 1, "neg": 6, "wordNgrams": 1, "loss": 2, "model": 2, "bucket": 50,
        "minn": 2, "maxn": 4, "lrUpdateRate": 100, "t": 1e-3,
    }  # fmt: skip
    arguments |= given
    if rows is None:
        rows = rows_for(len(words) + arguments["bucket"])
    if outside is None:
        outside = -rows[: len(labels) or len(words)]
    content = struct.pack("<2i", MAGIC, version) + struct.pack("<12id", *arguments.values())
    content += struct.pack("<3i2q", len(words) + len(labels), len(words), len(labels), 9999, pruned)
    for entries, kind in ((words, 0), (labels, 1)):
        for number, word in enumerate(entries):
            content += word.encode("utf-8", "surrogateescape") + struct.pack("<xqb", 100 - number, kind)
    content += struct.pack("<?2q", quantised, *rows.shape) + rows.tobytes()
    return content + struct.pack("<?2q", False, *outside.shape) + outside.tobytes()


def rows_for(n_rows, size=SIZE, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, size)).astype(np.float32)


def trained(ngrams=USUAL, words=WORDS, size=10):
    """A model with subwords, in which n-grams of the same words share a row, as after training."""
    counts = np.arange(len(words), 0, -1) * 7
    starts, rows = rows_of_words(words, ngrams)
    composition = compose_vocabulary(starts, rows, ngrams.bucket, counts.astype(np.float64))
    V = np.zeros((composition.n_rows, 16), np.float32)
    V[:, :size] = rows_for(len(V), size)
    H = np.zeros((len(words), 16), np.float32)
    model = Model(V, np.zeros_like(H), size, composition.offsets, composition.rows, composition.shares)
    compose(model, np.arange(len(words), dtype=np.int32), H)
    # The rows lie between padding, as while training.
    subwords = Subwords(ngrams, V[:, :size], composition.buckets, composition.bucket_rows)
    config = {"window": 7, "epochs": 3, "min_count": 2, "negative": 4, "sample": 1e-3}
    outside = rows_for(len(words), size, seed=1)
    metadata = {"config": config, "corpus": {"tokens_read": 12345}}
    return Embeddings(Vocab(words, counts), H[:, :size].copy(), outside, metadata, subwords=subwords)


def expected_vectors(words=WORDS, min_n=2, max_n=4, bucket=50, among=WORDS):
    rows = rows_for(len(among) + bucket)
    return np.array([vector_of(word, rows, min_n, max_n, bucket, among) for word in words])


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        (tmp_path / "model").write_bytes(content)
        return fastw2v.load(tmp_path / "model", **options)

    return read


def refused(read, content, said, **options):
    with pytest.raises(FormatError, match=said) as error:
        read(content, **options)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def zstd(content):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


# ------------------------------------------------------------------------------------------------------ reading


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
@pytest.mark.parametrize("limit", [None, 1, 4, 100])
def test_a_model_is_read(read, monkeypatch, pack, limit):
    monkeypatch.setattr(fasttext, "BLOCK_BYTES", 40)
    monkeypatch.setattr("fastw2v.subwords.ngrams.WORDS_AT_ONCE", 2)
    found = read(pack(model_bytes()), limit=limit)
    kept = WORDS[:limit]
    assert list(found.words) == kept
    np.testing.assert_allclose(found.vectors, expected_vectors(kept), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(found.outside, -rows_for(57)[: len(kept)])
    assert found.vocab.counts.tolist() == [100, 99, 98, 97, 96, 95, 94][:limit]
    assert found.subwords.ngrams == Ngrams(2, 4, 50)
    np.testing.assert_array_equal(found.subwords.rows[: len(kept)], rows_for(57)[: len(kept)])
    unknown, known = found.subwords.vectors(UNKNOWN)
    np.testing.assert_allclose(unknown, expected_vectors(UNKNOWN), rtol=1e-6, atol=1e-7)
    assert known.tolist() == [len(ngrams_of(word, 2, 4)) for word in UNKNOWN]
    assert found.metadata["fasttext"]["epoch"] == 2
    assert not found.subwords.rows.flags.writeable


def test_a_plain_file_is_mapped(read):
    """A file of gigabytes must not be copied into memory."""
    found = read(model_bytes())
    for matrix in (found.subwords.rows, found.outside):
        base = matrix
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)


def test_a_file_that_cannot_be_mapped_is_read(read, monkeypatch):
    content = model_bytes(bucket=200_000)  # more than is read ahead
    expected = read(content).vectors

    def memmap(stream, *arguments):
        stream.seek(0, 2)
        raise OSError("no mapping here")

    monkeypatch.setattr(np, "memmap", memmap)
    np.testing.assert_array_equal(read(content).vectors, expected)


def test_standard_input_and_pipes(tmp_path):
    code = "import fastw2v; e = fastw2v.load('-'); print(ascii(e.words), e.subwords.rows.shape)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], input=model_bytes(), capture_output=True)
    assert done.stdout.decode().strip() == f"{WORDS!a} (57, 3)", done.stderr
    (tmp_path / "file").write_bytes(model_bytes())
    with open(tmp_path / "file", "rb") as file:
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], stdin=file, capture_output=True)
    assert done.stdout.decode().strip() == f"{WORDS!a} (57, 3)", done.stderr
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(model_bytes(),))
    writer.start()
    np.testing.assert_allclose(fastw2v.load(tmp_path / "pipe").vectors, expected_vectors(), rtol=1e-6, atol=1e-7)
    writer.join()


def test_models_without_ngrams(read):
    """fastText omits the buckets, unless it needs them for pairs of words."""
    for given in ({"bucket": 0, "minn": 3, "maxn": 0}, {"maxn": 0, "wordNgrams": 2}, {"minn": 5, "maxn": 4}):
        found = read(model_bytes(**given))
        assert found.subwords is None
        np.testing.assert_array_equal(found.vectors, rows_for(len(WORDS) + given.get("bucket", 50))[: len(WORDS)])
        assert found.outside is not None


def test_other_kinds_of_models(read):
    for given in ({"model": 1}, {"loss": 3}, {"loss": 4}):
        assert read(model_bytes(**given)).outside is not None
    assert read(model_bytes(loss=1)).outside is None  # Its rows are those of a tree.
    for pack in (bytes, gzip.compress):
        found = read(pack(model_bytes(labels=["__label__a", "__label__b"], model=3, loss=3)), limit=5)
        assert list(found.words) == WORDS[:5]
        assert found.outside is None
        np.testing.assert_allclose(found.vectors, expected_vectors(WORDS[:5]), rtol=1e-6, atol=1e-7)
    assert read(model_bytes(minn=-1, maxn=1)).subwords.ngrams == Ngrams(1, 1, 50)
    # Classifiers of version 11 had no n-grams of characters.
    assert read(model_bytes(version=11)).subwords is not None
    assert read(model_bytes(labels=["__label__a"], model=3, version=11)).subwords is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_repeated_words(read, pack):
    words = ["a", "b", "a", "日本"]
    content = pack(model_bytes(words))
    with pytest.warns(FastW2VWarning, match="repeats words in 1 row, such as 'a' in row 3"):
        found = read(content)
    kept = [0, 1, 3]
    rows = rows_for(len(words) + 50)
    assert list(found.words) == ["a", "b", "日本"]
    assert found.vocab.counts.tolist() == [100, 99, 97]
    np.testing.assert_array_equal(found.outside, -rows[kept])
    among = ["a", "b", "-", "日本"]
    np.testing.assert_allclose(found.vectors, [vector_of(w, rows, 2, 4, 50, among) for w in found.words], rtol=1e-6)
    np.testing.assert_allclose(
        found.subwords.vectors(UNKNOWN)[0], [vector_of(w, rows, 2, 4, 50, among) for w in UNKNOWN], rtol=1e-5, atol=1e-7
    )
    np.testing.assert_array_equal(found.subwords.rows[:3], rows[kept])
    refused(read, content, "holds the word 'a' twice, in rows 1 and 3", duplicates="error")
    with pytest.warns(FastW2VWarning, match="repeats words"):
        assert read(pack(model_bytes(words, bucket=0, maxn=0))).vectors.tolist() == rows_for(4)[kept].tolist()


def test_encodings(read):
    found = read(model_bytes(), errors="replace")
    assert found.words[5] == "caf\ufffd"
    np.testing.assert_allclose(found.vectors, expected_vectors(), rtol=1e-6, atol=1e-7)  # n-grams are made of bytes.
    refused(read, model_bytes(), r"word 6 is 'caf\\\\udce9', not valid utf-8", errors="strict")
    assert read(model_bytes(), encoding="latin-1").words[5] == "café"


def test_a_model_folder_keeps_everything(read, tmp_path):
    found = read(model_bytes())
    found.save(tmp_path / "folder")
    again = fastw2v.load(tmp_path / "folder", limit=4)
    np.testing.assert_array_equal(again.vectors, found.vectors[:4])
    np.testing.assert_array_equal(again.subwords.vectors(UNKNOWN)[0], found.subwords.vectors(UNKNOWN)[0])
    assert again.metadata["fasttext"] == found.metadata["fasttext"]


# ------------------------------------------------------------------------------------------------------ damage

NAN = rows_for(57)
NAN[3, 1] = np.nan
INFINITE = rows_for(57)
INFINITE[40, 2] = np.inf
HUGE = np.full((57, SIZE), 3e38, np.float32)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (model_bytes(version=13), "version 13, this program reads 11 and 12: upgrade fastw2v"),
        (model_bytes(version=-4), "version -4, this program reads 11 and 12: give its .vec file"),
        (model_bytes(quantised=True), r"is a quantised fastText model \(.ftz\).*give the .bin file"),
        (model_bytes(pruned=0), "is a pruned fastText model"),
        (model_bytes(pruned=4), "is a pruned fastText model"),
        (model_bytes(dim=0), "is damaged: its vectors have 0 numbers"),
        (model_bytes(dim=-3), "is damaged: its vectors have -3 numbers"),
        (model_bytes(dim=4), r"is damaged: it has a matrix of shape \(57, 3\) for vectors of 4 numbers"),
        (model_bytes(loss=9), "is damaged: its loss has the number 9"),
        (model_bytes(model=0), "is damaged: its model has the number 0"),
        (model_bytes(t=float("nan")), "is damaged: its threshold for frequent words is nan"),
        (model_bytes(bucket=49, rows=rows_for(57)), "its input matrix has 57 rows.*49 buckets need 56"),
        (model_bytes(bucket=0, rows=rows_for(7)), "is damaged or too large: bucket is 0"),
        (model_bytes(bucket=-5, rows=rows_for(7)), "is damaged or too large: bucket is -5"),
        (model_bytes(maxn=10**6), "is damaged or too large: max_n is 1000000"),
        (model_bytes(maxn=0, bucket=0, rows=rows_for(6)), "its input matrix has 6 rows"),
        (model_bytes(outside=rows_for(6)), "its output matrix has 6 rows for 7 words"),
        (model_bytes(["a", "", "b"]), "word 2 is '', empty"),
        (model_bytes(["a", "b\tc"]), r"word 2 is .*with a tab"),
        (model_bytes(rows=NAN), "word 4, '日本', has a number that is not finite"),
        (model_bytes(outside=NAN[:7]), "output row 4, '日本', has a number that is not finite"),
        (model_bytes(rows=INFINITE), "bucket 33 of n-grams has a number that is not finite"),
        (model_bytes(rows=HUGE), "the vector of the word 'the' is too large"),
        (model_bytes() + b"\0", "continues after its last matrix"),
    ],
)  # fmt: skip
def test_damaged_models(read, pack, content, said):
    refused(read, pack(content), said)


def test_entries_that_lie(read):
    content = model_bytes()
    start = 8 + 56
    for numbers, said in (
        ((0, 0, 0), "announces 0 entries"),
        ((7, 8, -1), "announces 7 entries, 8 of them words and -1 labels"),
        ((7, 6, 0), "announces 7 entries, 6 of them words and 0 labels"),
        ((8, 7, 1), "entry 8 of its dictionary is not a label|truncated"),
        ((7, 6, 1), "entry 7 of its dictionary is not a label"),
        ((2**31 - 1, 2**31 - 1, 0), "announces 2,147,483,647 entries, but only"),
    ):
        lying = content[:start] + struct.pack("<3i", *numbers) + content[start + 12 :]
        refused(read, lying, said)
    at = content.index(b"the\0") + 4
    for count in (-1, 10**18):
        refused(read, content[:at] + struct.pack("<q", count) + content[at + 8 :], f"'the' has the count {count}")
    refused(read, content[: at + 8] + b"\1" + content[at + 9 :], "entry 2 of its dictionary is not a word")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_truncated_models(read, pack):
    content = model_bytes(["a", "b"], bucket=3, dim=1, rows=rows_for(5, 1))
    for n in range(8, len(content)):
        refused(read, pack(content[:n]), "is truncated")


def test_endless_words(read, monkeypatch):
    monkeypatch.setattr(fasttext, "LINE_BYTES", 1 << 20)
    start = model_bytes()[: 8 + 56] + struct.pack("<3i2q", 3, 3, 0, 9, -1)
    refused(read, start + b"a" * (8 << 20), "word 1 does not end")
    word = "x" * 2_000_000
    assert read(model_bytes(["a", word, "b"])).words[1] == word


def test_headers_of_archives_reserve_no_memory(read):
    resource = pytest.importorskip("resource")
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("this system does not tell the size of a process")
    read(gzip.compress(model_bytes()))  # It compiles.
    size = int(statm.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), before[1]))
    try:
        small = model_bytes(bucket=0, maxn=0, rows=rows_for(7))
        cut = len(small) - 7 * SIZE * 4 * 2 - 17 - 17  # where the shape of the input matrix is
        for n_rows in (10**8, 2**40, 2**63 - 1):
            lying = small[:cut] + struct.pack("<?2q", False, n_rows, SIZE) + small[cut + 17 :]
            refused(read, gzip.compress(lying), "is truncated: it ends in row")
            refused(read, lying, "is truncated or damaged: the input matrix takes")
        many = model_bytes()[: 8 + 56] + struct.pack("<3i2q", 2**31 - 1, 2**31 - 1, 0, 9, -1) + b"word\0" + bytes(9)
        refused(read, gzip.compress(many), "it ends in entry 2 of the 2,147,483,647")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_options_of_other_formats(read):
    refused(read, model_bytes(), "is a fastText model, which binary is not for: give load the name alone", binary=True)
    refused(read, model_bytes(), "is a fastText model, which no_header is not for", no_header=False)


# ------------------------------------------------------------------------------------------------------ writing


def same_vectors(path, embeddings):
    """Check that a written model is that of the embeddings, by the twin of fastText."""
    content = path.read_bytes()
    dim, *_, bucket, min_n, max_n, _ = struct.unpack("<12i", content[8:56])
    n_words = len(embeddings)
    words = list(embeddings.words)
    n_bytes = n_words * dim * 4
    outside = np.frombuffer(content[len(content) - n_bytes :], "<f4").reshape(n_words, dim)
    rest = content[: len(content) - n_bytes - 17]
    rows = np.frombuffer(rest[len(rest) - (n_words + bucket) * dim * 4 :], "<f4").reshape(-1, dim)
    known = [vector_of(word, rows, min_n, max_n, bucket, words) for word in words]
    np.testing.assert_allclose(known, embeddings.vectors, rtol=1e-5, atol=1e-6)
    if embeddings.subwords is not None:
        unknown = [vector_of(word, rows, min_n, max_n, bucket, words) for word in UNKNOWN]
        np.testing.assert_allclose(unknown, embeddings.subwords.vectors(UNKNOWN)[0], rtol=1e-5, atol=1e-6)
    return outside, rows


@pytest.mark.parametrize("ngrams", [Ngrams(2, 4, 500), Ngrams(1, 2, 7), Ngrams(3, 6, 20_000)])
def test_a_trained_model_is_written(tmp_path, monkeypatch, ngrams):
    monkeypatch.setattr("fastw2v.vectors.fasttext_writer.BLOCK_BYTES", 1000)
    monkeypatch.setattr("fastw2v.vectors.fasttext_writer.WORDS_AT_ONCE", 3)
    monkeypatch.setattr("fastw2v.subwords.ngrams.PARTS_AT_ONCE", 60)
    embeddings = trained(ngrams)
    with pytest.warns(FastW2VWarning, match="not valid UTF-8: gensim puts backslashes"):
        embeddings.export(tmp_path / "m.bin")
    outside, rows = same_vectors(tmp_path / "m.bin", embeddings)
    np.testing.assert_array_equal(outside, embeddings.outside)
    np.testing.assert_array_equal(rows[: len(WORDS)], embeddings.subwords.rows[: len(WORDS)])
    reached = set(embeddings.subwords.buckets.tolist())
    assert all(not rows[len(WORDS) + b].any() for b in range(min(ngrams.bucket, 600)) if b not in reached)
    arguments = struct.unpack("<12id", (tmp_path / "m.bin").read_bytes()[8:64])
    assert arguments == (10, 7, 3, 2, 4, 1, 2, 2, ngrams.bucket, ngrams.min_n, ngrams.max_n, 100, 1e-3)
    assert struct.unpack("<3i2q", (tmp_path / "m.bin").read_bytes()[64:92]) == (7, 7, 0, 12345, -1)
    again = fastw2v.load(tmp_path / "m.bin")
    np.testing.assert_allclose(again.vectors, embeddings.vectors, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*gensim puts backslashes:fastw2v.FastW2VWarning")
def test_a_model_comes_back_byte_for_byte(read, tmp_path):
    content = model_bytes()
    read(content).export(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == content
    found = fastw2v.load(tmp_path / "again.bin")
    found.export(tmp_path / "again.bin")  # onto the file that is mapped
    assert (tmp_path / "again.bin").read_bytes() == content
    np.testing.assert_allclose(found.vectors, expected_vectors(), rtol=1e-6, atol=1e-7)
    read(gzip.compress(content), limit=3).export(tmp_path / "few.bin")
    few = fastw2v.load(tmp_path / "few.bin")
    np.testing.assert_array_equal(few.vectors, found.vectors[:3])
    np.testing.assert_array_equal(few.subwords.vectors(UNKNOWN)[0], found.subwords.vectors(UNKNOWN)[0])


def test_vectors_without_subwords(tmp_path):
    embeddings = Embeddings.from_vectors(["a", "b"], [[1.5, 2.5], [-3, 4]])
    embeddings.export(tmp_path / "v.bin", "fasttext-bin")
    outside, rows = same_vectors(tmp_path / "v.bin", embeddings)
    np.testing.assert_array_equal(rows, embeddings.vectors)
    assert not outside.any()
    again = fastw2v.load(tmp_path / "v.bin")
    assert again.subwords is None
    assert again.vocab.counts.tolist() == [1, 1]  # gensim drops words with the count 0


def test_words_that_were_changed(tmp_path):
    """Words that were added, renamed or scaled after training keep their vectors."""
    words = ["the", "naïve", "New York", "日本"]
    embeddings = trained(words=words)
    with pytest.raises(FormatError, match="'New York' holds a space, which fasttext-bin files can't hold"):
        embeddings.export(tmp_path / "v.bin")
    embeddings.export(tmp_path / "v.bin", space="_")
    again = fastw2v.load(tmp_path / "v.bin")
    assert again.words[2] == "New_York"
    np.testing.assert_allclose(again.vectors, embeddings.vectors, rtol=1e-5, atol=1e-6)
    embeddings = trained(words=["the", "naïve", "日本"])
    embeddings.init_sims(replace=True)
    embeddings.add_vectors(["new"], np.ones((1, 10)))
    embeddings.export(tmp_path / "v.bin")
    same_vectors(tmp_path / "v.bin", embeddings)


def test_words_without_ngrams(tmp_path):
    embeddings = Embeddings(
        ["a", "</s>"],
        np.ones((2, 2), np.float32),
        subwords=Subwords(Ngrams(4, 5, 9), np.ones((2, 2), np.float32), np.empty(0, np.int32), np.empty(0, np.int32)),
    )
    embeddings.export(tmp_path / "v.bin")
    _, rows = same_vectors(tmp_path / "v.bin", embeddings)
    assert rows.tolist() == [[1, 1]] * 2 + [[0, 0]] * 9


def test_the_suffix_decides_with_the_subwords(tmp_path, capsys):
    words = ["the", "naïve", "日本"]
    embeddings, plain = trained(words=words), Embeddings.from_vectors(words, np.eye(3))
    plain.export(tmp_path / "plain.bin")
    assert (tmp_path / "plain.bin").read_bytes().startswith(b"3 3\n")
    embeddings.export(tmp_path / "v.bin")
    assert (tmp_path / "v.bin").read_bytes().startswith(struct.pack("<i", MAGIC))
    embeddings.export(tmp_path / "v")
    assert (tmp_path / "v").read_bytes().startswith(b"3 10\n")
    embeddings.export(tmp_path / "v.bin", "word2vec-bin")
    assert (tmp_path / "v.bin").read_bytes().startswith(b"3 10\n")
    embeddings.save_word2vec_format(tmp_path / "v.bin", binary=True)
    assert (tmp_path / "v.bin").read_bytes().startswith(b"3 10\n")
    with pytest.warns(FastW2VWarning, match=r"fastText reads a .bin file only without .gz"):
        embeddings.export(tmp_path / "v.bin.gz")
    np.testing.assert_allclose(fastw2v.load(tmp_path / "v.bin.gz").vectors, embeddings.vectors, rtol=1e-5, atol=1e-6)
    with pytest.warns(FastW2VWarning, match="the suffix .txt means word2vec-text, but the file is written as fasttext"):
        embeddings.export(tmp_path / "v.txt", "fasttext-bin")
    embeddings.save(tmp_path / "folder")
    for arguments in (["export", "folder", "c.bin"], ["convert", "c.bin", "d.bin", "--limit", "2"]):
        assert (
            main([arguments[0], *[str(tmp_path / a) if "." in a or a == "folder" else a for a in arguments[1:]]]) == 0
        )
        assert capsys.readouterr().out.endswith("vector_size 10, fasttext-bin\n")
    assert len(fastw2v.load(tmp_path / "d.bin")) == 2
    assert main(["convert", str(tmp_path / "plain.bin"), str(tmp_path / "e.bin"), "--format", "fasttext-bin"]) == 0
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "e.bin").vectors, np.eye(3))


def test_text_has_the_composed_vectors(tmp_path):
    embeddings = trained(words=["the", "naïve", "日本"])
    embeddings.export(tmp_path / "v.vec")
    np.testing.assert_allclose(read_vectors(tmp_path / "v.vec").vectors, embeddings.vectors, atol=1e-6)


def test_models_that_cannot_be_written(tmp_path):
    def of(word="a", vectors=(1, 1), rows=(1, 1), outside=None):
        one = np.array([1], np.int32)
        subwords = Subwords(Ngrams(1, 2, 9), np.array(rows, np.float32)[:, None], one, one)
        outside = None if outside is None else np.array(outside, np.float32)[:, None]
        return Embeddings([word, "b"], np.array(vectors, np.float32)[:, None], outside, subwords=subwords)

    with pytest.raises(FormatError, match=r"'a\\\\x00b' holds NUL, which ends a word"):
        of("a\0b").export(tmp_path / "v.bin")
    with pytest.raises(FormatError, match="the outside row of the word 'b' is not finite"):
        of(outside=(1, np.inf)).export(tmp_path / "v.bin")
    with pytest.raises(FormatError, match="a row of n-grams is not finite"):
        of(rows=(1, np.nan)).export(tmp_path / "v.bin")
    with pytest.raises(FormatError, match="the vector of the word 'a' is too large for a fastText model"):
        of(vectors=(3e38, 3e38)).export(tmp_path / "v.bin")
    assert not list(tmp_path.iterdir())


def test_tables_of_floret(tmp_path):
    rows, buckets = np.ones((5, 2), np.float32), np.arange(5, dtype=np.int32)
    subwords = Subwords(Ngrams(2, 3, 5, 2), rows, buckets, buckets)
    embeddings = Embeddings(["a", "b"], np.ones((2, 2), np.float32), subwords=subwords)
    embeddings.export(tmp_path / "v.bin")
    assert (tmp_path / "v.bin").read_bytes().startswith(b"2 2\n")
    with pytest.raises(FormatError, match="a fastText model can't hold rows that words and n-grams share"):
        embeddings.export(tmp_path / "w.bin", "fasttext-bin")
    assert not (tmp_path / "w.bin").exists()


@pytest.mark.parametrize(
    "metadata",
    [
        {"config": 3, "fasttext": [1], "corpus": None},
        {"config": {"window": "x", "epochs": -1, "min_count": 2**62, "negative": True, "sample": "y"}},
        {"fasttext": {"ws": 2**40, "t": 7, "model": 3, "tokens": 2**70}, "corpus": {"tokens_read": "many"}},
    ],
)
def test_metadata_of_strangers(tmp_path, metadata):
    Embeddings(["a"], np.ones((1, 2)), metadata=metadata).export(tmp_path / "v.bin", "fasttext-bin")
    assert fastw2v.load(tmp_path / "v.bin").vectors.tolist() == [[1, 1]]


def test_after_training(planted_file, tmp_path):
    options = {"vector_size": 10, "epochs": 1, "min_n": 2, "max_n": 4, "bucket": 1000, "workers": 1, "progress": False}
    fastw2v.train(planted_file, output=tmp_path / "model", **options)
    embeddings = fastw2v.load(tmp_path / "model")
    embeddings.export(tmp_path / "m.bin")
    outside, rows = same_vectors(tmp_path / "m.bin", embeddings)
    np.testing.assert_array_equal(outside, embeddings.outside)
    assert struct.unpack("<12i", (tmp_path / "m.bin").read_bytes()[8:56])[2] == 1
    # The rows are those that were trained, not computed from the vectors.
    np.testing.assert_array_equal(rows[: len(embeddings)], embeddings.subwords.rows[: len(embeddings)])


# ------------------------------------------------------------------------------------------------------ peers


@pytest.fixture(scope="session")
def sentences(planted_file):
    extra = [["naïve", "café", "日本語", "naïve", "日本", "café"]] * 20
    return [line.split() for line in planted_file.read_text().splitlines()[:500]] + extra


@pytest.fixture(scope="session")
def program(tmp_path_factory, sentences):
    """fastText, and a folder with a text to train on."""
    if not PROGRAM.is_file():
        pytest.skip("there is no compiled fastText: python -m bench peers makes one")
    folder = tmp_path_factory.mktemp("fasttext")
    (folder / "text").write_text("\n".join(map(" ".join, sentences)) + "\n")
    (folder / "labelled").write_text("\n".join(f"__label__{len(s) % 3} " + " ".join(s) for s in sentences) + "\n")
    return folder


def run(folder, *arguments, **options):
    done = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape")


def of_program(path, words):
    """The vectors that fastText prints, with five digits."""
    text = "".join(word + "\n" for word in words).encode("utf-8", "surrogateescape")
    lines = run(path.parent, "print-word-vectors", path.name, input=text).splitlines()
    return np.array([line.split(" ")[1:-1] for line in lines], np.float64)


KINDS = {
    "skipgram": ["skipgram", "-input", "text"],
    "cbow": ["cbow", "-input", "text"],
    "hs": ["skipgram", "-input", "text", "-loss", "hs"],
    "words": ["skipgram", "-input", "text", "-maxn", "0"],
    "short": ["skipgram", "-input", "text", "-minn", "0", "-maxn", "2"],
    "supervised": ["supervised", "-input", "labelled", "-minn", "2", "-maxn", "3"],
    "pairs": ["supervised", "-input", "labelled", "-wordNgrams", "2"],
}
UNSEEN = ["naïveté", "日本人", "t1w99", "all", "zzz", "Ünseen"]


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_fasttext(program, tmp_path, kind):
    # With fewer than ten threads fastText leaves some rows as it finds them in memory.
    options = ["-dim", "10", "-bucket", "1000", "-thread", "10", "-epoch", "1", "-minCount", "1", "-verbose", "0"]
    run(program, *KINDS[kind], "-output", kind, *options)
    path = program / f"{kind}.bin"
    embeddings = fastw2v.load(path)
    printed = {"rtol": 5e-5, "atol": 1e-6}
    np.testing.assert_allclose(of_program(path, embeddings.words), embeddings.vectors, **printed)
    assert (embeddings.subwords is None) == (kind in ("words", "pairs"))
    assert (embeddings.outside is None) == (kind in ("hs", "supervised", "pairs"))
    if embeddings.subwords is not None:
        np.testing.assert_allclose(of_program(path, UNSEEN), embeddings.subwords.vectors(UNSEEN)[0], **printed)
    embeddings.export(tmp_path / "ours.bin", "fasttext-bin")
    np.testing.assert_allclose(of_program(tmp_path / "ours.bin", embeddings.words), embeddings.vectors, **printed)
    if kind in ("skipgram", "cbow"):
        assert (tmp_path / "ours.bin").read_bytes() == path.read_bytes()
    if kind == "supervised":
        run(program, "quantize", "-input", "labelled", "-output", kind, "-verbose", "0", "-qnorm")
        with pytest.raises(FormatError, match="is a quantised fastText model"):
            fastw2v.load(program / f"{kind}.ftz")


def test_fasttext_reads_ours(program, tmp_path):
    words = [word for word in WORDS if word.isprintable()]
    embeddings = trained(Ngrams(1, 5, 3000), words=words)
    embeddings.export(tmp_path / "m.bin")
    printed = {"rtol": 5e-5, "atol": 1e-6}
    np.testing.assert_allclose(of_program(tmp_path / "m.bin", words), embeddings.vectors, **printed)
    unknown = embeddings.subwords.vectors(UNKNOWN)[0]
    np.testing.assert_allclose(of_program(tmp_path / "m.bin", UNKNOWN), unknown, **printed)
    assert run(tmp_path, "dump", "m.bin", "args").splitlines()[:3] == ["dim 10", "ws 7", "epoch 3"]


def test_gensim_reads_ours(tmp_path):
    peer = pytest.importorskip("gensim.models.fasttext")
    words = [word for word in WORDS if word.isprintable() and word != "</s>"]  # gensim gives </s> n-grams.
    embeddings = trained(Ngrams(2, 5, 3000), words=words)
    embeddings.export(tmp_path / "m.bin")
    found = peer.load_facebook_model(str(tmp_path / "m.bin"))
    assert found.wv.index_to_key == words
    assert [found.wv.get_vecattr(word, "count") for word in words] == embeddings.vocab.counts.tolist()
    np.testing.assert_allclose(found.wv[words], embeddings.vectors, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.wv[UNKNOWN], embeddings.subwords.vectors(UNKNOWN)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.syn1neg, embeddings.outside)
    assert (found.window, found.epochs, found.negative, found.sample) == (7, 3, 4, 1e-3)
    keyed = peer.load_facebook_vectors(str(tmp_path / "m.bin"))
    np.testing.assert_allclose(keyed[words], embeddings.vectors, rtol=1e-5, atol=1e-6)
    plain = Embeddings.from_vectors(["a", "b"], np.eye(2))
    plain.export(tmp_path / "p.bin", "fasttext-bin")
    np.testing.assert_array_equal(peer.load_facebook_vectors(str(tmp_path / "p.bin"))[["a", "b"]], np.eye(2))


@pytest.mark.parametrize("options", [{"sg": 1}, {"sg": 0}, {"hs": 1, "negative": 0}, {"min_n": 1, "max_n": 3}])
def test_models_of_gensim(tmp_path, sentences, options):
    peer = pytest.importorskip("gensim.models.fasttext")
    chosen = {"vector_size": 10, "bucket": 1000, "min_count": 1, "epochs": 1, "workers": 1, "seed": 1} | options
    model = peer.FastText(sentences, **chosen)
    peer.save_facebook_model(model, str(tmp_path / "m.bin"))
    embeddings = fastw2v.load(tmp_path / "m.bin")
    words = model.wv.index_to_key
    assert list(embeddings.words) == words
    np.testing.assert_allclose(embeddings.vectors, model.wv[words], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(embeddings.subwords.vectors(UNSEEN)[0], model.wv[UNSEEN], rtol=1e-5, atol=1e-6)
    if "hs" not in options:
        np.testing.assert_array_equal(embeddings.outside, model.syn1neg)
