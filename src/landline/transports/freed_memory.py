"""Has the C library keep what large messages leave behind, since the next need as much a moment later.

Until glibc has seen a large block freed, it gives the top of its heap back to the system as soon as 128 KiB of it are free (``mallopt(3)``,
``M_TRIM_THRESHOLD``), and faults the pages in anew: measured, 140 a mebibyte, and large messages took twice as long.
"""

from __future__ import annotations

from typing import Final

from ..limits import TRANSPORT

_HEAD: Final = 64
"""Bytes that the interpreter and the C library put before a block, and round it up by."""


class _Kept:
    """What was asked for so far, in this process."""

    size = 0


def keep_freed_memory(size: int = TRANSPORT.kept_memory) -> None:
    """Have up to ``size`` bytes of what this process frees kept at hand; nothing happens where as much is kept already.

    A block of half of that is allocated and freed, untouched: that is what glibc goes by, up to 64 MiB, unless whoever started the program told it
    otherwise (``MALLOC_TRIM_THRESHOLD_``). Other C libraries have their own ways.
    """
    if size > _Kept.size:
        _Kept.size = size
        bytes(size // 2 - _HEAD)
