"""Durable sends at their receiver: a ``protocol.intake`` for each outbox of the peer, between its flow and the program that receives.

They come out of an outbox of the peer, which says again whatever was not answered: on the next flow, session, or life of either end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from ..errors import ProtocolError, StorageClosed, StorageError
from ..limits import PROTOCOL, STORAGE
from ..protocol.frames import ResetCode
from ..protocol.intake import SEND_PURPOSE, Intake
from ..protocol.publish import Answer, Opened, Opening, Origin, Publish, decode_publish, encode
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..sessions.intake import NOTHING
from ..sessions.signal import Signal
from .failures import log
from .messages import Messages
from .publications import decode_stored, heard, say
from .serving import Serving, while_open

Keep = Callable[[bytes], Awaitable[object]]
"""Stores what is known of an outbox."""


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
        clock: the wall clock, in seconds since 1970.
    """

    def __init__(self, found: Found, clock: Callable[[], float]) -> None:
        self._core = Intake(found.origin)
        self._keep = found.keep
        self._clock = clock
        self._bare: BareSession | None = None
        self._flow: BareFlow | None = None
        self._taker: BareSession | None = None
        self._put_down = Signal()
        self._keeping: asyncio.Task[None] | None = None

    # It comes over one flow at a time...

    async def serve(self, bare: BareSession, flow: BareFlow, *, is_known: bool) -> None:
        """Have it come over this flow, until that ends; until all of the one before is answered that was given, it waits."""
        while (busy := self._busy_one(bare)) is not None:  # again: a program may take the next meanwhile
            await while_open(bare, flow, busy._free())
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
        if not self._core.is_free:
            return self
        return other if isinstance(other, DurableIntake) and other._taker is bare else None

    async def _free(self) -> None:
        while not self._core.is_free:
            await self._put_down.wait()

    # ... to the program ...

    def take(self, bare: BareSession) -> Any:
        """Return the next value for this session's program, or ``NOTHING``; what it took before must be handled."""
        flow = self._flow
        if flow is None or self._bare is not bare:
            return NOTHING
        core = flow.core
        # Nothing more is taken from who does not take our answers: they would gather here.
        while self._core.is_free and core.inbox and (flow.takes_more or bare.ended is not None):
            try:
                said = self._core.receive(heard(bare.core.take(core)))
            except ProtocolError as error:
                bare.on_limit(error.limit, error.reason)
                flow.reset(ResetCode.BAD_DATA, error.reason)
                return NOTHING
            if isinstance(said, Publish):
                try:
                    value = decode_stored(said.data)
                except ProtocolError as error:
                    self._say([self._core.refuse(error.reason)])
                    continue
                self._taker = bare
                return value
            if said is not None:
                self._say([said])
        bare.core.handle_taken(core)
        return NOTHING

    # ... which is done with it, one way or another.

    def handle(self, bare: BareSession) -> None:
        """What this session's program took is handled."""
        if self._taker is bare:
            self._core.handle()
            self._was_put_down()

    def fail(self, bare: BareSession, reason: str) -> None:
        """The program failed over what it took: nobody knows how far it came, and it is not given to another one."""
        if self._taker is bare:
            self._say([self._core.fail(reason)])
            self._was_put_down()

    def release(self, bare: BareSession) -> None:
        """The program was interrupted; what it took is given again."""
        if self._taker is bare:
            self._core.release()
            self._was_put_down()

    async def settled(self) -> None:
        """Wait until what is handled is stored, and answered."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    def _was_put_down(self) -> None:
        self._taker = None
        if self._core.has_news:
            if self._keep is None:
                self._core.store()
                self._say(self._core.stored())
            else:
                self._keeping = asyncio.create_task(self._store(self._keep), name="landline intake")
        self._put_down.wake()

    async def _store(self, keep: Keep) -> None:
        level = logging.ERROR  # the first time
        try:
            while self._core.has_news:
                self._core.store()
                try:
                    await keep(self._core.record(self._clock()))
                except StorageClosed:
                    return  # it is given again in the next life
                except StorageError as error:
                    self._core.failed()
                    log.log(level, "a durable send was handled, and that cannot be stored: %s", error)
                    level = logging.DEBUG
                    await asyncio.sleep(STORAGE.retry)
                else:
                    self._say(self._core.stored())
        finally:
            self._keeping = None
            self._put_down.wake()
            if self._bare is not None:
                self._bare.messages.arrived.wake()

    def _say(self, answers: list[Answer]) -> None:
        if self._flow is not None and self._bare is not None and self._bare.ended is None:
            for answer in answers:
                say(self._flow, encode(answer))


class Intakes:
    """The outboxes that are sent to the programs of one end.

    Args:
        find: finds an outbox of a session's peer by its id.
        clock: the wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        find: Callable[[BareSession, bytes], Coroutine[Any, Any, Found]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
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
            intake = self._known[found.key] = DurableIntake(found, self._clock)
        await intake.serve(bare, flow, is_known=found.is_known)


def receive_sends(bare: BareSession) -> None:
    """Have the peer's durable sends received by a session that does not outlive this process: nothing of them need be stored."""
    origins: dict[bytes, Origin] = {}
    serving = Serving()

    async def find(_: BareSession, outbox: bytes) -> Found:
        origin = origins.pop(outbox, None)
        is_known = origin is not None
        if not is_known and len(origins) >= PROTOCOL.outboxes:
            # Each life of the server begins one, and finishes those before it first: what is not among the last so many never comes again.
            bare.on_limit("protocol.outboxes", "an outbox was forgotten")
            del origins[next(iter(origins))]
        origins[outbox] = origin = origin or Origin()
        return Found(outbox.hex(), origin, is_known, None)

    intakes = Intakes(find)

    def takes(session: BareSession, flow: BareFlow) -> bool:
        if flow.purpose != SEND_PURPOSE:
            return False
        serving.run(session, flow, intakes.serve(session, flow))
        return True

    bare.takers = (*bare.takers, takes)
