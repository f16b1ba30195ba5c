"""The mask over what a client sends (RFC 6455, section 5.3): put on and taken off alike.

It hides nothing; it keeps a program in a browser from choosing the bytes on the wire. So keys must not be guessable, and each frame has its
own. The C function of the `websockets` package is used where that is installed: for 64 KiB it takes a fiftieth of the time.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Final

_POOL: Final = 4096


def xor(data: bytes | memoryview, key: bytes) -> bytes:
    """Return ``data`` with ``key``, of four bytes, laid over it again and again."""
    size = len(data)
    mask = (key * ((size + 3) >> 2))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")


@functools.cache
def fastest() -> Callable[[bytes | memoryview, bytes], bytes]:
    """Return ``xor``, or what does the same faster. Looked for when it is needed: to import it takes longer than all of landline."""
    try:
        from websockets.speedups import apply_mask
    except ImportError:
        return xor
    return apply_mask


class _Keys:
    """Random bytes of the system, fetched many at a time: a call for each frame would cost more than the frame."""

    def __init__(self) -> None:
        self.forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Use nothing of what was fetched: after a fork the parent does."""
        self._pool, self._at = b"", 0

    def next(self) -> bytes:
        """Return four bytes that nobody can guess, and that no other frame gets."""
        at = self._at
        if at == len(self._pool):
            self._pool, at = os.urandom(_POOL), 0
        self._at = at + 4
        return self._pool[at : at + 4]


new_key: Final = _Keys().next
