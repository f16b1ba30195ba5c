"""The server's end: shows each caller through its door, finds out who it is, and runs the ``protocol.host`` that decides the rest.

Whom to let connect at all is decided before, in ``admission``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import SessionClosed, TLSTimeout
from ..hits import Failures, Hits
from ..limits import Limits
from ..protocol.connection import Connection
from ..protocol.credit import Pressure
from ..protocol.events import ConnectionEnded, Event
from ..protocol.frames import CloseCode
from ..protocol.handshake import ID_SIZE, Refusal
from ..protocol.host import Host
from ..protocol.resume import SessionTable
from ..protocol.session import Session
from ..protocol.states import Role
from ..transports import TlsTransport, Transport
from .admission import Admission
from .auth import Authenticate, Grant
from .bare import BareSession
from .door import Way, refusal_without_tls
from .driver import Driver, log
from .identifying import Identifying, door_of
from .penalties import Fault, fault_of
from .records import Records

if TYPE_CHECKING:
    from ..transports.websocket import WebSocketTransport

_LEAVING = {CloseCode.NORMAL, CloseCode.EXPIRED, CloseCode.GOING_AWAY}
"""How sessions end here when their server goes: in an orderly way, or not in time."""

_TAKEN_BY_TLS = "wss://"
"""How the peer's address begins where somebody else's web server has spoken TLS, and brings in a WebSocket."""

Enter = Callable[[Transport, bytes], None]
"""Takes a transport in, whose receiver it becomes, and the bytes that were read from it."""

Secure = Callable[[Transport, bytes], TlsTransport]
"""Returns a transport over another one, of which these bytes were read."""

_CROWD = {
    "max_connections",
    "max_handshakes",
    "max_per_source",
    "max_sessions",
    "max_silent",
    "max_web",
    "memory",
}
"""Limits that are hit where more come than there is room for: whoever runs the server should know."""


def _everybody(principal: str, verb: str, what: str) -> bool:
    del principal, verb, what
    return True


class Acceptor:
    """Lets callers in.

    Args:
        begin: called with each new session, once its client confirmed.
        plain: called with the transport and first bytes of who speaks plain text; None refuses them.
        authorize: asked with a principal, a verb and what that is about; ``enter`` with the kind of address that it comes from, whenever it comes or shows new credentials.
        web: likewise with who speaks HTTP; it may bring a WebSocket back to ``greet``.
        secure: returns TLS over a transport whose first bytes asked for it; what is said inside is looked at again. None refuses them.
        needs_tls: from other machines nobody is let in without TLS.
        chance: from 0 to 1; spreads heartbeats, and when clients are told to come back.
        redirect: the address that clients are told to go on with, when this server goes or is full.
        records: keeps the sessions beyond this life of the server; None: they end with it.
        failures: hears what fails of the program for somebody who came in; by default one of our own.

    Attributes:
        hits: how often which limit was hit.
        gate: says, before anything is made of a connection, whether it may come in.
    """

    may_renew = False
    waits_for_lines = True

    def __init__(
        self,
        limits: Limits,
        *,
        begin: Callable[[BareSession], None],
        plain: Enter | None,
        authenticate: Authenticate,
        authorize: Callable[[str, str, str], bool] = _everybody,
        web: Enter | None = None,
        secure: Secure | None = None,
        needs_tls: bool = False,
        chance: Callable[[], float] = random.random,
        redirect: str | None = None,
        records: Records | None = None,
        failures: Failures | None = None,
    ) -> None:
        self._limits = limits
        self._is_leaving = False
        self._plain = plain
        self._web = web
        self._secure = secure
        self._needs_tls = needs_tls
        self._loop = asyncio.get_running_loop()
        self._redirect = redirect
        self._chance = chance
        self.hits = Hits(log, self._loop.time)
        self._failures = failures or Failures(log, self._loop.time)
        self._admission = self.gate = Admission(limits, self._enter, self.hit_from)
        self._authorize = authorize
        self._identifying = Identifying(
            authenticate,
            self._may_come_in,
            limits,
            admit=self._admit,
            refuse=self._refuse,
            charge=self._charge,
            failures=self._failures,
        )
        self._host: Host[Driver, BareSession] = Host(
            SessionTable(limits),
            limits,
            life=secrets.token_bytes(ID_SIZE),
            draw=secrets.token_bytes,
            make_end=self._make_session,
            identify=self._identifying.begin,
            begin=begin,
            turned_away=_tell_turned_away,
            hit=self.hit_from,
            wake=self._arm,
            pressure=Pressure(limits.memory),
            redirect=redirect,
            store=None if records is None else records.store,
        )
        self._delivers = self._deliver  # one bound method is enough for all connections
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        if records is not None:
            self._restore(records)

    def _restore(self, records: Records) -> None:
        for session_id, data in records.found.items():
            try:
                self._host.restore(session_id, data, self._loop.time())
            except ValueError as error:  # left where it is: a later version may have written it
                log.error("what is stored of session %s cannot be read: %s", session_id.hex()[:8], error)
        records.found.clear()

    @property
    def sessions(self) -> list[BareSession]:
        """The sessions that live now."""
        return [kept.end for kept in self._host.kept.values()]

    @property
    def connections(self) -> int:
        """How many transports are open."""
        return self._admission.connections

    # Somebody comes...

    def accept(self, transport: Transport) -> None:
        """Receive a new transport, if there is room for it."""
        self._admission.accept(transport)

    def hit_from(self, source: str, limit: str, what: str) -> None:
        """Somebody from this source came up against the limit of that name, and that was done about it."""
        level = logging.WARNING if limit in _CROWD else logging.INFO
        self.hits.add(limit, "another machine" if source else "this machine", what, level=level)

    def _enter(self, transport: Transport, way: Way, head: bytes) -> None:
        is_secure = isinstance(transport, TlsTransport)
        if way is Way.TLS and self._secure is not None and not is_secure:
            secured = self._secure(transport, head)
            secured.on_broken = partial(self._broken, transport)
            self._admission.look_again(secured)
        elif (
            self._needs_tls
            and transport.source
            and not (is_secure or transport.peer.startswith(_TAKEN_BY_TLS))
        ):
            self._turn_away(transport, refusal_without_tls(way, head))
        elif way is Way.SESSION:
            self.greet(transport, head)
        elif way is Way.PLAIN and self._plain is not None:
            self._plain(transport, head)
        elif way is Way.HTTP and self._web is not None:
            self._web(transport, head)
        else:
            self._turn_away(transport)

    def _turn_away(self, transport: Transport, why: bytes = b"") -> None:
        transport.write(why)
        self._admission.charge(transport, Fault.LEFT)
        transport.close()

    def blame(self, transport: Transport) -> None:
        """Let the source of a transport answer for a broken rule of another protocol than ours."""
        self._admission.charge(transport, Fault.RULE)

    def _broken(self, transport: Transport, error: Exception) -> None:
        is_slow = isinstance(error, TLSTimeout)
        self._admission.charge(transport, Fault.SLOW if is_slow else Fault.RULE)

    def greet_websocket(self, transport: WebSocketTransport) -> None:
        """Expect a session on a WebSocket, whose source answers for what breaks the rules of that."""
        transport.on_broken = partial(self._broken, transport)
        self.greet(transport)

    def greet(self, transport: Transport, head: bytes = b"") -> None:
        """Expect a session on a transport."""
        connection = Connection(Role.SERVER, self._limits, self._loop.time(), jitter=self._chance())
        driver = Driver(connection, transport, self._delivers)
        self._host.greet(driver, transport.source)
        driver.start(head)

    def _deliver(self, driver: Driver, event: Event) -> None:
        if isinstance(event, ConnectionEnded):
            self._identifying.gone(driver)
            was_let_in = driver.connection.session is not None
            fault = Fault.CRASH if driver.has_crashed else fault_of(event, was_let_in=was_let_in)
            if fault is not None:
                self._admission.charge(driver.transport, fault)
        self._host.receive(driver, event, self._loop.time())

    # ... who it is, others find out ...

    def _may_come_in(self, principal: str, driver: Driver) -> bool:
        return self._authorize(principal, "enter", door_of(driver.transport.peer))

    def _admit(self, driver: Driver, grant: Grant | None) -> None:
        principal, expires_in = (None, None) if grant is None else (grant.principal, grant.expires_in)
        self._host.admit(driver, principal, self._loop.time(), expires_in)

    def _refuse(self, driver: Driver, refusal: Refusal, limit: str) -> None:
        self._host.refuse(driver, refusal, limit=limit)

    def _charge(self, driver: Driver, fault: Fault) -> None:
        self._admission.charge(driver.transport, fault)

    async def refresh(self, session: BareSession, credentials: Any) -> float | None:
        """A client shows new credentials over its session; return for how many seconds they are good, None for good.

        Raises:
            NotAllowed: they are not good; the session may go on with those before.
            TimeoutError: it took too long to find out.
        """
        grant = await self._identifying.ask(session.driver, session.principal, credentials)
        if session.ended is None:
            now = self._loop.time()
            self._host.grants.set(session.id, None if grant.expires_in is None else now + grant.expires_in)
        return grant.expires_in

    # ... and its session ...

    def _make_session(
        self, core: Session, session_id: bytes, principal: str, driver: Driver | None
    ) -> BareSession:
        session = BareSession(
            core,
            session_id=session_id,
            principal=principal,
            limits=self._limits,
            keeper=self,
            source="" if driver is None else driver.transport.source,
        )
        if driver is not None:
            session.peer = driver.transport.peer
        return session

    def hit(self, session: BareSession, limit: str, what: str) -> None:
        """One of the sessions came up against a limit."""
        self.hit_from(session.source, limit, what)

    def failed(self, what: str, error: BaseException) -> None:
        """Something failed of the program for one of them."""
        self._failures.log(what, error)

    def may(self, session: BareSession, verb: str, what: str) -> bool:
        """Whether the client of one of them may."""
        return self._authorize(session.principal, verb, what)

    def ended(self, session: BareSession) -> None:
        """One of them is over."""
        code = CloseCode.NORMAL if isinstance(session.ended, SessionClosed) else session.end_code
        reason = getattr(session.ended, "reason", "")
        # Only that the server goes ends no session that another life of it may go on with.
        goes_on = self._is_leaving and not session.is_peer_closed and code in _LEAVING
        self._host.ended(session.id, code, reason, self._loop.time(), goes_on=goes_on)

    # ... which ends because it may no longer be...

    def revoke(self, principal: str, reason: str) -> int:
        """End every session of a principal, also those without a line; return how many there were.

        Whoever is being decided about may have been looked up before: it has to come again.
        """
        self._identifying.revoke(principal)
        theirs = [session for session in self.sessions if session.principal == principal]
        for session in theirs:
            session.lose(CloseCode.REVOKED, reason)
        return len(theirs)

    def ask_again(self, principal: str) -> None:
        """End the sessions of a principal that it may no longer have where they are now; those without a line are asked about when it comes back."""
        for session in self.sessions:
            is_there = session.principal == principal and session.driver is not None
            if is_there and not self._authorize(principal, "enter", door_of(session.peer)):
                session.lose(CloseCode.REVOKED, "you may no longer enter")

    # Time passes...

    def _arm(self) -> None:
        at = self._host.timeout_at()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return  # an earlier timer looks again when it fires
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_timer)
        self._timer_at = at

    def _on_timer(self) -> None:
        self._timer = None
        self._host.handle_timeout(self._loop.time())
        self._arm()

    # The server goes...

    async def drain(self, *, retry_in: float) -> None:
        """Let nobody in any more, and end every session in an orderly way; its client is told to come back."""
        self._is_leaving = True
        self._host.close()
        self._admission.close()
        # Each is told another time, from ``retry_in`` to twice that: else thousands would be back in one instant.
        back_in = self._host.back_in = lambda: retry_in * (1 + self._chance())
        end_by = self._loop.time() + self._limits.close_timeout
        waiting = [self._admission.hear_out()]
        # Again when they are gone: who was let in before may confirm only now, and is to come back as well.
        while waiting or any(session.driver is not None for session in self.sessions):
            left = max(end_by - self._loop.time(), 0.0)
            waiting += [
                session.close(
                    "the server is going away",
                    CloseCode.GOING_AWAY,
                    retry_in=back_in(),
                    redirect=self._redirect,
                    timeout=left,
                )
                for session in self.sessions
                if session.driver is not None
            ]
            await asyncio.gather(*waiting)
            waiting = []
        self._leave()

    def _leave(self) -> None:
        self._host.leave(self._loop.time())
        self._identifying.stop()
        if self._timer is not None:
            self._timer.cancel()

    async def hang_up(self) -> None:
        """Wait until every line is gone; who keeps its own open is hung up on after ``close_timeout`` seconds."""
        await self._admission.hang_up()
        self.hits.close()

    def abort(self) -> None:
        """Let nobody in any more, lose every session and hang up on everybody, at once."""
        self._is_leaving = True
        self._host.close()
        self._admission.close()
        self._leave()
        self._admission.abort()
        self.hits.close()


def _tell_turned_away(driver: Driver, event: ConnectionEnded) -> None:
    if event.local and not event.limit and event.code is not CloseCode.REPLACED:
        log.info("a caller from %s was not let in: %s", driver.transport.peer, event.reason)
