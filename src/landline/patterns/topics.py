"""Topics, as a client uses them: publishing exactly once, and subscriptions that go on where they were, on whatever line and server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Literal, Self

from ..errors import (
    FlowEnded,
    FlowReset,
    Full,
    NotAllowed,
    ProtocolError,
    PublishFailed,
    PublishUnknown,
    SessionClosed,
    SessionEnded,
    StorageError,
    StorageFailed,
    TopicError,
)
from ..history import Gap, Position, Publication
from ..protocol.frames import ResetCode
from ..protocol.publish import OUTBOX_ID_SIZE, PUBLISH_PURPOSE, Answer, Publisher
from ..protocol.subscription import SUBSCRIBE_PURPOSE, After, Place
from ..sessions.bare import BareSession
from ..sessions.flow import RENEWED, BareFlow
from ..sessions.signal import Signal
from ..storage.names import Pattern, check_topic
from .messages import Messages
from .outbox import KeptOutbox
from .publications import decode_stored, encode_stored, heard, position_of, say, unpacked

Beginning = Position | Literal["start", "now", "last"]
"""Where a subscription begins: after a position, with the oldest that is kept, with what comes from now on, or with the newest of each topic."""


def beginning(after: Beginning) -> Position | After:
    """Return where to begin, checked.

    Raises:
        TopicError: it is none of those.
    """
    if isinstance(after, Position):
        return after
    if after not in ("start", "now", "last"):
        raise TopicError(
            f"a subscription begins after a Position, or at 'start', 'now' or 'last', not at {after!r}"
        )
    return After[after.upper()]


class Earlier:
    """Something that an earlier session published, perhaps one of an earlier process, and that was not answered; it goes out by itself.

    Attributes:
        topic: where to.
        data: what.
    """

    def __init__(self, topic: str, data: Any, answer: asyncio.Future[Answer]) -> None:
        self.topic = topic
        self.data = data
        self._answer = answer

    async def position(self) -> Position:
        """Return its position once it is stored.

        Raises:
            PublishFailed, PublishUnknown: as for ``Session.publish``.
        """
        return position_of(await asyncio.shield(self._answer))


class Publishing:
    """What one session publishes.

    Args:
        bare: the session.
        kept: the outbox, where it is to survive this process; it is closed with the session.

    Attributes:
        earlier: what was in the outbox at the beginning.
    """

    def __init__(self, bare: BareSession, kept: KeptOutbox | None = None) -> None:
        self._bare = bare
        self._kept = kept
        self._outbox = Publisher(secrets.token_bytes(OUTBOX_ID_SIZE)) if kept is None else kept.publisher
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._keeping: set[asyncio.Task[None]] = set()
        self._room = Signal()
        self._flow: BareFlow | None = None
        self._may_say = False
        self._awaited = 0
        self._task: asyncio.Task[None] | None = None
        self.earlier: list[Earlier] = []
        if kept is not None:
            for number, (topic, stored) in self._outbox.unanswered.items():
                answer = self._answers[number] = asyncio.get_running_loop().create_future()
                self.earlier.append(Earlier(topic, decode_stored(stored), answer))
            self._start()

    async def publish(self, topic: str, data: Any, on_kept: Callable[[], object] | None = None) -> Position:
        """Publish, and return the position once it is stored; see ``Session.publish``."""
        check_topic(topic)
        bare, outbox = self._bare, self._outbox
        stored = encode_stored(data, bare.core.max_message)
        while self._why_not() is None and not (outbox.has_room and outbox.size < bare.limits.outbox_bytes):
            bare.on_limit("protocol.publishes", "a publisher waits for answers")
            await self._room.wait()
        error = self._why_not()
        if error is not None:
            raise error
        number = outbox.publish(topic, stored)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        if self._kept is not None:
            task = asyncio.create_task(self._keep(self._kept, number, on_kept), name="landline outbox")
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)
        self._start()
        self._fill()
        self._awaited += 1
        try:
            return position_of(await asyncio.shield(future))
        finally:
            self._awaited -= 1
            self._room.wake()

    async def finish(self) -> None:
        """Wait until everything is answered that somebody waits for, for ``close_timeout`` seconds at the most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._bare.limits.close_timeout):
                while self._awaited and self._bare.ended is None:
                    await self._room.wait()

    async def wait_closed(self) -> None:
        """Wait until nothing of it is at work any more, once the session is over."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _why_not(self) -> SessionEnded | None:
        bare = self._bare
        if bare.ended is None and (bare.is_closing or bare.is_peer_closed):
            return bare.closing()
        return bare.ended

    async def _keep(self, kept: KeptOutbox, number: int, on_kept: Callable[[], object] | None) -> None:
        try:
            await kept.keep(number)
        except StorageError as error:
            self._outbox.withdraw(number)
            # What a disk that failed has all the same goes out with the next life of this process.
            failure = PublishUnknown if isinstance(error, StorageFailed) else PublishFailed
            self._settle(number, failure(f"it could not be kept: {error}"))
            self._room.wake()
        else:
            if on_kept is not None:
                on_kept()
        self._fill()

    def _settle(self, number: int, outcome: Answer | Exception) -> None:
        future = self._answers.pop(number, None)
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
            future.exception()  # who was cancelled does not ask for it
        else:
            future.set_result(outcome)

    # In a flow...

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="landline publishes")

    def _fill(self) -> None:
        """Say what the flow takes now."""
        flow = self._flow
        while self._may_say and flow is not None and flow.takes_more:
            message = self._outbox.next_message()
            if message is None:
                return
            say(flow, message)

    async def _run(self) -> None:
        """Keep a flow for what is published, on this life of the server and the next; end with the session."""
        reason, may_be = "", True
        try:
            while True:
                try:
                    await self._serve(self._bare.open_flow(PUBLISH_PURPOSE))
                except FlowEnded as error:
                    if not is_renewed(error):
                        reason = (isinstance(error, FlowReset) and error.reason) or str(error)
                        may_be = not isinstance(error, FlowReset) or error.code != ResetCode.UNWANTED.text
                        return
        except (SessionEnded, Full, StorageError) as error:
            reason = str(error)
        except ProtocolError as error:
            reason = f"what the server said cannot be read: {error.reason}"
        finally:
            self._flow = None
            try:
                await self._give_up(reason, may_be=may_be)
            finally:
                self._task = None

    async def _serve(self, flow: BareFlow) -> None:
        messages = Messages(self._bare, flow)
        say(flow, self._outbox.begin())
        self._flow = flow
        self._bare.on_room[flow] = self._fill
        try:
            while True:
                answers = self._outbox.receive(heard(await messages.receive()))
                for answer in answers:
                    self._settle(answer.number, answer)
                if self._kept is not None:
                    if answers:
                        await self._kept.forget([answer.number for answer in answers])
                    await self._kept.opened()
                self._may_say = self._outbox.is_open
                self._room.wake()
                self._fill()
        finally:
            del self._bare.on_room[flow]
            self._flow, self._may_say = None, False

    async def _give_up(self, reason: str, *, may_be: bool) -> None:
        """Nobody answers any more: what was never said is certainly not stored, unless it is kept and will be said later."""
        kept = self._kept
        while self._keeping:  # what cannot be kept is told by itself
            await asyncio.wait(self._keeping)
        for number in tuple(self._answers):
            if kept is not None:
                self._settle(
                    number,
                    PublishUnknown(f"{reason}; it is kept, and goes out with the next session", is_kept=True),
                )
            elif may_be and number <= self._outbox.said:
                self._settle(number, PublishUnknown(reason))
            else:
                self._settle(number, PublishFailed(reason))
        self._outbox.clear()
        self._room.wake()
        if kept is not None:
            await kept.close()


class Subscription:
    """Publications of a pattern, as they come: an asynchronous iterator of ``Publication`` and ``Gap``.

    It goes on by itself over dropped lines, and over a restart of a server that keeps sessions. Leave it by ``async with``, or ``close`` it.

    Raises:
        NotAllowed: the server has no such topic, or does not let this client have it, or no longer; the message says which.
        FlowReset: the server cannot read its storage.
        Full: another life of the server allows fewer flows.
        SessionLost: the session was lost; what arrived was handed out before. One that is closed ends the iteration.
    """

    def __init__(self, bare: BareSession, pattern: str, after: Beginning) -> None:
        Pattern(pattern)
        self._bare = bare
        self._place = Place(pattern, beginning(after))
        self._position = self._place.position
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._flow = flow = self._bare.open_flow(SUBSCRIBE_PURPOSE)
        self._messages = Messages(self._bare, flow)
        say(flow, self._place.begin())

    @property
    def pattern(self) -> str:
        """What it selects."""
        return self._place.pattern

    @property
    def position(self) -> Position | None:
        """Up to here everything was handed out: ``after=`` for a subscription that goes on from there. None while that is not known."""
        return self._position

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Publication | Gap:
        while not self._is_closed:
            try:
                said = await self._next()
            except SessionClosed:
                raise StopAsyncIteration from None
            except ProtocolError as error:
                self._flow.reset(ResetCode.BAD_DATA, error.reason)
                raise
            self._position = self._place.position
            if isinstance(said, Publication):
                return Publication(said.topic, said.position, unpacked(said.data))
            if isinstance(said, Gap):
                return said
        raise StopAsyncIteration

    async def _next(self) -> Publication | Gap | None:
        """Return what is said next, if the program is to be told; None also where another flow goes on, or it was closed meanwhile."""
        try:
            return self._place.receive(heard(await self._messages.receive()))
        except FlowEnded as error:
            if self._is_closed:
                return None
            if not is_renewed(error):
                raise _why(error) from None
        self._begin()
        return None

    async def close(self) -> None:
        """Want no more of it; the iterator ends."""
        self._is_closed = True
        self._flow.reset(ResetCode.CANCELLED, "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


def _why(error: FlowEnded) -> Exception:
    """Return what the end of its flow means for a subscription."""
    if isinstance(error, FlowReset) and error.code == ResetCode.UNWANTED.text:
        return NotAllowed(error.reason)
    return error


def is_renewed(error: FlowEnded) -> bool:
    """Whether a flow ended because the server is in another life, and another flow may go on."""
    return isinstance(error, FlowReset) and error.code == RENEWED
