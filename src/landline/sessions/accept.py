"""The server's end: shows each caller through its door, finds out who it is, and runs the ``protocol.host`` that decides the rest.

Whom to let connect at all is decided before, in ``admission``.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..errors import SessionClosed
from ..hits import Hits
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
from ..transports import Transport
from .admission import Admission
from .auth import Authenticate
from .bare import BareSession
from .door import NO_PAGE_HERE, Way
from .driver import Driver, log
from .penalties import Fault, fault_of
from .records import Records

_LEAVING = {CloseCode.NORMAL, CloseCode.EXPIRED}
"""How sessions end here when their server goes: in an orderly way, or not in time."""

_TOO_MANY = Refusal(code=CloseCode.BUSY, reason="too many are being decided about", retry_in=1.0)

_CROWD = {"max_connections", "max_handshakes", "max_per_source", "max_sessions", "max_silent", "memory"}
"""Limits that are hit where more come than there is room for: whoever runs the server should know."""


class Acceptor:
    """Lets callers in.

    Args:
        begin: called with each new session, once its client confirmed.
        plain: called with the transport and first bytes of who speaks plain text; None refuses them.
        chance: from 0 to 1; spreads heartbeats, and when clients are told to come back.
        redirect: the address that clients are told to go on with, when this server goes or is full.
        records: keeps the sessions beyond this life of the server; None: they end with it.

    Attributes:
        hits: how often which limit was hit.
        gate: says, before anything is made of a connection, whether it may come in.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        begin: Callable[[BareSession], None],
        plain: Callable[[Transport, bytes], None] | None,
        authenticate: Authenticate,
        chance: Callable[[], float] = random.random,
        redirect: str | None = None,
        records: Records | None = None,
    ) -> None:
        self._limits = limits
        self._is_leaving = False
        self._plain = plain
        self._authenticate = authenticate
        self._loop = asyncio.get_running_loop()
        self._redirect = redirect
        self._chance = chance
        self.hits = Hits(log, self._loop.time)
        self._admission = self.gate = Admission(limits, self._enter, self._hit)
        self._host: Host[Driver, BareSession] = Host(
            SessionTable(limits),
            limits,
            life=secrets.token_bytes(ID_SIZE),
            draw=secrets.token_bytes,
            make_end=self._make_session,
            identify=self._find_principal,
            begin=begin,
            turned_away=_tell_turned_away,
            hit=self._hit,
            wake=self._arm,
            pressure=Pressure(limits.memory),
            redirect=redirect,
            store=None if records is None else records.store,
        )
        self._deciding: dict[Driver, asyncio.Task[None]] = {}
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

    # Somebody comes...

    def accept(self, transport: Transport) -> None:
        """Receive a new transport, if there is room for it."""
        self._admission.accept(transport)

    def _hit(self, source: str, limit: str, what: str) -> None:
        level = logging.WARNING if limit in _CROWD else logging.INFO
        self.hits.add(limit, "another machine" if source else "this machine", what, level=level)

    def _enter(self, transport: Transport, way: Way, head: bytes) -> None:
        if way is Way.SESSION:
            self._greet(transport, head)
        elif way is Way.PLAIN and self._plain is not None:
            self._plain(transport, head)
        else:
            if way is Way.HTTP:
                transport.write(NO_PAGE_HERE)
            self._admission.charge(transport, Fault.LEFT)
            transport.close()

    def _greet(self, transport: Transport, head: bytes) -> None:
        connection = Connection(Role.SERVER, self._limits, self._loop.time(), jitter=self._chance())
        driver = Driver(connection, transport, lambda event: self._deliver(driver, event))
        self._host.greet(driver, transport.source)
        driver.start(head)

    def _deliver(self, driver: Driver, event: Event) -> None:
        if isinstance(event, ConnectionEnded):
            if driver in self._deciding:
                self._deciding[driver].cancel()  # nobody waits for the answer any more
            was_let_in = driver.connection.session is not None
            fault = Fault.CRASH if driver.has_crashed else fault_of(event, was_let_in=was_let_in)
            if fault is not None:
                self._admission.charge(driver.transport, fault)
        self._host.receive(driver, event, self._loop.time())

    # ... who is it? ...

    def _find_principal(self, driver: Driver, credentials: Any) -> None:
        try:
            answer = self._authenticate(credentials)
            if not inspect.isawaitable(answer):
                answer = _check_principal(answer)
        except Exception:  # noqa: BLE001 - the application's own code: its bug refuses this caller and no other
            self._find_nobody(driver)
            return
        if inspect.isawaitable(answer):
            if len(self._deciding) >= 2 * self._limits.max_handshakes:
                # As many again as may be greeted have left, and what decides about them does not heed that it is cancelled.
                self._host.refuse(driver, _TOO_MANY, limit="max_handshakes")
                self._close(answer)
                return
            self._deciding[driver] = task = self._loop.create_task(self._await_principal(driver, answer))
            task.add_done_callback(partial(self._decided, driver, answer))
        else:
            self._host.admit(driver, answer, self._loop.time())

    async def _await_principal(self, driver: Driver, answer: Awaitable[str | None]) -> None:
        # Not by cancelling it, which it may ignore: its caller must not wait for that.
        too_late = self._loop.call_later(self._limits.handshake_timeout, self._decides_too_long, driver)
        try:
            principal = _check_principal(await answer)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._find_nobody(driver)  # what it waited for was cancelled, and not we
        except TimeoutError:
            self._decides_too_long(driver)
        except Exception:  # noqa: BLE001 - as above
            self._find_nobody(driver)
        else:
            self._host.admit(driver, principal, self._loop.time())
        finally:
            too_late.cancel()

    def _decides_too_long(self, driver: Driver) -> None:
        """The end of the connection cancels what decides."""
        refusal = Refusal(code=CloseCode.BUSY, reason="authentication took too long", retry_in=1.0)
        self._host.refuse(driver, refusal, limit="handshake_timeout")

    def _decided(self, driver: Driver, answer: Awaitable[str | None], task: asyncio.Task[None]) -> None:
        del self._deciding[driver]
        self._close(answer)  # of a caller that left before its first step

    def _close(self, answer: Awaitable[str | None]) -> None:
        """Python would warn of a coroutine that never ran."""
        if inspect.iscoroutine(answer):
            answer.close()

    def _find_nobody(self, driver: Driver) -> None:
        """``authenticate`` failed. Its database may be away: that is not the caller's fault, and yet may not be had for nothing."""
        log.exception("authentication failed")
        self._host.refuse(driver, Refusal(code=CloseCode.FAILED, reason="internal error"))
        self._admission.charge(driver.transport, Fault.LEFT)

    # ... and its session.

    def _make_session(
        self, core: Session, session_id: bytes, principal: str, driver: Driver | None
    ) -> BareSession:
        session = BareSession(core, session_id=session_id, principal=principal, limits=self._limits)
        session.on_end = partial(self._ended, session)
        source = ""
        if driver is not None:
            session.peer, source = driver.transport.peer, driver.transport.source
        session.on_limit = partial(self._hit, source)
        return session

    def _ended(self, session: BareSession) -> None:
        code = CloseCode.NORMAL if isinstance(session.ended, SessionClosed) else session.end_code
        reason = getattr(session.ended, "reason", "")
        # Only that the server goes ends no session that another life of it may go on with.
        goes_on = self._is_leaving and not session.is_peer_closed and code in _LEAVING
        self._host.ended(session.id, code, reason, self._loop.time(), goes_on=goes_on)

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
        for task in list(self._deciding.values()):
            task.cancel()
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


def _check_principal(principal: str | None) -> str | None:
    """Return what ``authenticate`` said, if it is what it may say."""
    if principal is not None:
        if not isinstance(principal, str):
            raise TypeError(
                f"authenticate returned {principal!r:.100}: a principal is a str, or None for nobody"
            )
        principal.encode()  # raises for what is not Unicode
    return principal
