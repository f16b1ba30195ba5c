"""Ways to break the storage, or the disk below it: each must be found, or a cut that finds nothing proves nothing.

An ablation is applied in the process that is recorded; the images are opened by the storage as it is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from landline.storage import database, opening, sqlite
from landline.storage.base import Write
from landline.storage.database import Database


@dataclass(frozen=True, slots=True)
class Ablation:
    """One way to break it."""

    what: str
    apply: Callable[[], None] = lambda: None
    lies: str = ""
    """Files with this ending are never synced, and nobody is told."""
    needs_fault: bool = False
    """Only a disk that fails can show it."""
    masked: str = ""
    """Why it shows in no image, if it does not: what stands behind it."""


def _with_connection(wrap: Callable[[sqlite3.Connection], Any]) -> None:
    """Give every store that is opened a connection of another kind."""
    open_file = opening.open_file
    database.open_file = lambda path: wrap(open_file(path))  # type: ignore[attr-defined]


def _pragma(statement: str) -> Callable[[], None]:
    def apply() -> None:
        def wrap(connection: sqlite3.Connection) -> sqlite3.Connection:
            connection.execute(statement)
            return connection

        _with_connection(wrap)

    return apply


class _Late:
    """Commits when the next transaction begins: after what was written has been acknowledged."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._owes = False

    def execute(self, statement: str, *args: Any) -> Any:
        if statement == "COMMIT":
            self._owes = True
            return self._connection.execute("SELECT 1")
        if self._owes and statement in {"BEGIN IMMEDIATE", database_checkpoint}:
            self._owes = False
            self._connection.execute("COMMIT")
        return self._connection.execute(statement, *args)

    def close(self) -> None:
        if self._owes:
            self._connection.execute("COMMIT")
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


database_checkpoint: Final = "PRAGMA wal_checkpoint(TRUNCATE)"


def _acknowledge_early() -> None:
    _with_connection(_Late)


def _torn_writes() -> None:
    """The changes of a write are committed one by one."""
    write = Database.write

    def one_by_one(self: Database, writes: Sequence[Write]) -> Any:
        outcomes = []
        for one in writes:
            if one.expect or len(one.changes) < 2:
                outcomes += write(self, [one])
                continue
            positions: list[Any] = []
            for change in one.changes:
                (outcome,) = write(self, [Write((change,), {}, one.size)])
                positions += outcome if isinstance(outcome, list) else []
            outcomes.append(positions)
        return outcomes

    Database.write = one_by_one  # type: ignore[method-assign]


def _wrong_order() -> None:
    """The last of a group first."""
    write = Database.write

    def backwards(self: Database, writes: Sequence[Write]) -> Any:
        return write(self, writes[::-1])[::-1]

    Database.write = backwards  # type: ignore[method-assign]


def _forgotten_trim() -> None:
    """What retention removed leaves a hole that nobody remembers."""
    save = Database._save_topic

    def forgetful(self: Database, topic: Any) -> None:
        before, topic.trimmed = topic.trimmed, 0
        save(self, topic)
        topic.trimmed = before

    Database._save_topic = forgetful  # type: ignore[method-assign]


def _no_folder_sync() -> None:
    opening.os = _NoSync()  # type: ignore[assignment, attr-defined]


class _NoSync:
    def fsync(self, _file: int) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def _go_on_after_failure() -> None:
    """What failed does not matter: writing goes on with the same connection."""
    Database._failure = property(lambda _self: None, lambda _self, _value: None)  # type: ignore[assignment]


def _failed_is_acknowledged() -> None:
    """A group that met an input/output error is told that it is on the disk."""
    settle = sqlite._Owner._write

    def hopeful(self: Any, group: Any) -> None:
        tell = self._tell

        def told(function: Any, settled: Any) -> None:
            tell(function, [(job, [] if error else answer, None) for job, answer, error in settled])

        self._tell = told
        try:
            settle(self, group)
        finally:
            del self._tell

    sqlite._Owner._write = hopeful  # type: ignore[method-assign]


ABLATIONS: Final = {
    "normal": Ablation(
        "synchronous=NORMAL: a commit does not wait for the disk", _pragma("PRAGMA synchronous = NORMAL")
    ),
    "off": Ablation("synchronous=OFF: nothing waits for the disk", _pragma("PRAGMA synchronous = OFF")),
    "early": Ablation("acknowledged before the commit", _acknowledge_early),
    "torn": Ablation("the changes of a write are committed one by one", _torn_writes),
    "order": Ablation("the writes of a group are made in the wrong order", _wrong_order),
    "trim": Ablation("retention does not remember what it removed", _forgotten_trim),
    "hopeful": Ablation("what failed is acknowledged", _failed_is_acknowledged, needs_fault=True),
    "log lies": Ablation("the disk does not sync the log, and says it did", lies="-wal"),
    "file lies": Ablation("the disk does not sync the main file, and says it did", lies=".db"),
    "folder lies": Ablation("the disk does not sync the folder, and says it did", lies="."),
    "folder": Ablation(
        "we do not sync the folder",
        _no_folder_sync,
        masked="SQLite syncs it too, with the first sync of a new log; 'folder lies' tries both",
    ),
    "go on": Ablation("writing goes on after an input/output error", _go_on_after_failure, needs_fault=True),
}
