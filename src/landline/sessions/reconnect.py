"""The client's end of a session: dials, and when the line drops redials until the session is back, refused, or closed."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ..errors import ConnectError, ConnectTimeout, ProtocolError, Refused, SessionClosed, Untrusted
from ..hits import Failures
from ..limits import SESSION, Limits
from ..protocol.events import ConnectionEnded, Event, PeerClosed
from ..protocol.frames import CloseCode
from ..protocol.handshake import ID_SIZE, Hello, Welcome
from ..protocol.redial import Fate, Pause, Redial
from ..protocol.redial import full_jitter as jitter_from
from ..protocol.session import Session
from ..transports import Address, ClientTLS
from .bare import BareSession
from .credentials import current
from .dial import Answer, Dropped, Turndown, dial_any, prefer
from .driver import Driver, log

LIFE: Final = secrets.token_bytes(ID_SIZE)
"""Names this life of this process."""

FIRST_PAUSE: Final = SESSION.first_pause


def full_jitter(limits: Limits, chance: Callable[[], float] = random.random) -> Pause:
    """Return the default pause: drawn evenly from 0 to ``redial_min`` doubled with every dial, up to ``redial_max``."""
    return jitter_from(limits, chance)


class ClientEnd:
    """Keeps one session of a client on a line.

    Args:
        addresses: tried in turn at every dial.
        credentials: shown to the server's ``authenticate`` at every dial, or a function that is asked for them then.
        tls: whom to trust where TLS is spoken.

    Attributes:
        expires_in: for how many seconds those that were shown last are good, from then on; None for good.
        on_welcome: called whenever a line carries the session again.
        on_end: called when the session is over.
    """

    may_renew = True
    waits_for_lines = False

    def __init__(
        self,
        addresses: Sequence[Address],
        limits: Limits,
        *,
        credentials: Any = None,
        tls: ClientTLS | None = None,
        pause: Pause | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._addresses = list(addresses)
        self._homes: set[Address] = set()  # where its server is known to be
        self._unlisted: str | None = None
        self._limits = limits
        self._credentials = credentials
        self._tls = tls
        self._chance = chance
        self._pause = pause or full_jitter(limits, chance)
        self._way_back = Redial(limits, self._pause, chance)
        self._session: BareSession | None = None
        self._redialling: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.expires_in: float | None = None
        self.on_welcome: Callable[[], object] = _nothing
        self.on_end: Callable[[], object] = _nothing
        self._failures = Failures(log, self._loop.time)

    async def connect(self, timeout: float) -> BareSession:
        """Dial until a server that is there lets us in; return the new session.

        Raises:
            ConnectError, ConnectTimeout, Refused: see there; nothing is left behind.
            DataError: the credentials cannot be sent. Whatever a function raises that is asked for them is raised here.
        """
        limits = self._limits
        answer = await self._dial_first(self._loop.time() + timeout)
        welcome = answer.welcome
        session = BareSession(
            self._begin(welcome), session_id=welcome.session, principal="", limits=limits, keeper=self
        )
        self._session = session
        try:
            self._attach(session, answer)
        except ProtocolError as error:
            answer.driver.abort()
            raise ConnectError(str(answer.address), error.reason) from error
        return session

    def _begin(self, welcome: Welcome) -> Session:
        limits = self._limits
        return Session(
            limits,
            peer_window=welcome.window,
            peer_max_message=min(welcome.max_message, limits.max_message),
            peer_max_flows=welcome.max_flows,
        )

    async def _hello(self, until: float) -> Hello:
        limits = self._limits
        try:
            credentials = await current(self._credentials, max(until - self._loop.time(), 0.0))
        except TimeoutError:
            raise ConnectTimeout(str(self._addresses[0]), "the credentials took too long to be had") from None
        return Hello(
            life=LIFE,
            window=limits.window,
            max_message=limits.max_message,
            max_flows=limits.max_flows,
            credentials=credentials,
        )

    async def _dial_first(self, until: float) -> Answer:
        """Dial for a new session. That a server goes just now is no failure: we come back when it says, as often as the time allows.

        A line that drops before it says anything is tried once more: so it looks when a server goes that had no time to say so.
        """
        # With short pauses: the time is short, and a long one drawn by chance would give up what is left of it.
        way = Redial(self._limits, lambda number: min(self._pause(number), FIRST_PAUSE), self._chance)
        is_awaited = was_dropped = False
        while True:
            hello = await self._hello(until)
            try:
                left = max(until - self._loop.time(), 0.0)
                return await dial_any(
                    self._addresses, hello, self._limits, timeout=left, jitter=self._chance, tls=self._tls
                )
            except Turndown as error:
                failure: ConnectError = Refused(error.address, error.reason, error.refusal.code.text)
                if hello.credentials is None and error.refusal.code is CloseCode.UNAUTHORIZED:
                    failure.add_note("Credentials are given to connect: connect(…, credentials=…).")
                if error.refusal.code is not CloseCode.GOING_AWAY:
                    raise failure from None
                is_awaited = True
                way.refused(error.refusal)
            except ConnectError as error:
                if not is_awaited and (was_dropped or not isinstance(error, Dropped)):
                    raise
                was_dropped = True
                failure = error
            pause = way.next_pause()
            if self._loop.time() + pause >= until:
                raise failure
            log.info("dials again in %.1f s: %s", pause, failure)
            await asyncio.sleep(pause)

    def drop(self, seconds: float) -> None:
        """Hang up beneath the session, and stay away that long."""
        session = self._session
        if session is not None and session.driver is not None:
            self._way_back.stay_away(seconds)
            session.driver.abort()

    def failed(self, what: str, error: BaseException) -> None:
        """Something failed of the program that runs here."""
        self._failures.log(what, error)

    def hit(self, session: BareSession, limit: str, what: str) -> None:
        """It came up against a limit: a client counts none."""

    def may(self, session: BareSession, verb: str, what: str) -> bool:
        """It may all: rules are a server's, and what the server sends is taken by this end's program or not."""
        del session, verb, what
        return True

    def ended(self, session: BareSession) -> None:
        """It is over: dial no more."""
        self.on_end()
        task, self._redialling = self._redialling, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    # A line is there...

    def _attach(self, session: BareSession, answer: Answer) -> None:
        address, driver, welcome = answer
        if self._way_back.is_new_life(welcome):
            self._homes.clear()  # another server may have taken its place at the others
            session.renew(self._begin(welcome))
        self._homes.add(address)
        prefer(self._addresses, str(address))
        driver.deliver = partial(self._deliver, session)
        driver.connection.carry(welcome, session.core, self._loop.time())
        self._way_back.welcomed(welcome, self._loop.time())
        self.expires_in = welcome.expires_in
        session.attach(driver)
        self.on_welcome()

    def _deliver(self, session: BareSession, driver: Driver, event: Event) -> None:
        if session.driver is not driver or session.ended is not None:
            return
        session.deliver(event)
        if isinstance(event, PeerClosed):
            if event.retry_in is not None:
                self._way_back.come_back_in(event.retry_in)
            self._follow(event.redirect, event.code)
        elif isinstance(event, ConnectionEnded):
            self._line_ended(session, event)

    def _line_ended(self, session: BareSession, event: ConnectionEnded) -> None:
        if session.connection_ended(event):
            return
        self._way_back.line_ended(self._loop.time())
        session.detach(event.reason or event.code.text)
        self._redialling = self._loop.create_task(self._redial(session), name="landline redial")

    def _follow(self, redirect: str | None, code: CloseCode) -> None:
        """A server named another address to go on with. One that goes hands the session over with it, to live or to be unknown there."""
        if redirect is None:
            return
        address = prefer(self._addresses, redirect)
        if address is not None and code is CloseCode.GOING_AWAY:
            self._homes = {address}
        elif address is None and redirect != self._unlisted:
            self._unlisted = redirect
            log.warning(
                "a server named %.100r to go on with, which is not among the addresses to try", redirect
            )

    # ... and when it is not.

    async def _redial(self, session: BareSession) -> None:
        try:
            async with asyncio.timeout_at(self._way_back.gives_up_at):
                await self._redial_until_answered(session)
        except TimeoutError:
            session.lose(
                CloseCode.EXPIRED, f"no server went on with it for {self._way_back.resume_window:g} s"
            )
        except Exception as error:  # noqa: BLE001 - the application's `pause` above all: nobody else would tell who waits
            log.exception("a session cannot be redialled")
            session.lose(CloseCode.FAILED, f"it cannot be redialled: {error!r}")

    async def _redial_until_answered(self, session: BareSession) -> None:
        why = ""
        while session.ended is None:
            pause = self._way_back.next_pause()
            if not session.is_closing:
                session.set_state(session.state, why, pause)
            await asyncio.sleep(pause)
            try:
                credentials = await current(self._credentials, self._limits.connect_timeout)
            except Exception:  # noqa: BLE001 - the program's own code, which may ask somebody whom the same trouble keeps from answering
                why = "there are no credentials"
                log.exception("redial %d of a session failed: %s", self._way_back.dials, why)
                continue
            try:
                answer = await dial_any(
                    self._addresses,
                    self._way_back.greeting(session.core.received, credentials),
                    self._limits,
                    timeout=self._limits.connect_timeout,
                    jitter=self._chance,
                    homes=self._homes,
                    tls=self._tls,
                )
            except Turndown as error:
                if self._refused(session, error):
                    return
            except ConnectError as error:
                # That nobody is there is what redialling is for; that somebody else may be is for whoever watches.
                why = str(error) if isinstance(error, Untrusted) else ""
                log.info("redial %d of a session failed: %s", self._way_back.dials, error)
            else:
                self._resumed(session, answer)
                return

    def _resumed(self, session: BareSession, answer: Answer) -> None:
        driver = answer.driver
        if session.ended is not None:
            driver.abort()
            return
        self._redialling = None
        try:
            self._attach(session, answer)
        except ProtocolError as error:
            driver.connection.break_off(CloseCode.MISCOUNT, error.reason)
            driver.schedule()
            session.lose(CloseCode.MISCOUNT, f"{CloseCode.MISCOUNT.text}: {error.reason}")

    def _refused(self, session: BareSession, error: Turndown) -> bool:
        """Return whether a refusal ends the session."""
        refusal = error.refusal
        fate = self._way_back.refused(refusal)
        self._follow(refusal.redirect, refusal.code)
        counts = {"peer_received": refusal.received, "peer_handled": refusal.handled}
        if fate is Fate.CLOSED:
            session.core.end(**counts)
            session.end(SessionClosed(refusal.reason))
        elif fate is Fate.LOST:
            session.lose(refusal.code, refusal.code.text, **counts)
        return fate is not Fate.DIAL_AGAIN


def _nothing() -> None:
    """Nobody asked to be told."""
