"""The safeguards of the protocol, each with the patch that switches it off, as a table for ``ablations``.

The patches live here and nowhere else: the protocol has no switches. Each is the smallest change that takes a defence away, in the words
of the code that it replaces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from ...protocol import connection as connection_module
from ...protocol import session as session_module
from ...protocol.connection import Connection
from ...protocol.flow import Flow
from ...protocol.frames import COUNTS, LAST_DATA, CloseCode, FrameType, Queued, each_of, kind_of
from ...protocol.greeting import Greeting
from ...protocol.handshake import Refusal
from ...protocol.heartbeat import Heartbeat, Progress, Verdict
from ...protocol.host import Host
from ...protocol.inbox import Inbox
from ...protocol.outbox import Outbox
from ...protocol.resume import Record, SessionTable, hash_token
from ...protocol.session import Session
from ...protocol.states import ACCEPTED, Phase, Role
from .call_safeguards import CALL_ABLATIONS
from .carrier_safeguards import CARRIER_ABLATIONS
from .file_safeguards import FILE_ABLATIONS
from .flow_safeguards import FLOW_ABLATIONS
from .line import Port
from .presence_safeguards import PRESENCE_ABLATIONS
from .send_safeguards import SEND_ABLATIONS
from .stored_safeguards import STORED_ABLATIONS
from .switched_off import Ablation

# Fences and attempts...

_judge = SessionTable.judge
_attach = Session.attach
_welcome = Connection.welcome


def _no_fence(self: Connection) -> None:
    del self


def _judge_any_attempt(self: SessionTable, resume: Any, principal: str, now: float) -> Any:
    record = self.get(resume.session)
    if record is not None and resume.attempt <= record.attempt:
        resume = replace(resume, attempt=record.attempt + 1)
    return _judge(self, resume, principal, now)


def _judge_any_principal(self: SessionTable, resume: Any, principal: str, now: float) -> Any:
    record = self.get(resume.session)
    return _judge(self, resume, principal if record is None else record.principal, now)


def _judge_any_token(self: SessionTable, resume: Any, principal: str, now: float) -> Any:
    record = self.get(resume.session)
    if record is not None and hash_token(resume.token) not in {
        record.current,
        record.offered,
        *record.retired,
    }:
        record.retired = ()
        before, record.current = record.current, hash_token(resume.token)
        verdict = _judge(self, resume, principal, now)
        record.current = before
        return verdict
    return _judge(self, resume, principal, now)


def _judge_without_revoking(self: SessionTable, resume: Any, principal: str, now: float) -> Any:
    verdict = _judge(self, resume, principal, now)
    if isinstance(verdict, Refusal) and verdict.code is CloseCode.REVOKED:
        return replace(verdict, code=CloseCode.UNAUTHORIZED)
    return verdict


def _no_surplus(self: SessionTable) -> None:
    del self


def _never_full(self: SessionTable) -> bool:
    del self
    return False


def _never_expired(self: SessionTable, now: float) -> list[Record]:
    del self, now
    return []


def _never(self: Any) -> None:
    del self


def _judge_late(self: SessionTable, resume: Any, principal: str, now: float) -> Any:
    record = self.get(resume.session)
    since = None if record is None else record.detached_at
    if record is not None:
        record.detached_at = None
    verdict = _judge(self, resume, principal, now)
    if record is not None:
        record.detached_at = since
    return verdict


# Tokens...


def _offer_at_once(self: Record, token: bytes) -> None:
    self.retired = (*self.retired, self.current)
    self.current, self.offered = hash_token(token), None


def _confirm_without_retiring(self: Record, token: bytes) -> bool:
    shown = hash_token(token)
    return shown in {self.current, self.offered}


def _still_detached(self: SessionTable, record: Record) -> None:
    del self, record


def _remove_without_tombstone(
    self: SessionTable, record: Record, code: CloseCode, reason: str, now: float
) -> None:
    del code, reason, now
    self.records.pop(record.id, None)
    self._detached.pop(record.id, None)


_remove = SessionTable.remove


def _remove_keeping_all(self: SessionTable, record: Record, code: CloseCode, reason: str, now: float) -> None:
    limits, self._limits = self._limits, dataclasses.replace(self._limits, max_tombstones=1 << 30)
    _remove(self, record, code, reason, now)
    self._limits = limits


# Counts and replay...


def _attach_with(change: Callable[[Session, int], int]) -> Callable[[Session, int], None]:
    def attach(self: Session, peer_received: int) -> None:
        _attach(self, change(self, peer_received))

    return attach


def _one_more(self: Session, count: int) -> int:
    return min(count + 1, self.sent)


def _attach_without_replay(self: Session, peer_received: int) -> None:
    _attach(self, peer_received)
    self._replaying = []


def _attach_replaying_all(self: Session, peer_received: int) -> None:
    replay, base = each_of(self._replay), self.received_by_peer
    _attach(self, peer_received)
    known = replay[: peer_received - base]
    self._replaying = [*self._replaying, *reversed(known)]


def _attach_without_repeating(name: str) -> Callable[[Session, int], None]:
    def attach(self: Session, peer_received: int) -> None:
        told = [flow.handled_told for flow in self.flows.values()]
        _attach(self, peer_received)
        for flow, before in zip(self.flows.values(), told, strict=True):
            if name == "handled":
                flow.handled_told = before

    return attach


def _new_before_replay(self: Session, now: float, budget: int) -> list[bytes]:
    out = _session_data(self, now, 0)  # what is said of counts stays true
    replaying, self._replaying = self._replaying, []
    out += _session_data(self, now, budget)
    self._replaying = replaying
    if budget > 0 and replaying:
        self._add_replay(out, budget)
    return out


_session_data = Session.data_to_send


def _welcome_with_sent(
    self: Connection, welcome: Any, session: Session, peer_received: int, now: float
) -> None:
    _welcome(self, replace(welcome, received=session.sent), session, peer_received, now)


class _Counts32:
    """Counts that wrap at 32 bits."""

    size = COUNTS.size

    @staticmethod
    def pack(*counts: int) -> bytes:
        return COUNTS.pack(*(count & 0xFFFFFFFF for count in counts))

    unpack = staticmethod(COUNTS.unpack)


def _any_ack(self: Session, received: int, sent: int) -> None:
    del sent
    self._forget(received, self._written)


_kept_parts: dict[int, bytes] = {}
_begin = Connection._begin
_receive_end = Connection.receive_end


def _end_keeping_part(self: Connection) -> None:
    if self.session is not None and self._decoder.held:
        _kept_parts[id(self.session)] = self._decoder._head + b"".join(self._decoder._pieces)
    _receive_end(self)


def _begin_with_part(self: Connection, session: Session, welcome: Any, now: float) -> None:
    _begin(self, session, welcome, now)
    if not self._decoder.held:
        _ = list(self._decoder.feed(_kept_parts.pop(id(session), b"")))


# Outcomes...

_receive = Session.receive


def _receive_as_handled(self: Session, kind: int, number: int, payloads: Sequence[bytes]) -> None:
    _receive(self, kind, number, payloads)
    if kind <= LAST_DATA and number in self.flows:
        self.flows[number].handled = self.flows[number].received


_take = Session.take


def _take_as_handled(self: Session, flow: Flow) -> Any:
    value = _take(self, flow)
    flow.handled = flow.taken
    return value


def _end_forgetting(self: Session, peer_received: int | None = None, peer_handled: int | None = None) -> None:
    del peer_received, peer_handled
    for flow in self.flows.values():
        # What is not known to be handled counts as never arrived.
        flow.unreached = flow.sent - flow.handled_by_peer


# Limits and times...


def _pop_without_credit(self: Flow, budget: int) -> list[Queued]:
    credit, self.credit = self.credit, 1 << 62
    popped = _pop(self, budget)
    self.credit = credit
    return popped


_pop = Flow.pop


def _receive_without_credit(self: Session, kind: int, number: int, payloads: Sequence[bytes]) -> None:
    flow = self.flows.get(number)
    if kind > LAST_DATA or flow is None:
        _receive(self, kind, number, payloads)
        return
    granted, flow.granted = flow.granted, 1 << 62
    _receive(self, kind, number, payloads)
    flow.granted = granted


def _never_granting(self: Flow) -> int:
    return self.granted


def _quiet(self: Heartbeat, now: float) -> Verdict:
    del self, now
    return Verdict.QUIET


def _endless(self: Heartbeat) -> float:
    del self
    return float("inf")


_connection_data = Connection.data_to_send


def _without_pongs(self: Connection, now: float) -> list[bytes]:
    self._control = [frame for frame in self._control if kind_of(frame) != FrameType.PONG]
    return _connection_data(self, now)


def _judge_while_late(self: Heartbeat, now: float) -> Verdict:
    return _check(self, min(now, self.timeout_at()) if now >= self.timeout_at() else now)


_check = Heartbeat.check


def _deaf(self: Heartbeat, now: float) -> bool:
    del self, now
    return False


def _progress(self: Progress, now: float, *rest: float) -> bool:
    del rest
    self.look_at = None if self.look_at is None or now >= self.look_at else self.look_at
    return True


_handle_timeout = Connection.handle_timeout


def _no_handshake_deadline(self: Connection, now: float, *rest: int) -> None:
    if self.phase.value in {"greeting", "confirming"}:
        self._deadline = None
    _handle_timeout(self, now, *rest)


_receive_frames = Connection._receive_frames


def _read_all_before_greeting(self: Connection, data: bytes, now: float) -> None:
    self._preauth_bytes = -(1 << 30)
    _receive_frames(self, data, now)


def _ignore(*arguments: Any) -> None:
    del arguments


def _close_at_once(self: Session) -> bool:
    del self
    return False


def _no_last_words(self: Session) -> list[bytes]:
    del self
    return []


def _unconfirmed_talk() -> dict[Any, Any]:
    talk = ACCEPTED[Role.SERVER, Phase.OPEN]
    return {**ACCEPTED, (Role.SERVER, Phase.CONFIRMING): ACCEPTED[Role.SERVER, Phase.CONFIRMING] | talk}


ABLATIONS: tuple[Ablation, ...] = (
    Ablation("no fence around the old line", ((Connection, "fence", _no_fence),)),
    Ablation("any attempt is accepted", ((SessionTable, "judge", _judge_any_attempt),)),
    Ablation("no fence, any attempt", ((Connection, "fence", _no_fence), (SessionTable, "judge", _judge_any_attempt))),
    Ablation("any principal may resume", ((SessionTable, "judge", _judge_any_principal),)),
    Ablation("any token is good", ((SessionTable, "judge", _judge_any_token),)),
    Ablation("a stolen token does not revoke", ((SessionTable, "judge", _judge_without_revoking),)),
    Ablation("sessions never expire", (
        (SessionTable, "judge", _judge_late), (SessionTable, "expired", _never_expired), (SessionTable, "timeout_at", _never),
    )),
    Ablation("any number of sessions", (
        (SessionTable, "surplus", property(_no_surplus)), (SessionTable, "is_full", property(_never_full)),
    )),
    Ablation("any number of tombstones", ((SessionTable, "remove", _remove_keeping_all),)),
    Ablation("a resume after the window, before the sweep", ((SessionTable, "judge", _judge_late),)),
    Ablation("the token rotates in one phase", ((Record, "offer", _offer_at_once),)),
    Ablation("the old token is never retired", ((Record, "confirm", _confirm_without_retiring),)),
    Ablation("a line does not stop the resume window", ((SessionTable, "attached", _still_detached),)),
    Ablation("no tombstones", ((SessionTable, "remove", _remove_without_tombstone),)),
    Ablation("replay begins one too late", ((Session, "attach", _attach_with(_one_more)),)),
    Ablation("no replay", ((Session, "attach", _attach_without_replay),)),
    Ablation("replay of what the peer has", ((Session, "attach", _attach_replaying_all),)),
    Ablation("new messages before the replay", ((Session, "data_to_send", _new_before_replay),)),
    Ablation("the server tells what it sent as received", ((Greeting, "welcome", _welcome_with_sent),)),
    Ablation("handled is not repeated after a resume", ((Session, "attach", _attach_without_repeating("handled")),)),
    Ablation("counts wrap at 32 bits", ((session_module, "COUNTS", _Counts32), (connection_module, "COUNTS", _Counts32))),
    Ablation(
        "counts that disagree are believed",
        ((Session, "receive_ack", _any_ack),),
        "everything that keeps the counts right",
        "tests/protocol/test_session.py",
    ),
    Ablation("an unfinished frame outlives its line", (
        (Connection, "receive_end", _end_keeping_part), (Greeting, "_begin", _begin_with_part),
    )),
    Ablation("acked when received", ((Inbox, "receive", _receive_as_handled),)),
    Ablation("acked when taken", ((Inbox, "take", _take_as_handled),)),
    Ablation("unknown is called failed", ((Session, "end", _end_forgetting),)),
    Ablation("the outbox has no bound", ((Outbox, "has_room_in", lambda self, flow, more=0: True),)),
    Ablation("the sender minds no credit", ((Flow, "pop", _pop_without_credit),)),
    Ablation(
        "the receiver minds no credit",
        ((Inbox, "receive", _receive_without_credit),),
        "honest senders",
        "tests/protocol/test_flow.py",
    ),
    Ablation("no credit at all is minded", ((Flow, "pop", _pop_without_credit), (Inbox, "receive", _receive_without_credit))),
    Ablation("credit is never renewed", ((Flow, "grantable", property(_never_granting)),)),
    Ablation("no heartbeat", ((Heartbeat, "check", _quiet), (Heartbeat, "timeout_at", _endless))),
    Ablation("pings are not answered", ((Connection, "data_to_send", _without_pongs),)),
    Ablation("a blocked loop judges before it reads", ((Heartbeat, "check", _judge_while_late),)),
    Ablation("bytes do not prove life", ((Heartbeat, "heard", _deaf),)),
    Ablation("no deadline for writes", ((Progress, "check", _progress),)),
    Ablation("no deadline for handshakes", ((Connection, "handle_timeout", _no_handshake_deadline),)),
    Ablation("no bound before the hello", ((Connection, "_receive_frames", _read_all_before_greeting),)),
    Ablation("a close overtakes messages", ((Session, "has_unsent", property(_close_at_once)),)),
    Ablation("a close without last words", ((Session, "last_words", _no_last_words),)),
    Ablation("an unconfirmed line outlives its session", ((Host, "_turn_out", _ignore),)),
    Ablation(
        "who attaches to an ended line is not told",
        ((Port, "tell_late", _ignore),),
        "how rarely a line ends between its welcome and the moment that its program looks",
        "tests/sessions/test_reconnect.py",
    ),
    Ablation("talk is heard before the token is shown", (
        (connection_module, "ACCEPTED", _unconfirmed_talk()),
        (connection_module, "_ACCEPTING", {key: (key[1], kinds) for key, kinds in _unconfirmed_talk().items()}),
    )),
    *FLOW_ABLATIONS,
    *STORED_ABLATIONS,
    *SEND_ABLATIONS,
    *CARRIER_ABLATIONS,
    *CALL_ABLATIONS,
    *PRESENCE_ABLATIONS,
    *FILE_ABLATIONS,
)  # fmt: skip
"""Every safeguard that the simulator is held against."""
