"""Serving: a ``Server`` with its program for each session, and ``landline.serve`` for the short way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Literal

from .errors import AddressError, LandlineError, StorageClosed
from .history import Gap, Position, Publication
from .hits import Failures
from .hooks import Hooks, OnClose, OnOpen
from .limits import STORAGE, Limits
from .listening import Listening
from .patterns.groups import Groups, Membership
from .patterns.hub import Hub
from .patterns.middleware import Middleware
from .patterns.refresh import Refreshes
from .patterns.rpc.methods import MethodDecorator, Methods
from .patterns.rpc.service import Service
from .patterns.rules import Asking, Authorize, TopicRule, allow_all
from .patterns.sent import Sent
from .patterns.topics import Beginning, beginning
from .programs import PlainProgram, Program, Programs, checked
from .protocol.feed import Behind
from .protocol.presence import Change, Member
from .session import Session
from .sessions.accept import Acceptor
from .sessions.auth import Authenticate, admit_all
from .sessions.bare import BareSession
from .sessions.records import Records
from .storage import MemoryStorage, Page, Pattern, Retention, SQLiteStorage, Storage
from .transports import (
    Listener,
    ListeningSocket,
    ServerTLS,
    TlsTransport,
    Transport,
    bind_listener,
    nobody_asked,
    parse_address,
)
from .web.site import Web

log = logging.getLogger("landline.server")

Vet = Callable[[Session, str, Any], Any]
"""Takes the session, the topic and the data of what a client publishes; returns the data to store or an awaitable of it, or raises."""


class Server:
    """Serves sessions, and whoever comes through the other doors of the same port.

    Args:
        program: runs for each session; without one, sessions that find no topics, groups or methods here are closed as soon as they begin.
        authenticate: takes a client's credentials, returns its principal, or a ``Grant`` of it for a time, or None to refuse; or raises ``NotAllowed``, whose words
            the client is told. May be async. By default everybody enters.
        limits: see ``landline.Limits``.
        retry_in: seconds after which clients are told to come back when the server goes; each is told another time, up to twice this.
        redirect: an address that clients are told to go on with when this server goes or is full; they follow only to one that they were
            given themselves.
        storage: where topics are kept, and sessions, which then outlive this server: a file, or a ``Storage``; one that is open already is left open. Without one, topics last as long as
            the server listens.
        authorize: takes a principal, a verb and its object; returns whether they may. By default everybody may. ``"enter"`` with the door that they come by
            (``"tcp"``, ``"wss"``, …), ``"publish"`` with a topic, ``"subscribe"`` with a topic or pattern, which is asked about as it stands, and not topic by topic,
            ``"call"`` with a method, ``"join"`` and ``"watch"`` with a group, ``"send"`` with a file's name. See ``reauthorize`` for whoever may do less than before.
        tls: what to show to whoever asks for TLS, on the same port as everything else; without it there is none.
        needs_tls: whether callers from other machines are let in by TLS only.
        web: what is answered over HTTP besides the server's own paths; see ``landline.Web``.
        methods: what clients can call, besides what ``method`` adds to them; by default nothing.

    Raises:
        AddressError: ``redirect`` cannot be read.
        TypeError: the program is none.
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
        tls: ServerTLS | None = None,
        needs_tls: bool = False,
        web: Web | None = None,
        methods: Methods | None = None,
    ) -> None:
        self._program = checked(program)
        self._plain: PlainProgram | None = None
        self._authenticate = authenticate
        self._limits = limits or Limits()
        self._retry_in = retry_in
        self._redirect = None if redirect is None else str(parse_address(redirect))
        self._storage = storage
        self._failures = Failures(log, time.monotonic)
        self._authorize: Authorize = (
            authorize if authorize is allow_all else Asking(authorize, self._failures)
        )
        self._tls = tls
        self._needs_tls = needs_tls
        self._web = web or Web()
        self._rules: dict[str, TopicRule] = {}
        self._hooks = Hooks(self._failures)
        self._middlewares: list[Middleware] = []
        self._hub: Hub | None = None
        self._group_patterns: dict[str, Pattern] = {}
        self._groups: Groups | None = None
        self._acceptors: list[Acceptor] = []
        self._methods = Methods() if methods is None else methods

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
        policies = [policy.value for policy in Behind]
        if behind not in policies:
            raise ValueError(f"behind is one of {policies}, not {behind!r}")
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

    # Who may...

    def reauthorize(self, principal: str) -> None:
        """Ask ``authorize`` again about the doors of a principal's sessions, what it subscribes to and which groups it is in, and end what it refuses.

        To be called when somebody may do less than before. When it returns, nothing more of what they may not read goes out to them; also
        what waits for them unread is dropped, and their subscriptions and presences raise ``NotAllowed``. Publishes need no such call: each is asked about.
        Nothing happens while the server does not listen.
        """
        for acceptor in self._acceptors:
            acceptor.ask_again(principal)
        if self._hub is not None:
            self._hub.reauthorize(principal)
        if self._groups is not None:
            self._groups.reauthorize(principal)

    def revoke(self, principal: str, reason: str = "your access was revoked") -> int:
        """End every session of a principal, whichever door it came by, those without a line included; return how many there were.

        They are over when it returns; the clients are told ``revoked`` and these words, at once or when they come back for theirs. Whoever is
        just being decided about has to come again, and ``authenticate`` decides anew: it must know by now. While the server does not listen there are none.
        """
        return sum(acceptor.revoke(principal, reason) for acceptor in self._acceptors)

    def _topics(self) -> Hub:
        if self._hub is None:
            raise StorageClosed("topics are open while their server listens")
        return self._hub

    # Who is here...

    def presence(self, pattern: str) -> None:
        """Have the groups that a pattern selects, by the rules for topics; there are no others."""
        self._group_patterns[pattern] = Pattern(pattern)

    def members(self, group: str) -> dict[str, Member]:
        """Return who is in a group now, by the ids of the memberships; raises as ``join`` does."""
        return self._live_groups().members(group)

    def watch(self, group: str) -> AsyncGenerator[Change, None]:
        """Yield a ``Snapshot`` of a group, then each change, to who is slow the newest of each; ends with the server, raises as ``join`` does."""
        return self._live_groups().watch(group)

    def join(self, session: Session, group: str, state: Any = None) -> Membership:
        """Put a session into a group, on behalf of its client; ``authorize`` is not asked. Each call is a membership of its own.

        Raises:
            TopicError: there is no such group here.
            DataError: the state cannot be sent, or is too large.
            NotAllowed: the group is full.
            SessionClosed, SessionLost: the session is over.
            LandlineError: the server does not listen.
        """
        return self._live_groups().join(session._bare, group, state)

    def _live_groups(self) -> Groups:
        if self._groups is None:
            raise LandlineError("there are groups while their server listens")
        return self._groups

    # What runs...

    def on_open(self, hook: OnOpen) -> OnOpen:
        """Have ``hook(session)`` called for each session that begins, before its program is; use it as a decorator. It may be async.

        A session that goes on after the server was started again begins there again. What a hook raises is logged, and disturbs nobody.
        """
        self._hooks.on_open.append(hook)
        return hook

    def on_close(self, hook: OnClose) -> OnClose:
        """Have ``hook(session, why)`` called for each of them that is over, when its program is too; as ``on_open``.

        ``why`` is the ``SessionClosed`` or ``SessionLost`` that it ended with. A server that goes waits for it as for the programs, ``close_timeout`` seconds.
        """
        self._hooks.on_close.append(hook)
        return hook

    @property
    def method(self) -> MethodDecorator:
        """Offer a function to be called by clients: ``@server.method``, or ``@server.method(name=…, idempotent=True)``; see ``Methods.method``."""
        return self._methods.method

    def middleware(self, function: Middleware) -> Middleware:
        """Have ``await function(call, proceed)`` stand around each publish of a client, each call and stream, and each file that it offers; use it as a decorator. The first is the outermost.

        It returns what ``await proceed(call)`` returned, or something else instead: of a publish the data to store, of a call its result. What it raises refuses
        the publish as what a topic's ``vet`` raises does, which is asked innermost, and fails the call as what its method raises does. A file that it does not go on
        with is refused; else it goes on to the program, and ``proceed`` returns the ``ReceivedFile``, or raises why there is none. ``call`` is a
        ``landline.Call``: ``authorize`` has allowed it already.
        """
        self._middlewares.append(function)
        return function

    # Plain text, and listening...

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
        if not addresses:
            raise AddressError("listen needs an address")
        passed = list(sockets)
        try:
            async with self._open_storage() as (hub, records, sent):
                async with self._listen(addresses, passed, hub, records, sent) as listening:
                    yield listening
        finally:
            for unasked in passed:
                unasked.close()

    @contextlib.asynccontextmanager
    async def attach(self) -> AsyncIterator[Listening]:
        """Serve without listening, until the block is left: what something else has accepted is brought in by ``Listening.take``.

        ``landline.asgi`` does so in somebody else's web server.

        Raises:
            StorageError: the storage cannot be opened.
        """
        async with self._open_storage() as (hub, records, sent):
            async with self._listen((), [], hub, records, sent) as listening:
                yield listening

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
                middlewares=self._middlewares,
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
        from .web.door import WebDoor  # here, so that `import landline` loads nothing of HTTP

        def serve_web(transport: Transport, head: bytes) -> None:
            door.serve(transport, head, is_secure=isinstance(transport, TlsTransport))

        groups = Groups(list(self._group_patterns.values()), self._limits, authorize=self._authorize)

        async def look_at(bare: BareSession, credentials: Any) -> float | None:
            return await acceptor.refresh(bare, credentials)

        refreshes = Refreshes(look_at)
        service = Service(self._methods, self._authorize, self._limits, self._middlewares)
        programs = Programs(
            self._program,
            self._plain,
            self._limits,
            hub,
            sent,
            groups,
            self._hooks,
            refreshes,
            service,
            self._middlewares,
            self._failures,
        )
        acceptor = Acceptor(
            self._limits,
            begin=programs.begin,
            plain=programs.begin_plain if self._plain is not None else None,
            web=serve_web,
            secure=None if self._tls is None else partial(_secure, self._tls),
            needs_tls=self._needs_tls,
            authenticate=self._authenticate,
            authorize=self._authorize,
            redirect=self._redirect,
            records=records,
            failures=self._failures,
        )
        groups_before, self._groups = self._groups, groups
        listeners: list[Listener] = []
        listening = Listening(acceptor, listeners, self._web)
        door = WebDoor(
            listening.app,
            self._limits,
            upgrade=acceptor.greet_websocket,
            hosts=self._web.hosts,
            origins=self._web.origins,
            charge=acceptor.blame,
            hit=acceptor.hit_from,
        )
        self._acceptors.append(acceptor)
        try:
            for address in addresses:
                where = parse_address(address)
                listeners.append(await bind_listener(where, backlog=self._limits.backlog, passed=passed))
            if passed:
                raise nobody_asked(passed)
            for listener in listeners:
                listener.start(acceptor.accept, acceptor.gate)
            yield listening
        finally:
            listening.is_going = True
            groups.go()
            for listener in listeners:
                listener.close()
            try:
                for listener in listeners:
                    await listener.wait_closed()
                await service.finish()
                await acceptor.drain(retry_in=self._retry_in)
                await door.close()
                await programs.stop()
                await refreshes.close()
                await acceptor.hang_up()
            except asyncio.CancelledError:  # no time for that: nothing is left behind all the same
                programs.cancel()
                door.abort()
                acceptor.abort()
                refreshes.cancel()
                raise
            finally:
                self._acceptors.remove(acceptor)
                self._groups = groups_before
                await groups.close()
                self._failures.close()


@contextlib.asynccontextmanager
async def serve(program: Program, *addresses: str, **options: Any) -> AsyncIterator[Listening]:
    """Serve ``program`` on these addresses: shorthand for a ``Server``; the options are its own."""
    async with Server(program, **options).listen(*addresses) as listening:
        yield listening


def _secure(tls: ServerTLS, transport: Transport, head: bytes) -> TlsTransport:
    return TlsTransport(transport, tls.context, first=head)
