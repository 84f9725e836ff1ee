"""Bytes to ids, against str.split and collections.Counter."""

import re
import threading
import time
from collections import Counter

import numpy as np
import pytest

from fastw2v.errors import CorpusError
from fastw2v.text import ingest, wordtable
from fastw2v.text.wordtable import SENTENCE_END

SPACE = re.compile(rb"[ \t\n\r\v\f]+")


@pytest.fixture(autouse=True)
def scratch(tmp_path):
    """A folder for provisional ids."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def read_back(result):
    """Turn the provisional ids into sentences of words."""
    sentences, sentence, words = [], [], list(result.words)
    for block in result.blocks:
        ids = np.fromfile(block.path, np.int32)[block.start : block.start + block.n_ids]
        assert np.count_nonzero(ids == SENTENCE_END) == block.n_ends
        known = result.maps[block.run].tolist()
        for word in ids.tolist():
            if word == SENTENCE_END:
                sentences.append(sentence)
                sentence = []
            else:
                sentence.append(words[known[word]])
    assert not sentence
    return sentences


def ingest_bytes(tmp_path, *contents, workers=1, **options):
    paths = []
    for i, content in enumerate(contents):
        paths.append(tmp_path / f"{i}.txt")
        paths[-1].write_bytes(content)
    result = ingest.ingest_files(paths, tmp_path / "scratch", workers=workers, **options)
    return result, read_back(result)


def expected_sentences(content):
    lines = [[w for w in SPACE.split(line) if w] for line in content.split(b"\n")]
    return [[w.decode("utf-8", "surrogateescape") for w in line] for line in lines if line]


def assert_like_python(tmp_path, *contents, workers=(1, 2)):
    expected = [sentence for content in contents for sentence in expected_sentences(content)]
    counted = Counter(word for sentence in expected for word in sentence)
    for n in workers:
        result, sentences = ingest_bytes(tmp_path, *contents, workers=n)
        assert sentences == expected
        words = list(result.words)
        assert dict(zip(words, result.counts.tolist(), strict=True)) == counted
        by_place = [words[i] for i in np.argsort(result.firsts)]
        assert by_place == list(counted)  # a Counter's order is that of first appearance
        assert len(set(result.firsts.tolist())) == len(words) == result.distinct
        assert result.n_tokens == sum(counted.values())
        assert result.n_sentences == len(expected)


@pytest.mark.parametrize(
    "content",
    [
        b"a",
        b"a b\nb c\n",
        b"no final newline\nat the end",
        b"\n\n  \n\t\na\n\n b \n\n\n",
        b"carriage\r\nreturns\r\n\r\nhere\r\n",
        b"all\x0bof\x0cthe\tASCII \r white\nspace",
        "naïve Ünïcode 東京 слово 🙂\nnon\u00a0breaking \u2028 separators\x85 stay\n".encode(),
        b"latin-1 caf\xe9 caf\xe9 \xff\xfe\x80 \xc3\n",
        b"control \x01\x1f\x7f bytes are letters\n",
        b"a " * 100_000 + b"\n" + b"b",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_words_and_sentences(tmp_path, content):
    assert_like_python(tmp_path, content)


WORKERS = (1, 2, 3, 7)


@pytest.mark.parametrize("block", [1, 2, 3, 64, 100, 1 << 10])
def test_blocks_and_workers_do_not_show(tmp_path, monkeypatch, block):
    """Cuts inside words, characters of several bytes, white space; words longer than a block; tables that grow."""
    monkeypatch.setattr(ingest, "BLOCK_BYTES", block)
    monkeypatch.setattr(wordtable, "FIRST_SLOTS", 4)
    rng = np.random.default_rng(block)
    n = min(60 * block, 5000)
    words = [b"w%d" % n for n in rng.zipf(1.2, n) % 10**6] + [b"L" * 1000, "日本語".encode(), b"\n"] * 3
    words = [words[i] for i in rng.permutation(len(words))]
    content = b"".join(word + rng.choice([b" ", b"\n", b"  ", b"\r\n", b"\n \n"]) for word in words)
    assert_like_python(tmp_path, content, content[: n // 2], b"", b"\n", content[3:], workers=WORKERS)


def test_random_bytes_in_random_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(wordtable, "FIRST_SLOTS", 2)
    rng = np.random.default_rng(0)
    alphabet = np.frombuffer(b"ab\xc3\xa9 \n\t\r\0\x1f", np.uint8)
    for _ in range(40):
        monkeypatch.setattr(ingest, "BLOCK_BYTES", int(rng.integers(1, 200)))
        contents = [b"x " + rng.choice(alphabet[:-2], rng.integers(0, 900)).tobytes() for _ in range(3)]
        assert_like_python(tmp_path, *contents, workers=[int(rng.choice(WORKERS))])


@pytest.mark.parametrize("size", range(1, 40))
def test_words_that_differ_in_one_byte(tmp_path, size):
    """Keys of short words, chunks and overlapping tails of long ones, at every length."""
    word = bytes(range(65, 65 + size))
    others = [word[:i] + b"\x01" + word[i + 1 :] for i in range(size)] + [word + b"\0", word + b"\x80"]
    content = b"text " * 20_000 + b" ".join([word, *others, word, *others])  # a NUL may not come early
    assert_like_python(tmp_path, content, workers=[1])


def test_every_byte_is_a_letter_or_white_space(tmp_path):
    content = b"text " * 20_000
    content += (
        b" ".join(b"a%cb" % byte for byte in range(256)) + b" " + b" ".join(b"%clonger word" % b for b in range(256))
    )
    assert_like_python(tmp_path, content)


def test_last_space():
    rng = np.random.default_rng(0)
    for _ in range(300):
        content = rng.choice(np.frombuffer(b"abcdefgh\x01\xff \n", np.uint8), rng.integers(1, 60)).tobytes()
        found = [match.end() for match in SPACE.finditer(content)]
        assert ingest.last_space(np.frombuffer(bytearray(content), np.uint8), len(content)) == (
            found[-1] if found else 0
        )


@pytest.mark.parametrize("share_of_letters", [0.02, 0.5, 0.9, 0.999])
def test_words_and_breaks_as_bits(share_of_letters):
    """Words, runs of white space and lines at every place of a chunk, and longer than one, from any start on."""
    rng = np.random.default_rng(0)
    starts, ends = np.zeros((2, wordtable.BATCH + 64), np.uint64)
    breaks = np.zeros(wordtable.BATCH + 66, np.uint64)
    for _ in range(60):
        stop = int(rng.integers(0, 700))
        of_letters = rng.random(stop) < share_of_letters
        letters = rng.choice(np.frombuffer(b"a\0\x08\x0e\x1f!\x80\xff", np.uint8), stop)
        spaces = rng.choice(np.frombuffer(b" \t\n\v\f\r", np.uint8), stop)
        content = np.where(of_letters, letters, spaces).tobytes()
        text = np.frombuffer(bytearray(content + b" " * wordtable.PADDING), np.uint8)
        position = int(rng.integers(0, stop + 1))
        position -= len(content[:position]) - len(content[:position].rstrip(b"a\0\x08\x0e\x1f!\x80\xff"))
        words, lines = [], set()
        expected = [match.span() for match in re.finditer(rb"[^ \t\n\v\f\r]+", content) if match.start() >= position]
        newlines = [match.start() for match in re.finditer(rb"\n", content) if match.start() >= position]
        expected_lines = {sum(start < newline for start, _ in expected) for newline in newlines}
        while position < stop:
            n, n_breaks, position = map(int, wordtable.split_words(text, position, stop, starts, ends, breaks))
            assert breaks[n_breaks] == n
            assert (np.diff(breaks[: n_breaks + 1].astype(np.int64))[:-1] > 0).all()
            lines |= {len(words) + int(words_before) for words_before in breaks[:n_breaks]}
            words += zip(starts[:n].tolist(), ends[:n].tolist(), strict=True)
        assert words == expected
        assert lines == expected_lines


def test_a_key_is_a_function_of_the_bytes_and_the_seeds():
    rng = np.random.default_rng(0)
    seen = {}
    for _ in range(2000):
        word = rng.integers(33, 255, rng.integers(1, 50)).astype(np.uint8)
        size, start = len(word), int(rng.integers(0, 9))
        text = np.concatenate(
            [rng.integers(0, 255, start).astype(np.uint8), word, rng.integers(0, 255, 40).astype(np.uint8)]
        )
        key = wordtable.word_key(text, np.uint64(start), np.uint64(start + size), wordtable.SEEDS)
        zeros = np.concatenate([word, np.zeros(16, np.uint8)])
        assert key == wordtable.word_key(zeros, np.uint64(0), np.uint64(size), wordtable.SEEDS)
        low, high = map(int, key)
        if size < 16:
            assert low | high << 64 == int.from_bytes(word.tobytes(), "little") | size << 120
        else:
            assert high == size | 1 << 63
            assert key != wordtable.word_key(zeros, np.uint64(0), np.uint64(size), wordtable.SEEDS + np.uint64(2))
        assert seen.setdefault((low, high), word.tobytes()) == word.tobytes()


def test_words_that_differ_little_are_spread_evenly():
    """Numbered words, short and long: about as many meet in a slot as would by chance, whatever the seeds."""
    frames = [(b"", b""), (b"x", b""), (b"prefix-long-", b""), (b"", b"-a-long-suffix-of-it"), (b"a" * 60, b"z")]
    words = [np.frombuffer(b"%s%05d%s" % (a, i, b), np.uint8) for a, b in frames for i in range(4000)]
    slots = np.zeros(wordtable.SLOT << 15, np.uint64)
    for seed in range(3):
        seeds = np.random.default_rng(seed).integers(0, 1 << 64, 2, np.uint64) | np.uint64(1)
        met = Counter()
        for word in words:
            text = np.concatenate([word, np.zeros(16, np.uint8)])
            key = wordtable.word_key(text, np.uint64(0), np.uint64(len(word)), seeds)
            hashed = wordtable.hash_key(*map(np.uint64, key), seeds)
            met[int(wordtable.first_slot(np.uint64(hashed), slots))] += 1
        assert max(met.values()) < 10
        assert len(met) == pytest.approx((1 - np.exp(-len(words) / 2**15)) * 2**15, rel=0.1)


def test_runs_of_words_on_disk_are_merged_exactly(tmp_path, monkeypatch):
    """Tables so small that they are set aside again and again, and merged a part of all hashes at a time."""
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 500)
    rng = np.random.default_rng(0)
    ids = rng.zipf(1.3, 20_000) % 3000
    content = b" ".join(b"word%d%s" % (i, b"x" * (i % 11)) for i in ids) + b"\n"
    whole, _ = ingest_bytes(tmp_path, content)
    order = np.lexsort((whole.firsts, -whole.counts))
    ranked = [(whole.words[i], int(whole.counts[i])) for i in order]
    monkeypatch.setattr(ingest, "TABLE_WORDS", 256)
    for workers in (1, 3):
        result, sentences = ingest_bytes(tmp_path, content, workers=workers)
        assert len(result.maps) > 5
        assert result.distinct == len(ranked)
        assert sentences == expected_sentences(content)
        order = np.lexsort((result.firsts, -result.counts))
        assert [(result.words[i], int(result.counts[i])) for i in order] == ranked
        for min_count, max_vocab in ((3, None), (1, 40), (2, 100), (10**9, None)):
            pruned = ingest.ingest_files(
                [tmp_path / "0.txt"], tmp_path / "scratch", workers=workers, min_count=min_count, max_vocab=max_vocab
            )
            order = np.lexsort((pruned.firsts, -pruned.counts))
            found = [(pruned.words[i], int(pruned.counts[i])) for i in order]
            wanted = [(word, count) for word, count in ranked if count >= min_count][:max_vocab]
            assert found[: len(wanted)] == wanted
            assert len(found) < len(ranked)
            gone = [count for word, count in ranked if word not in dict(found)]
            assert pruned.largest_left_out == max(gone)
            assert pruned.distinct == len(ranked)
            stream = [word for block in pruned.blocks for word in _words_of(block, pruned)]
            kept = dict(found)
            assert stream == [word for s in expected_sentences(content) for word in s if word in kept]


def test_the_most_frequent_word_is_known_where_none_is_frequent_enough(tmp_path, monkeypatch):
    content = b" ".join(b"w%d" % i for i in range(200) for _ in range(i + 1)) + b"\n"
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 64)
    monkeypatch.setattr(ingest, "TABLE_WORDS", 20)
    (tmp_path / "0.txt").write_bytes(content)
    found = ingest.ingest_files([tmp_path / "0.txt"], tmp_path / "scratch", min_count=1000)
    assert found.words[int(np.argmax(found.counts))] == "w199"


def test_blocks_are_the_same_after_a_long_word_for_any_number_of_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 1000)
    path = tmp_path / "long.txt"
    path.write_bytes(b"x" * 3000 + b"\n" + b"some words here and there\n" * 4000)
    assert len({ingest.digest_files([str(path)], workers) for workers in (1, 1, 2, 3, 1)}) == 1


def test_a_thread_that_cannot_start_ends_the_others(monkeypatch):
    ended = threading.Event()

    def work(stopped):
        while not stopped():
            time.sleep(0.001)
        ended.set()

    start, started = threading.Thread.start, []

    def start_two(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="can't start"):
        ingest.in_threads(work, 4)
    assert ended.is_set()


def _words_of(block, result):
    ids = np.fromfile(block.path, np.int32)[block.start : block.start + block.n_ids]
    known = result.maps[block.run][ids[ids != SENTENCE_END]]
    return result.words.take(known[known >= 0])


def test_a_large_table_says_so_before_it_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(wordtable, "LARGE_BYTES", 16 << 20)
    said = []
    content = b" ".join(b"%d" % i for i in range(200_000))
    ingest_bytes(tmp_path, content, bill=said.append)
    assert said[0].startswith("a word table grows to 393,216 words, 2")
    assert len(said) == 1


def test_many_words_grow_the_tables(tmp_path):
    content = b" ".join(b"word-number-%d" % (i % 100_000) for i in range(150_000))
    result, _ = ingest_bytes(tmp_path, content)
    assert len(result.words) == 100_000
    assert sorted(result.counts.tolist()) == [1] * 50_000 + [2] * 50_000


def test_a_line_of_50_megabytes(tmp_path):
    content = b"one two three four five " * (50_000_000 // 24)
    result, sentences = ingest_bytes(tmp_path, content, workers=2)
    assert result.n_sentences == len(sentences) == 1
    assert result.counts.tolist() == [50_000_000 // 24] * 5


def test_a_word_of_20_megabytes(tmp_path):
    for workers in WORKERS:
        result, _ = ingest_bytes(tmp_path, b"a " + b"x" * 20_000_000 + b" b", workers=workers)
        assert [len(result.words[i]) for i in np.argsort(result.firsts)] == [1, 20_000_000, 1]


def test_nul_late_in_a_file_is_a_letter(tmp_path):
    content = b"text " * 20_000 + b"nul\0inside\n"
    assert_like_python(tmp_path, content)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"PK\x03\x04", "zip"),
        (b"words, then \0 a NUL", "byte 12 is NUL"),
        ("utf-16".encode("utf-16"), "UTF-16"),
        (b"\x93NUMPY\x01\0", "NUL"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path, head, said):
    with pytest.raises(CorpusError, match=said) as error:
        ingest_bytes(tmp_path, head)
    assert "0.txt" in str(error.value)
    assert "\n" not in str(error.value)


def test_byte_order_mark_is_skipped(tmp_path):
    _, sentences = ingest_bytes(tmp_path, b"\xef\xbb\xbffirst word", b"\xef\xbb\xbfsecond")
    assert sentences == [["first", "word"], ["second"]]


def test_several_files_are_one_corpus_and_a_file_ends_a_sentence(tmp_path):
    _, sentences = ingest_bytes(tmp_path, b"a b", b"b c\nd", workers=2)
    assert sentences == [["a", "b"], ["b", "c"], ["d"]]


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_empty_corpus(tmp_path, content):
    with pytest.raises(CorpusError, match="no words in"):
        ingest_bytes(tmp_path, content)


def test_missing_and_empty_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"missing\.txt: No such file"):
        ingest.ingest_files([tmp_path / "missing.txt"], tmp_path / "scratch")
    (tmp_path / "texts").mkdir()
    with pytest.raises(CorpusError, match="is a folder without files"):
        ingest.ingest_files([tmp_path / "texts"], tmp_path / "scratch")


def empty_table(words):
    """A table of a power of two of slots that holds one word fewer."""
    return wordtable.Table(
        slots=np.zeros(wordtable.SLOT * words, np.uint64),
        starts=np.zeros(words + 1, np.int64),
        firsts=np.zeros(words - 1, np.int64),
        letters=np.zeros(30_000, np.uint8),
        state=np.zeros(5, np.int64),
        seeds=wordtable.SEEDS,
    )


def scan(content, table):
    text = np.frombuffer(bytearray(content + b" " * wordtable.PADDING), np.uint8)
    ids = np.zeros(len(content) + 1, np.int32)
    table.state[wordtable.N_IDS] = table.state[wordtable.POSITION] = 0
    assert wordtable.scan_words(table, text, len(content), 0, ids) == wordtable.DONE
    return ids[: table.state[wordtable.N_IDS]].tolist()


def test_a_crowded_table_tells_words_apart():
    """A table all but full: probing wraps around and passes many strangers on the way."""
    words = [b"w%d" % i for i in range(255)] + [b"longer-than-15-letters-%d" % i for i in range(256)]
    table = empty_table(512)
    assert scan(b" ".join(words + words), table) == [*range(511), *range(511)]
    counts = np.zeros(511, np.int64)
    wordtable.read_counts(table.slots, counts)
    assert (counts == 2).all()


def test_equal_keys_are_told_apart_by_their_bytes():
    """Let the slot that has a long word's key lead to other bytes."""
    for other in (b"cat-dog-dog-dog-dog", b"dog-dog-dog-dog-cat", b"dog-dog-cat-dog-dog"):
        table = empty_table(8)
        assert scan(b"dog-dog-dog-dog-dog", table) == [0]
        table.letters[:19] = np.frombuffer(other, np.uint8)
        assert scan(b"dog-dog-dog-dog-dog", table) == [1]


