"""The disk of a simulated server, in virtual time: what is committed outlives the process, and nothing else does.

Writes come one after the other. Each takes time until it is committed, and again until the process hears of it, so that a crash falls
between any two of these. What is committed is kept by the real ``MemoryStorage``, whose pages, gaps and epochs are those of every storage.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from typing import Any, Final, Protocol, TypeVar

from ...errors import StorageError, StorageFailed, StorageFull
from ...history import Position
from ...storage.base import Append, Change, Page, Retention, Value
from ...storage.memory import MemoryStorage
from .line import Node

T = TypeVar("T")

Outcome = list[Position] | StorageError
"""Where the appends of a write are, or why it was not made."""

POINTS: Final = ("asked", "committed", "told")
"""Where a crash can be ordered: after a write was asked for and before its commit; after that and before the process hears of it; after it
heard, and before anything that it does then has left it."""

SLOWEST: Final = 20.0
"""Seconds that a commit takes on a disk that is as slow as they come."""

KEPT: Final = 20
"""Publications that are kept of each topic."""

_FAST: Final = 0.001


class Books(Protocol):
    """Who keeps an own account of what is committed."""

    def committed(self, changes: Sequence[Change], positions: list[Position]) -> None:
        """These are on the disk now, whoever hears of it."""
        ...

    def began(self, epoch: str, head: int) -> None:
        """A life of the history began after that many publications."""
        ...

    def failed(self) -> None:
        """It failed: a write is there or not."""
        ...

    def put_back(self, backup: Any) -> None:
        """The disk has what it had when this copy was taken."""
        ...

    def copy(self) -> Any:
        """Return what ``put_back`` needs."""
        ...


class _Write:
    __slots__ = ("changes", "outcome", "then")

    def __init__(self, changes: Sequence[Change], then: Callable[[Outcome], None]) -> None:
        self.changes = changes
        self.then = then
        self.outcome: Outcome | None = None


class Disk:
    """One file, which one process has open at a time.

    Args:
        node: the process.
        books: told of every commit.
        pause: seconds that a commit takes, as a rule.

    Attributes:
        pause: see there.
        is_full: there is no room now.
        is_failing: the next write fails, and is there or not.
        is_broken: one failed, so that all fail until the file is opened again.
        crash_at: the point at which the process is to crash.
        has_crashed: it has come there.
        backup: a copy of what was on it once, if any was taken.
    """

    def __init__(self, node: Node, books: Books, chance: random.Random, pause: float) -> None:
        self.node = node
        self.pause = pause
        self.is_full = False
        self.is_failing = False
        self.is_broken = False
        self.crash_at = ""
        self.has_crashed = False
        self._books = books
        self._chance = chance
        self._queue: deque[_Write] = deque()
        numbers = count(1)
        self.storage = MemoryStorage(
            retention={"**": Retention(max_count=KEPT)},
            clock=lambda: node.world.now,
            entropy=lambda size: next(numbers).to_bytes(size, "big"),
        )
        self.backup: tuple[MemoryStorage, Any] | None = None

    # A process opens it, and dies...

    def open(self) -> None:
        """Begin a life."""
        at_once(self.storage.open())
        self._books.began(self.storage.epoch, self.head.offset)

    def crash(self) -> None:
        """The process is gone: what it was writing is there, or not; what waited behind that is not."""
        if self._queue and self._queue[0].outcome is None and self._chance.random() < 0.4:
            self._commit(self._queue[0])
        self._queue.clear()
        self.is_broken = self.is_failing = self.has_crashed = False
        self.crash_at = ""
        at_once(self.storage.close())

    def keep_backup(self) -> None:
        """Copy it, as it is now."""
        self.backup = (copy.deepcopy(self.storage), self._books.copy())

    def put_backup_back(self) -> bool:
        """Put the copy in place of it, if there is one; nobody has it open."""
        if self.backup is None:
            return False
        storage, books = self.backup
        self.storage = copy.deepcopy(storage)
        at_once(self.storage.close())
        self._books.put_back(books)
        return True

    def heal(self) -> None:
        """It is good again, and fast, or most of the run would go by waiting for it; one that is broken has to be opened anew."""
        self.is_full = self.is_failing = False
        self.pause = min(self.pause, _FAST)
        self.crash_at = ""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be written."""
        return not self._queue

    # ... changes it...

    def write(self, changes: Sequence[Change], then: Callable[[Outcome], None]) -> None:
        """Make all changes or none, and call back."""
        self._queue.append(_Write(changes, then))
        if self._is_point("asked"):
            return
        if len(self._queue) == 1:
            self._begin()

    def _begin(self) -> None:
        self.node.after(self.pause * (0.5 + self._chance.random()), self._end)

    def _end(self) -> None:
        write = self._queue[0]
        if self.is_broken:
            write.outcome = StorageFailed("the disk failed before")
        elif self.is_failing:
            self.is_failing, self.is_broken = False, True
            self._books.failed()
            if self._chance.random() < 0.5:
                self._commit(write)
            write.outcome = StorageFailed("the disk failed")
        elif self.is_full:
            write.outcome = StorageFull("there is no room")
        else:
            self._commit(write)
        if not self._is_point("committed"):
            self.node.after(self.pause * self._chance.random() / 2, self._tell)

    def _commit(self, write: _Write) -> None:
        write.outcome = positions = at_once(self.storage.write(write.changes))
        self._books.committed(write.changes, positions)

    def _tell(self) -> None:
        write = self._queue.popleft()
        assert write.outcome is not None
        if self._queue:
            self._begin()
        write.then(write.outcome)
        self._is_point("told")

    def _is_point(self, name: str) -> bool:
        """Whether the process crashes here: then nothing more happens on its disk."""
        if self.crash_at == name:
            self.has_crashed = True
        return self.has_crashed

    # ... and reads it.

    @property
    def head(self) -> Position:
        """The position of the last publication."""
        return at_once(self.storage.head())

    def read(self, pattern: str, after: Position | None, limit: int, then: Callable[[Page], None]) -> None:
        """Read a page, and call back with it a while after it was read: by then there may be more."""
        self._fetch(lambda: at_once(self.storage.read(pattern, after, limit=limit)), then)

    def get(self, key: str, then: Callable[[Value | None], None]) -> None:
        """Read a value, likewise."""
        self._fetch(lambda: at_once(self.storage.get(key)), then)

    def _fetch(self, read: Callable[[], T], then: Callable[[T], None]) -> None:
        def fetched() -> None:
            found = read()
            self.node.after(2 * self.pause * self._chance.random(), lambda: then(found))

        self.node.after(self.pause / 4, fetched)

    def scan(self, prefix: str) -> list[Value]:
        """Return all values whose keys begin so, at once: a process that starts has nothing else to do."""
        found: list[Value] = []
        while values := at_once(self.storage.scan(prefix, after=found[-1].key if found else "")):
            found += values
        return found


def topics_of(changes: Sequence[Change]) -> list[Append]:
    """Return the publications among the changes."""
    return [change for change in changes if isinstance(change, Append)]


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """Run what never waits to its end."""
    try:
        call.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("a storage in memory waited")
