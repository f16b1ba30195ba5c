"""The words for plain callers."""

from __future__ import annotations

import pytest

from landline.apps.chat.plain.words import greeting, notice, receipt, short_greeting, spoken, typed


def test_nobody_can_speak_in_anothers_name() -> None:
    """Neither by a line end nor by an escape, in a name or in a text."""
    assert spoken("mal\nhost", "a\r\nhost: b\x1b[1A\u2028c") == "mal host: a\n    host: b[1A\n    c"
    assert notice("one\ntwo\x9b") == "* one\n* two"
    assert notice("") == ""


@pytest.mark.parametrize(
    ("others", "company"),
    [
        ((), "nobody else is here yet"),
        (("ana",), "with ana"),
        (tuple("abcdefgh"), "with a, b, c, d, e, f, g, h"),
        (tuple("abcdefghij"), "with a, b, c, d, e, f, g, h and 2 more"),
    ],
)
def test_a_greeting_says_who_is_here(others: tuple[str, ...], company: str) -> None:
    """A few by name."""
    assert company in greeting("guest-1", "lobby", others)[0]
    assert company in short_greeting("guest-1", "lobby", others)


def test_a_short_greeting_is_short() -> None:
    """Even with the longest names it leaves most of a send to the answer."""
    assert len(short_greeting("x" * 32, "r" * 64, ["é" * 32] * 10_000).encode()) < 800


@pytest.mark.parametrize(
    ("others", "said"),
    [(0, "nobody else is here"), (1, "to 1 other"), (2, "to 2 others"), (1234, "to 1,234 others")],
)
def test_a_receipt(others: int, said: str) -> None:
    """To how many it went."""
    assert receipt("lobby", others) == f"* said in lobby: {said}"


@pytest.mark.parametrize(
    ("keys", "text"),
    [("abc", "abc"), ("abx\x7fc", "abc"), ("x\b\b\bab", "ab"), ("é\x7fe", "e"), ("\x7f", "")],
)
def test_backspace(keys: str, text: str) -> None:
    """It takes the character before it, and none where there is none."""
    assert typed(keys) == text
