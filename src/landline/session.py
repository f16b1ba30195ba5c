"""The session that programs hold: messages both ways, receipts, states; it outlives its connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from .errors import LandlineError
from .history import Position
from .limits import as_seconds
from .patterns.durable import Sending, settle
from .patterns.files.offers import FileOffer, Files, Offers
from .patterns.files.progress import SentFile, Watch, watch_nothing
from .patterns.files.quota import Quota
from .patterns.messages import Messages, Receipt
from .patterns.middleware import Middleware
from .patterns.presence import WATCH_ONLY, Presence
from .patterns.refresh import Refreshing
from .patterns.rpc.arguments import Given
from .patterns.rpc.calling import Calling
from .patterns.rpc.service import Service
from .patterns.rpc.stream import Stream, open_stream
from .patterns.topics import Beginning, Earlier, Publishing, Subscription
from .protocol.files import FILE_PURPOSE
from .protocol.states import State
from .sessions.bare import BareSession
from .sessions.changes import StateChange
from .sessions.flow import BareFlow


@dataclass(slots=True)
class ClientSide:
    """What the client's end of a session has, and the server's has not.

    Attributes:
        drop: hangs up, and stays away for so many seconds.
        publishing: what it publishes by.
        refreshing: shows new credentials.
        held: what its outboxes are kept in, to be closed when the session is over.
        letting_go: closes it then.
    """

    drop: Callable[[float], None]
    publishing: Publishing
    refreshing: Refreshing
    held: contextlib.AsyncExitStack | None = None
    letting_go: asyncio.Task[None] | None = field(default=None, init=False)


class Session(Given):
    """One end of a persistent session.

    Messages are ``bytes``, ``str`` or anything that msgpack can hold; each arrives once and in order, across any number of dropped lines,
    for as long as both ends hold the session. What could not be saved is told, never hidden.

    A session is for one event loop. Any number of tasks may send; one should receive.

    Attributes:
        info: what the program at this end wants to know of the session, by any names: it lives as long as this object does, over dropped lines,
            and is told nobody. It begins empty, and so it does in another life of the server.
    """

    __slots__ = (
        "_bare",
        "_calling",
        "_client",
        "_file_taker",
        "_info",
        "_messages",
        "_middlewares",
        "_sending",
        "_service",
    )

    def __init__(
        self,
        bare: BareSession,
        client: ClientSide | None = None,
        sending: Sending | None = None,
        service: Service | None = None,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        self._info: dict[str, Any] | None = None
        self._bare = bare
        self._client = client
        self._messages = Messages(bare)
        self._calling: Calling | None = None
        self._service = service
        self._file_taker: Files | None = None
        self._middlewares = middlewares
        self._sending = sending
        if client is not None and client.held is not None:
            client.letting_go = asyncio.create_task(self._let_go(client.held), name="landline outboxes")

    @property
    def info(self) -> dict[str, Any]:
        """What the program at this end wants to know of the session."""
        if self._info is None:  # many programs want to know nothing
            self._info = {}
        return self._info

    @info.setter
    def info(self, info: dict[str, Any]) -> None:
        self._info = info

    # Sending...

    def send(self, value: Any, *, durable: bool = False) -> Coroutine[Any, Any, Receipt]:
        """Queue a message; return its receipt, which can be awaited for the outcome.

        Waits while the outbox is full (``outbox_messages``, ``outbox_bytes``), also while the line is down, until the session ends.

        A ``durable`` one goes on when the server is started again, where that has storage: it is given to the peer's program once, and acked when
        that has handled it and the server has stored so. What a program had in hand when its process died, it is given again. From a client with
        storage of its own it goes on when the client is started again, too: it is on the disk when this returns. Durable ones keep their order
        among themselves, not with the others. Cancelled, it may be sent all the same.

        Raises:
            DataError: the value cannot be sent.
            LandlineError: it is to be durable, and this server has no storage.
            StorageError: it is to be durable, and the storage cannot be read.
            SessionClosed, SessionLost: the session is over.
        """
        return self._send_durably(value) if durable else self._messages.send(value)

    async def _send_durably(self, value: Any) -> Receipt:
        if self._sending is None:
            raise LandlineError("durable sends need a server with storage")
        return await self._sending.send(value)

    def send_nowait(self, value: Any) -> Receipt:
        """Queue a message without waiting.

        Raises:
            Full: the outbox has no room.
            DataError: the value cannot be sent.
            SessionClosed, SessionLost: the session is over.
        """
        return self._messages.send_nowait(value)

    async def flush(self) -> None:
        """Wait until the peer's program has handled everything sent so far; of durable ones, what an earlier life of the client left too.

        A durable one that could not be sent, or that a program failed over, is not waited for any more: its receipt tells.

        Raises:
            SessionClosed, SessionLost: the session ended before that was known.
        """
        await self._messages.flush()
        if self._sending is not None:
            await self._sending.flush()

    # Receiving...

    def receive(self) -> Coroutine[Any, Any, Any]:
        """Return the next message. Asking for it acks the one before; ``ack`` does so earlier.

        Raises:
            SessionClosed: it was closed, and everything that came before was returned.
            SessionLost: it was lost, and everything that arrived was returned.
        """
        return self._messages.receive()

    def __aiter__(self) -> Session:
        """Iterate over the messages until the session is closed; a lost one raises ``SessionLost``."""
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return self._messages.receive(is_iterated=True)

    def ack(self) -> None:
        """Say that everything received so far is handled."""
        self._messages.ack()

    # Calls of the other end's methods...

    def call(
        self, method: str, /, *args: Any, timeout: float | None = None, **named: Any
    ) -> Coroutine[Any, Any, Any]:
        """Run a method of the other end; to be awaited for what it returns, as what msgpack can hold.

        It runs once, whatever happens to the line meanwhile: a call that is on its way when the line drops goes on when that is back. Cancelled, or
        out of time, it is cancelled at the other end too, and may have had its effect all the same. ``max_calls`` wait for their answers at once;
        more wait for them.

        Args:
            method: its name.
            args: what it is given in order.
            timeout: seconds for all of it, at most 31 days; by default ``limits.call_timeout``.
            named: what it is given by name; what is named ``timeout`` there must be given in order.

        Raises:
            DataError: the arguments cannot be sent.
            CallFailed: it failed; ``type``, ``message`` and ``data`` are what the other end says of it.
            CallTimeout: it was not answered in time.
            CallNotAllowed: the rules there are against it.
            CallUnknown: it may have run: the session ended, or the server was started again; there a method that is ``idempotent`` is called
                again instead.
            Full: the other end lets us have no more flows, and this is the first call.
            SessionClosed, SessionLost: the session is over, and it did not run.
        """
        if self._calling is None:
            self._calling = Calling(self._bare)
        return self._calling.call(method, args, named, timeout)

    def stream(self, method: str, /, *args: Any, timeout: float | None = None, **named: Any) -> Stream:
        """Begin a streamed call of the other end's method; return it, to iterate over its items and to send it ours.

            async with session.stream("ticks", "ACME") as ticks:
                async for tick in ticks: ...

        Args:
            method: its name.
            args: what it is given in order.
            timeout: seconds for all of it, at most 31 days; by default it may go on until either end leaves it.
            named: as for ``call``.

        Raises:
            DataError: the arguments cannot be sent.
            Full: the other end lets us have no more flows (``max_flows``).
            SessionClosed, SessionLost: the session is over.
        """
        return open_stream(self._bare, method, args, named, timeout)

    @classmethod
    def given(cls, session: Session) -> Session:
        """Give a method that wants the session just that."""
        return session

    # Topics of the server...

    async def publish(
        self, topic: str, data: Any, *, on_kept: Callable[[], object] | None = None
    ) -> Position:
        """Publish to a topic of the server; return the position once it is stored there.

        It is published once, whatever happens to the line meanwhile, and to a server that keeps its topics in storage. Publishes are stored in
        the order of the calls. Cancelled, it may be published all the same.

        Args:
            topic: for example ``"prices.acme"``.
            data: as for ``send``, and 512 bytes smaller.
            on_kept: called when it is in the storage of ``connect``: from then on it goes out even if this process dies. Never without one.

        Raises:
            TopicError: the topic is no good name.
            DataError: the data cannot be sent.
            PublishFailed: it is not published: the server has no such topic, does not let us, or has no room. The message says which.
            PublishUnknown: it may be published: the session ended, or the server lost what it knew.
            SessionClosed, SessionLost: the session is over already.
        """
        return await self._as_client().publish(topic, data, on_kept)

    @property
    def earlier(self) -> list[Earlier]:
        """What the storage of ``connect`` held at the beginning: published earlier, not answered, and going out by itself, oldest first."""
        return self._as_client().earlier

    def subscribe(self, pattern: str, after: Beginning = "now") -> Subscription:
        """Return the publications of the server's topics that a pattern selects: an asynchronous iterator of ``Publication`` and ``Gap``.

        What was published before comes first, then what is published from now on, in one order for everybody, nothing between them missing.

        Args:
            pattern: a topic, or with ``*`` for one token, or with a final ``**`` for one or more.
            after: a ``Position`` to go on from; ``"start"`` for all that is kept; ``"last"`` for the newest publication of each topic; or ``"now"``.

        Raises:
            TopicError: the pattern breaks the rules.
            Full: the server allows no more flows of this session now (``max_flows``).
            SessionClosed, SessionLost: the session is over.
        """
        self._as_client()
        return Subscription(self._bare, pattern, after)

    # Who is here...

    def presence(self, group: str, state: Any = WATCH_ONLY, *, watch: bool = True) -> Presence:
        """Join a group of the server with a state, or only watch it: ``async with session.presence("rooms.lobby", state="typing") as here``.

        The membership is tied to the session: it lasts while the block does, on whatever lines; while the line is down, others are told that it is
        reconnecting (after ``presence_grace`` seconds), and when the session ends, that it left. After a restart of a server that keeps
        sessions it joins again by itself.

        Args:
            group: for example ``"rooms.lobby"``; named as topics are.
            state: what others see of this member: anything that can be sent, up to 1 KiB. Without one, this end only watches.
            watch: whether to be told of the others; a group of very many whom only one watches costs less so.

        Raises:
            TopicError: the group is no good name.
            DataError: the state cannot be sent, or is too large.
            ValueError: it neither joins nor watches.
        """
        self._as_client()
        return Presence(self._bare, group, state, watch=watch)

    def _as_client(self) -> Publishing:
        """What a client publishes by; only a client has topics and presence over its session."""
        if self._client is None:
            raise LandlineError(
                "only a client publishes, subscribes and joins over its session; a server does so itself"
            )
        return self._client.publishing

    # Files...

    async def send_file(
        self, path: str | os.PathLike[str], *, name: str | None = None, progress: Watch = watch_nothing
    ) -> SentFile:
        """Send a file, or a folder with all that is in it; return when it is on the other end's disk, whole, verified and under its name.

        Waits until the other end's program accepts it. It goes on by itself over dropped lines. What came is kept there when the session is lost, or
        either process ends: sent again, over any session with the same principal, an unchanged file goes on where it stopped.

        Of a folder, links and what is no file are left out and counted; empty folders are not sent.

        Args:
            path: of the file or folder.
            name: what it is called there; by default its own name. The receiver makes a plain name of it, and never overwrites anything.
            progress: called with a ``Progress`` for every piece.

        Raises:
            TransferRefused: the receiver does not want it, or has no room.
            TransferError: it cannot be read, changed meanwhile, or could not be stored.
            Full: the peer allows no more flows of this session now (``max_flows``).
            SessionClosed, SessionLost: the session is over.
        """
        from .patterns.files.sending import send_file  # `import landline` stays cheap

        return await send_file(self._bare, path, name, progress)

    def files(self, *, quota: Quota | None = None) -> Offers:
        """Take files: an asynchronous iterator of ``FileOffer``, each to be accepted or refused. Who never calls this takes none.

        Iterating ends when the session is closed; a lost one raises ``SessionLost``. Leave it by ``async with``, or ``close`` it.

        Args:
            quota: how much is taken; by default a new ``Quota()`` for this session.

        Raises:
            LandlineError: something takes this session's files already.
        """
        return self._files.open(quota or Quota())

    @property
    def _files(self) -> Files:
        if self._file_taker is None:  # most sessions carry none
            self._file_taker = Files(self._bare, self, self._middlewares)
        return self._file_taker

    def _takes_file(self, flow: BareFlow) -> bool:
        return flow.purpose == FILE_PURPOSE and self._files.takes(flow)

    async def pass_on(
        self, offer: FileOffer, *, name: str | None = None, progress: Watch = watch_nothing
    ) -> None:
        """Send this end what another session offers, as it comes; return when it is on the disk here, whole and verified.

        The two ends agree on where to go on and on the SHA-256 between themselves; here nothing is kept. No more is held than the credit of one flow and
        the outbox of another, so a slow receiver slows its sender. It goes on by itself over dropped lines of either. Cancelled, it ends for both.

        Args:
            offer: of ``files`` of another session; this answers it.
            name: what it is called here; by default its own name.
            progress: called with a ``Progress`` for every piece; ``done`` is what was passed on.

        Raises:
            TransferRefused: this end does not want it.
            TransferError: one of the two gave up, or its session is over; what came is kept here, and is gone on with when it is offered again.
            LandlineError: it was answered before.
        """
        await offer.pass_on(self._bare, offer.name if name is None else name, progress)

    # Being known...

    async def refresh(self) -> None:
        """Show the credentials of ``connect`` now, over the live session; a function is asked for them. Return when the server took them.

        A session whose server granted it for a time does so by itself in time: after 60 to 80 % of it. Without a line this waits for one.

        Raises:
            NotAllowed: they are not good, or somebody else's. The session goes on for as long as those before are.
            DataError, TimeoutError, and whatever the function raises: they are not to be had.
            FlowReset: the server could not find out whether they are good.
            Full: the server allows no more flows of this session now.
            SessionClosed, SessionLost: the session is over.
            LandlineError: this is the server's end.
        """
        if self._client is None:
            raise LandlineError("only a client has credentials to show")
        await self._client.refreshing.refresh()

    # Ending...

    async def close(self, reason: str = "") -> None:
        """End the session in an orderly way: what was sent is delivered first, and what was published or sent durably is answered, within ``close_timeout`` seconds each.

        Never raises. Cancelled, it ends the session at once.
        """
        bare, client = self._bare, self._client
        try:
            await settle(
                bare, self._sending, None if client is None else client.publishing, bare.limits.close_timeout
            )
        except asyncio.CancelledError:
            await bare.close(reason, timeout=0.0)
            raise
        await bare.close(reason)
        await self._see_outboxes_closed()
        if self._service is not None:
            await self._service.close()
        if client is not None and client.letting_go is not None:
            await asyncio.wait([client.letting_go])

    async def _see_outboxes_closed(self) -> None:
        if self._client is not None:
            await self._client.publishing.outgoing.wait_closed()
        if self._sending is not None:
            await self._sending.wait_closed()

    async def _let_go(self, held: contextlib.AsyncExitStack) -> None:
        """Close what the outboxes are kept in when the session is over."""
        async with held:
            await self.wait_closed()
            await self._see_outboxes_closed()

    async def wait_closed(self) -> None:
        """Wait until the session is over, whichever way."""
        while self._bare.ended is None:
            await self._bare.over.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if exc[0] is None:
            self.ack()  # who leaves in peace is done with what it took
        await self.close()

    # Looking at it...

    @property
    def id(self) -> str:
        """The session's public id: 32 hexadecimal digits. It is no secret and opens nothing."""
        return self._bare.id.hex()

    @property
    def peer(self) -> str:
        """The other end's address, as text; another one after a resume from elsewhere."""
        return self._bare.peer

    @property
    def principal(self) -> str:
        """Who the client is, as the server's ``authenticate`` found; empty at the client, and for anybody."""
        return self._bare.principal

    @property
    def state(self) -> State:
        """Where the session is now."""
        return self._bare.state

    def states(self) -> AsyncGenerator[StateChange, None]:
        """Yield each change of state from now on, each new plan to redial, and once when it is stalled; ends with the session."""
        return self._bare.states()

    @property
    def is_stalled(self) -> bool:
        """Whether both programs have been waiting for the other to receive for more than ``stalled_after`` seconds: a deadlock of theirs."""
        return self._bare.core.stall.is_on

    @property
    def is_closed(self) -> bool:
        """Whether the session is over."""
        return self._bare.ended is not None

    # Trying it...

    def drop(self, seconds: float = 0.0) -> None:
        """Hang up beneath the session, as a bad line would; a client then stays away that long. To see what happens.

        Raises:
            ValueError, TypeError: it is below 0, or no number of seconds.
        """
        if not as_seconds(seconds) >= 0:
            raise ValueError(f"a line stays away for 0 seconds or longer, and not for {seconds!r}")
        if self._client is not None:
            self._client.drop(seconds)
        elif self._bare.driver is not None:  # of a server, for which it is the client that dials again
            self._bare.driver.abort()

    def __repr__(self) -> str:
        return f"<landline.Session {self.id[:8]} {self.state.value} with {self.peer}>"
