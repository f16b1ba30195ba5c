"""The part of a file that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Final

_ONE: Final = re.compile(rb"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class UnsatisfiableRange(Exception):
    """None of what is asked for is in the file."""


def parse_range(field: bytes | None, size: int) -> range | None:
    """Return the bytes of a file of ``size`` that ``Range`` asks for, or None for all of it.

    Several parts at once, other units, and what cannot be read mean all of it: a server need not give parts, and the many parts of one
    request have been used to have much sent for little.

    Raises:
        UnsatisfiableRange: it asks for what is not there.
    """
    asked = _ONE.fullmatch(field or b"")
    if asked is None or asked.group(1) == asked.group(2) == b"":
        return None
    if not asked[1]:
        start, stop = max(size - int(asked[2]), 0), size  # the last so many
    else:
        start, stop = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
        if asked[2] and int(asked[2]) < start:
            return None
    if start >= stop:
        raise UnsatisfiableRange
    return range(start, stop)
