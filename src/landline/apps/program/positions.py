"""Positions as text: ``EPOCH:OFFSET``, as they are printed and as ``--after`` takes them."""

from __future__ import annotations

from typing import Final

import landline
from landline.patterns.topics import Beginning

_MOST: Final = (1 << 63) - 1

_WORDS: Final[dict[str, Beginning]] = {"start": "start", "last": "last", "now": "now"}


def position_text(position: landline.Position) -> str:
    """Return a position as one word."""
    return f"{position.epoch}:{position.offset}"


def read_beginning(text: str) -> Beginning:
    """Return where a subscription begins.

    Raises:
        ValueError: it is nothing of that kind.
    """
    if (word := _WORDS.get(text)) is not None:
        return word
    epoch, colon, offset = text.rpartition(":")
    if not (
        colon and epoch and len(epoch) <= 255 and offset.isascii() and offset.isdecimal() and len(offset) < 20
    ):
        raise ValueError
    if int(offset) > _MOST:
        raise ValueError
    return landline.Position(epoch, int(offset))
