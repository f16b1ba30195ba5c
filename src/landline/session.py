"""The session that programs hold: messages both ways, receipts, states; it outlives its connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, Self

from .errors import LandlineError, SessionClosed
from .history import Position
from .patterns.durable import Sending, settle
from .patterns.messages import Messages, Receipt
from .patterns.topics import Beginning, Earlier, Publishing, Subscription
from .protocol.states import State
from .sessions.bare import BareSession, StateChange


class Session:
    """One end of a persistent session.

    Messages are ``bytes``, ``str`` or anything that msgpack can hold; each arrives once and in order, across any number of dropped lines,
    for as long as both ends hold the session. What could not be saved is told, never hidden.

    A session is for one event loop. Any number of tasks may send; one should receive.
    """

    __slots__ = ("_bare", "_drop", "_letting_go", "_messages", "_publishing", "_sending")

    def __init__(
        self,
        bare: BareSession,
        drop: Callable[[float], None],
        sending: Sending | None = None,
        publishing: Publishing | None = None,
        held: contextlib.AsyncExitStack | None = None,
    ) -> None:
        self._bare = bare
        self._drop = drop
        self._messages = Messages(bare)
        self._sending = sending
        self._publishing = publishing
        self._letting_go = (
            None if held is None else asyncio.create_task(self._let_go(held), name="landline outboxes")
        )

    # Sending...

    async def send(self, value: Any, *, durable: bool = False) -> Receipt:
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
        if not durable:
            return await self._messages.send(value)
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

    async def receive(self) -> Any:
        """Return the next message. Asking for it acks the one before; ``ack`` does so earlier.

        Raises:
            SessionClosed: it was closed, and everything that came before was returned.
            SessionLost: it was lost, and everything that arrived was returned.
        """
        return await self._messages.receive()

    def __aiter__(self) -> Session:
        """Iterate over the messages until the session is closed; a lost one raises ``SessionLost``."""
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._messages.receive()
        except SessionClosed:
            raise StopAsyncIteration from None

    def ack(self) -> None:
        """Say that everything received so far is handled."""
        self._messages.ack()

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
        return await self._client_publishing().publish(topic, data, on_kept)

    @property
    def earlier(self) -> list[Earlier]:
        """What the storage of ``connect`` held at the beginning: published earlier, not answered, and going out by itself, oldest first."""
        return self._client_publishing().earlier

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
        self._client_publishing()
        return Subscription(self._bare, pattern, after)

    def _client_publishing(self) -> Publishing:
        if self._publishing is None:
            raise LandlineError(
                "only a client publishes and subscribes over its session; a server does so itself"
            )
        return self._publishing

    # Ending...

    async def close(self, reason: str = "") -> None:
        """End the session in an orderly way: what was sent is delivered first, and what was published or sent durably is answered, within ``close_timeout`` seconds each.

        Never raises. Cancelled, it ends the session at once.
        """
        bare = self._bare
        try:
            await settle(bare, self._sending, self._publishing, bare.limits.close_timeout)
        except asyncio.CancelledError:
            await bare.close(reason, timeout=0.0)
            raise
        await bare.close(reason)
        await self._see_outboxes_closed()
        if self._letting_go is not None:
            await asyncio.wait([self._letting_go])

    async def _see_outboxes_closed(self) -> None:
        if self._publishing is not None:
            await self._publishing.outgoing.wait_closed()
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
        """Hang up beneath the session, as a bad line would; a client then stays away that long. To see what happens."""
        self._drop(seconds)

    def __repr__(self) -> str:
        return f"<landline.Session {self.id[:8]} {self.state.value} with {self.peer}>"
