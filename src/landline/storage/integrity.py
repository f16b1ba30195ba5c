"""Examines a store's file without changing it: everything in it that is not as landline wrote it, by topic and position.

The file is read as it lies there, through a connection that can neither write nor lock. Where a log still waits to be brought in (the
last owner died), that is done in a copy. A store in use is refused, for what is read while somebody writes would be of two moments.
What nothing vouches for goes unnoticed: the ids of epochs, when something was published, the names of topics without publications.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import (
    StorageDenied,
    StorageError,
    StorageForeign,
    StorageFull,
    StorageLocked,
    StorageNewer,
    TopicError,
)
from ..limits import STORAGE
from .base import check_key
from .epochs import Epochs
from .names import check_topic
from .opening import MIGRATIONS, check_header, lock_of, log_of
from .reading import checksum

if sys.platform != "win32":
    import fcntl

Tell = Callable[[str, int, int], None]
"""Is told what is looked at, how much of it is done, and how much there is; 0 when nobody knows."""

MOST_TOLD: Final = STORAGE.damages

_STEPS: Final = 100_000
"""Of SQLite's machine, between two tellings of how far its own check is."""
_ROWS: Final = 1000
"""Between two tellings of how far the check of rows is."""
_MOST_STEPS: Final = STORAGE.steps


@dataclass(slots=True)
class Report:
    """What is in a store, and what is wrong with it."""

    path: Path
    size: int
    """Bytes, the log included."""
    log_size: int
    """Bytes of a log that was not brought in yet."""
    format: int = 0
    is_newer: bool = False
    """A newer landline wrote it: only what SQLite itself knows was checked."""
    publications: int = 0
    first: int = 0
    head: int = 0
    """The offsets of the first publication and of the last one that there ever was; 0: none."""
    topics: int = 0
    values: int = 0
    epochs: int = 0
    damages: list[str] = field(default_factory=list)
    """A clause each, such as ``publication 17 of prices.acme is not as it was written``."""
    damage_count: int = 0

    @property
    def is_good(self) -> bool:
        """Whether all was checked, and nothing is damaged."""
        return not self.damage_count and not self.is_newer

    def damaged(self, what: str) -> None:
        """Note a damage; past ``MOST_TOLD`` they are only counted."""
        self.damage_count += 1
        if len(self.damages) < MOST_TOLD:
            self.damages.append(what)


def examine(path: Path, tell: Tell = lambda _what, _done, _of: None) -> Report:
    """Check the whole file; this blocks, for as long as reading everything takes.

    Args:
        path: the store.
        tell: is called now and then.

    Raises:
        StorageForeign: it is no store of ours, or there is none.
        StorageLocked: it is in use, or came into use meanwhile.
        StorageDenied, StorageFull: it cannot be read; there is no room for the copy that a waiting log needs.
    """
    before = _signature(path)
    if before[0] is None:
        raise StorageForeign(f"there is no store {path}")
    _check_free(path)
    if path.is_dir() or not path.stat().st_size:
        raise StorageForeign(f"{path} is {'a folder' if path.is_dir() else 'empty'} and no landline store")
    try:
        check_header(path)
        is_newer = False
    except StorageNewer:
        is_newer = True
    log_size = log_of(path).stat().st_size if before[1] else 0
    report = Report(path, path.stat().st_size + log_size, log_size, is_newer=is_newer)
    with _readable(path) as file:
        try:
            _examine(file, report, tell)
        except (sqlite3.Error, UnicodeDecodeError, MemoryError, OverflowError) as error:
            report.damaged(f"not everything can be read ({error})")
    _check_free(path)
    if _signature(path) != before:
        raise StorageLocked(f"the store {path} was changed meanwhile; try again when nobody uses it")
    return report


def _signature(path: Path) -> tuple[Any, Any, Any]:
    """Return what changes when somebody writes to the file, its log or its journal."""

    def of(file: Path) -> tuple[int, ...] | None:
        try:
            told = file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageDenied(f"{file} cannot be read: {error.strerror}; check the rights to it") from error
        return told.st_ino, told.st_size, told.st_mtime_ns

    return of(path), of(log_of(path)), of(path.with_name(path.name + "-journal"))


