"""Opening a store's file: taking the lock, telling our files from others, bringing an older one up to date.

Everything that can be wrong with a file, its folder or its owner is told apart here, before anything is written to it, and becomes an
error whose message says what to do. The schema is in ``MIGRATIONS``: numbered steps that are only ever added to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..errors import (
    StorageDamaged,
    StorageDenied,
    StorageError,
    StorageFailed,
    StorageForeign,
    StorageFull,
    StorageLocked,
    StorageNewer,
)
from ..limits import STORAGE

if sys.platform != "win32":
    import fcntl

APPLICATION_ID: Final = int.from_bytes(b"LLIN")
"""In the header of every file of ours, as SQLite reserves a field for it."""

MIGRATIONS: Final = (
    # 1. offset is the rowid, so the log lies in the file in its own order; the index on topic carries the offset by itself.
    (
        """CREATE TABLE epochs (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, first INTEGER NOT NULL, began REAL NOT NULL)""",
        """CREATE TABLE topics (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
            trimmed INTEGER NOT NULL, count INTEGER NOT NULL, size INTEGER NOT NULL)""",
        """CREATE TABLE records (
            offset INTEGER PRIMARY KEY, topic INTEGER NOT NULL REFERENCES topics (id),
            at REAL NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL)""",
        "CREATE INDEX records_by_topic ON records (topic)",
        """CREATE TABLE entries (
            key TEXT PRIMARY KEY, offset INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) WITHOUT ROWID""",
    ),
)
"""The steps from an empty file to the present one; the file's ``user_version`` says how many it has had."""

BUSY_TIMEOUT: Final = STORAGE.busy_timeout
CHECKED_BYTES: Final = STORAGE.checked_bytes

_MAGIC: Final = b"SQLite format 3\0"


