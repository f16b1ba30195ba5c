"""Text in the columns of a terminal."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from landline.apps.cells import cells
from landline.apps.chat.client.columns import fitting, wrapped


def rows(text: str, width: int) -> list[str]:
    return "".join(part for _, part in wrapped([("", text)], width, indent="  ")).split("\n")


def test_a_long_line_breaks_between_words() -> None:
    """And goes on indented; a line that fits stays as it is."""
    assert rows("one two three four", 10) == ["one two", "  three", "  four"]
    assert rows("one two\nthree four five", 10) == ["one two", "three four", "  five"]
    assert rows("one   two", 10) == ["one   two"]


def test_a_word_that_is_too_wide_stays_whole() -> None:
    """It is to be copied."""
    assert rows("see https://example.org/a/b now", 10) == ["see", "  https://example.org/a/b", "  now"]


def test_wide_characters_count_twice() -> None:
    """As the terminal draws them."""
    assert cells("漢字e\u0301") == 5
    assert fitting("漢字漢字", 6) == "漢…"
    assert rows("漢字 漢字 漢字", 10) == ["漢字 漢字", "  漢字"]


def test_styles_stay_with_their_words() -> None:
    """A word of two styles, a name and its colon, is one word."""
    pieces = wrapped([("time", "12:00 "), ("name", "ben"), ("", ": hello")], 9, indent="  ")

    assert pieces == [("time", "12:00"), ("", "\n  "), ("name", "ben"), ("", ":\n  hello")]


@example("漢 漢漢漢", 8)
@given(st.text("ab 漢\u00a0\n", max_size=200), st.integers(8, 30))
def test_nothing_is_lost_and_only_single_words_are_too_wide(text: str, width: int) -> None:
    """But for the spaces at which a row was broken."""
    shown = rows(text, width)

    assert "".join("".join(shown).split()) == "".join(text.split())
    assert all(get_cwidth(row) <= width or len(row.split()) == 1 for row in shown)
