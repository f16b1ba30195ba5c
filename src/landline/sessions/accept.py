"""The server's end: counts who comes, shows each through its door, and keeps the sessions.

A session's first line and every later one come the same way: greeted, judged (``protocol.resume``), welcomed, confirmed. Only the newest
welcomed connection carries the session; the one before is fenced off first.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..errors import ProtocolError, SessionClosed
from ..hits import Hits
from ..limits import PROTOCOL, SESSION, Limits
from ..protocol.connection import Connection
from ..protocol.credit import Pressure
from ..protocol.events import Confirmed, ConnectionEnded, Event, HelloReceived, ResumeReceived
from ..protocol.frames import CloseCode
from ..protocol.handshake import ID_SIZE, TOKEN_SIZE, Hello, Refusal, Resume, Welcome
from ..protocol.resume import Record, SessionTable, hash_token
from ..protocol.session import Session
from ..protocol.states import Phase, Role
from ..transports import Transport
from .auth import Authenticate
from .bare import BareSession
from .door import NO_PAGE_HERE, Door, Way
from .driver import Driver, log
from .signal import Signal

SILENT_GRACE = SESSION.silent_grace

_CROWD = {"max_connections", "max_handshakes", "max_per_source", "max_sessions", "max_silent", "memory"}
"""Limits that are hit where more come than there is room for: whoever runs the server should know."""


class _Kept:
    """A session of ours with its record and the connection that was welcomed last."""

    __slots__ = ("carrier", "is_told", "record", "session", "source")

    def __init__(self, record: Record, session: BareSession, source: str) -> None:
        self.record = record
        self.session = session
        self.source = source
        self.carrier: Driver | None = None
        self.is_told = False


class Acceptor:
    """Lets callers in.

    Args:
        begin: called with each new session, once its client confirmed.
        plain: called with the transport and first bytes of who speaks plain text; None refuses them.
        redirect: the address that clients are told to go on with, when this server goes or is full.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        begin: Callable[[BareSession], None],
        plain: Callable[[Transport, bytes], None] | None,
        authenticate: Authenticate,
        redirect: str | None = None,
    ) -> None:
        self._limits = limits
        self._begin = begin
        self._plain = plain
        self._authenticate = authenticate
        self._redirect = redirect
        self._pressure = Pressure(limits.memory)
        self._pressure.on_rise = self._make_room
        self._life = secrets.token_bytes(ID_SIZE)
        self._table = SessionTable(limits)
        self._kept: dict[bytes, _Kept] = {}
        self._loop = asyncio.get_running_loop()
        self._silent: dict[Door, None] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._greeting: dict[Driver, None] = {}
        self._carried: dict[Driver, None] = {}
        self._open: dict[Transport, None] = {}
        self._by_source: Counter[str] = Counter()
        self._held_by_source: Counter[str] = Counter()
        self._deciding: set[asyncio.Task[None]] = set()
        self._expiring: asyncio.TimerHandle | None = None
        self._is_draining = False
        self._line_gone = Signal()
        self.hits = Hits(log, self._loop.time)

    @property
    def sessions(self) -> list[BareSession]:
        """The sessions that live now."""
        return [kept.session for kept in self._kept.values()]

    # Somebody comes...

    def accept(self, transport: Transport) -> None:
        """Receive a new transport, if there is room for it."""
        if limit := self._limit_of_a_crowd(transport.source):
            self._hit(transport.source, limit, f"turned {transport.peer} away")
        if limit or self._is_draining:
            transport.abort()
            return
        self._open[transport] = None
        self._by_source[transport.source] += 1
        transport.on_lost = partial(self._gone, transport)
        door = Door(transport, self._enter, self._left, self._limits.silent_timeout)
        self._silent[door] = None
        if len(self._silent) > self._limits.max_silent and self._sweeping is None:
            self._sweeping = self._loop.call_later(SILENT_GRACE, self._sweep)

    def _sweep(self) -> None:
        """Hang up on the oldest of the silent, as long as there are too many of them."""
        self._sweeping = None
        surplus = len(self._silent) - self._limits.max_silent
        now = self._loop.time()
        for door in list(self._silent)[: max(surplus, 0)]:
            if now < door.since + SILENT_GRACE:
                self._sweeping = self._loop.call_at(door.since + SILENT_GRACE, self._sweep)
                return
            self._hit(door.transport.source, "max_silent", "hung up on the oldest of the silent")
            door.hang_up()

    def _limit_of_a_crowd(self, source: str) -> str:
        """Return the limit that a further connection would go over, or nothing."""
        if len(self._open) >= self._limits.max_connections:
            return "max_connections"
        is_crowd = source and self._by_source[source] >= self._limits.max_per_source
        return "max_per_source" if is_crowd else ""

    def _hit(self, source: str, limit: str, what: str) -> None:
        level = logging.WARNING if limit in _CROWD else logging.INFO
        self.hits.add(limit, "another machine" if source else "this machine", what, level=level)

    def _left(self, door: Door) -> None:
        self._silent.pop(door, None)
        if door.is_too_silent:
            self._hit(door.transport.source, "silent_timeout", f"hung up on {door.transport.peer}")

    def _gone(self, transport: Transport) -> None:
        del self._open[transport]
        self._line_gone.wake()
        self._by_source[transport.source] -= 1
        if not self._by_source[transport.source]:
            del self._by_source[transport.source]

    def _enter(self, door: Door, way: Way, head: bytes) -> None:
        transport = door.transport
        self._silent.pop(door, None)
        if way is Way.SESSION:
            self._greet(transport, head)
        elif way is Way.PLAIN and self._plain is not None:
            self._plain(transport, head)
        else:
            if way is Way.HTTP:
                transport.write(NO_PAGE_HERE)
            transport.close()

    def _greet(self, transport: Transport, head: bytes) -> None:
        connection = Connection(Role.SERVER, self._limits, self._loop.time(), jitter=random.random())
        driver = Driver(connection, transport, lambda event: self._greeted(driver, event))
        if len(self._greeting) >= self._limits.max_handshakes:
            # The oldest goes, not the newest: who means it has said hello long ago, and a crowd that never does must not shut the door.
            oldest = next(iter(self._greeting))
            self._hit(oldest.transport.source, "max_handshakes", f"{oldest.transport.peer} was too slow")
            oldest.connection.refuse(self._not_now(CloseCode.BUSY, "too many are being greeted", 1.0))
            oldest.schedule()
            del self._greeting[oldest]
        self._greeting[driver] = None
        driver.start(head)

    def _greeted(self, driver: Driver, event: Event) -> None:
        """Take what a connection without a session reports."""
        if isinstance(event, HelloReceived):
            self._find_principal(driver, event.hello.credentials, partial(self._welcome, driver, event.hello))
        elif isinstance(event, ResumeReceived):
            self._find_principal(
                driver, event.resume.credentials, partial(self._resume, driver, event.resume)
            )
        elif isinstance(event, ConnectionEnded):
            if event.limit:
                self._hit(driver.transport.source, event.limit, event.reason)
            elif event.local and event.code is not CloseCode.REPLACED:
                log.info("a caller from %s was not let in: %s", driver.transport.peer, event.reason)
            self._greeting.pop(driver, None)

    def _find_principal(self, driver: Driver, credentials: Any, go_on: Callable[[str], None]) -> None:
        answer = self._authenticate(credentials)
        if inspect.isawaitable(answer):
            task = self._loop.create_task(self._await_principal(driver, answer, go_on))
            self._deciding.add(task)
            task.add_done_callback(self._deciding.discard)
        else:
            self._decide(driver, answer, go_on)

    async def _await_principal(
        self, driver: Driver, answer: Awaitable[str | None], go_on: Callable[[str], None]
    ) -> None:
        try:
            async with asyncio.timeout(self._limits.handshake_timeout):
                principal = await answer
        except TimeoutError:
            driver.connection.refuse(
                Refusal(code=CloseCode.BUSY, reason="authentication took too long", retry_in=1.0),
                limit="handshake_timeout",
            )
        except Exception:  # noqa: BLE001 - the application's own code: its bug refuses this caller and no other
            log.exception("authentication failed")
            driver.connection.refuse(Refusal(code=CloseCode.FAILED, reason="internal error"))
        else:
            self._decide(driver, principal, go_on)
        driver.schedule()

    def _decide(self, driver: Driver, principal: str | None, go_on: Callable[[str], None]) -> None:
        if driver not in self._greeting:
            return  # it went while we were asking
        if principal is None:
            driver.connection.refuse(
                Refusal(code=CloseCode.UNAUTHORIZED, reason="the credentials are not good")
            )
        elif self._is_draining:
            driver.connection.refuse(self._not_now(CloseCode.GOING_AWAY, "the server is going away", 1.0))
        else:
            go_on(principal)

    def _not_now(self, code: CloseCode, reason: str, retry_in: float) -> Refusal:
        """Return the refusal of somebody who may come back, or go elsewhere."""
        return Refusal(code=code, reason=reason, retry_in=retry_in, redirect=self._redirect)

    # ... with a new session ...

    def _welcome(self, driver: Driver, hello: Hello, principal: str) -> None:
        source = driver.transport.source
        surplus = self._table.surplus
        if surplus is not None:
            self._hit(source, "max_sessions", "the one longest without a line went")
            self._kept[surplus.id].session.lose(CloseCode.EXPIRED, "the server needed the room")
        crowded = bool(source) and self._held_by_source[source] >= self._limits.max_per_source
        if self._table.is_full or crowded:
            driver.connection.refuse(
                self._not_now(CloseCode.BUSY, "the server holds no more sessions", 5.0),
                limit="max_per_source" if crowded else "max_sessions",
            )
            return
        self._held_by_source[source] += 1
        state = Session(
            self._limits,
            peer_window=hello.window,
            peer_max_message=min(hello.max_message, self._limits.max_message),
            peer_max_flows=hello.max_flows,
            role=Role.SERVER,
            pressure=self._pressure,
        )
        session_id, token = secrets.token_bytes(ID_SIZE), secrets.token_bytes(TOKEN_SIZE)
        session = BareSession(state, session_id=session_id, principal=principal, limits=self._limits)
        session.peer = driver.transport.peer
        now = self._loop.time()
        record = Record(session_id, principal, state, attempt=1, current=hash_token(token), born_at=now)
        kept = self._kept[session_id] = _Kept(record, session, source)
        self._table.add(record)
        session.on_end = partial(self._ended, kept)
        session.on_limit = partial(self._hit, source)
        self._carry(kept, driver, token, peer_received=0, resumed=False)

    # ... or with one that we know.

    def _resume(self, driver: Driver, resume: Resume, principal: str) -> None:
        verdict = self._table.judge(resume, principal, self._loop.time())
        if isinstance(verdict, Refusal):
            kept = self._kept.get(resume.session)
            if kept is not None and verdict.code in (CloseCode.REVOKED, CloseCode.EXPIRED):
                kept.session.lose(
                    verdict.code, verdict.reason
                )  # at once: what was told of its counts stays true
            driver.connection.refuse(verdict)
            return
        kept = self._kept[verdict.id]
        if kept.carrier is not None:
            kept.carrier.connection.fence()
            kept.carrier.schedule()
            self._detach(kept, "another line takes over")
        token = secrets.token_bytes(TOKEN_SIZE)
        verdict.offer(token)
        try:
            self._carry(kept, driver, token, peer_received=resume.received, resumed=True)
        except ProtocolError as error:
            driver.connection.refuse(Refusal(code=CloseCode.MISCOUNT, reason=error.reason))
            kept.session.lose(CloseCode.MISCOUNT, error.reason)

    def _carry(self, kept: _Kept, driver: Driver, token: bytes, *, peer_received: int, resumed: bool) -> None:
        limits, state = self._limits, kept.session.core
        welcome = Welcome(
            session=kept.record.id,
            token=token,
            life=self._life,
            received=state.received,
            resumed=resumed,
            window=limits.window,
            max_message=limits.max_message,
            heartbeat=limits.heartbeat_interval,
            dead_after=limits.dead_after,
            resume_window=limits.resume_window,
            max_flows=limits.max_flows,
        )
        driver.connection.welcome(welcome, state, peer_received, self._loop.time())
        kept.carrier = driver
        self._greeting.pop(driver, None)
        self._carried[driver] = None
        driver.deliver = lambda event: self._carried_event(kept, driver, event)
        driver.schedule()

    # A session's connection reports...

    def _carried_event(self, kept: _Kept, driver: Driver, event: Event) -> None:
        if isinstance(event, ConnectionEnded):
            self._carried.pop(driver, None)
            if event.limit:
                self._hit(driver.transport.source, event.limit, event.reason)
        if kept.carrier is not driver or kept.session.ended is not None:
            return  # fenced off: whatever it still says does not count
        if isinstance(event, Confirmed):
            self._confirmed(kept, driver, event)
        elif isinstance(event, ConnectionEnded):
            self._line_ended(kept, event)
        else:
            kept.session.deliver(event)

    def _confirmed(self, kept: _Kept, driver: Driver, event: Confirmed) -> None:
        if not kept.record.confirm(event.token):
            driver.connection.break_off(CloseCode.UNAUTHORIZED, "that is not the token that was given")
            return
        self._table.attached(kept.record)
        kept.session.attach(driver)
        if not kept.is_told:
            kept.is_told = True
            self._begin(kept.session)

    def _line_ended(self, kept: _Kept, event: ConnectionEnded) -> None:
        end = kept.session.connection_ended(event)
        if end is not None:
            kept.session.end(end)
        elif self._is_draining:  # nobody will be let in to go on with it
            kept.session.lose(CloseCode.EXPIRED, "the server is going away")
        else:
            self._detach(kept, event.reason or event.code.text)
            if not kept.is_told:  # its client may hold the welcome, and come back to confirm
                self._loop.call_later(self._limits.handshake_timeout, self._forget_unconfirmed, kept)

    def _forget_unconfirmed(self, kept: _Kept) -> None:
        if not kept.is_told and kept.carrier is None:
            kept.session.on_limit("handshake_timeout", "nobody confirmed a welcome")
            kept.session.lose(CloseCode.EXPIRED, "it was never confirmed")

    def _detach(self, kept: _Kept, reason: str) -> None:
        kept.carrier = None
        if kept.session.driver is not None:
            kept.session.detach(reason)
        if kept.record.detached_at is None:
            self._table.detached(kept.record, self._loop.time())
        self._expire_later()

    def _ended(self, kept: _Kept) -> None:
        session = kept.session
        code = CloseCode.NORMAL if isinstance(session.ended, SessionClosed) else session.end_code
        reason = getattr(session.ended, "reason", "")
        self._table.remove(kept.record, code, reason[: PROTOCOL.reason], self._loop.time())
        self._kept.pop(kept.record.id, None)
        self._held_by_source[kept.source] -= 1
        if not self._held_by_source[kept.source]:
            del self._held_by_source[kept.source]
        carrier, kept.carrier = kept.carrier, None
        # Not the session's own driver yet, so nobody has told this peer.
        if carrier is not None and carrier.connection.phase is Phase.CONFIRMING:
            carrier.connection.break_off(code, reason[: PROTOCOL.reason])
            carrier.schedule()

    # Time passes...

    def _expire_later(self) -> None:
        at = self._table.timeout_at()
        if self._expiring is None and at is not None:
            self._expiring = self._loop.call_at(at, self._expire)

    def _expire(self) -> None:
        self._expiring = None
        for record in self._table.expired(self._loop.time()):
            self._kept[record.id].session.on_limit("resume_window", "nobody came back to a session")
            self._kept[record.id].session.lose(CloseCode.EXPIRED, "the resume window passed")
        self._expire_later()

    def _make_room(self) -> None:
        """All sessions together hold too much: those without a line keep a quarter of the memory at most, and the oldest go first."""
        self._hit("", "memory", "senders wait, and credit is withheld")
        held = {record.id: record.session.held for record in self._table.without_line}
        surplus = sum(held.values()) - self._limits.memory // 4
        for session_id, size in held.items():
            if surplus <= 0:
                return
            surplus -= size
            self._kept[session_id].session.lose(CloseCode.EXPIRED, "the server needed the memory")

    # The server goes...

    async def drain(self, *, retry_in: float) -> None:
        """Let nobody in any more, and end every session in an orderly way; its client is told to come back."""
        self._is_draining = True
        for door in list(self._silent):
            door.hang_up()
        closing = [
            session.close(
                "the server is going away", CloseCode.GOING_AWAY, retry_in=retry_in, redirect=self._redirect
            )
            for session in self.sessions
            if session.driver is not None
        ]
        await asyncio.gather(*closing)
        for session in self.sessions:
            session.lose(CloseCode.EXPIRED, "the server is going away")
        for driver in self._greeting:
            driver.connection.refuse(
                self._not_now(CloseCode.GOING_AWAY, "the server is going away", retry_in)
            )
            driver.schedule()
        for driver in self._carried:
            driver.connection.close(
                CloseCode.GOING_AWAY, "the server is going away", self._loop.time(), retry_in, self._redirect
            )
            driver.schedule()
        for task in self._deciding:
            task.cancel()
        for timer in (self._expiring, self._sweeping):
            if timer is not None:
                timer.cancel()

    async def hang_up(self) -> None:
        """Wait until every line is gone; who keeps its own open is hung up on after ``close_timeout`` seconds."""
        try:
            async with asyncio.timeout(self._limits.close_timeout):
                await self._until_empty()
        except TimeoutError:
            for transport in list(self._open):
                self._hit(transport.source, "close_timeout", f"hung up on {transport.peer}")
                transport.abort()
            await self._until_empty()
        self.hits.close()

    async def _until_empty(self) -> None:
        while self._open:
            await self._line_gone.wait()
