"""Serving: a ``Server`` with its program for each session, and ``landline.serve`` for the short way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from .errors import AddressError, SessionClosed, SessionEnded, StorageClosed, StorageError
from .history import Gap, Position, Publication
from .limits import STORAGE, Limits
from .patterns.durable import Sending, settle
from .patterns.failures import is_cancelled
from .patterns.hub import Hub
from .patterns.publications import refuse_flow
from .patterns.rules import Authorize, TopicRule, allow_all
from .patterns.sent import Sent
from .patterns.topics import Beginning, beginning
from .protocol.feed import Behind
from .protocol.frames import CloseCode
from .session import Session
from .sessions.accept import Acceptor
from .sessions.auth import Authenticate, admit_all
from .sessions.bare import BareSession
from .sessions.caller import Caller
from .sessions.records import Records
from .storage import MemoryStorage, Page, Pattern, Retention, SQLiteStorage, Storage
from .transports import (
    Listener,
    ListeningSocket,
    Transport,
    bind_listener,
    nobody_asked,
    parse_address,
)

log = logging.getLogger("landline.server")

Program = Callable[[Session], Awaitable[None]]
"""What runs for each session, from its beginning to its end, whatever its lines do; its return closes the session."""

Vet = Callable[[Session, str, Any], Any]
"""Takes the session, the topic and the data of what a client publishes; returns the data to store or an awaitable of it, or raises."""

PlainProgram = Callable[[Caller], Awaitable[None]]
"""What runs for each caller at the plain-text door; its return hangs up."""


class Listening:
    """A server that listens.

    Attributes:
        addresses: where it really listens, ports filled in.
    """

    def __init__(self, listeners: list[Listener], acceptor: Acceptor) -> None:
        self.addresses = [address for listener in listeners for address in listener.addresses]
        self._listeners = listeners
        self._acceptor = acceptor

    @property
    def sessions(self) -> int:
        """How many sessions it holds, those without a line included."""
        return len(self._acceptor.sessions)

    @property
    def hits(self) -> Mapping[str, int]:
        """How often each limit was hit since it began to listen, by the limit's name; one that never was is not there.

        Each hit is logged too, at a bounded rate. What only slows a sender down on its own line (credit, a full socket) is no hit.
        """
        return self._acceptor.hits.counts

    def hand_over(self) -> list[ListeningSocket]:
        """Return copies of the listening sockets, which outlive this server: who dials then waits in them for the next one to accept.

        Close each, or pass them to another ``listen``, in this process or in the next program. The files of Unix sockets are theirs from now on.
        """
        return [copy for listener in self._listeners for copy in listener.hand_over()]


class Server:
    """Serves sessions, and whoever comes through the other doors of the same port.

    Args:
        program: runs for each session; without one, sessions that find no topics here are closed as soon as they begin.
        authenticate: takes a client's credentials, returns its principal or None to refuse; may be async. By default everybody enters.
        limits: see ``landline.Limits``.
        retry_in: seconds after which clients are told to come back when the server goes; each is told another time, up to twice this.
        redirect: an address that clients are told to go on with when this server goes or is full; they follow only to one that they were
            given themselves.
        storage: where topics are kept, and sessions, which then outlive this server: a file, or a ``Storage``; one that is open already is left open. Without one, topics last as long as
            the server listens.
        authorize: takes a principal, ``"publish"`` or ``"subscribe"``, and a topic or pattern; returns whether they may. By default everybody may.
            A pattern with wildcards is asked about as it stands, and not topic by topic. See ``reauthorize`` for whoever may do less than before.

    Raises:
        AddressError: ``redirect`` cannot be read.
    """

    def __init__(
        self,
        program: Program | None = None,
        *,
        authenticate: Authenticate = admit_all,
        limits: Limits | None = None,
        retry_in: float = 1.0,
        redirect: str | None = None,
        storage: str | os.PathLike[str] | Storage | None = None,
        authorize: Authorize = allow_all,
    ) -> None:
        self._program = program
        self._plain: PlainProgram | None = None
        self._authenticate = authenticate
        self._limits = limits or Limits()
        self._retry_in = retry_in
        self._redirect = None if redirect is None else str(parse_address(redirect))
        self._storage = storage
        self._authorize = authorize
        self._rules: dict[str, TopicRule] = {}
        self._hub: Hub | None = None

    # Topics...

    def topic(
        self,
        pattern: str,
        *,
        history: int | None = STORAGE.history,
        history_bytes: int | None = STORAGE.history_bytes,
        history_age: float | None = STORAGE.history_age,
        behind: Literal["history", "drop_oldest", "latest"] = "history",
        vet: Vet | None = None,
    ) -> None:
        """Have the topics that a pattern selects; there are no others. A later rule goes before an earlier one.

        Args:
            pattern: a topic, or with ``*`` for one token, or with a final ``**`` for one or more.
            history: how many publications of each are kept.
            history_bytes: how many bytes of data.
            history_age: for how many seconds. None: not limited by this measure.
            behind: what becomes of publications that a reader is too slow for: it reads on from the history (until that is overtaken); the
                oldest that wait for it are dropped; or only the latest of each topic waits. What it does not get is told it as a ``Gap``.
            vet: called with the session, the topic and the data of what a client publishes; returns the data to store. What it raises refuses the
                publication, and a ``LandlineError`` or ``ValueError`` is told to the client in its words. It may be async: what the client
                publishes next waits behind it. When the client goes meanwhile it is cancelled, and called anew if that comes back and says it again.

        Raises:
            TopicError: the pattern breaks the rules.
            ValueError: a measure is not above 0.
        """
        kept = Retention(max_count=history, max_bytes=history_bytes, max_age=history_age)
        self._rules.pop(pattern, None)
        self._rules[pattern] = TopicRule(Pattern(pattern), kept, Behind(behind), vet)

    async def publish(self, topic: str, data: Any) -> Position:
        """Publish to a topic while the server listens; return the position once it is stored.

        Raises:
            TopicError: there is no such topic here.
            DataError: the data cannot be sent.
            PublishFailed, PublishUnknown: it is not stored, or nobody knows.
            StorageClosed: the server does not listen.
        """
        return await self._topics().publish(topic, data)

    def subscribe(self, pattern: str, after: Beginning = "now") -> AsyncGenerator[Publication | Gap, None]:
        """Yield what a pattern selects, as ``Session.subscribe`` does; it ends when the server does.

        It begins, also with ``"now"``, when the first item is asked for, and raises then.

        Raises:
            TopicError: the pattern breaks the rules, or there is no such topic here.
            StorageClosed: the server does not listen.
            StorageError: the history cannot be read.
        """
        return self._topics().subscribe(pattern, beginning(after))

    async def read(
        self, pattern: str, after: Position | None = None, *, limit: int = 300, to: Position | None = None
    ) -> Page:
        """Return a page of what a pattern selects after a position, as ``Storage.read`` does, with the data that was published.

        What something else wrote into the storage comes as its bytes.

        Raises:
            TopicError: the pattern breaks the rules.
            StorageClosed: the server does not listen.
            StorageError: it cannot be read.
        """
        return await self._topics().read(pattern, after, limit, to)

    async def last(self, pattern: str, limit: int = 300, *, to: Position | None = None) -> Page:
        """Return the newest that a pattern selects up to a position, oldest of them first; else as ``read``."""
        return await self._topics().last(pattern, limit, to)

    def reauthorize(self, principal: str) -> None:
        """Ask ``authorize`` again about what a principal subscribes to now, on all its sessions, and end what it refuses.

        To be called when somebody may do less than before. When it returns, nothing more of what they may not read goes out to them; also
        what waits for them unread is dropped, and their subscriptions raise ``NotAllowed``. Publishes need no such call: each is asked about.
        Nothing happens while the server does not listen.
        """
        if self._hub is not None:
            self._hub.reauthorize(principal)

    def _topics(self) -> Hub:
        if self._hub is None:
            raise StorageClosed("topics are open while their server listens")
        return self._hub

    def plain(self, program: PlainProgram) -> PlainProgram:
        """Have ``program`` run for each caller who speaks plain text; use it as a decorator."""
        self._plain = program
        return program

    @contextlib.asynccontextmanager
    async def listen(
        self, *addresses: str, sockets: Sequence[ListeningSocket] = ()
    ) -> AsyncIterator[Listening]:
        """Serve on these addresses until the block is left; then drain: let nobody in, tell every peer, close every socket.

        Args:
            addresses: where to listen.
            sockets: listening sockets that are there already, from ``passed_sockets`` or ``Listening.hand_over``. An address that some of
                them are bound to is served by these and is not bound anew; each must belong to one of the addresses. They are closed here.

        Raises:
            AddressError: an address cannot be read.
            ListenError: an address cannot be served, or a socket belongs to none of them; then nothing is served.
            StorageError: the storage cannot be opened.
        """
        passed = list(sockets)
        if not addresses:
            raise AddressError("listen needs an address")
        try:
            async with self._open_storage() as (hub, records, sent):
                async with self._listen(addresses, passed, hub, records, sent) as listening:
                    yield listening
        finally:
            for unasked in passed:
                unasked.close()

    @contextlib.asynccontextmanager
    async def _open_storage(self) -> AsyncIterator[tuple[Hub | None, Records | None, Sent | None]]:
        if self._storage is None and not self._rules:
            yield None, None, None
            return
        storage = self._storage
        if storage is None:
            storage = MemoryStorage()
        elif not isinstance(storage, Storage):
            storage = SQLiteStorage(storage)
        for rule in self._rules.values():
            storage.retain(rule.pattern.text, rule.kept)
        async with contextlib.nullcontext() if storage.is_open else storage:
            hub = Hub(
                storage,
                list(self._rules.values()),
                self._limits,
                authorize=self._authorize,
                outlives=self._storage is not None,
            )
            records, sent = None, None
            if self._storage is not None:
                sent = Sent(storage)
                records = Records(storage, sent.forget)
                await records.open()
                await sent.open(records.found)
            await hub.open()
            before, self._hub = self._hub, hub
            try:
                yield hub, records, sent
            finally:
                self._hub = before
                try:
                    await hub.close()
                finally:
                    if records is not None and sent is not None:
                        await records.close()
                        await sent.close()

    @contextlib.asynccontextmanager
    async def _listen(
        self,
        addresses: tuple[str, ...],
        passed: list[ListeningSocket],
        hub: Hub | None,
        records: Records | None,
        sent: Sent | None,
    ) -> AsyncIterator[Listening]:
        running: set[asyncio.Task[None]] = set()
        acceptor = Acceptor(
            self._limits,
            begin=partial(self._begin, running, hub, sent),
            plain=partial(self._begin_plain, running) if self._plain is not None else None,
            authenticate=self._authenticate,
            redirect=self._redirect,
            records=records,
        )
        listeners: list[Listener] = []
        try:
            for address in addresses:
                where = parse_address(address)
                listeners.append(await bind_listener(where, backlog=self._limits.backlog, passed=passed))
            if passed:
                raise nobody_asked(passed)
            for listener in listeners:
                listener.start(acceptor.accept, acceptor.gate)
            yield Listening(listeners, acceptor)
        finally:
            for listener in listeners:
                listener.close()
            try:
                for listener in listeners:
                    await listener.wait_closed()
                await acceptor.drain(retry_in=self._retry_in)
                await self._stop_programs(running)
                await acceptor.hang_up()
            except asyncio.CancelledError:  # no time for that: nothing is left behind all the same
                for task in running:
                    task.cancel()
                acceptor.abort()
                raise

    # A program for each who comes...

    def _begin(
        self, running: set[asyncio.Task[None]], hub: Hub | None, sent: Sent | None, bare: BareSession
    ) -> None:
        sending = None if sent is None else Sending(bare, partial(sent.outgoing, bare))
        session = Session(bare, lambda seconds: _hang_up(bare), sending)
        bare.serves = refuse_flow if hub is None else partial(hub.takes, bare, session)
        _run(running, self._serve(bare, session, sending), f"landline session {bare.id.hex()[:8]}")
        if sending is not None and sent is not None and sent.has(bare):
            _run(running, _go_on(bare, sending), f"landline outbox {bare.id.hex()[:8]}")
        bare.hold_flows()

    def _begin_plain(self, running: set[asyncio.Task[None]], transport: Transport, head: bytes) -> None:
        _run(running, self._serve_plain(Caller(transport, head)), f"landline caller {transport.peer}")

    async def _serve(self, bare: BareSession, session: Session, sending: Sending | None) -> None:
        try:
            if self._program is not None:
                await self._program(session)
            elif self._hub is not None:
                await session.wait_closed()
            session.ack()  # who returns is done with what it took
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if is_cancelled(error):
                raise
            if not _is_only_the_end(bare, error):
                log.exception("the program of a session failed")
                if bare.intake is not None:
                    bare.intake.fail(bare, "the server's program failed over it")
                bare.lose(CloseCode.FAILED, "the server's program failed")
        finally:
            if bare.intake is not None:
                bare.intake.release(bare)
            # Its last words may still have to wait for a line.
            await settle(bare, sending, None, self._limits.resume_window)
            await bare.close(timeout=self._limits.resume_window)

    async def _serve_plain(self, caller: Caller) -> None:
        try:
            if self._plain is not None:
                await self._plain(caller)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if is_cancelled(error):
                raise
            log.exception("the program of a plain caller failed")
        finally:
            await caller.close()

    async def _stop_programs(self, running: set[asyncio.Task[None]]) -> None:
        """Give the programs a moment to see that their sessions ended, then cancel them."""
        if running:
            _, late = await asyncio.wait(running, timeout=self._limits.close_timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


@contextlib.asynccontextmanager
async def serve(program: Program, *addresses: str, **options: Any) -> AsyncIterator[Listening]:
    """Serve ``program`` on these addresses: shorthand for a ``Server``; the options are its own."""
    async with Server(program, **options).listen(*addresses) as listening:
        yield listening


def _run(running: set[asyncio.Task[None]], program: Coroutine[Any, Any, None], name: str) -> None:
    task = asyncio.get_running_loop().create_task(program, name=name)
    running.add(task)
    task.add_done_callback(running.discard)


async def _go_on(bare: BareSession, sending: Sending) -> None:
    """Send what a life before had sent; where its outbox cannot be read, it stays there, and the session goes on."""
    try:
        await sending.go_on()
    except SessionEnded:
        pass
    except StorageError as error:
        log.warning("what session %s was sent durably cannot be read: %s", bare.id.hex()[:8], error)


def _is_only_the_end(bare: BareSession, error: BaseException) -> bool:
    """Whether a program's error says no more than that its session is over; several tasks may have been told."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_only_the_end(bare, part) for part in error.exceptions)
    return isinstance(error, SessionEnded) and (
        error is bare.ended or (isinstance(error, SessionClosed) and (bare.is_closing or bare.is_peer_closed))
    )


def _hang_up(bare: BareSession) -> None:
    if bare.driver is not None:
        bare.driver.abort()
