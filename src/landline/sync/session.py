"""The session for blocking code: thin methods over ``landline.Session``, whose documentation says what each does; here stands only what differs."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Self

from ..errors import SessionClosed
from ..history import Gap, Position, Publication
from ..patterns.files.progress import SentFile, Watch, watch_nothing
from ..patterns.files.quota import Quota
from ..patterns.messages import Outcome
from ..patterns.messages import Receipt as _Receipt
from ..patterns.presence import WATCH_ONLY
from ..patterns.rpc.arguments import Given
from ..patterns.rpc.stream import Stream as _Stream
from ..patterns.topics import Beginning, Earlier
from ..patterns.topics import Subscription as _Subscription
from ..protocol.states import State
from ..session import Session as _Session
from ..sessions.changes import StateChange
from .ahead import NOTHING, Ahead
from .bridge import Bridge, Iteration, check_timeout
from .files import Offers
from .presence import Presence
from .sending import send_many


class Receipt:
    """As ``landline.Receipt``, with ``wait`` in place of ``await``."""

    __slots__ = ("_bridge", "_receipt")

    def __init__(self, bridge: Bridge, receipt: _Receipt) -> None:
        self._bridge = bridge
        self._receipt = receipt

    @property
    def outcome(self) -> Outcome | None:
        """What became of the message, or None while that is not known."""
        return self._receipt.outcome

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for the outcome.

        Raises:
            TimeoutError: it was not known within so many seconds; the message goes on.
        """
        return self._bridge.run(partial(_outcome, self._receipt), timeout)


class Subscription(Iterator[Publication | Gap]):
    """As ``landline.Subscription``, for blocking code: an iterator, to be left by ``with`` or ``close``."""

    def __init__(self, bridge: Bridge, session: _Session, pattern: str, after: Beginning) -> None:
        self._items = Iteration(bridge, lambda: _Placed(session.subscribe(pattern, after)))
        self._position = after if isinstance(after, Position) else None
        self.pattern = pattern

    @property
    def position(self) -> Position | None:
        """Up to here everything was handed out: ``after=`` for a subscription that goes on from there. None before the first item, where that was not said."""
        return self._position

    def next(self, timeout: float | None = None) -> Publication | Gap:
        """Return the next item; raises ``StopIteration`` when there are no more, ``TimeoutError`` when none came within so many seconds."""
        item, self._position = self._items.next(timeout)
        return item

    def __next__(self) -> Publication | Gap:
        return self.next()

    def __iter__(self) -> Self:
        return self

    def close(self) -> None:
        """Want no more of it."""
        self._items.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Stream(Iteration[Any]):
    """As ``landline.Stream``, for blocking code: an iterator of the other end's items, to be left by ``with`` or ``close``."""

    def __init__(self, bridge: Bridge, open_stream: Callable[[], _Stream]) -> None:
        def opened() -> _Stream:
            self._stream = open_stream()
            return self._stream

        super().__init__(bridge, opened)

    def send(self, item: Any, timeout: float | None = None) -> None:
        """Send an item; waits while the other end does not read. After a time-out it is not sent."""
        self._bridge.run(partial(self._stream.send, item), timeout)

    def end(self) -> None:
        """Send no more; the other end's iteration ends after what was sent."""
        self._bridge.call(self._stream.end)


class _Placed(AsyncIterator[tuple[Publication | Gap, Position | None]]):
    """Items, each with where the subscription is after it: that goes on while nobody has been given the item."""

    def __init__(self, subscription: _Subscription) -> None:
        self._subscription = subscription
        self.close = subscription.close

    async def __anext__(self) -> tuple[Publication | Gap, Position | None]:
        return await anext(self._subscription), self._subscription.position


