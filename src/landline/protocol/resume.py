"""Who may go on with a session: attempts, tokens in two phases, fencing, and what is remembered of ended sessions.

The attempt rises strictly with every dial; one not above the highest accepted is ``stale`` and changes nothing. The token rotates: a new
one is offered with every answer, the old one stays good until the client shows the new one. A token that was retired, shown with a higher
attempt, was stolen from one side or the other: the session is revoked.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Self

import msgspec

from ..limits import PROTOCOL, Limits
from .credit import Pressure
from .frames import CloseCode
from .handshake import Refusal, Resume
from .session import Session
from .states import Role

_RETIRED_KEPT = PROTOCOL.retired_tokens

_CANDIDATES = PROTOCOL.candidates // 2  # the newest, and the oldest


def hash_token(token: bytes) -> bytes:
    """Return what a server keeps of a token."""
    return hashlib.sha256(token).digest()


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """A record, and what its client said of itself, as they are stored."""

    principal: str
    attempt: int
    current: bytes
    offered: bytes | None
    retired: list[bytes]
    window: int
    max_message: int
    max_flows: int


_decode_stored = msgspec.msgpack.Decoder(_Stored).decode


@dataclass(slots=True, eq=False)
class Record:
    """What a server knows of one session for whoever wants to resume it. ``kept.Kept`` adds the rest.

    Attributes:
        attempt: the highest accepted.
        detached_at: since when the session has no line, or None while it has one.
        born_at: since when the session lives.
    """

    id: bytes
    principal: str
    session: Session
    attempt: int
    current: bytes
    offered: bytes | None = None
    retired: tuple[bytes, ...] = ()
    detached_at: float | None = None
    born_at: float = 0.0

    def encode(self) -> bytes:
        """Return it as it is stored, before the answer that it allows is written."""
        session = self.session
        return msgspec.msgpack.encode(
            _Stored(
                self.principal,
                self.attempt,
                self.current,
                self.offered,
                list(self.retired),
                session.peer_window,
                session.max_message,
                session.max_flows,
            )
        )

    @classmethod
    def decode(cls, session_id: bytes, data: bytes, limits: Limits, pressure: Pressure) -> Self:
        """Return what an earlier life of the server stored, with a session whose counts are all 0.

        Raises:
            ValueError: it cannot be read.
        """
        stored = _decode_stored(data)
        session = Session(
            limits,
            peer_window=stored.window,
            peer_max_message=min(stored.max_message, limits.max_message),
            peer_max_flows=stored.max_flows,
            role=Role.SERVER,
            pressure=pressure,
        )
        record = cls(session_id, stored.principal, session, stored.attempt, stored.current, stored.offered)
        record.retired = tuple(stored.retired[-_RETIRED_KEPT:])
        return record

    def offer(self, token: bytes) -> None:
        """Commit a new token, before the answer that carries it is written."""
        self.offered = hash_token(token)

    def confirm(self, token: bytes) -> bool:
        """The client shows a token; return whether it is the newest that it was given, after which it is the only one."""
        shown = hash_token(token)
        if self.offered is None:
            return hmac.compare_digest(shown, self.current)
        if not hmac.compare_digest(shown, self.offered):
            return False
        self.retired = (*self.retired, self.current)[-_RETIRED_KEPT:]
        self.current, self.offered = self.offered, None
        return True

    def is_retired(self, token: bytes) -> bool:
        """Whether the token was good once."""
        shown = hash_token(token)
        return any(hmac.compare_digest(shown, old) for old in self.retired)


class Tombstone(msgspec.Struct, frozen=True):
    """What is remembered of an ended session, for whoever holds its token."""

    principal: str
    code: CloseCode
    reason: str
    tokens: tuple[bytes, ...]
    received: int
    handled: int
    until: float


def _life(record: Record) -> float:
    return (record.detached_at or record.born_at) - record.born_at


class SessionTable:
    """The sessions of one server, those without a line and the tombstones included.

    Attributes:
        records: those that live, by their id.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.records: dict[bytes, Record] = {}
        self._detached: OrderedDict[bytes, Record] = OrderedDict()
        self._tombstones: OrderedDict[bytes, Tombstone] = OrderedDict()

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self.records.values()))

    def get(self, session_id: bytes) -> Record | None:
        """Return the record of a living session."""
        return self.records.get(session_id)

    def add(self, record: Record) -> None:
        """Keep a new session."""
        self.records[record.id] = record

    @property
    def surplus(self) -> Record | None:
        """The session to end first when there are too many, if any can be ended.

        It is the one that had held its first line for the shortest time, of the newest and the oldest without a line: a flood of callers
        who come and go ends its own sessions, not those of people whose line has dropped.
        """
        if len(self.records) < self._limits.max_sessions:
            return None
        newest = islice(reversed(self._detached.values()), _CANDIDATES)
        oldest = islice(self._detached.values(), _CANDIDATES)
        return min(chain(newest, oldest), key=_life, default=None)

    @property
    def without_line(self) -> list[Record]:
        """The sessions that have no line, the longest without one first."""
        return list(self._detached.values())

    @property
    def is_full(self) -> bool:
        """Whether no session may be added."""
        return len(self.records) >= self._limits.max_sessions

    def judge(self, resume: Resume, principal: str, now: float) -> Record | Refusal:
        """Return the session that may go on, or why not. What is accepted is committed: the attempt, and the token shown.

        ``principal`` is who the caller was found to be on this connection.
        """
        record = self.records.get(resume.session)
        if record is None:
            return self._judge_dead(resume, principal, now)
        if not hmac.compare_digest(record.principal.encode(), principal.encode()):
            return Refusal(code=CloseCode.UNAUTHORIZED, reason="the session belongs to somebody else")
        is_good = hmac.compare_digest(hash_token(resume.token), record.current) or (
            record.offered is not None and hmac.compare_digest(hash_token(resume.token), record.offered)
        )
        if not is_good:
            if record.is_retired(resume.token) and resume.attempt > record.attempt:
                return Refusal(code=CloseCode.REVOKED, reason="a token was used that had been replaced")
            return Refusal(code=CloseCode.UNAUTHORIZED, reason="the token is not good")
        if resume.attempt <= record.attempt:
            return Refusal(
                code=CloseCode.STALE, reason="a later attempt was accepted", attempt=record.attempt
            )
        if self._is_over(record, now):  # the sweep that ends it may come late
            return Refusal(
                code=CloseCode.EXPIRED,
                reason="the resume window passed",
                received=record.session.received,
                handled=record.session.messages.handled,
            )
        record.attempt = resume.attempt
        record.confirm(resume.token)
        return record

    def _judge_dead(self, resume: Resume, principal: str, now: float) -> Refusal:
        tombstone = self._tombstones.get(resume.session)
        shown = hash_token(resume.token)
        if (
            tombstone is None
            or now >= tombstone.until
            or tombstone.principal != principal
            or not any(hmac.compare_digest(shown, t) for t in tombstone.tokens)
        ):
            return Refusal(
                code=CloseCode.UNKNOWN_SESSION,
                reason="no such session here: the server was restarted, or forgot it",
            )
        return Refusal(
            code=tombstone.code,
            reason=tombstone.reason,
            received=tombstone.received,
            handled=tombstone.handled,
        )

    def attached(self, record: Record) -> None:
        """The session has a line."""
        record.detached_at = None
        self._detached.pop(record.id, None)

    def detached(self, record: Record, now: float) -> None:
        """The session lost its line; its resume window begins."""
        if record.id in self.records:
            record.detached_at = now
            self._detached[record.id] = record
            self._detached.move_to_end(record.id)

    def remove(self, record: Record, code: CloseCode, reason: str, now: float) -> None:
        """End a session; a tombstone keeps its counts."""
        if self.records.pop(record.id, None) is None:
            return
        self._detached.pop(record.id, None)
        session = record.session
        tokens = (record.current,) if record.offered is None else (record.current, record.offered)
        self._tombstones[record.id] = Tombstone(
            record.principal,
            code,
            reason,
            tokens,
            session.received,
            session.messages.handled,
            now + self._limits.tombstone_window,
        )
        while len(self._tombstones) > self._limits.max_tombstones:
            self._tombstones.popitem(last=False)

    def expired(self, now: float) -> list[Record]:
        """Return the sessions whose resume window is over."""
        found = []
        for record in self._detached.values():
            if not self._is_over(record, now):
                break
            found.append(record)
        return found

    def _is_over(self, record: Record, now: float) -> bool:
        return record.detached_at is not None and now >= record.detached_at + self._limits.resume_window

    def timeout_at(self) -> float | None:
        """When ``expired`` has something next."""
        for record in self._detached.values():
            if record.detached_at is not None:
                return record.detached_at + self._limits.resume_window
        return None