def _check_free(path: Path) -> None:
    """Refuse a store that is in use. Nothing is kept locked, so that a server that starts now is not the one that fails."""
    if sys.platform == "win32":
        return
    try:
        file = os.open(lock_of(path), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return  # none: it was never opened here, or is not ours to ask
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(file, 20).decode("ascii", "replace").strip()
        by = f"process {owner}" if owner.isdigit() else "another process"
        raise StorageLocked(
            f"the store {path} is in use by {by}; stop that one first, or examine a copy made while it was stopped"
        ) from None
    finally:
        os.close(file)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[str]:
    """Give the address of a file for SQLite that can be read without changing anything: itself, or a copy that has the log."""
    journal = path.with_name(path.name + "-journal")
    waiting = [file for file in (log_of(path), journal) if file.exists() and file.stat().st_size]
    try:
        if not waiting:
            with path.open("rb"):
                pass
            yield path.absolute().as_uri() + "?mode=ro&immutable=1"
            return
        with tempfile.TemporaryDirectory(prefix="landline-") as folder:
            for file in (path, *waiting):
                shutil.copyfile(file, Path(folder, file.name))
            yield Path(folder, path.name).as_uri()
    except PermissionError as error:
        raise StorageDenied(
            f"{error.filename} cannot be read: {error.strerror}; check the rights to it"
        ) from error
    except OSError as error:
        raise StorageFull(
            f"the store {path} has a log that waits to be brought in, and there is no room in {tempfile.gettempdir()} for a"
            f" copy ({error.strerror}); set TMPDIR to a folder that has room"
        ) from error


def _examine(file: str, report: Report, tell: Tell) -> None:
    connection = sqlite3.connect(file, uri=True, isolation_level=None)
    # Whatever the bytes are: names that are no text must not end the reading.
    connection.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        tell("pages", steps, 0)
        return 0

    with contextlib.closing(connection):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.set_progress_handler(count, _STEPS)
        try:
            for (line,) in connection.execute(f"PRAGMA integrity_check({MOST_TOLD})"):
                if line != "ok":
                    report.damaged(f"SQLite: {' '.join(str(line).split())}")
        except sqlite3.Error as error:
            report.damaged(f"SQLite: {error}")  # what can be read is looked at all the same
        except UnicodeDecodeError:  # SQLite's words quote the file, and are no text then
            report.damaged("its tables cannot be read")
            return
        connection.set_progress_handler(None, 0)
        (report.format,) = connection.execute("PRAGMA user_version").fetchone()
        if report.format > len(MIGRATIONS):
            report.is_newer = True
        if report.is_newer:
            return
        if not _has_our_tables(connection, report.format):
            # Perhaps there are views or triggers among them: nothing is asked of such tables.
            report.damaged("its tables are not those that landline makes")
            return
        _Examination(connection, report, tell).run()


def _has_our_tables(connection: sqlite3.Connection, version: int) -> bool:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                ours.execute(statement)
        return connection.execute(query).fetchall() == ours.execute(query).fetchall()


@dataclass(slots=True)
class _Topic:
    name: str
    trimmed: int
    count: int
    size: int
    counted: int = 0
    sized: int = 0


class _Examination:
    """Goes through the tables of one store."""

    def __init__(self, connection: sqlite3.Connection, report: Report, tell: Tell) -> None:
        self._ask = connection.execute
        self._report = report
        self._tell = tell
        self._topics: dict[int, _Topic] = {}
        self._unreadable: list[int] = []

    def run(self) -> None:
        """Check every table; what cannot be read of one does not stop the next."""
        for part in (
            self._read_epochs,
            self._read_topics,
            self._read_records,
            self._compare,
            self._read_values,
        ):
            try:
                part()
            except (sqlite3.Error, MemoryError, OverflowError) as error:
                self._report.damaged(f"the {part.__name__.split('_')[-1]} cannot all be read ({error})")

    def _read_epochs(self) -> None:
        epochs, last = Epochs(), 0
        for number, id_, first in self._ask("SELECT number, id, first FROM epochs ORDER BY number"):
            self._report.epochs += 1
            try:
                if number != self._report.epochs or not isinstance(id_, str):
                    raise ValueError
                epochs.add(id_, first)
            except (ValueError, TypeError):
                self._report.damaged(
                    f"epoch {number} ({id_!r}, from offset {first!r}) does not follow the one before"
                )
            else:
                last = first
        if not self._report.epochs:
            self._report.damaged("there is no epoch")
        self._report.head = max(0, last - 1)

    def _read_topics(self) -> None:
        for id_, *row in self._ask("SELECT id, name, trimmed, count, size FROM topics ORDER BY id"):
            self._report.topics += 1
            name, *numbers = row
            try:
                check_topic(name)
            except (TopicError, UnicodeError):
                self._report.damaged(f"topic number {id_} has the name {name!r}, which is none")
                name = repr(name)
            if not all(isinstance(number, int) and number >= 0 for number in numbers):
                self._report.damaged(f"the counts of {name} are {numbers}")
                numbers = [0, 0, 0]
            self._topics[id_] = _Topic(name, *numbers)
            self._report.head = max(self._report.head, numbers[0])

    def _read_records(self) -> None:
        (last,) = self._ask("SELECT coalesce(max(offset), 0) FROM records").fetchone()
        (least,) = self._ask("SELECT coalesce(min(offset), 1) FROM records").fetchone()
        if least < 1:
            self._report.damaged(f"there is a publication with the offset {least}")
        head = self._report.head = max(self._report.head, last)
        explained = max((topic.trimmed for topic in self._topics.values()), default=0)
        after = 0
        while after < head:
            after = self._read_run(after, explained, head)
        if self._unreadable:
            self._tell_unreadable()

    def _read_run(self, after: int, explained: int, head: int) -> int:
        """Read on after this offset, up to a row that cannot be read or the end; return up to where."""
        query = "SELECT offset, topic, at, crc, data FROM records WHERE offset > ? ORDER BY offset"
        try:
            with contextlib.closing(self._ask(query, (after,))) as rows:
                for offset, *row in rows:
                    if offset <= after:
                        raise sqlite3.DatabaseError("the rows are not in order")
                    self._missing(after, offset, explained)
                    self._read_record(offset, *row)
                    after = offset
                    if not after % _ROWS:
                        self._tell("publications", after, head)
        except (sqlite3.Error, MemoryError, OverflowError):
            # Somewhere behind; looked for one by one, until one can be read again.
            return self._step_over(after, explained, head)
        self._missing(after, head + 1, explained)
        return head

    def _step_over(self, after: int, explained: int, head: int) -> int:
        """Look for the next row that can be read, and return up to where was looked."""
        query = "SELECT offset, topic, at, crc, data FROM records WHERE offset = ?"
        for offset in range(after + 1, min(head, after + _MOST_STEPS) + 1):
            if not offset % _ROWS:
                self._tell("publications", offset, head)
            try:
                row = self._ask(query, (offset,)).fetchone()
            except (sqlite3.Error, MemoryError, OverflowError):
                self._unreadable.append(offset)
                continue
            if row is not None:
                self._read_record(*row)
                return offset
            self._missing(offset - 1, offset + 1, explained)
        if head > after + _MOST_STEPS:
            # Far too many: probably the head is nonsense, too.
            self._report.damaged(f"publications {after + _MOST_STEPS + 1} to {head} cannot be read")
        return head

    def _tell_unreadable(self) -> None:
        """Say of which topics the unreadable rows are, as the index knows; what it does not know was trimmed, if it can be read."""
        query = "SELECT offset, topic FROM records INDEXED BY records_by_topic"
        known: dict[int, Any] = {}
        is_whole = False
        wanted = set(self._unreadable)
        with contextlib.suppress(sqlite3.Error, MemoryError, OverflowError):
            known = {offset: id_ for offset, id_ in self._ask(query) if offset in wanted}
            is_whole = True
        for offset in self._unreadable:
            topic = self._topics.get(known.get(offset, 0))
            if topic is not None:
                self._report.damaged(f"publication {offset} of {topic.name} cannot be read")
            elif not is_whole:
                self._report.damaged(f"publication {offset} cannot be read")

    def _missing(self, after: int, before: int, explained: int) -> None:
        """Judge the offsets between two rows: what no topic's trimming can explain is a hole."""
        low, high = max(after, explained) + 1, before - 1
        if low == high:
            self._report.damaged(f"publication {low} is missing")
        elif low < high:
            self._report.damaged(f"publications {low} to {high} are missing")

    def _read_record(self, offset: int, id_: Any, at: Any, crc: Any, data: Any) -> None:
        self._report.publications += 1
        self._report.first = self._report.first or offset
        topic = self._topics.get(id_)
        if topic is None:
            self._report.damaged(f"publication {offset} is of topic number {id_!r}, which is not there")
            return
        topic.counted += 1
        topic.sized += len(data) if isinstance(data, bytes) else 0
        if not isinstance(data, bytes) or crc != _checksum(offset, topic.name, data):
            self._report.damaged(f"publication {offset} of {topic.name} is not as it was written")
        elif not isinstance(at, float):
            self._report.damaged(f"publication {offset} of {topic.name} has no time")
        if offset <= topic.trimmed:
            self._report.damaged(
                f"publication {offset} of {topic.name} is there, and was removed up to {topic.trimmed}"
            )

    def _compare(self) -> None:
        """Compare what the topics say of themselves with what was found."""
        if self._unreadable:
            return  # rows that are told already are missing in what was counted
        for topic in self._topics.values():
            if (topic.count, topic.size) != (topic.counted, topic.sized):
                self._report.damaged(
                    f"{topic.name} says it has {topic.count} publications of {topic.size} bytes;"
                    f" it has {topic.counted} of {topic.sized}"
                )

    def _read_values(self) -> None:
        for key, offset, crc, data in self._ask("SELECT key, offset, crc, data FROM entries ORDER BY key"):
            self._report.values += 1
            try:
                check_key(key)
                is_whole = isinstance(offset, int) and isinstance(data, bytes)
                is_good = is_whole and crc == _checksum(offset, key, data)
            except (StorageError, TypeError, AttributeError, ValueError):
                is_good = False
            if not is_good:
                self._report.damaged(f"the value of {key!r} is not as it was written")
            elif not 0 <= offset <= self._report.head:
                self._report.damaged(f"the value of {key!r} is from offset {offset}, which was never given")


def _checksum(offset: int, name: str, data: bytes) -> int | None:
    try:
        return checksum(offset, name, data)
    except UnicodeEncodeError:
        return None