class Session(Given):
    """As ``landline.Session``, for blocking code.

    Its methods may be called from any thread but that of its loop. Any number of threads may send; one should receive. ``timeout`` is in seconds;
    when it is over ``TimeoutError`` is raised, and the session is as usable as before. Neither a time-out nor Ctrl-C loses a message: what came at
    that moment is what the next ``receive`` returns.
    """

    def __init__(self, bridge: Bridge, session: _Session, *, is_shared: bool = False) -> None:
        self._bridge = bridge
        self._session = session
        self._ahead = Ahead(bridge, session, is_alone=not is_shared)

    # Sending...

    def send(self, value: Any, *, durable: bool = False, timeout: float | None = None) -> Receipt:
        """Queue a message; return its receipt.

        After a time-out it is not sent; a durable one may be.
        """
        return Receipt(
            self._bridge, self._bridge.run(partial(self._session.send, value, durable=durable), timeout)
        )

    def send_nowait(self, value: Any) -> Receipt:
        """Queue a message without waiting for room."""
        return Receipt(self._bridge, self._bridge.call(self._session.send_nowait, value))

    def send_many(self, values: Iterable[Any], timeout: float | None = None) -> int:
        """Queue what an iterable gives, as it gives it, and return how many that were: much cheaper than as many calls of ``send``.

        The iterable may be endless: no more than 256 are taken from it that are not sent yet, and none waits for the next.

        Args:
            values: the messages.
            timeout: seconds for all of them; the iterable itself is not interrupted.

        Raises:
            NotAllSent: one cannot be sent; those before are sent, and it says which of those taken are not.
            SendTimeout: likewise, because the time was up.
            SessionClosed, SessionLost: the session is over.
        """
        return send_many(self._bridge, self._session, values, timeout)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the peer's program has handled everything sent so far."""
        self._bridge.run(self._session.flush, timeout)

    # Receiving...

    def receive(self, timeout: float | None = None) -> Any:
        """Return the next message; with a time-out of 0 only one that is there. Asking for it acks the one before."""
        if timeout is not None:
            check_timeout(timeout)
        until = None if timeout is None else time.monotonic() + timeout
        while (value := self._ahead.next()) is NOTHING:  # again: another thread may be faster
            self._bridge.run(self._ahead.fill, None if until is None else max(until - time.monotonic(), 0.0))
        return value

    def __iter__(self) -> Self:
        """Iterate over the messages until the session is closed; a lost one raises ``SessionLost``."""
        return self

    def __next__(self) -> Any:
        try:
            return self.receive()
        except SessionClosed:
            raise StopIteration from None

    def ack(self) -> None:
        """Say that everything received so far is handled."""
        self._bridge.call(self._ack)

    def _ack(self) -> None:
        self._ahead.catch_up()
        self._session.ack()

    # Calls of the other end's methods...

    def call(self, method: str, /, *args: Any, timeout: float | None = None, **named: Any) -> Any:
        """Run a method of the other end; return what it returns. ``timeout`` is the call's own: ``CallTimeout`` after it. Ctrl-C cancels it there, too."""
        return self._bridge.run(partial(self._session.call, method, *args, timeout=timeout, **named))

    def stream(self, method: str, /, *args: Any, timeout: float | None = None, **named: Any) -> Stream:
        """Begin a streamed call; return it, to iterate over its items and to send it ours."""
        return Stream(self._bridge, partial(self._session.stream, method, *args, timeout=timeout, **named))

    @classmethod
    def given(cls, session: _Session) -> Session:
        """Give a plain method that wants the session just that, for blocking code."""
        return blocking(session)

    # Topics of the server...

    def publish(
        self,
        topic: str,
        data: Any,
        *,
        on_kept: Callable[[], object] | None = None,
        timeout: float | None = None,
    ) -> Position:
        """Publish to a topic of the server; return the position once it is stored there.

        After a time-out it may be published all the same. ``on_kept`` is called in the thread of the loop, and must not wait.
        """
        return self._bridge.run(partial(self._session.publish, topic, data, on_kept=on_kept), timeout)

    def subscribe(self, pattern: str, after: Beginning = "now") -> Subscription:
        """Return the publications that a pattern selects: an iterator, to be left by ``with`` or ``close``."""
        return Subscription(self._bridge, self._session, pattern, after)

    @property
    def earlier(self) -> list[Earlier]:
        """What the storage of ``connect`` held at the beginning: published earlier, not answered, and going out by itself, oldest first."""
        return self._session.earlier

    # Who is here, and files...

    def presence(self, group: str, state: Any = WATCH_ONLY, *, watch: bool = True) -> Presence:
        """Be in a group of the server, or watch who is, for a ``with`` block."""
        return Presence(self._bridge, partial(self._session.presence, group, state, watch=watch))

    def send_file(
        self, path: str | os.PathLike[str], *, name: str | None = None, progress: Watch = watch_nothing
    ) -> SentFile:
        """Send a file or folder; return when it is whole, verified and on the other end's disk. ``progress`` is called in the thread of the loop, and must not wait."""
        return self._bridge.run(partial(self._session.send_file, path, name=name, progress=progress))

    def files(self, *, quota: Quota | None = None) -> Offers:
        """Return the files that the other end offers: an iterator, to be left by ``with`` or ``close``."""
        return Offers(self._bridge, partial(self._session.files, quota=quota))

    def refresh(self, timeout: float | None = None) -> None:
        """Show the credentials anew, now; as ``landline.Session.refresh``."""
        self._bridge.run(self._session.refresh, timeout)

    # Ending...

    def close(self, reason: str = "") -> None:
        """End the session in an orderly way; Ctrl-C ends it at once. In a forked child nothing happens: the session is its parent's."""
        if not self._bridge.is_inherited:
            self._bridge.run(partial(self._close, reason))

    async def _close(self, reason: str) -> None:
        self._ahead.catch_up()
        await self._session.close(reason)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until the session is over, whichever way."""
        self._bridge.run(self._session.wait_closed, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._bridge.is_inherited:
            self._bridge.run(partial(self._leave, in_peace=exc[0] is None))

    async def _leave(self, *, in_peace: bool) -> None:
        """Ack and close, in one call: nobody can be interrupted between the two."""
        try:
            if in_peace and not self.is_closed:
                self._ack()  # who leaves in peace is done with what it took
        finally:
            await self._close("")

    # Looking at it...

    @property
    def id(self) -> str:
        """The session's public id."""
        return self._session.id

    @property
    def peer(self) -> str:
        """The other end's address, as text."""
        return self._session.peer

    @property
    def principal(self) -> str:
        """Who the client is; empty at the client."""
        return self._session.principal

    @property
    def state(self) -> State:
        """Where the session is now."""
        return self._session.state

    def states(self) -> Iteration[StateChange]:
        """Return the changes of state from now on: an iterator, which ends with the session."""
        return self._bridge.iterate(self._session.states)

    @property
    def is_stalled(self) -> bool:
        """Whether both programs wait for the other to receive."""
        return self._session.is_stalled

    @property
    def is_closed(self) -> bool:
        """Whether the session is over."""
        return self._session.is_closed

    # Trying it...

    def drop(self, seconds: float = 0.0) -> None:
        """Hang up beneath the session, as a bad line would; a client then stays away that long."""
        self._bridge.call(self._session.drop, seconds)

    def __repr__(self) -> str:
        return repr(self._session).replace("landline.Session", "landline.sync.Session")


def blocking(session: _Session) -> Session:
    """Return the same session for blocking code: for a plain function that is given one and runs in a thread, beside the loop that the session is on.

    Where both are used to receive, one of them should be through with it first.
    """
    return Session(Bridge(session._bare._loop), session, is_shared=True)


async def _outcome(receipt: _Receipt) -> Outcome:
    return await receipt
