"""How many columns of a terminal a text takes."""

from __future__ import annotations

import unicodedata


def cells(text: str) -> int:
    """Return how many columns one line of text takes."""
    return len(text) if text.isascii() else sum(map(cell, text))


def cell(char: str) -> int:
    """Return how many columns a character takes: what is combined with the one before takes none, what is wide takes two."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
