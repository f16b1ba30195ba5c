"""What a simulated server keeps of its sessions beyond its life: ``sessions.records`` without a loop, beside a second account of the same.

``Snapshot`` is what we know that the disk must hold of a session, ``DiskBooks`` holds them all, by what was committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from ...errors import StorageError
from ...history import Position
from ...protocol.resume import Record, hash_token
from ...storage.base import Change, Delete, Put
from .account import Account
from .chronicle import Chronicle
from .disk import Disk, Outcome, topics_of
from .line import Node, Violation
from .sends import SendBooks
from .talk import Talk

SESSIONS: Final = "landline.session."


class Snapshot(msgspec.Struct, frozen=True):
    """What is known of a session at the moment at which it is to be stored; see ``account.Account``."""

    principal: str
    attempt: int
    tokens: tuple[bytes, ...]
    shown: tuple[bytes, ...]

    @classmethod
    def of(cls, account: Account) -> Snapshot:
        """Take one."""
        return cls(account.principal, account.attempt, tuple(account.tokens), tuple(account.shown))

    def check(self, record: Record) -> None:
        """What the protocol reads from the disk must say the same."""
        if record.principal != self.principal:
            raise Violation(f"a session of {self.principal} came back as one of {record.principal}")
        if record.attempt != self.attempt:
            raise Violation(f"attempt {self.attempt} was accepted, {record.attempt} came back from the disk")
        if hash_token(self.shown[-1]) != record.current:
            raise Violation("the token that came back from the disk is not the last that was shown")
        offered = None if self.tokens[-1] == self.shown[-1] else hash_token(self.tokens[-1])
        if offered != record.offered:
            raise Violation("the token that came back from the disk is not the last that was given")


class DiskBooks:
    """What must be on the disk, by what was committed.

    Attributes:
        asked: what is known of a session, by the key and the bytes that are to be stored of it.
        durable: the same, by the key of what is committed.
        sends: the books of all outboxes of durable sends, by their ids.
        told: called when something is committed under a key.
        chronicle: the books of the history.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self.asked: dict[tuple[str, bytes], Snapshot] = {}
        self.sends: dict[bytes, SendBooks] = {}
        self.told: dict[str, Callable[[], None]] = {}
        self.durable: dict[str, Snapshot] = {}
        self.chronicle = chronicle

    def committed(self, changes: Sequence[Change], positions: list[Position]) -> None:
        """These are on the disk now."""
        for change in changes:
            if isinstance(change, Put) and change.key.startswith(SESSIONS):
                self.durable[change.key] = self.asked[change.key, change.data]
            elif isinstance(change, Put) and change.key in self.told:
                self.told[change.key]()
            elif isinstance(change, Delete):
                self.durable.pop(change.key, None)
        if positions:
            self.chronicle.committed(topics_of(changes), positions)

    def began(self, epoch: str, head: int) -> None:
        """A life of the history began."""
        self.chronicle.began(epoch, head)

    def failed(self) -> None:
        """The disk failed at something."""
        self.chronicle.excuses.add("the disk failed")

    def copy(self) -> tuple[dict[str, Snapshot], Any]:
        """Return what ``put_back`` needs."""
        return dict(self.durable), self.chronicle.copy()

    def put_back(self, backup: tuple[dict[str, Snapshot], Any]) -> None:
        """An old copy of the disk is in its place."""
        durable, history = backup
        self.durable = dict(durable)
        self.chronicle.put_back(history)


class Records:
    """The records of one life of a server.

    Args:
        talks: the books of every session, by id.
        books: of the disk.
    """

    def __init__(self, disk: Disk, node: Node, talks: dict[bytes, Talk], books: DiskBooks) -> None:
        self._disk = disk
        self._node = node
        self._talks = talks
        self._books = books
        self._waiting: dict[bytes, tuple[bytes | None, list[Callable[[float], None]]]] = {}
        self._is_writing = False

    def store(
        self,
        session_id: bytes,
        data: bytes | None,
        account: Account | None,
        then: Callable[[float], None],
    ) -> None:
        """Keep this of a session, or nothing any more; call back when it is safe, or will never be."""
        callbacks = self._waiting.pop(session_id, (None, []))[1]
        self._waiting[session_id] = (data, [*callbacks, then])
        if data is not None and account is not None:
            self._books.asked[SESSIONS + session_id.hex(), data] = Snapshot.of(account)
        if not self._is_writing:
            self._is_writing = True
            self._node.ready.append(self._write)

    def _write(self) -> None:
        batch, self._waiting = self._waiting, {}
        changes: list[Change] = []
        for session_id, (data, _) in batch.items():
            key = SESSIONS + session_id.hex()
            changes.append(Delete(key) if data is None else Put(key, data))
        self._disk.write(changes, lambda outcome: self._written(batch, outcome))

    def _written(
        self, batch: dict[bytes, tuple[bytes | None, list[Callable[[float], None]]]], outcome: Outcome
    ) -> None:
        if isinstance(outcome, StorageError):
            for session_id in batch:
                self._talks[session_id].excuses.add("not kept")
        for _, callbacks in batch.values():
            for then in callbacks:
                then(self._node.now)
        if self._waiting:
            self._node.ready.append(self._write)
        else:
            self._is_writing = False
