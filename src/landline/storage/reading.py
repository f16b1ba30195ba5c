"""Looking things up in the file behind ``SQLiteStorage``; everything here blocks, and runs in the thread that owns the connection.

A page is found by index where few topics match, and by scanning the log, in bounded steps, where many do. Each row carries a checksum
over its place, its name and its data: what does not agree with it is never handed out.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..errors import StorageDamaged
from ..history import Position
from ..limits import STORAGE
from .base import MAX_PAGE, Page, Value
from .epochs import Epochs
from .names import Pattern
from .opening import translated
from .pages import Row, Span, page_backward, page_forward

log = logging.getLogger("landline.storage")

_MERGED_TOPICS: Final = STORAGE.merged
_SCANNED_ROWS: Final = STORAGE.scanned

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


class Reader:
    """Finds publications and values through an open connection.

    Args:
        connection: the connection; only its thread may call.
        path: the file, for the errors.
        epochs: the lives of the store.
        head: the last offset.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, epochs: Epochs, head: int) -> None:
        self.head = head
        """The last offset that was committed; whoever commits keeps it true."""
        self._connection = connection
        self._path = path
        self._epochs = epochs
        self._has_told = False

    def read(
        self, pattern: str, after: Position | None, to: Position | None, limit: int, max_bytes: int
    ) -> Page:
        """See ``Storage.read``."""
        span = Span.between(self._epochs, pattern, self.head, after=after, to=to)
        with translated(self._path), contextlib.ExitStack() as cursors:
            rows = self._rows(span, cursors, backward=False)
            return page_forward(span, rows, self._trimmed(span), limit, max_bytes)

    def last(self, pattern: str, to: Position | None, limit: int) -> Page:
        """See ``Storage.last``."""
        span = Span.between(self._epochs, pattern, self.head, after=None, to=to)
        with translated(self._path), contextlib.ExitStack() as cursors:
            rows = self._rows(span, cursors, backward=True)
            return page_backward(span, rows, self._trimmed(span), limit)

    def place(self) -> Position:
        """See ``Storage.head``."""
        return self._epochs.head(self.head)

    def get(self, key: str) -> Value | None:
        """See ``Storage.get``."""
        with translated(self._path):
            row = self._connection.execute(
                "SELECT offset, crc, data FROM entries WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else self._value(key, *row)

    def scan(self, prefix: str, after: str, limit: int) -> list[Value]:
        """See ``Storage.scan``."""
        query = "SELECT key, offset, crc, data FROM entries WHERE key >= ? AND key > ? ORDER BY key LIMIT ?"
        with translated(self._path):
            rows = self._connection.execute(query, (prefix, after, max(1, min(limit, MAX_PAGE)))).fetchall()
        return [self._value(*row) for row in rows if row[0].startswith(prefix)]

    def _value(self, key: str, offset: int, crc: int, data: bytes) -> Value:
        if crc != checksum(offset, key, data):
            raise StorageDamaged(
                f"the value of {key!r} in {self._path} is damaged; put a backup in its place"
            )
        return Value(key, data, self._epochs.at(offset))

    def _rows(self, span: Span, cursors: contextlib.ExitStack, *, backward: bool) -> Iterator[Row]:
        """Return the matching rows in order; the span is cut short when there were too many others to look at.

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
            return self._records(found)
        query = _NEWEST_OF_ALL if backward else _OLDEST_OF_ALL
        cursor = self._connection.execute(query, (span.start, span.stop, _SCANNED_ROWS))
        return self._records(
            _scanned(cursors.enter_context(contextlib.closing(cursor)), span, backward=backward)
        )

    def _records(self, found: Iterator[tuple[int, str]]) -> Iterator[Row]:
        # The data is fetched one by one, so that a page reads no more of it than it gives out.
        for offset, topic in found:
            crc, data = self._connection.execute(
                "SELECT crc, data FROM records WHERE offset = ?", (offset,)
            ).fetchone()
            is_whole = crc == checksum(offset, topic, data)
            if not is_whole:
                self._tell(offset, topic)
            yield Row(offset, topic, data if is_whole else None)

    def _tell(self, offset: int, topic: str) -> None:
        """Log that something is damaged: once, for whoever reads it again comes upon it again."""
        if not self._has_told:
            self._has_told = True
            log.error(
                "publication %d of %s is damaged, and readers are told a gap in its place; to see all that is damaged, stop this program and run: landline integrity %s",
                offset,
                topic,
                self._path,
            )

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


def _scanned(rows: Iterable[tuple[int, str]], span: Span, *, backward: bool) -> Iterator[tuple[int, str]]:
    """Yield those rows of a scan that match, and cut the span where the scan had to stop."""
    matches = Pattern(span.pattern).matches
    count, offset = 0, 0
    for offset, topic in rows:
        count += 1
        if matches(topic):
            yield offset, topic
    if count == _SCANNED_ROWS:
        span.cut(offset, backward=backward)


def _names_between(pattern: Pattern) -> tuple[str, str]:
    """Return the least name a match can have, and one just above the greatest."""
    # The prefix of a pattern with wildcards ends with a dot or is empty, and "/" is the character after the dot.
    return pattern.prefix, pattern.prefix[:-1] + "/" if pattern.prefix else "\U0010ffff"


def checksum(offset: int, name: str, data: bytes) -> int:
    """Return the CRC-32 of a row; it covers its place and name too, so that a row that moved is found out."""
    return zlib.crc32(data, zlib.crc32(f"{offset} {name}".encode()))
