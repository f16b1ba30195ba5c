"""What most sessions have nothing in, they share: an empty list, dict and deque that cannot be filled, and nobody to be told.

A server holds sessions by the thousand, and an idle one would consist mostly of containers of its own that nothing is in. Whoever is the
first to put something in makes a new one; who forgets that is told at once, and no other session has what is theirs.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NoReturn


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("all sessions share this one because it is empty: a new one is to be filled")


class _EmptyList(list[Any]):
    __slots__ = ()
    append = extend = insert = __iadd__ = __setitem__ = _refuse


class _EmptyDict(dict[Any, Any]):
    __slots__ = ()
    __setitem__ = setdefault = update = __ior__ = _refuse


class _EmptyDeque(deque[Any]):
    __slots__ = ()
    append = appendleft = extend = extendleft = insert = __iadd__ = _refuse


EMPTY_LIST: Final[list[Any]] = _EmptyList()
EMPTY_DICT: Final[dict[Any, Any]] = _EmptyDict()
EMPTY_DEQUE: Final[deque[Any]] = _EmptyDeque()


class _Nobody:
    def schedule(self) -> None:
        pass

    def room_made(self) -> None:
        pass


NOBODY: Final = _Nobody()
"""Writes nothing, and waits for no room: whom a session tells that has no line, or whose end is over."""
