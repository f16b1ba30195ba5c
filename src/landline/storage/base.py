"""What a storage keeps and promises: the words of the history, and the interface that every storage implements.

A store holds two things in one order of commits: *publications*, appended to topics and numbered by one offset that rises over the
whole store, and small *values* under keys. One primitive changes them, ``Storage.write``: appends, puts and deletes that happen
together or not at all, under expectations. So a number that guards against repeats is committed with the publication it guards, and a
session's record is taken over by compare-and-set. ``landline.testing.storage_conformance`` holds an implementation to all of this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from ..errors import DataError, StorageClosed
from ..history import Gap, Position, Publication
from ..limits import STORAGE
from .names import Pattern, check_topic

MAX_DATA: Final = STORAGE.write_bytes
MAX_KEY_BYTES: Final = STORAGE.key
MAX_CHANGES: Final = STORAGE.write_changes
MAX_PAGE: Final = STORAGE.page
MAX_PAGE_BYTES: Final = STORAGE.page_bytes


class Page(msgspec.Struct, frozen=True):
    """What one reading found: everything selected within (``after``, ``end``], oldest first, is in ``publications`` or in ``gaps``."""

    publications: list[Publication]
    gaps: list[Gap]
    after: Position
    """Where the page begins, excluded. ``last(pattern, to=page.after)`` reads on backwards."""
    end: Position
    """Where the page ends, included. ``read(pattern, after=page.end)`` reads on forwards, without a hole or a double."""
    more: bool
    """Whether there may be more in the direction that was read; a page with ``more`` may well be empty."""


class Value(msgspec.Struct, frozen=True):
    """A small value."""

    key: str
    data: bytes
    position: Position
    """The last publication when it was put, one of the same write included: the Position to give to a repeat of that write."""


class Append(msgspec.Struct, frozen=True):
    """Add a publication to a topic."""

    topic: str
    data: bytes


class Put(msgspec.Struct, frozen=True):
    """Set the value of a key."""

    key: str
    data: bytes


class Delete(msgspec.Struct, frozen=True):
    """Remove a key; nothing happens if it is not there."""

    key: str


Change = Append | Put | Delete


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a topic is kept; whichever is reached first. None: not limited by this measure (say so on purpose).

    Applied to a topic when something is appended to it, and to all by ``Storage.trim``. The newest publication always stays, unless
    it is too old. Age goes by the wall clock, which only this uses; order never does.
    """

    max_count: int | None = STORAGE.history
    """Publications."""
    max_bytes: int | None = STORAGE.history_bytes
    """Bytes of data."""
    max_age: float | None = STORAGE.history_age
    """Seconds."""

    def __post_init__(self) -> None:
        for name in ("max_count", "max_bytes", "max_age"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} is {limit}; it must be above 0, or None for no limit")


