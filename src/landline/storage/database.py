"""The file behind ``SQLiteStorage``: one connection, used by one thread; everything here blocks.

``write`` takes a group of writes and makes one commit of them; ``read`` and its kin look things up. SQLite runs with a write-ahead log and
``synchronous=FULL``, so a commit that returned survives a power cut. The connection keeps the file to itself
(``locking_mode=EXCLUSIVE``): SQLite before 3.51.3 can damage a log that two connections write, and without shared memory a full disk
is an error and not a bus error. What it does not understand it refuses and leaves alone. The opening is in ``opening``.
"""

from __future__ import annotations

import contextlib
import heapq
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import Conflict, StorageDamaged, StorageError, StorageFailed, StorageFull
from .base import MAX_PAGE, Append, Change, Delete, Page, Position, Put, Retention, Value
from .epochs import Epochs
from .names import Pattern
from .opening import Lock, open_file, translated
from .pages import Row, Span, page_backward, page_forward

CHECKPOINT_BYTES: Final = 4 << 20
"""Size of the write-ahead log at which it is copied into the main file; 1,000 pages are SQLite's own default."""
_MERGED_TOPICS: Final = 256
"""Up to this many topics are read side by side by index; a pattern that selects more is read by scanning the log."""
_SCANNED_ROWS: Final = 4096
"""Rows that one such scan looks at, and topic names that one pattern is held against, before others get their turn."""
_TRIMMED_ROWS: Final = 1000
"""Publications that retention removes at a time, for the same reason."""
_CACHED_TOPICS: Final = 10_000

_OLDEST_OF_TOPIC: Final = """
    SELECT offset, ? FROM records WHERE topic = ? AND offset > ? AND offset <= ? ORDER BY offset
"""
_NEWEST_OF_TOPIC: Final = _OLDEST_OF_TOPIC + "DESC"
# CROSS JOIN keeps SQLite from beginning with the topics, which would sort the whole log for each page.
_OLDEST_OF_ALL: Final = """
    SELECT records.offset, topics.name FROM records CROSS JOIN topics ON topics.id = records.topic
    WHERE records.offset > ? AND records.offset <= ? ORDER BY records.offset LIMIT ?
"""
_NEWEST_OF_ALL: Final = _OLDEST_OF_ALL.replace("LIMIT", "DESC LIMIT")


