"""Words on a screen: what is escaped, and that it can be typed back."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import tqdm
from hypothesis import given
from hypothesis import strategies as st

from fastw2v import screen
from fastw2v.screen import escaped, printable, readings, unescaped

FAMILY = "\U0001f468\u200d\u2764\ufe0f\u200d\U0001f468"
AWKWARD = [
    "\\",
    "x",
    "u",
    "U",
    "0",
    "1",
    "200b",
    "5c",
    "a",
    "\u200b",
    "\u200c",
    "\u200d",
    "\x1b",
    "\udce9",
    "\U000e0001",
]
AWKWARD += ["می", "क्", "\u0301", "\u00ad", "\n", "\U0001fae9", "0010ffff", "00110000", "\u3164", "\x85", "é"]


def check_round_trip(word):
    shown = escaped(word)
    assert unescaped(shown) == word
    assert printable(shown) == shown
    assert printable(word) == printable(printable(word))


@given(st.text() | st.lists(st.sampled_from(AWKWARD), max_size=12).map("".join) | st.characters())
def test_escaped_words_can_be_typed_back(word):
    check_round_trip(word)


@given(*[st.lists(st.sampled_from(AWKWARD), max_size=6).map("".join)] * 2)
def test_different_words_are_shown_differently(a, b):
    assert (escaped(a) == escaped(b)) == (a == b)


def test_every_character_round_trips():
    for code in range(0x110000):
        if code % 7 == 0 or code < 0x3000:
            check_round_trip(f"a{chr(code)}")


@pytest.mark.parametrize(
    "text",
    [
        "naïve 東京 word",
        "می\u200cخواهم",  # Persian  # noqa: RUF001
        "क्\u200dष",  # Devanagari
        "ന്\u200d",  # A chillu of older Malayalam text ends with a joiner.
        FAMILY,
        "\u2764\ufe0f",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\U0001faff",  # Kept for emoji; not assigned in Unicode 16.
        "\U0001f1eb\U0001f1f7",
        r"C:\new\xyz",
    ],
)
def test_text_is_shown_as_it_is(text):
    assert printable(text) == escaped(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x85", r"\x85"),
        ("a\tb", r"a\x09b"),
        ("evil\u202etxt", r"evil\u202etxt"),
        ("\u2066a\u2069\u200e", r"\u2066a\u2069\u200e"),
        ("soft\u00adhyphen", r"soft\xadhyphen"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u2028b\xa0c", r"a\u2028b\xa0c"),
        ("می\u200c", r"می\u200c"),  # Nothing follows, so nothing shows.
        ("\u200dक", r"\u200dक"),
        ("ki\u200dng", r"ki\u200dng"),  # Latin letters don't join.
        ("東\u200d\u200d京", r"東\u200d\u200d京"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4" + r"\U000e0067\U000e007f"),
        ("a\u3164", r"a\u3164"),
        ("\U0002fffe", r"\U0002fffe"),
    ],
)
def test_what_is_not_seen_is_escaped(text, shown):
    assert printable(text) == escaped(text) == shown


def test_a_backslash_that_is_part_of_a_word():
    assert escaped(r"\u200b") == r"\x5cu200b"
    assert printable(r"\u200b") == r"\u200b"
    assert unescaped(r"caf\u00e9") == r"caf\u00e9"  # No word is shown like this, so it is the word itself.
    assert unescaped(r"\x5cn") == r"\x5cn"


def test_what_a_person_may_mean():
    assert readings("king") == ["king"]
    assert readings(r"ki\u200bng") == ["ki\u200bng", r"ki\u200bng"]
    assert readings(r"caf\xe9") == [r"caf\xe9", "café"]


@pytest.fixture
def shell(monkeypatch):
    """Where IPython runs: sets its shell, None for a plain program that has imported IPython."""

    def set_shell(shell, widgets):
        ipython, notebook = ModuleType("IPython"), ModuleType("tqdm.notebook")
        ipython.get_ipython = lambda: shell
        notebook.tqdm = Widget
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "tqdm.notebook", notebook)
        monkeypatch.setattr(screen, "find_spec", lambda name: name if widgets else None)

    return set_shell


class Widget(tqdm.tqdm):
    pass


KERNEL, TERMINAL = SimpleNamespace(kernel=object()), SimpleNamespace(kernel=None)


def test_a_log_file_gets_few_lines(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with screen.bar(10, " tokens", None, True) as bar:
        assert bar.mininterval == 30


@pytest.mark.parametrize("outside", [None, TERMINAL, SimpleNamespace()])
def test_a_bar_outside_a_kernel_is_text(shell, outside):
    shell(outside, widgets=True)
    with screen.bar(10, " tokens", None, True) as bar:
        assert type(bar) is tqdm.tqdm
        assert bar.mininterval == 30


def test_a_bar_in_a_notebook_moves(shell, capsys):
    shell(KERNEL, widgets=True)
    with screen.bar(10, " tokens", None, True) as bar:
        assert type(bar) is Widget
        assert bar.mininterval < 1
    with screen.bar(10, " tokens", None, False) as bar:
        assert bar.disable
    shell(KERNEL, widgets=False)
    capsys.readouterr()
    with screen.bar(10, " tokens", None, True) as bar:
        assert type(bar) is tqdm.tqdm
        assert bar.mininterval < 1
        bar.update(10)
    assert "10.0/10.0" in capsys.readouterr().err


def test_a_bar_where_ipywidgets_is_damaged_is_text(shell, monkeypatch):
    shell(KERNEL, widgets=True)

    def damaged(**options):
        raise ImportError("IProgress not found")  # As tqdm reports it.

    sys.modules["tqdm.notebook"].tqdm = damaged
    with screen.bar(10, " tokens", None, True) as bar:
        assert type(bar) is tqdm.tqdm
        assert bar.mininterval < 1


def test_an_ipython_that_is_still_loading_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    assert not screen.in_notebook()
