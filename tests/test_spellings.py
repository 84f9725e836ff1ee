"""Known words that may have been meant by an unknown one."""

import pickle
import unicodedata

import pytest

from fastw2v.errors import UnknownWordError
from fastw2v.spellings import AMONG, close_to

NFD = unicodedata.normalize("NFD", "café")
WORDS = ["king", "kings", "kingdom", "iPhone", "NASA", "café", "find", "straße", "e\u0301té", "good", "x" * 30]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("King", "differs only in case: king; close: kings, kingdom"),
        ("kingg", "close: king, kings"),
        ("IPHONE", "differs only in case: iPhone"),
        ("nasa", "differs only in case: NASA"),
        (NFD, "differs only in Unicode form (NFC): café"),
        (NFD.upper(), "differs only in case and Unicode form: café"),
        ("ﬁnd", "differs only in Unicode form (NFKC): find"),
        ("STRASSE", "differs only in case: straße"),
        ("GOODD", "close: good"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_hints(word, hint):
    assert close_to(word, WORDS, set(WORDS)) == hint


def test_rare_words_are_found_by_look_up():
    words = [f"w{i}" for i in range(AMONG)] + ["König", "kiwis"]
    assert close_to("könig", words, set(words)) == "differs only in case: König"
    assert close_to("kiwiss", words, set(words)) == ""


def test_hints_are_escaped():
    assert close_to("Ki\u200bng", ["ki\u200bng"], {"ki\u200bng"}) == r"differs only in case: ki\u200bng"


def test_an_error_looks_for_hints_when_it_is_shown():
    asked = []

    def hint():
        asked.append(1)
        return "close: king"

    error = UnknownWordError("the word 'kingg' is not in the vocabulary", hint)
    assert not asked
    assert str(error) == str(error) == "the word 'kingg' is not in the vocabulary; close: king"
    assert len(asked) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(UnknownWordError("no", lambda: "")) == "no"
    assert str(UnknownWordError()) == ""