@dataclass(slots=True, frozen=True)
class Write:
    """One call of ``Storage.write``."""

    changes: Sequence[Change]
    expect: Mapping[str, bytes | None]


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
        self._wal = path.with_name(path.name + "-wal")
        self._clock = clock
        self._retention = retention
        self._topics: dict[str, _Topic] = {}
        self._failure: StorageError | None = None
        self._lock = Lock(path)
        try:
            self._connection = open_file(path)
            try:
                self._epochs, self._head = self._begin_epoch(entropy(8).hex())
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

    # Writing...

    def write(self, writes: Sequence[Write]) -> list[list[Position] | StorageError]:
        """Make one commit of several writes, in order, and return the outcome of each.

        One whose expectation fails is left out and gets its error as outcome; the others are made.

        Raises:
            StorageFull: none was stored; a later try may succeed.
            StorageFailed, StorageDamaged: none is acknowledged, and no write ever will be by this object.
        """
        outcomes: list[list[Position] | StorageError] = []
        with self._transaction() as now:
            head = self._head
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
        self._head = head
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
            names = self._connection.execute(query, (after, _SCANNED_ROWS)).fetchall()
            for id_, name in names:
                topic = self._topic(name)
                if trimmed := self._trim_topic(topic, now):
                    gone += trimmed
                    self._save_topic(topic)
                if gone >= _TRIMMED_ROWS:
                    # Perhaps this topic is not done: come back to it.
                    return gone, id_ - 1 if trimmed >= _TRIMMED_ROWS else id_
        return gone, names[-1][0] if len(names) == _SCANNED_ROWS else None

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
                value = self.get(key)
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
                    (offset, topic.id, now, _checksum(offset, change.topic, change.data), change.data),
                )
                topic.count += 1
                topic.size += len(change.data)
                positions.append(self._epochs.at(offset))
        head += len(positions)
        for change in changes:
            if isinstance(change, Put):
                execute(
                    "INSERT OR REPLACE INTO entries (key, offset, crc, data) VALUES (?, ?, ?, ?)",
                    (change.key, head, _checksum(head, change.key, change.data), change.data),
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

    # ... and reading.

    def read(self, pattern: str, after: Position | None, to: Position | None, limit: int) -> Page:
        """See ``Storage.read``."""
        span = Span.between(self._epochs, pattern, self._head, after=after, to=to)
        with translated(self.path), contextlib.ExitStack() as cursors:
            rows, cut = self._rows(span, cursors, backward=False)
            return page_forward(span, rows, self._trimmed(span), limit, cut=cut)

    def last(self, pattern: str, to: Position | None, limit: int) -> Page:
        """See ``Storage.last``."""
        span = Span.between(self._epochs, pattern, self._head, after=None, to=to)
        with translated(self.path), contextlib.ExitStack() as cursors:
            rows, cut = self._rows(span, cursors, backward=True)
            return page_backward(span, rows, self._trimmed(span), limit, cut=cut)

    def get(self, key: str) -> Value | None:
        """See ``Storage.get``."""
        with translated(self.path):
            row = self._connection.execute(
                "SELECT offset, crc, data FROM entries WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else self._value(key, *row)

    def scan(self, prefix: str, after: str, limit: int) -> list[Value]:
        """See ``Storage.scan``."""
        query = "SELECT key, offset, crc, data FROM entries WHERE key >= ? AND key > ? ORDER BY key LIMIT ?"
        with translated(self.path):
            rows = self._connection.execute(query, (prefix, after, max(1, min(limit, MAX_PAGE)))).fetchall()
        return [self._value(*row) for row in rows if row[0].startswith(prefix)]

    def _value(self, key: str, offset: int, crc: int, data: bytes) -> Value:
        if crc != _checksum(offset, key, data):
            raise StorageDamaged(f"the value of {key!r} in {self.path} is damaged; put a backup in its place")
        return Value(key, data, self._epochs.at(offset))

    def _rows(
        self, span: Span, cursors: contextlib.ExitStack, *, backward: bool
    ) -> tuple[Iterator[Row], bool]:
        """Return the matching rows in order, and whether the span had to be cut short.

        The rows are looked up as they are taken; ``cursors`` must stay open for so long and be closed before the next commit.
        """
        topics = self._matching_topics(Pattern(span.pattern))
        if topics is not None:
            of_topic = _NEWEST_OF_TOPIC if backward else _OLDEST_OF_TOPIC
            found: Iterator[tuple[int, str]] = heapq.merge(
                *(
                    cursors.enter_context(
                        contextlib.closing(
                            self._connection.execute(of_topic, (name, id_, span.start, span.stop))
                        )
                    )
                    for id_, name in topics
                ),
                reverse=backward,
            )
            return self._records(found), False
        matches = Pattern(span.pattern).matches
        scan = _NEWEST_OF_ALL if backward else _OLDEST_OF_ALL
        scanned = self._connection.execute(scan, (span.start, span.stop, _SCANNED_ROWS)).fetchall()
        cut = len(scanned) == _SCANNED_ROWS
        if cut and backward:
            span.start = scanned[-1][0] - 1
        elif cut:
            span.stop = scanned[-1][0]
        return self._records(row for row in scanned if matches(row[1])), cut

    def _records(self, found: Iterator[tuple[int, str]]) -> Iterator[Row]:
        # The data is fetched one by one, so that a page reads no more of it than it gives out.
        for offset, topic in found:
            crc, data = self._connection.execute(
                "SELECT crc, data FROM records WHERE offset = ?", (offset,)
            ).fetchone()
            yield Row(offset, topic, data if crc == _checksum(offset, topic, data) else None)

    def _matching_topics(self, pattern: Pattern) -> list[tuple[int, str]] | None:
        """Return ids and names of the topics that match, or None if those are too many to go through."""
        execute = self._connection.execute
        if pattern.is_exact:
            return execute("SELECT id, name FROM topics WHERE name = ?", (pattern.text,)).fetchall()
        query = "SELECT id, name FROM topics WHERE name >= ? AND name < ? LIMIT ?"
        known = execute(query, (*_names_between(pattern), _SCANNED_ROWS)).fetchall()
        matching = [row for row in known if pattern.matches(row[1])]
        return None if len(known) == _SCANNED_ROWS or len(matching) > _MERGED_TOPICS else matching

    def _trimmed(self, span: Span) -> list[tuple[str, int]]:
        """Return the matching topics of which retention removed something after the span's start, and up to where."""
        pattern = Pattern(span.pattern)
        if pattern.is_exact:
            query = "SELECT name, trimmed FROM topics WHERE name = ? AND trimmed > ?"
            return self._connection.execute(query, (pattern.text, span.start)).fetchall()
        query = "SELECT name, trimmed FROM topics WHERE name >= ? AND name < ? AND trimmed > ? LIMIT ?"
        found = self._connection.execute(
            query, (*_names_between(pattern), span.start, _SCANNED_ROWS)
        ).fetchall()
        if len(found) == _SCANNED_ROWS:
            # Too many to tell one by one: the page will tell them as one gap of the pattern, which must reach far enough.
            return [(name, span.head) for name, _ in found]
        return [row for row in found if pattern.matches(row[0])]


def _names_between(pattern: Pattern) -> tuple[str, str]:
    """Return the least name a match can have, and one just above the greatest."""
    # The prefix of a pattern with wildcards ends with a dot or is empty, and "/" is the character after the dot.
    return pattern.prefix, pattern.prefix[:-1] + "/" if pattern.prefix else "\U0010ffff"


def _checksum(offset: int, name: str, data: bytes) -> int:
    """Return the CRC-32 of a row; it covers its place and name too, so that a row that moved is found out."""
    return zlib.crc32(data, zlib.crc32(f"{offset} {name}".encode()))
