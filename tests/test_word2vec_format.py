"""word2vec.c's files: golden bytes, round trips, gensim in both directions, lies."""

import struct

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import FormatError

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


@pytest.mark.parametrize("content", [GOLDEN_BINARY, GOLDEN_BINARY[:-1]], ids=["newlines", "no last newline"])
def test_read_binary(tmp_path, content):
    (tmp_path / "v.bin").write_bytes(content)
    again = fastw2v.load_word2vec_format(tmp_path / "v.bin", binary=True)
    np.testing.assert_array_equal(again.vectors, VECTORS)
    assert list(again.words) == WORDS


def test_read_binary_without_newlines_between_rows(tmp_path):
    rows = (w.encode("utf-8", "surrogateescape") + b" " + v.tobytes() for w, v in zip(WORDS, VECTORS, strict=True))
    (tmp_path / "v.bin").write_bytes(b"3 3\n" + b"".join(rows))
    again = fastw2v.load_word2vec_format(tmp_path / "v.bin", binary=True)
    np.testing.assert_array_equal(again.vectors, VECTORS)


@pytest.mark.parametrize("newline", [b" \n", b"\n", b"\r\n"])
def test_read_text(tmp_path, newline):
    (tmp_path / "v.txt").write_bytes(GOLDEN_TEXT.replace(b" \n", newline))
    again = fastw2v.load_word2vec_format(tmp_path / "v.txt", binary=False)
    np.testing.assert_allclose(again.vectors, VECTORS, atol=5e-7)
    assert list(again.words) == WORDS


HUGE = b"999999999999 1000000\n" + GOLDEN_BINARY[4:]


@pytest.mark.parametrize(
    ("content", "binary", "said"),
    [
        (b"", True, "line 1 is not a word2vec header"),
        (b"three 3\n", True, "line 1"),
        (b"3\n", False, "line 1"),
        (b"-3 3\n", False, "line 1"),
        (b"3 0\n", False, "line 1"),
        (b"0 3\n", True, "line 1"),
        (b"0 99999999999999999999\n", True, "line 1"),
        (b"1 1\n 0.5 \n", False, "word 1 is ''"),
        (b"1 1\na\nb \0\0\0\0\n", True, "tab or line break"),
        (HUGE, True, "header announces 999999999999 words of 1000000 numbers, but only"),
        (HUGE, False, "header announces"),
        (GOLDEN_BINARY[:-6], True, "truncated"),
        (GOLDEN_BINARY.replace(b"3 3\n", b"2 3\n", 1), True, "continues after the 2 words"),
        (GOLDEN_TEXT + b"more 1 2 3\n", False, "continues after the 3 words"),
        (GOLDEN_TEXT.replace(b"1000.000000 ", b""), False, "line 3 has 2 numbers, the header announces 3"),
        (GOLDEN_TEXT.replace(b"1000.000000", b"thousand!!!"), False, "line 3.*thousand"),
        (GOLDEN_TEXT.replace(b"1000.000000", b"nan        "[:3] + b"00000000"), False, "line 3"),
        (GOLDEN_TEXT.replace(b"1000.000000", b"inf"), False, "not finite"),
        (GOLDEN_TEXT.replace(b"na\xc3\xafve", b"the"), False, "word 'the' twice"),
    ],
)
def test_malformed_files(tmp_path, content, binary, said):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=said) as error:
        fastw2v.load_word2vec_format(path, binary=binary)
    assert "vectors" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="cannot read"):
        fastw2v.load_word2vec_format(tmp_path / "v.bin", binary=True)


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