class Lock:
    """The sign on the door: a locked file beside the store, held for as long as the store is open.

    The kernel lets go of it when the process dies, however it dies. The file itself stays, since removing it would race with the next
    owner.

    Raises:
        StorageLocked: somebody holds it.
        StorageDenied: the folder does not let us.
    """

    def __init__(self, path: Path) -> None:
        self._file = -1
        lock = lock_of(path)
        with _denied(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if sys.platform != "win32":  # there, SQLite's own exclusive lock has to do
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(file, 20).decode("ascii", "replace").strip()
            os.close(file)
            if not isinstance(error, BlockingIOError):
                raise StorageDenied(
                    f"the store {path} cannot be locked ({error.strerror}); use a local disk"
                ) from error
            by = f"process {owner}" if owner.isdigit() else "another process"
            raise StorageLocked(
                f"the store {path} is in use by {by}; stop that one first, or use another file"
            ) from None
        with contextlib.suppress(OSError):
            # Our number in it is a courtesy; a full disk must not keep us from the lock.
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Let the next one in."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def lock_of(path: Path) -> Path:
    """Return where the lock of a store is."""
    return path.with_name(path.name + ".lock")


def log_of(path: Path) -> Path:
    """Return where SQLite keeps the write-ahead log of a file."""
    return path.with_name(path.name + "-wal")


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create the file and return its one connection, with the present schema and the safe settings.

    Raises:
        StorageForeign, StorageNewer, StorageDamaged: it was left as it is.
        StorageDenied, StorageLocked, StorageFull, StorageFailed: it cannot be used now.
    """
    check_header(path)
    with _denied(path), contextlib.suppress(FileExistsError):
        # Created by us, so that it is never readable by others, not even for a moment. SQLite gives its log the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with _denied(path):
        if not os.access(path, os.R_OK | os.W_OK):
            raise StorageDenied(f"the store {path} can only be read; give {_user()} the right to write it")
    with translated(path):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, cached_statements=256)
    try:
        with translated(path):
            _prepare(connection, path)
        _sync_folder(path)
    except BaseException:
        connection.close()
        raise
    return connection


def check_header(path: Path) -> None:
    """Refuse what is not ours before SQLite touches it; even a look can change a database that has a log to bring in.

    Raises:
        StorageForeign, StorageNewer, StorageDenied: as it says.
    """
    with _denied(path):
        if path.with_name(path.name + "-journal").exists():
            return  # its first transaction was interrupted: the file says nothing before SQLite has undone that
        try:
            with path.open("rb") as file:
                header = file.read(100)
        except (FileNotFoundError, NotADirectoryError):  # the latter is told by who makes the folder
            return
    if not header:
        return
    if len(header) < 100 or not header.startswith(_MAGIC):
        # Torn, perhaps, when the log was copied into the file and the power went: then the log has the whole page, and SQLite uses that.
        header = _header_in_log(path)
    if not header:
        raise StorageForeign(
            f"{path} is not a landline store, or it is damaged from its first byte on; move it away, put a backup in its place, or use another file"
        )
    schema_cookie, version, application = (int.from_bytes(header[at : at + 4]) for at in (40, 60, 68))
    if application != APPLICATION_ID and (application or version or schema_cookie):
        raise StorageForeign(f"{path} is a database of another program; move it away, or use another file")
    _check_version(version, path)


def _header_in_log(path: Path) -> bytes:
    """Return the header of the store as its write-ahead log has it, or nothing; whether the log is good, SQLite says."""
    with _denied(path), contextlib.suppress(FileNotFoundError), log_of(path).open("rb") as log:
        page_size = int.from_bytes(log.read(32)[8:12])
        frame = log.read(124)  # the frame's own head, and its page's
        while len(frame) == 124:
            if frame.startswith(b"\0\0\0\x01") and frame[24:].startswith(_MAGIC):
                return frame[24:]
            log.seek(page_size - 100, os.SEEK_CUR)
            frame = log.read(124)
    return b""


def _check_version(version: int, path: Path) -> None:
    if version > len(MIGRATIONS):
        raise StorageNewer(
            f"the store {path} was written by a newer landline (its format is {version}, this one knows {len(MIGRATIONS)});"
            " use that one"
        )


def _sync_folder(path: Path) -> None:
    """See to it that the new file's name is on the disk, too: it is in its folder only when that is."""
    with _denied(path):
        try:
            folder = os.open(path.parent, os.O_RDONLY)
        except PermissionError:
            return  # we may make files in it, and not read it; on Windows no folder can be opened
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # a file system that does not sync folders
                raise
        finally:
            os.close(folder)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    def ask(question: str) -> int | str:
        answer: int | str = connection.execute(question).fetchone()[0]
        return answer

    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    if ask("PRAGMA application_id") != APPLICATION_ID:
        if ask("SELECT count(*) FROM sqlite_schema"):
            raise StorageForeign(
                f"{path} is a database of another program; move it away, or use another file"
            )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    version = int(ask("PRAGMA user_version"))
    _check_version(version, path)
    if ask("PRAGMA journal_mode = WAL") != "wal":
        raise StorageFailed(
            f"the store {path} cannot have a write-ahead log there; use a file on a local disk"
        )
    connection.execute("PRAGMA synchronous = FULL")
    # On macOS an fsync without these leaves the data in the drive's cache.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA checkpoint_fullfsync = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    if path.stat().st_size <= CHECKED_BYTES and (found := ask("PRAGMA quick_check(1)")) != "ok":
        raise StorageDamaged(f"the store {path} is damaged ({found}); put a backup in its place")
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    # Brings the version into the header, where an older landline looks first.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


# Telling what went wrong...


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except UnicodeDecodeError as error:  # what SQLite says of a damaged file quotes it
        raise StorageDamaged(
            f"the store {path} is damaged (its tables cannot be read); put a backup in its place"
        ) from error
    except MemoryError as error:
        raise StorageFailed(f"the store {path} ran out of memory") from error


def _translate(error: sqlite3.Error, path: Path) -> StorageError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    detail = f"{getattr(error, 'sqlite_errorname', 'unreadable text')}: {error}"
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StorageFull(
                f"the disk that holds the store {path} is full; make room, writing then works again"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return StorageDamaged(f"the store {path} is damaged ({detail}); put a backup in its place")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageLocked(f"another program has the store {path} open; stop that one first")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return StorageDenied(
                f"the store {path} cannot be used ({detail}); check the rights to it and its folder"
            )
    return StorageFailed(_failed(path, detail))


def _failed(path: Path, detail: str) -> str:
    return f"the disk that holds the store {path} failed ({detail}); look at the system's log"


@contextlib.contextmanager
def _denied(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about a file or folder into ours."""
    try:
        yield
    except FileExistsError:
        if path.parent.is_dir():
            raise
        raise StorageDenied(f"{path.parent} is not a folder; use another place for the store") from None
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(
                f"there is no room for the store {path} ({error.strerror}); make room"
            ) from error
        if error.errno == errno.EIO:
            raise StorageFailed(_failed(path, error.strerror or "EIO")) from error
        raise StorageDenied(
            f"{_user()} cannot use {error.filename or path} as a store: {error.strerror or error}; check the rights to it"
        ) from error


_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def _user() -> str:
    return f"user {os.getuid()}" if sys.platform != "win32" else "this user"
