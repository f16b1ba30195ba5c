"""The server without a loop: what ``sessions.accept`` does, call by call, with checks of its own beside it.

The checks keep their own account of tokens, attempts and times, so that a judge who is wrong is found by somebody who judges apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from ...errors import ProtocolError
from ...protocol.connection import Connection
from ...protocol.credit import Pressure
from ...protocol.events import Confirmed, ConnectionEnded, Event, HelloReceived, ResumeReceived
from ...protocol.frames import FIRST_CREDIT, CloseCode
from ...protocol.handshake import ID_SIZE, TOKEN_SIZE, Hello, Refusal, Resume, Welcome
from ...protocol.resume import Record, SessionTable, hash_token
from ...protocol.session import Session
from ...protocol.states import Phase, Role
from .checks import check_honest, check_verdict
from .ends import End
from .line import Node, Port, Violation
from .setting import Setting
from .talk import LONGEST, Talk

BARRED = "the credentials are not good"

STRANGER = "stranger"
"""The principal of who asks for a session and then does not keep to the rules."""

_RETIRED_KNOWN = 8
"""How many retired tokens a server must still recognise."""


class Kept:
    """A session of the server's, and our own account of it.

    Attributes:
        tokens: all that were given out, oldest first.
        shown: those of them that the client showed, oldest first; all but the last are retired.
        detached_at: since when it has no confirmed line.
    """

    __slots__ = (
        "attempt", "carrier", "detached_at", "end", "is_told", "principal", "record", "shown", "talk", "tokens",
    )  # fmt: skip

    def __init__(self, record: Record, end: End, talk: Talk, token: bytes) -> None:
        self.record = record
        self.end = end
        self.talk = talk
        self.carrier: Port | None = None
        self.is_told = False
        self.tokens = [token]
        self.shown = [token]
        self.attempt = 1
        self.principal = record.principal
        self.detached_at: float | None = None

    def show(self, token: bytes) -> None:
        """The client showed a token, and it was good."""
        if token != self.shown[-1]:
            self.shown.append(token)


class Host:
    """A server process, and the one after it.

    Attributes:
        talks: the books of every session that there ever was, by its id.
        kept: the sessions that live.
        barred, ever_barred: principals that are not let in now, or were not at some time.
    """

    def __init__(self, world: Setting) -> None:
        self.world = world
        self.limits = world.limits
        self.node = Node(world, 0.0)
        self.talks: dict[bytes, Talk] = {}
        self.barred: set[str] = set()
        self.ever_barred: set[str] = set()
        self._numbers = count(1)
        self._life = 0
        self._begin_life()

    def _begin_life(self) -> None:
        self._life += 1
        self.table = SessionTable(self.limits)
        self.pressure = Pressure(self.limits.memory)
        self.kept: dict[bytes, Kept] = {}
        self.buried: dict[bytes, float] = {}
        self.greeting: dict[Port, None] = {}
        self._expiring_at: float | None = None

    def die(self) -> None:
        """The process is killed and started again; it knows nothing any more."""
        for kept in self.kept.values():
            kept.talk.excuses.add("server died")
            kept.end.die()
        for session_id in self.buried:
            self.talks[session_id].excuses.add("server died")
        self.node.die()
        self._begin_life()

    # Somebody comes...

    def accept(self, capacity: int) -> Port:
        """Return the server's end of a new line."""
        connection = Connection(Role.SERVER, self.limits, self.node.now, jitter=self.world.chance.random())
        port = Port(self.node, connection, capacity)
        port.deliver = partial(self._greeted, port)
        if len(self.greeting) >= self.limits.max_handshakes:
            connection.refuse(Refusal(code=CloseCode.BUSY, reason="too many are being greeted", retry_in=1.0))
        self.greeting[port] = None
        return port

    def _greeted(self, port: Port, event: Event) -> None:
        if isinstance(event, HelloReceived):
            self._find_principal(port, event.hello.credentials, partial(self._welcome, port, event.hello))
        elif isinstance(event, ResumeReceived):
            self._find_principal(port, event.resume.credentials, partial(self._resume, port, event.resume))
        elif isinstance(event, ConnectionEnded):
            self.greeting.pop(port, None)

    def _find_principal(self, port: Port, credentials: Any, go_on: Callable[[str], None]) -> None:
        principal = credentials if isinstance(credentials, str) else ""
        if self.world.auth_delay:
            self.node.after(self.world.auth_delay, partial(self._decide, port, principal, go_on))
        else:
            self._decide(port, principal, go_on)

    def _decide(self, port: Port, principal: str, go_on: Callable[[str], None]) -> None:
        if port not in self.greeting:
            return  # it went while we were asking
        if principal in self.barred:
            port.connection.refuse(Refusal(code=CloseCode.UNAUTHORIZED, reason=BARRED))
        else:
            go_on(principal)
        port.schedule()

    # ... with a new session ...

    def _welcome(self, port: Port, hello: Hello, principal: str) -> None:
        surplus = self.table.surplus
        if surplus is not None:
            self._lose(self.kept[surplus.id], CloseCode.EXPIRED, "no room")
        if self.table.is_full:
            port.connection.refuse(
                Refusal(code=CloseCode.BUSY, reason="the server holds no more sessions", retry_in=1.0)
            )
            return
        core = Session(
            self.limits,
            peer_window=hello.window,
            peer_max_message=min(hello.max_message, self.limits.max_message),
            peer_max_flows=hello.max_flows,
            role=Role.SERVER,
            pressure=self.pressure,
        )
        self.world.age(core)
        number = next(self._numbers)
        session_id, token = number.to_bytes(ID_SIZE, "big"), self._token()
        talk = self.talks[session_id] = Talk(self.world, number, session_id, core.sent)
        talk.is_stranger = principal == STRANGER
        talk.principal = principal
        end = talk.ends[1] = End(self.node, core, talk, 1, self.limits)
        record = Record(
            session_id, principal, core, attempt=1, current=hash_token(token), born_at=self.node.now
        )
        kept = self.kept[session_id] = Kept(record, end, talk, token)
        self.table.add(record)
        if len(self.table) > self.limits.max_sessions:
            raise Violation(f"the server holds {len(self.table)} sessions")
        end.on_end = partial(self._ended, kept)
        self.world.watch(talk)
        self._carry(kept, port, token, peer_received=core.sent, resumed=False)

    # ... or with one that we know.

    def _resume(self, port: Port, resume: Resume, principal: str) -> None:
        kept = self.kept.get(resume.session)
        must_revoke = kept is not None and self._is_stolen(kept, resume, principal)
        verdict = self.table.judge(resume, principal, self.node.now)
        if isinstance(verdict, Refusal):
            if must_revoke and verdict.code is not CloseCode.REVOKED:
                raise Violation(f"a retired token with a new attempt was answered {verdict.code.text}")
            if kept is not None and verdict.code is CloseCode.REVOKED:
                if not must_revoke:
                    raise Violation("a session was revoked for a token that is good")
                self._lose(kept, CloseCode.REVOKED, "revoked")
            self._note_refusal(resume.session, verdict.code)
            if kept is not None and verdict.code is CloseCode.EXPIRED:
                self._lose(
                    kept, CloseCode.EXPIRED, "expired"
                )  # its client was told: a late CONFIRM may not revive it
            port.connection.refuse(verdict)
            return
        assert kept is not None
        self._check_accepted(kept, resume, principal)
        if kept.carrier is not None:
            kept.carrier.connection.fence()
            kept.carrier.schedule()
            self._detach(kept)
        token = self._token()
        verdict.offer(token)
        kept.tokens.append(token)
        try:
            self._carry(kept, port, token, peer_received=resume.received, resumed=True)
        except ProtocolError as error:
            raise Violation(f"an honest client's count was not believed: {error.reason}") from error

    def _is_stolen(self, kept: Kept, resume: Resume, principal: str) -> bool:
        """Whether this can only be somebody who copied a token."""
        return (
            principal == kept.principal
            and resume.attempt > kept.attempt
            and resume.token in kept.shown[:-1][-_RETIRED_KNOWN:]
        )

    def _check_accepted(self, kept: Kept, resume: Resume, principal: str) -> None:
        if resume.token not in kept.tokens:
            raise Violation("a token was accepted that was never given")
        if kept.tokens.index(resume.token) < kept.tokens.index(kept.shown[-1]):
            raise Violation("a token was accepted that had been retired")
        if principal != kept.principal:
            raise Violation("a session went to somebody else")
        if resume.attempt <= kept.attempt:
            raise Violation(f"attempt {resume.attempt} was accepted after {kept.attempt}")
        if (
            kept.detached_at is not None
            and self.node.now > kept.detached_at + self.limits.resume_window + 0.001
        ):
            raise Violation("a session was resumed after its window")
        kept.show(resume.token)
        kept.attempt = resume.attempt

    def _carry(self, kept: Kept, port: Port, token: bytes, *, peer_received: int, resumed: bool) -> None:
        limits, core = self.limits, kept.end.core
        welcome = Welcome(
            session=kept.record.id,
            token=token,
            life=self._life.to_bytes(ID_SIZE, "big"),
            received=core.received,
            resumed=resumed,
            window=limits.window,
            max_message=limits.max_message,
            heartbeat=limits.heartbeat_interval,
            dead_after=limits.dead_after,
            resume_window=limits.resume_window,
            max_flows=limits.max_flows,
        )
        port.connection.welcome(welcome, core, peer_received, self.node.now)
        kept.carrier = port
        port.owner = kept.end
        self.greeting.pop(port, None)
        port.deliver = partial(self._carried_event, kept, port)
        port.schedule()
        for other in self.node.ports:
            if (
                other is not port
                and other.connection.session is core
                and other.connection.phase is not Phase.CLOSED
            ):
                raise Violation("two lines carry one session")

    # A session's connection reports...

    def _carried_event(self, kept: Kept, port: Port, event: Event) -> None:
        if kept.carrier is not port or kept.end.ended:
            return  # fenced off: whatever it still says does not count
        if isinstance(event, Confirmed):
            self._confirmed(kept, port, event)
        elif isinstance(event, ConnectionEnded):
            if not kept.talk.is_stranger:
                check_honest(event, "the server")
            check_verdict(event, self.node, self.limits)
            how = kept.end.connection_ended(event)
            if how:
                kept.end.end(how)
                return
            self._detach(kept)
            if not kept.is_told:
                self.node.after(self.limits.handshake_timeout, partial(self._forget_unconfirmed, kept))
        else:
            kept.end.deliver(event)

    def _confirmed(self, kept: Kept, port: Port, event: Confirmed) -> None:
        if not kept.record.confirm(event.token):
            raise Violation("an honest client's token was not believed")
        kept.show(event.token)
        self.table.attached(kept.record)
        kept.detached_at = None
        port.is_confirmed = True
        kept.is_told = kept.talk.is_confirmed = True
        kept.end.attach(port)

    def _forget_unconfirmed(self, kept: Kept) -> None:
        if not kept.is_told and kept.carrier is None:
            self._lose(kept, CloseCode.EXPIRED, "never confirmed")

    def _detach(self, kept: Kept) -> None:
        kept.carrier = None
        kept.end.detach()
        if kept.record.detached_at is None:
            self.table.detached(kept.record, self.node.now)
        if kept.detached_at is None:
            kept.detached_at = self.node.now
        self._expire_later()

    def _lose(self, kept: Kept, code: CloseCode, why: str) -> None:
        kept.talk.excuses.add(why)
        kept.end.lose(code, why)

    def _ended(self, kept: Kept) -> None:
        end = kept.end
        code = CloseCode.NORMAL if end.ended == "closed" else end.code
        self.table.remove(kept.record, code, end.reason, self.node.now)
        if len(self.table._tombstones) > self.limits.max_tombstones:
            raise Violation(f"the server remembers {len(self.table._tombstones)} ended sessions")
        self.buried[kept.record.id] = self.node.now
        self.kept.pop(kept.record.id, None)
        carrier, kept.carrier = kept.carrier, None
        if carrier is not None and not carrier.is_confirmed:
            self._turn_out(carrier, code, end.reason)

    def _turn_out(self, carrier: Port, code: CloseCode, reason: str) -> None:
        """A line waits for its token to be shown, and its session is over: nobody else would tell it."""
        carrier.connection.break_off(code, reason)
        carrier.schedule()

    # Time passes...

    def _expire_later(self) -> None:
        at = self.table.timeout_at()
        if self._expiring_at is None and at is not None:
            self._expiring_at = at
            self.node.after(at - self.node.now, self._expire)

    def _expire(self) -> None:
        self._expiring_at = None
        for record in self.table.expired(self.node.now):
            kept = self.kept[record.id]
            if (
                kept.detached_at is None
                or self.node.now < kept.detached_at + self.limits.resume_window - 0.001
            ):
                raise Violation("a session expired before its window passed")
            self._lose(kept, CloseCode.EXPIRED, "expired")
        self._expire_later()

    # What may be held...

    def check_pressure(self) -> None:
        """What all sessions hold together is counted right, and bounded."""
        cores = [kept.end.core for kept in self.kept.values()]
        held = 0
        for core in cores:
            held += core.inbox_bytes + (
                core.outbox_bytes if len(core.flows) == 1 and not core._about else core.held
            )
        if held != self.pressure.used:
            raise Violation(f"the sessions hold {held} bytes, {self.pressure.used} are counted")
        if held > self.limits.memory:
            most = self.limits.memory
            for core in cores:
                flows = core.flows.values()
                most += sum(
                    flow.committed + LONGEST + 100 for flow in flows
                )  # what was granted may still come
                most += len(flows) * (FIRST_CREDIT + LONGEST) + 50 * len(core._replay)
            if held > most:
                raise Violation(f"the sessions hold {held} bytes, {most} would be much")

    # What may be answered to whom...

    def _note_refusal(self, session_id: bytes, code: CloseCode) -> None:
        """Note in the books what there is to excuse a refusal, at the moment it is spoken: it may arrive much later."""
        kept, buried_at = self.kept.get(session_id), self.buried.get(session_id)
        now, limits = self.node.now, self.limits
        if code is CloseCode.UNKNOWN_SESSION and buried_at is not None:
            later = sum(at >= buried_at for at in self.buried.values()) - 1
            if now >= buried_at + limits.tombstone_window or later >= limits.max_tombstones:
                self.talks[session_id].excuses.add("forgotten")
        elif code is CloseCode.EXPIRED and kept is not None:
            since = now if kept.detached_at is None else kept.detached_at
            if now >= since + limits.resume_window - 0.001:
                kept.talk.excuses.add("expired")

    def explain(self, talk: Talk, refusal: Refusal) -> None:
        """Note in the books whether a RESUME was refused for its principal."""
        if refusal.reason == BARRED and talk.principal in self.ever_barred:
            talk.excuses.add("barred")

    def _token(self) -> bytes:
        return next(self._numbers).to_bytes(TOKEN_SIZE, "big")
