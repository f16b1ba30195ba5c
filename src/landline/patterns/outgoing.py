"""What goes out of an outbox, exactly once: over one flow after another, on whatever line and server, until each of it is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..errors import (
    FlowEnded,
    FlowReset,
    Full,
    ProtocolError,
    PublishFailed,
    PublishUnknown,
    SessionEnded,
    StorageError,
    StorageFailed,
    StorageFull,
)
from ..protocol.frames import ResetCode
from ..protocol.publish import Answer, Publisher
from ..sessions.bare import BareSession
from ..sessions.flow import RENEWED, BareFlow
from ..sessions.signal import Signal
from .messages import Messages
from .outbox import KeptOutbox
from .publications import heard, say


class Outgoing:
    """One outbox during one session.

    Args:
        bare: the session.
        outbox: what is in it.
        purpose: of its flows; says what the peer does with it.
        kept: keeps it, where it is to survive this process.
        after: another one, which goes first.
        is_rest: nothing more is put into it: it is through when all of it is answered.

    Attributes:
        outbox: as above.
        answers: the answer to each number that somebody may wait for: an ``Answer``, or ``PublishFailed`` or ``PublishUnknown``.
        awaited: the numbers that an orderly close waits for.
    """

    def __init__(
        self,
        bare: BareSession,
        outbox: Publisher,
        purpose: str,
        kept: KeptOutbox | None = None,
        *,
        after: Outgoing | None = None,
        is_rest: bool = False,
    ) -> None:
        self.outbox = outbox
        self.answers: dict[int, asyncio.Future[Answer]] = {}
        self.awaited: set[int] = set()
        self._bare = bare
        self._purpose = purpose
        self._kept = kept
        self._after = after
        self._is_rest = is_rest
        self._given_up = ""
        self._keeping: dict[int, asyncio.Task[None]] = {}
        self._room = Signal()
        self._flow: BareFlow | None = None
        self._may_say = False
        self._task: asyncio.Task[None] | None = None
        self._answered: list[int] = []
        """Of what is kept: answered, and not forgotten yet."""
        if kept is not None:
            loop = asyncio.get_running_loop()
            self.answers.update((number, loop.create_future()) for number in outbox.unanswered)
            bare.on_renewed = (*bare.on_renewed, self._renewed)

    async def add(
        self, topic: str, stored: bytes, on_kept: Callable[[], object] | None = None
    ) -> tuple[int, asyncio.Future[Answer]]:
        """Put one in, waiting while there is no room; return its number, and its answer to come.

        One that is full of what the peer refused does not wait: it is tried again, and meanwhile the answer is ``PublishFailed``.

        Raises:
            SessionClosed, SessionLost: the session is over.
        """
        bare, outbox, has_tried = self._bare, self.outbox, False
        while self._why_not() is None and not (outbox.has_room and outbox.size < bare.limits.outbox_bytes):
            bare.on_limit("protocol.publishes", "a publisher waits for answers")
            if self._task is None:
                if has_tried:
                    return 0, self._refused(f"the outbox is full of what could not be sent: {self._given_up}")
                has_tried = True
                self.start()
            await self._room.wait()
        error = self._why_not()
        if error is not None:
            raise error
        number = outbox.publish(topic, stored)
        self.awaited.add(number)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        if self._kept is not None:
            self._keeping[number] = task = asyncio.create_task(
                self._keep(self._kept, number, on_kept), name="landline outbox"
            )
            task.add_done_callback(lambda _: self._keeping.pop(number))
        self.start()
        self._fill()
        return number, answer

    async def wait_kept(self, number: int) -> None:
        """Wait until it outlives this process, or never will; its answer tells then."""
        if number in self._keeping:
            await asyncio.wait([self._keeping[number]])

    async def wait_answered(self) -> None:
        """Wait until all is answered that is awaited by now, or the session is over."""
        last = max(self.awaited, default=0)
        while min(self.awaited, default=last + 1) <= last and self._bare.ended is None:
            await self._room.wait()

    async def flush(self) -> None:
        """Wait until all is answered that is in it by now, and in those before it.

        Raises:
            SessionClosed, SessionLost: the session ended before that was known.
        """
        if self._after is not None:
            await self._after.flush()
        if not self._is_rest:
            await self.wait_answered()
        elif self._task is not None:
            await asyncio.wait([self._task])
        error = self._why_not()
        if error is not None and (self.awaited or self._given_up):
            raise error

    async def wait_closed(self) -> None:
        """Wait until nothing of it, nor of those before it, is at work any more, once the session is over."""
        if self._after is not None:
            await self._after.wait_closed()
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
            self.outbox.withdraw(number)
            # What a disk that failed has all the same goes out with the next life of this process.
            failure = PublishUnknown if isinstance(error, StorageFailed) else PublishFailed
            self._settle(number, failure(f"it could not be kept: {error}"))
            self._room.wake()
        else:
            if on_kept is not None:
                on_kept()
        self._fill()

    def _refused(self, reason: str) -> asyncio.Future[Answer]:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        answer.set_exception(PublishFailed(reason))
        answer.exception()  # as below
        return answer

    def no_longer_awaited(self, number: int) -> None:
        """Nobody waits for its answer any more."""
        self.awaited.discard(number)
        self._room.wake()

    def _settle(self, number: int, outcome: Answer | Exception) -> None:
        self.awaited.discard(number)
        future = self.answers.pop(number, None)
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
            future.exception()  # who was cancelled does not ask for it
        else:
            future.set_result(outcome)

    # In a flow...

    def start(self) -> None:
        """Open a flow for it, if there is none."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"{self._purpose} outbox")

    def _renewed(self) -> None:
        """What the last life of the server would not take, the next one may."""
        if self.outbox.unanswered:
            self.start()

    def _fill(self) -> None:
        """Say what the flow takes now."""
        flow = self._flow
        while self._may_say and flow is not None and flow.takes_more:
            message = self.outbox.next_message()
            if message is None:
                return
            say(flow, message)

    async def _run(self) -> None:
        """Keep a flow for it, on this life of the server and the next; end with the session."""
        reason, may_be = "", True
        try:
            if self._after is not None:
                await self._after.wait_closed()
            while not self._is_through:
                try:
                    await self._serve(self._bare.open_flow(self._purpose))
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

    @property
    def _is_through(self) -> bool:
        return self._is_rest and not self.outbox.unanswered

    async def _serve(self, flow: BareFlow) -> None:
        messages = Messages(self._bare, flow)
        say(flow, self.outbox.begin())
        self._flow = flow
        self._bare.on_room[flow] = self._fill
        try:
            while not self._is_through:
                answers = self.outbox.receive(heard(await messages.receive()))
                self._given_up = ""
                for answer in answers:
                    self._settle(answer.number, answer)
                if self._kept is not None:
                    self._answered += [answer.number for answer in answers]
                    await self._forget(self._kept)
                    await self._kept.opened()
                self._may_say = self.outbox.is_open
                self._room.wake()
                self._fill()
            flow.reset()
        except (ProtocolError, StorageError):
            flow.reset()  # it would be one of the few that a session may have, to no use
            raise
        finally:
            del self._bare.on_room[flow]
            self._flow, self._may_say = None, False

    async def _forget(self, kept: KeptOutbox) -> None:
        if numbers := self._answered:
            with contextlib.suppress(StorageFull):  # they are forgotten together with the next
                await kept.forget(numbers)
                self._answered = []

    async def _give_up(self, reason: str, *, may_be: bool) -> None:
        """Nobody answers any more: what was never said certainly did not arrive, unless it is kept and will be said later."""
        while self._keeping:  # what cannot be kept is told by itself
            await asyncio.wait(self._keeping.values())
        if self.outbox.unanswered:
            self._given_up = reason or "it was cancelled"
        for number in tuple(self.answers):
            if self._kept is not None:
                self._settle(
                    number,
                    PublishUnknown(f"{reason}; it is kept, and goes out later", is_kept=True),
                )
            elif may_be and number <= self.outbox.said:
                self._settle(number, PublishUnknown(reason))
            else:
                self._settle(number, PublishFailed(reason))
        if self._kept is None:  # else another flow of this session would say that all of it is answered
            self.outbox.clear()
        self._room.wake()


def chain(bare: BareSession, purpose: str, kept: list[KeptOutbox]) -> list[Outgoing]:
    """Return what goes out of outboxes one after another, on its way; the last takes what comes."""
    outgoing: list[Outgoing] = []
    for place, each in enumerate(kept, 1):
        after = outgoing[-1] if outgoing else None
        rest = Outgoing(bare, each.publisher, purpose, each, after=after, is_rest=place < len(kept))
        if each.publisher.unanswered:
            rest.start()
        outgoing.append(rest)
    return outgoing


def is_renewed(error: FlowEnded) -> bool:
    """Whether a flow ended because the server is in another life, and another flow may go on."""
    return isinstance(error, FlowReset) and error.code == RENEWED