@pytest.mark.parametrize("table_words", [1 << 22, 100])
@pytest.mark.parametrize("seeds", [[0, 0], [1, 1], [3, 1 << 63 | 1]])
def test_seeds_do_not_show(tmp_path, monkeypatch, seeds, table_words):
    """Nor do hashes: with seeds of 0 all are equal, and so are the keys of long words of one length."""
    monkeypatch.setattr(wordtable, "SEEDS", np.array(seeds, np.uint64))
    monkeypatch.setattr(ingest, "TABLE_WORDS", table_words)
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 500)
    rng = np.random.default_rng(0)
    content = b" ".join(b"%d%s" % (i, b"-a-long-word" * (i % 3)) for i in rng.zipf(1.5, 3000) % 500) + b"\n"
    assert_like_python(tmp_path, content, workers=[1, 2])


def test_merge_and_find():
    rng = np.random.default_rng(0)
    tables, counted, firsts = [], Counter(), {}
    for base in (0, 1 << 40, 1 << 41):
        words = [b"w%d%s" % (i, b"-" * (i % 13)) for i in rng.zipf(1.3, 3000) % 5000]
        content = b" ".join(words)
        table = wordtable.WordTable()
        table.scan(np.frombuffer(bytearray(content + b" " * wordtable.PADDING), np.uint8), len(content), base, True)
        tables.append(table)
        counted += Counter(word.decode() for word in words)
        for i, word in enumerate(words):
            firsts.setdefault(word.decode(), base + sum(map(len, words[:i])) + i)
    for parts in (1, 4):
        found = {}
        for part in range(parts):
            merged = wordtable.WordTable()
            for table in reversed(tables):
                merged.add(table.run(), part, parts)
            run = merged.run()
            words = list(wordtable.Words(run.starts, run.letters))
            assert not set(words) & set(found)
            found |= dict(zip(words, zip(run.counts.tolist(), run.firsts.tolist(), strict=True), strict=True))
            known = merged.find(tables[0].run())
            for word, i in zip(wordtable.Words(*tables[0].run()[:2]), known.tolist(), strict=True):
                assert (i >= 0) == (word in words)
                assert i < 0 or words[i] == word
        assert found == {word: (count, firsts[word]) for word, count in counted.items()}


