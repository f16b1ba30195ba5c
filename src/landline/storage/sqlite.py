"""The storage in one SQLite file: a write is acknowledged when it is on the disk, and many share the cost of one commit.

This is the asyncio side of ``database``: it hands what was asked in one turn of the event loop to the thread that owns the file, and
brings the answers back in one turn. While the disk works, the next group gathers by itself, so no write waits for company on purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import StorageClosed, StorageError, StorageFailed, StorageLocked
from ..history import Position
from ..limits import STORAGE
from .base import MAX_PAGE_BYTES, Change, Page, Retention, Storage, Value, Write, check_key
from .names import Pattern

if TYPE_CHECKING:
    from .database import Database

MAX_GROUP: Final = STORAGE.group
MAX_GROUP_BYTES: Final = STORAGE.group_bytes
MAX_CALLS: Final = STORAGE.readings

T = TypeVar("T")


class SQLiteStorage(Storage):
    """Keeps history and values in one file.

    A cancelled write may still be stored: the disk was perhaps at work on it. A ``fork`` of the process must not use the object.

    Args:
        path: the file; it and its folder are made when missing, readable by their owner only. Beside it appear ``…-wal``, part of
            the data, and ``….lock``, which means nothing by itself.
        retention: how much to keep, by pattern; see ``Storage.retain``.
        clock: the wall clock in seconds since 1970; only age-based retention reads it.
        entropy: gives this many random bytes; epoch ids are made of them.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        retention: Mapping[str, Retention] | None = None,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(retention=retention)
        self.path: Final = Path(path).absolute()
        self._clock = clock
        self._entropy = entropy
        self._owner: _Owner | None = None

    def __repr__(self) -> str:
        return f"SQLiteStorage({str(self.path)!r})"

    @property
    def epoch(self) -> str:
        """The id of the present life of the history."""
        return self._opened().database.epoch

    @property
    def commits(self) -> int:
        """How many commits were made since opening; fewer than writes when those came together."""
        return self._opened().database.commits

    def _opened(self) -> _Owner:
        if self._owner is None or self._owner.is_closing:
            raise StorageClosed(f"the store {self.path} is not open")
        return self._owner

    async def open(self) -> None:
        """Take the file over, bring it up to date and begin an epoch; the file and its folder are made when missing."""
        if self._owner is not None:
            if not self._owner.is_closing:
                raise StorageLocked(f"the store {self.path} is open already; a store has one owner at a time")
            await asyncio.shield(self._owner.closed)
        self._owner = owner = _Owner(self._make_database)
        try:
            await owner.opened
        except BaseException:
            # Cancelled or failed; the thread closes what it may have opened meanwhile, and another try waits for that.
            owner.stop()
            raise

    def _make_database(self) -> Database:
        # Here, in the thread, so that who keeps nothing on a disk does not load SQLite.
        from .database import Database

        return Database(self.path, clock=self._clock, entropy=self._entropy, retention=self.retention)

    async def close(self) -> None:
        """Finish what was asked before, then close the file. Cancelled, it still finishes in the background."""
        if self._owner is not None:
            self._owner.stop()
            await asyncio.shield(self._owner.closed)

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        """Make all changes, or none; returns when their commit, which may be shared with others, is on the disk."""
        owner = self._opened()
        outcome = await owner.write(Write.of(changes, expect))
        if isinstance(outcome, StorageError):
            raise outcome
        return outcome

    async def trim(self) -> int:
        """Apply retention to every topic and return how many publications went."""
        gone = 0
        after: int | None = 0
        while after is not None:
            # In slices, so that writes get their turn in between.
            some, after = await self._opened().call(partial(_trim, after=after))
            gone += some
        return gone

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
        Pattern(pattern)
        return await self._opened().call(
            lambda database: database.reader.read(pattern, after, to, limit, max_bytes)
        )

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        """Return the newest publications that match up to a position, oldest of them first."""
        Pattern(pattern)
        return await self._opened().call(lambda database: database.reader.last(pattern, to, limit))

    async def head(self) -> Position:
        """Return the position of the last publication of the store."""
        return await self._opened().call(lambda database: database.reader.place())

    async def get(self, key: str) -> Value | None:
        """Return the value of a key."""
        check_key(key)
        return await self._opened().call(lambda database: database.reader.get(key))

    async def scan(self, prefix: str, *, after: str = "", limit: int = 300) -> list[Value]:
        """Return the values whose key begins with the prefix and comes after ``after``, by key."""
        return await self._opened().call(lambda database: database.reader.scan(prefix, after, limit))


@dataclass(slots=True, eq=False)
class _Job:
    """Something for the thread to do, and the future of whoever waits for it."""

    future: asyncio.Future[Any]
    write: Write | None = None
    call: Callable[[Database], Any] | None = None


