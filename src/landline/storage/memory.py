"""The storage that keeps everything in memory: for tests, and for servers that may forget.

It promises what every storage promises, except that nothing outlives the object. Closing and opening the same object is a restart: the
contents stay and a new epoch begins. Nothing here waits, so a write is done when the call returns.
"""

from __future__ import annotations

import heapq
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Conflict, StorageClosed, StorageLocked
from ..history import Position
from .base import (
    MAX_PAGE,
    MAX_PAGE_BYTES,
    Append,
    Change,
    Page,
    Put,
    Retention,
    Storage,
    Value,
    Write,
    check_key,
)
from .epochs import Epochs
from .names import Pattern
from .pages import Row, Span, page_backward, page_forward


class MemoryStorage(Storage):
    """Keeps history and values as long as the object lives.

    Args:
        retention: how much to keep, by pattern; see ``Storage.retain``.
        clock: the wall clock in seconds since 1970; only age-based retention reads it.
        entropy: gives this many random bytes; epoch ids are made of them.
    """

    def __init__(
        self,
        *,
        retention: Mapping[str, Retention] | None = None,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(retention=retention)
        self._clock = clock
        self._entropy = entropy
        self._is_open = False
        self._epochs = Epochs()
        self._head = 0
        self._topics: dict[str, _Topic] = {}
        self._values: dict[str, Value] = {}

    @property
    def epoch(self) -> str:
        """The id of the present life of the history."""
        self._check_open()
        return self._epochs.current

    async def open(self) -> None:
        """Begin an epoch; contents of an earlier opening are still there."""
        if self._is_open:
            raise StorageLocked("this memory storage is open already; a store has one owner at a time")
        self._epochs.add(self._entropy(8).hex(), self._head + 1)
        self._is_open = True

    async def close(self) -> None:
        """Let go; the contents stay in the object."""
        self._is_open = False

    def _check_open(self) -> None:
        if not self._is_open:
            raise StorageClosed("the memory storage is not open")

    # Changing it...

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        """Make all changes, or none; done when the call returns."""
        self._check_open()
        asked = Write.of(changes, expect)
        for key, wanted in asked.expect.items():
            value = self._values.get(key)
            found = value.data if value else None
            if found != wanted:
                raise Conflict(key, found)
        now = self._clock()
        offsets = []
        for change in asked.changes:
            if isinstance(change, Append):
                self._head += 1
                offsets.append(self._head)
                self._topics.setdefault(change.topic, _Topic()).add(self._head, now, change.data)
        at_end = self._epochs.at(self._head)
        for change in asked.changes:
            if isinstance(change, Put):
                self._values[change.key] = Value(change.key, change.data, at_end)
            elif not isinstance(change, Append):
                self._values.pop(change.key, None)
        for topic in {change.topic for change in asked.changes if isinstance(change, Append)}:
            self._topics[topic].trim(self.retention(topic), now)
        return [self._epochs.at(offset) for offset in offsets]

    async def trim(self) -> int:
        """Apply retention to every topic and return how many publications went."""
        self._check_open()
        now = self._clock()
        return sum(topic.trim(self.retention(name), now) for name, topic in self._topics.items())

    # ... and reading it.

    async def read(
        self,
        pattern: str,
        after: Position | None = None,
        *,
        limit: int = 300,
        to: Position | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Page:
        """Return the oldest publications that match after a position, and the gaps among them."""
        self._check_open()
        topics = self._matching(pattern)
        span = Span.between(self._epochs, pattern, self._head, after=after, to=to)
        rows = heapq.merge(*(topic.rows(name, span.start, span.stop) for name, topic in topics))
        return page_forward(span, rows, ((name, topic.trimmed) for name, topic in topics), limit, max_bytes)

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        """Return the newest publications that match up to a position, oldest of them first."""
        self._check_open()
        topics = self._matching(pattern)
        span = Span.between(self._epochs, pattern, self._head, after=None, to=to)
        newest_first = (topic.rows(name, span.start, span.stop, backward=True) for name, topic in topics)
        rows = heapq.merge(*newest_first, reverse=True)
        return page_backward(span, rows, ((name, topic.trimmed) for name, topic in topics), limit)

    def _matching(self, pattern: str) -> list[tuple[str, _Topic]]:
        wanted = Pattern(pattern)
        if wanted.is_exact:
            return [(pattern, self._topics[pattern])] if pattern in self._topics else []
        return [(name, topic) for name, topic in self._topics.items() if wanted.matches(name)]

    async def get(self, key: str) -> Value | None:
        """Return the value of a key."""
        self._check_open()
        return self._values.get(check_key(key))

    async def scan(self, prefix: str, *, after: str = "", limit: int = 300) -> list[Value]:
        """Return the values whose key begins with the prefix and comes after ``after``, by key."""
        self._check_open()
        keys = (key for key in self._values if key.startswith(prefix) and key > after)
        return [self._values[key] for key in heapq.nsmallest(max(1, min(limit, MAX_PAGE)), keys)]


@dataclass(slots=True)
class _Topic:
    """What is kept of one topic: three lists side by side, oldest first."""

    offsets: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)
    size: int = 0
    trimmed: int = 0

    def add(self, offset: int, at: float, data: bytes) -> None:
        self.offsets.append(offset)
        self.times.append(at)
        self.items.append(data)
        self.size += len(data)

    def trim(self, kept: Retention, now: float) -> int:
        """Remove from the old end what is too much, and return how many that were."""
        gone = 0
        while gone < len(self.offsets):
            is_newest = gone == len(self.offsets) - 1
            too_many = kept.max_count is not None and len(self.offsets) - gone > kept.max_count
            too_large = kept.max_bytes is not None and self.size > kept.max_bytes and not is_newest
            too_old = kept.max_age is not None and self.times[gone] < now - kept.max_age
            if not (too_many or too_large or too_old):
                break
            self.size -= len(self.items[gone])
            gone += 1
        if gone:
            self.trimmed = self.offsets[gone - 1]
            del self.offsets[:gone], self.times[:gone], self.items[:gone]
        return gone

    def rows(self, name: str, start: int, stop: int, *, backward: bool = False) -> Iterator[Row]:
        """Yield the rows within (start, stop], by rising offset or backward."""
        places = range(bisect_right(self.offsets, start), bisect_right(self.offsets, stop))
        for place in reversed(places) if backward else places:
            yield Row(self.offsets[place], name, self.items[place])