def test_a_run_on_disk_and_a_selection(tmp_path):
    table = wordtable.WordTable()
    content = b"one two three-and-more four one"
    table.scan(np.frombuffer(bytearray(content + b" " * wordtable.PADDING), np.uint8), len(content), 0, True)
    stored = table.run().store(tmp_path, "r")
    assert isinstance(stored.letters, np.memmap)
    again = wordtable.WordTable()
    again.add(stored.select(np.array([True, False, True, False])))
    run = again.run()
    words = wordtable.Words(run.starts, run.letters)
    assert (list(words), run.counts.tolist(), run.firsts.tolist()) == (["one", "three-and-more"], [2, 1], [0, 8])
    with pytest.raises(IndexError):
        words[2]
    assert words.take(np.zeros(0, np.int64)) == []


@pytest.mark.parametrize(
    "real", [pytest.param(False, marks=pytest.mark.slow), pytest.param(True, marks=pytest.mark.real_text)]
)
def test_equal_to_counter_on_real_text(tmp_path, real, request):
    path = request.getfixturevalue("real_text" if real else "pydocs_file")
    assert_like_python(tmp_path, path.read_bytes())


def test_renumber_drops_and_maps():
    stream = np.array([0, 1, 2, -1, 1, -1, 2, 0, -1], np.int32)
    final_id = np.array([1, -1, 0], np.int32)
    all_ids, all_ends = [], []
    for block in (stream[:2], stream[2:5], stream[5:]):
        ids, ends = np.zeros(len(block), np.int32), np.zeros(len(block), np.int64)
        n_ids, n_ends = ingest.renumber(block, final_id, ids, ends, len(all_ids))
        all_ids += ids[:n_ids].tolist()
        all_ends += ends[:n_ends].tolist()
    assert all_ids == [1, 0, 0, 1]
    assert all_ends == [2, 2, 4]