class _Owner:
    """The thread that owns the file, from opening to closing, and the way to it from one event loop."""

    database: Database

    def __init__(self, make: Callable[[], Database]) -> None:
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.is_closing = False
        self._make = make
        self._gathered: list[_Job] = []
        self._handed_over: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._is_last = False
        # A daemon, so that a program that forgets to close can still end; what was acknowledged is safe then, too.
        self.thread = threading.Thread(target=self._run, name="landline-storage", daemon=True)
        self.thread.start()

    # On the event loop...

    async def write(self, write: Write) -> list[Position] | StorageError:
        """Have it written, and return when its commit is on the disk."""
        job = _Job(self._loop.create_future(), write=write)
        outcome: list[Position] | StorageError = await self._ask(job).future
        return outcome

    async def call(self, function: Callable[[Database], T]) -> T:
        """Run this in the thread, after every write that was asked before."""
        answer: T = await self._ask(_Job(self._loop.create_future(), call=function)).future
        return answer

    def _ask(self, job: _Job) -> _Job:
        if self.is_closing:
            raise StorageClosed("the store was closed meanwhile")
        # All that this turn of the loop asks goes over at once: writers that the last commit woke make the next one together.
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(job)
        return job

    def _hand_over(self) -> None:
        jobs, self._gathered = self._gathered, []
        if jobs:
            self._handed_over.put(jobs)

    def stop(self) -> None:
        """Finish what was asked, close the file and end the thread."""
        if not self.is_closing:
            self.is_closing = True
            self._hand_over()
            self._handed_over.put(None)

    def _settle(self, settled: list[tuple[_Job, Any, BaseException | None]]) -> None:
        for job, answer, error in settled:
            if job.future.done():
                continue  # cancelled
            if error is not None:
                job.future.set_exception(error)
            else:
                job.future.set_result(answer)

    def _finish(self, future: asyncio.Future[None], error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(None)

    # ... and in the thread.

    def _run(self) -> None:
        try:
            self.database = self._make()
        except BaseException as error:  # noqa: BLE001 - ``open`` raises it
            self._tell(self._finish, self.opened, error)
            self._tell(self._finish, self.closed, None)
            return
        self._tell(self._finish, self.opened, None)
        writes: list[_Job] = []
        calls: deque[_Job] = deque()
        while self._take_over(writes, calls) or calls:
            # The writes go first: a reader may well see a write asked after it, but never misses one asked before.
            for group in _groups(writes):
                self._write(group)
            writes.clear()
            for _ in range(min(len(calls), MAX_CALLS)):
                self._call(calls.popleft())
        try:
            self.database.close()
        finally:
            self._tell(self._finish, self.closed, None)

    def _take_over(self, writes: list[_Job], calls: deque[_Job]) -> bool:
        """Collect all that was asked while the disk was at work, or wait for something; False when it was the last."""
        while not (self._is_last or (self._handed_over.empty() and (writes or calls))):
            jobs = self._handed_over.get()
            if jobs is None:
                self._is_last = True
            else:
                for job in jobs:
                    (calls if job.write is None else writes).append(job)
        return bool(writes) or not self._is_last

    def _write(self, group: list[_Job]) -> None:
        try:
            outcomes = self.database.write([job.write for job in group if job.write is not None])
        except BaseException as error:  # noqa: BLE001 - each waiter gets it, whatever it is
            self._tell(self._settle, [(job, None, _own(error)) for job in group])
        else:
            self._tell(self._settle, [(job, out, None) for job, out in zip(group, outcomes, strict=True)])

    def _call(self, job: _Job) -> None:
        assert job.call is not None
        if job.future.cancelled():
            return  # nobody waits for it, and others do
        try:
            answer = job.call(self.database)
        except BaseException as error:  # noqa: BLE001 - the one who waits gets it
            self._tell(self._settle, [(job, None, error)])
        else:
            self._tell(self._settle, [(job, answer, None)])

    def _tell(self, function: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting any more
            self._loop.call_soon_threadsafe(function, *args)


def _trim(database: Database, after: int) -> tuple[int, int | None]:
    return database.trim(after)


def _groups(writes: list[_Job]) -> Iterator[list[_Job]]:
    """Cut the writes, in their order, into groups of a size to commit at once."""
    group: list[_Job] = []
    size = 0
    for job in writes:
        job_size = job.write.size if job.write is not None else 0
        if group and (len(group) == MAX_GROUP or size + job_size > MAX_GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(job)
        size += job_size
    if group:
        yield group


def _own(error: BaseException) -> BaseException:
    """Return a copy of an error for one of several waiters, since a raised one collects the traceback of each."""
    try:
        copy = type(error)(*error.args)
    except TypeError:  # its arguments are not those of its class
        return StorageFailed(str(error))
    copy.__cause__ = error.__cause__
    return copy
