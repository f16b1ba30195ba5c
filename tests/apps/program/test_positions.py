"""Positions as words of a command line."""

from __future__ import annotations

import pytest

import landline
from landline.apps.program.positions import position_text, read_beginning


@pytest.mark.parametrize("word", ["start", "last", "now"])
def test_the_words_stand_for_themselves(word: str) -> None:
    """As ``Session.subscribe`` takes them."""
    assert read_beginning(word) == word


def test_a_position_is_read_as_it_was_written() -> None:
    """Whatever its epoch has in it."""
    position = landline.Position("a:b", (1 << 63) - 1)

    assert read_beginning(position_text(position)) == position


@pytest.mark.parametrize(
    "text", ["", "x", ":1", "a:", "a:-1", "a:１", "a:1.0", f"a:{1 << 63}", f"{'a' * 256}:1"]
)
def test_anything_else_is_refused(text: str) -> None:
    """Before anybody is dialled."""
    with pytest.raises(ValueError):
        read_beginning(text)