class Storage(ABC):
    """Keeps publications and small values, and says exactly what it still has.

    * ``write`` returns when the whole write is as safe as this storage makes things (SQLite: on the disk), and its effect is seen by
      no reader before that. Concurrent writes share commits; one asyncio task's writes, and writes started in one order on one event
      loop, are committed in that order.
    * An error means that nothing of that write was stored, except ``StorageFailed`` and cancellation: then it may have been.
    * Offsets rise without holes in the order of commits, over the whole store and over restarts, and are never used again.
    * Nothing selected goes missing silently: it is in a page or in one of its gaps.

    All methods but ``open`` raise ``StorageClosed`` when the store is not open, and belong to the event loop that opened it. Use it as
    ``async with storage:`` or call ``open`` and ``close``.
    """

    def __init__(self, *, retention: Mapping[str, Retention] | None = None) -> None:
        self._rules: tuple[tuple[Pattern, Retention], ...] = ()
        for pattern, kept in (retention or {}).items():
            self.retain(pattern, kept)

    def retain(self, pattern: str, retention: Retention) -> None:
        """Say how much to keep of the topics that match; a later rule goes before an earlier one.

        Topics without a rule are kept as ``Retention()`` says. It takes effect with the next append or ``trim``.

        Raises:
            TopicError: the pattern breaks the rules.
        """
        rules = [(known, kept) for known, kept in self._rules if known.text != pattern]
        # One assignment of a new tuple, because a storage may read the rules from its own thread.
        self._rules = ((Pattern(pattern), retention), *rules)

    def retention(self, topic: str) -> Retention:
        """Return how much is kept of this topic."""
        return next((kept for pattern, kept in self._rules if pattern.matches(topic)), _DEFAULT_RETENTION)

    # A life of the store...

    @property
    @abstractmethod
    def epoch(self) -> str:
        """The id of the present life of the history."""

    @property
    def is_open(self) -> bool:
        """Whether somebody has opened it."""
        try:
            _ = self.epoch
        except StorageClosed:
            return False
        return True

    @abstractmethod
    async def open(self) -> None:
        """Take the store over and begin an epoch: a new random id, recorded with the first offset it will give.

        Raises:
            StorageError: it cannot be opened; the class says why, the message what to do.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what was asked before, then let go. May be called twice; cancelled, it still finishes in the background."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ... changing it...

    @abstractmethod
    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        """Make all changes in order, or none, and return the positions of the appends.

        Args:
            changes: at most ``MAX_CHANGES``.
            expect: what the values of these keys must be just before; None: there is none.

        Raises:
            Conflict: an expectation does not hold.
            TopicError, DataError: a name breaks the rules, or data is too large.
            StorageFull: there is no room; try again later.
            StorageFailed: the disk failed; every write fails from now until the store is closed and opened.
        """

    async def append(self, topic: str, data: bytes) -> Position:
        """Append one publication; see ``write``."""
        (position,) = await self.write([Append(topic, data)])
        return position

    async def put(self, key: str, data: bytes) -> None:
        """Set one value; see ``write``."""
        await self.write([Put(key, data)])

    async def delete(self, key: str) -> None:
        """Remove one value, if it is there; see ``write``."""
        await self.write([Delete(key)])

    @abstractmethod
    async def trim(self) -> int:
        """Apply retention to every topic, idle ones too, and return how many publications went. Call it now and then."""

    # ... and reading it.

    @abstractmethod
    async def read(
        self,
        pattern: str,
        after: Position | None = None,
        *,
        limit: int = 300,
        to: Position | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Page:
        """Return the oldest publications that match after a position (excluded), and the gaps among them.

        Args:
            pattern: a topic, or a pattern with ``*`` (one token) or a final ``**`` (one or more).
            after: None reads from the very start, and what retention has removed since then is a gap.
            limit: at most this many publications.
            to: the last position of interest, included.
            max_bytes: of data, after which a page ends; it holds at least one publication. More than ``MAX_PAGE_BYTES`` are not given.
        """

    @abstractmethod
    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        """Return the newest publications that match up to a position (included), oldest of them first.

        What retention removed is a gap here only once the page has reached it.
        """

    async def head(self) -> Position:
        """Return the position of the last publication of the store: what "from now on" means."""
        return (await self.last(_ALL, 1)).end

    @abstractmethod
    async def get(self, key: str) -> Value | None:
        """Return the value of a key."""

    @abstractmethod
    async def scan(self, prefix: str, *, after: str = "", limit: int = 300) -> list[Value]:
        """Return values by key in code point order: those whose key begins with the prefix and comes after ``after``."""


_DEFAULT_RETENTION: Final = Retention()
_ALL: Final = "**"


# For those who write a storage: the checks that all make alike.


class Write(msgspec.Struct, frozen=True):
    """One call of ``Storage.write``, checked, and with copies of what the caller may change meanwhile."""

    changes: tuple[Change, ...]
    expect: dict[str, bytes | None]
    size: int
    """Bytes of names and data."""

    @classmethod
    def of(cls, changes: Sequence[Change], expect: Mapping[str, bytes | None] | None) -> Self:
        """Check the arguments of ``Storage.write``.

        Raises:
            TopicError, DataError: as ``Storage.write`` says.
        """
        write = cls(tuple(changes), dict(expect or {}), sum(map(_check_change, changes)))
        if len(write.changes) + len(write.expect) > MAX_CHANGES:
            raise DataError(
                f"a write of {len(write.changes)} changes is too large; at most {MAX_CHANGES} are possible"
            )
        for key in write.expect:
            check_key(key)
        if write.size > MAX_DATA:
            raise DataError(
                f"a write of {write.size:,} bytes is too large; at most {MAX_DATA:,} are possible"
            )
        return write


def _check_change(change: Change) -> int:
    match change:
        case Append(topic, data):
            return len(check_topic(topic)) + _check_data(data)
        case Put(key, data):
            return len(check_key(key)) + _check_data(data)
        case Delete(key):
            return len(check_key(key))
    raise TypeError(f"a change is an Append, a Put or a Delete, not {type(change).__name__}")


def check_key(key: str) -> str:
    """Return the key if it is a good one: not empty, at most ``MAX_KEY_BYTES``, no NUL and no lone surrogate.

    Raises:
        DataError: it is not.
    """
    try:
        if key and len(key.encode()) <= MAX_KEY_BYTES and "\0" not in key:
            return key
    except UnicodeEncodeError:
        pass
    raise DataError(f"{key[:40]!r} is no key: 1 to {MAX_KEY_BYTES} bytes of UTF-8 without NUL")


def _check_data(data: bytes) -> int:
    if not isinstance(data, bytes):
        raise DataError(f"a storage keeps bytes, not {type(data).__name__}")
    return len(data)
