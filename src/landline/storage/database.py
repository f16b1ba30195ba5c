"""The file behind ``SQLiteStorage``: one connection, used by one thread; everything here blocks.

``write`` takes a group of writes and makes one commit of them; ``reader`` looks things up. SQLite runs with a write-ahead log and
``synchronous=FULL``, so a commit that returned survives a power cut. The connection keeps the file to itself
(``locking_mode=EXCLUSIVE``): SQLite before 3.51.3 can damage a log that two connections write, and without shared memory a full disk
is an error and not a bus error. What it does not understand it refuses and leaves alone. The opening is in ``opening``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import Conflict, StorageDamaged, StorageError, StorageFailed, StorageFull
from ..history import Position
from ..limits import STORAGE
from .base import Append, Change, Delete, Put, Retention, Write
from .epochs import Epochs
from .opening import Lock, check_header, log_of, open_file, translated
from .reading import Reader, checksum

CHECKPOINT_BYTES: Final = STORAGE.log_bytes
_TRIMMED_ROWS: Final = STORAGE.trimmed
_TRIMMED_TOPICS: Final = STORAGE.trimmed_topics
_CACHED_TOPICS: Final = STORAGE.cached_topics


@dataclass(slots=True)
class _Topic:
    """The row of a topic: what is kept of it, and up to where it was trimmed."""

    id: int
    name: str
    trimmed: int
    count: int
    size: int


class Database:
    """An open store.

    Args:
        path: the file.
        clock: the wall clock in seconds since 1970.
        entropy: gives this many random bytes.
        retention: how much to keep of a topic.

    Raises:
        StorageError: it cannot be opened; see ``landline.storage.opening``.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        retention: Callable[[str], Retention],
    ) -> None:
        self.path = path
        self.commits = 0
        """Commits so far that had something to write."""
        self._wal = log_of(path)
        self._clock = clock
        self._retention = retention
        self._topics: dict[str, _Topic] = {}
        self._failure: StorageError | None = None
        check_header(path)  # what is not ours is given no lock beside it, either
        self._lock = Lock(path)
        try:
            self._connection = open_file(path)
            try:
                self._epochs, head = self._begin_epoch(entropy(8).hex())
                self.reader = Reader(self._connection, path, self._epochs, head)
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Copy the log into the main file and let go of it; everything acknowledged is safe even if this fails."""
        try:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        finally:
            self._lock.release()

    @property
    def epoch(self) -> str:
        """The id of the epoch that opening began."""
        return self._epochs.current

    def _begin_epoch(self, epoch: str) -> tuple[Epochs, int]:
        epochs = Epochs()
        execute = self._connection.execute
        with translated(self.path):
            known = execute("SELECT id, first FROM epochs ORDER BY number").fetchall()
            # A number is never used again, whether or not its publication is still kept.
            (head,) = execute(
                "SELECT max((SELECT coalesce(max(offset), 0) FROM records), (SELECT coalesce(max(trimmed), 0) FROM topics),"
                " (SELECT coalesce(max(first), 1) - 1 FROM epochs))"
            ).fetchone()
            try:
                for id_, first in [*known, (epoch, head + 1)]:
                    epochs.add(id_, first)
            except (ValueError, TypeError) as error:
                raise StorageDamaged(
                    f"the store {self.path} is damaged: {error}; put a backup in its place"
                ) from error
            execute(
                "INSERT INTO epochs (id, first, began) VALUES (?, ?, ?)", (epoch, head + 1, self._clock())
            )
        return epochs, head

    def write(self, writes: Sequence[Write]) -> list[list[Position] | StorageError]:
        """Make one commit of several writes, in order, and return the outcome of each.

        One whose expectation fails is left out and gets its error as outcome; the others are made.

        Raises:
            StorageFull: none was stored; a later try may succeed.
            StorageFailed, StorageDamaged: none is acknowledged, and no write ever will be by this object.
        """
        outcomes: list[list[Position] | StorageError] = []
        with self._transaction() as now:
            head = self.reader.head
            touched: dict[str, _Topic] = {}
            for write in writes:
                if error := self._objection(write.expect):
                    outcomes.append(error)
                else:
                    positions = self._apply(write.changes, now, head, touched)
                    outcomes.append(positions)
                    head += len(positions)
            for topic in touched.values():
                self._trim_topic(topic, now)
                self._save_topic(topic)
        self.reader.head = head
        return outcomes

    def trim(self, after: int) -> tuple[int, int | None]:
        """Apply retention to some more topics.

        Args:
            after: the topic id that the call before returned, 0 to begin.

        Returns:
            How many publications went, and where to go on, or None at the end.
        """
        gone = 0
        with self._transaction() as now:
            query = "SELECT id, name FROM topics WHERE id > ? ORDER BY id LIMIT ?"
            names = self._connection.execute(query, (after, _TRIMMED_TOPICS)).fetchall()
            for id_, name in names:
                topic = self._topic(name)
                if trimmed := self._trim_topic(topic, now):
                    gone += trimmed
                    self._save_topic(topic)
                if gone >= _TRIMMED_ROWS:
                    # Perhaps this topic is not done: come back to it.
                    return gone, id_ - 1 if trimmed >= _TRIMMED_ROWS else id_
        return gone, names[-1][0] if len(names) == _TRIMMED_TOPICS else None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[float]:
        """Run the body in a transaction and commit it, or roll it back and say what that means."""
        if self._failure is not None:
            raise StorageFailed(
                f"the store {self.path} failed before ({self._failure}); close and open it again"
            )
        try:
            with translated(self.path):
                self._connection.execute("BEGIN IMMEDIATE")
                before = self._connection.total_changes
                yield self._clock()
                self._connection.execute("COMMIT")
                self.commits += self._connection.total_changes > before
        except BaseException as error:
            self._topics.clear()  # they say what the transaction would have made true
            try:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            except sqlite3.Error as second:
                self._failure = StorageFailed(str(second))
            if isinstance(error, StorageError) and not isinstance(error, StorageFull):
                # After a failed fsync the kernel may have dropped the pages it could not write, and a second fsync that succeeds
                # proves nothing: nothing is acknowledged until the file was opened and checked again.
                self._failure = error
            raise
        if len(self._topics) > _CACHED_TOPICS:
            self._topics.clear()
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Copy the log into the main file when it has grown. SQLite's automatic way would hide a failed fsync."""
        try:
            if self._wal.stat().st_size < CHECKPOINT_BYTES:
                return
            with translated(self.path):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (StorageFull, OSError):
            pass  # the commit is safe in the log; the next one tries again
        except StorageError as error:
            self._failure = error  # the commit before was acknowledged by a good fsync; no later one will be

    def _objection(self, expect: Mapping[str, bytes | None]) -> StorageError | None:
        for key, wanted in expect.items():
            try:
                value = self.reader.get(key)
            except StorageDamaged as error:
                return error  # what cannot be read cannot be compared; this stops nobody else
            found = value.data if value else None
            if found != wanted:
                return Conflict(key, found)
        return None

    def _apply(
        self, changes: Sequence[Change], now: float, head: int, touched: dict[str, _Topic]
    ) -> list[Position]:
        execute = self._connection.execute
        positions: list[Position] = []
        # The appends first, because a value is stamped with the last publication of its own write.
        for change in changes:
            if isinstance(change, Append):
                topic = touched.get(change.topic)
                if topic is None:
                    topic = touched[change.topic] = self._topic(change.topic)
                offset = head + len(positions) + 1
                execute(
                    "INSERT INTO records (offset, topic, at, crc, data) VALUES (?, ?, ?, ?, ?)",
                    (offset, topic.id, now, checksum(offset, change.topic, change.data), change.data),
                )
                topic.count += 1
                topic.size += len(change.data)
                positions.append(self._epochs.at(offset))
        head += len(positions)
        for change in changes:
            if isinstance(change, Put):
                execute(
                    "INSERT OR REPLACE INTO entries (key, offset, crc, data) VALUES (?, ?, ?, ?)",
                    (change.key, head, checksum(head, change.key, change.data), change.data),
                )
            elif isinstance(change, Delete):
                execute("DELETE FROM entries WHERE key = ?", (change.key,))
        return positions

    def _topic(self, name: str) -> _Topic:
        """Return the row of a topic, made if need be."""
        topic = self._topics.get(name)
        if topic is None:
            execute = self._connection.execute
            row = execute("SELECT id, trimmed, count, size FROM topics WHERE name = ?", (name,)).fetchone()
            if row is None:
                id_ = execute(
                    "INSERT INTO topics (name, trimmed, count, size) VALUES (?, 0, 0, 0)", (name,)
                ).lastrowid
                row = (id_, 0, 0, 0)
            topic = self._topics[name] = _Topic(row[0], name, *row[1:])
        return topic

    def _save_topic(self, topic: _Topic) -> None:
        self._connection.execute(
            "UPDATE topics SET trimmed = ?, count = ?, size = ? WHERE id = ?",
            (topic.trimmed, topic.count, topic.size, topic.id),
        )

    def _trim_topic(self, topic: _Topic, now: float) -> int:
        """Remove from the old end what retention does not keep, at most ``_TRIMMED_ROWS``, and return how many went."""
        kept = self._retention(topic.name)
        gone = 0
        query = "SELECT offset, at, length(data) FROM records WHERE topic = ? ORDER BY offset"
        with contextlib.closing(self._connection.execute(query, (topic.id,))) as rows:
            for offset, at, size in rows:
                too_many = kept.max_count is not None and topic.count > kept.max_count
                too_large = kept.max_bytes is not None and topic.size > kept.max_bytes and topic.count > 1
                too_old = kept.max_age is not None and at < now - kept.max_age
                if gone == _TRIMMED_ROWS or not (too_many or too_large or too_old):
                    break
                gone += 1
                topic.count -= 1
                topic.size -= size
                topic.trimmed = offset
        if gone:
            self._connection.execute(
                "DELETE FROM records WHERE topic = ? AND offset <= ?", (topic.id, topic.trimmed)
            )
        return gone
