"""Durable sends at their receiver: each is given to a program once, and answered when the program has handled it and that is stored.

They come out of an outbox of the peer, which says again whatever was not answered: on the next flow, session, or life of either end. What tells a
repeat is a ``protocol.publish.Origin``, as for publishes; there is no topic, and the position in an answer says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from ..errors import NotAllowed, ProtocolError, StorageError
from ..history import Position
from ..limits import PROTOCOL
from ..protocol.frames import ResetCode
from ..protocol.publish import (
    Answer,
    Code,
    Opened,
    Opening,
    Origin,
    Publish,
    Unpublished,
    decode_publish,
    encode,
)
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..sessions.intake import NOTHING
from ..sessions.signal import Signal
from .failures import clause
from .messages import Messages
from .publications import decode_stored, heard, say, serve_flow, while_open

SEND_PURPOSE: Final = "landline.send"
"""The flow of durable sends is opened for this."""

_HANDLED: Final = Position("", 0)

Keep = Callable[[list[int], int], Awaitable[None]]
"""Stores that these numbers of an outbox are handled, and that all up to another one were dealt with."""


class Found(NamedTuple):
    """An outbox, as its receiver finds it."""

    key: str
    """It is the same one wherever this is the same."""
    origin: Origin
    is_known: bool
    keep: Keep | None
    """None where what is handled need not be stored: nobody could ask for it later."""


class DurableIntake:
    """What programs are given of one outbox, over whatever sessions it comes.

    Args:
        found: the outbox.
    """

    def __init__(self, found: Found) -> None:
        self._origin = found.origin
        self._keep = found.keep
        self._bare: BareSession | None = None
        self._flow: BareFlow | None = None
        self._in_hand: int | None = None
        self._taker: BareSession | None = None
        self._put_down = Signal()
        self._handled: list[int] = []
        self._has_failed = False
        self._keeping: asyncio.Task[None] | None = None

    # It comes over one flow at a time...

    async def serve(self, bare: BareSession, flow: BareFlow, *, is_known: bool) -> None:
        """Have it come over this flow, until that ends; until all of the one before is answered that was given, it waits."""
        while (busy := self._busy_one(bare)) is not None:  # again: a program may take the next meanwhile
            await while_open(bare, flow, busy.wait_free())
        before, self._bare, self._flow = self._flow, bare, flow
        if before is not None and before is not flow:
            before.reset(ResetCode.FAILED, "the outbox is sent over another flow now")
        if bare.intake is not None and bare.intake is not self:
            bare.intake.leave(bare)
        bare.intake = self
        say(flow, encode(Opened(is_known)))
        wake = bare.messages.arrived.wake
        bare.on_room[flow] = wake
        try:
            while True:
                wake()
                error = bare.ended or flow.why_unreadable()
                if error is not None:
                    raise error
                await flow.arrived.wait()
        finally:
            del bare.on_room[flow]

    def leave(self, bare: BareSession) -> None:
        """Another outbox is sent over this session now."""
        if self._bare is bare and self._flow is not None:
            self._flow.reset(ResetCode.FAILED, "another outbox is sent over this session now")

    def _busy_one(self, bare: BareSession) -> DurableIntake | None:
        """Return what must be handled and stored first: of this outbox, and of another one what this session's program has in hand."""
        other = bare.intake
        if self._in_hand is not None or self._keeping is not None:
            return self
        return other if isinstance(other, DurableIntake) and other._taker is bare else None

    async def wait_free(self) -> None:
        """Wait until nothing is in a program's hands, and all that was handled is stored and answered."""
        while self._in_hand is not None or self._keeping is not None:
            await (self._put_down.wait() if self._in_hand is not None else self.settled())

    # ... to the program ...

    def take(self, bare: BareSession) -> Any:
        """Return the next value for this session's program, or ``NOTHING``; what it took before must be handled."""
        flow = self._flow
        if flow is None or self._bare is not bare:
            return NOTHING
        if self._keeping is not None:
            return NOTHING  # else a crash would have more given again than the one that a program had in hand
        core = flow.core
        # Nothing more is taken from who does not take our answers: they would gather here.
        while core.inbox and (flow.takes_more or bare.ended is not None):
            try:
                publish = decode_publish(heard(bare.core.take(core)))
                if not isinstance(publish, Publish):
                    raise ProtocolError("an outbox that was opened twice", "bad-data")
                verdict = self._origin.receive(publish)
            except ProtocolError as error:
                bare.on_limit(error.limit, error.reason)
                flow.reset(ResetCode.BAD_DATA, error.reason)
                return NOTHING
            if verdict is True:
                try:
                    value = decode_stored(publish.data)
                except ProtocolError as error:
                    self._say(self._origin.failed(publish.number, Code.REFUSED, error.reason))
                    continue
                self._in_hand, self._taker = publish.number, bare
                return value
            if verdict is not False:
                self._say(_of_a_repeat(verdict))
        bare.core.handle_taken(core)
        return NOTHING

    # ... which is done with it, one way or another.

    def handle(self, bare: BareSession) -> None:
        """What this session's program took is handled."""
        if self._taker is not bare:
            return
        self._handled.append(self._put())
        self._store()

    def fail(self, bare: BareSession, reason: str) -> None:
        """The program failed over what it took: nobody knows how far it came, and it is not given to another one."""
        if self._taker is bare:
            self._say(self._origin.failed(self._put(), Code.UNKNOWN, reason))
            self._has_failed = True
            self._store()

    def release(self, bare: BareSession) -> None:
        """The program was interrupted; what it took is given again."""
        if self._taker is bare:
            self._origin.untaken(self._put())

    async def settled(self) -> None:
        """Wait until what is handled is stored, and answered."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    def _put(self) -> int:
        number, self._in_hand, self._taker = self._in_hand, None, None
        if number is None:
            raise AssertionError("nothing is in hand")
        self._put_down.wake()
        return number

    def _store(self) -> None:
        if self._keep is None:
            for number in self._handled:
                self._say(self._origin.stored(number, _HANDLED))
            self._handled.clear()
        elif self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_all(self._keep), name="landline intake")

    async def _keep_all(self, keep: Keep) -> None:
        try:
            while self._handled or self._has_failed:
                numbers, self._handled, self._has_failed = self._handled, [], False
                last = self._origin.last if self._in_hand is None else self._in_hand - 1
                try:
                    await keep(numbers, last)
                except StorageError as error:
                    reason = f"it was handled, and that could not be stored: {clause(error)}"
                    answers: list[Answer] = [
                        self._origin.failed(number, Code.UNKNOWN, reason) for number in numbers
                    ]
                else:
                    answers = [self._origin.stored(number, _HANDLED) for number in numbers]
                for answer in answers:
                    self._say(answer)
        finally:
            self._keeping = None
            if self._bare is not None:
                self._bare.messages.arrived.wake()

    def _say(self, answer: Answer) -> None:
        if self._flow is not None and self._bare is not None and self._bare.ended is None:
            say(self._flow, encode(answer))


def _of_a_repeat(answer: Answer) -> Answer:
    """Return the answer to what was heard before: a program may have had in hand whatever is not known to be handled."""
    if isinstance(answer, Unpublished) and answer.code is Code.FULL:
        return Unpublished(answer.number, Code.UNKNOWN, "the program that had it was not done with it")
    return answer


class Intakes:
    """The outboxes that are sent to the programs of one end.

    Args:
        find: finds an outbox of a session's peer by its id.
    """

    def __init__(self, find: Callable[[BareSession, bytes], Coroutine[Any, Any, Found]]) -> None:
        self._find = find
        self._known: WeakValueDictionary[str, DurableIntake] = WeakValueDictionary()

    async def serve(self, bare: BareSession, flow: BareFlow) -> None:
        """Serve a flow of durable sends until it ends.

        Raises:
            FlowEnded, SessionEnded: it did.
            NotAllowed, ProtocolError, StorageError: it cannot be served.
        """
        said = decode_publish(heard(await Messages(bare, flow).receive()))
        if not isinstance(said, Opening):
            raise ProtocolError("durable sends begin with their outbox", "bad-data")
        found = await while_open(bare, flow, self._find(bare, said.id))
        intake = self._known.get(found.key)
        if intake is None:
            intake = self._known[found.key] = DurableIntake(found)
        await intake.serve(bare, flow, is_known=found.is_known)


def receive_sends(bare: BareSession) -> None:
    """Have the peer's durable sends received by a session that does not outlive this process: nothing of them need be stored."""
    origins: dict[bytes, Origin] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def find(_: BareSession, outbox: bytes) -> Found:
        is_known = outbox in origins
        if not is_known and len(origins) >= PROTOCOL.outboxes:
            bare.on_limit("protocol.outboxes", "an outbox was refused")
            raise NotAllowed(f"one session sends from {PROTOCOL.outboxes} outboxes at the most")
        return Found(outbox.hex(), origins.setdefault(outbox, Origin()), is_known, None)

    intakes = Intakes(find)

    def takes(flow: BareFlow) -> bool:
        if flow.purpose != SEND_PURPOSE:
            return False
        task = asyncio.create_task(
            serve_flow(bare, flow, intakes.serve(bare, flow)), name=f"landline {flow.purpose}"
        )
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return True

    bare.serves = takes
