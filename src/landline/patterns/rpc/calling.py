"""Calling the other end: one flow for all calls of a session, a future for each that waits, and one timer for all their deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...errors import (
    CallFailed,
    CallTimeout,
    CallUnknown,
    FlowEnded,
    FlowReset,
    LandlineError,
    ProtocolError,
)
from ...limits import LONGEST, as_seconds
from ...protocol.calls import (
    CALLS_PURPOSE,
    Asked,
    CallTable,
    Cancel,
    Failure,
    Fate,
    Offered,
    Result,
    ask_again,
    decode_told,
    decode_value,
    encode,
    encode_request,
)
from ...protocol.codec import BYTES
from ...protocol.frames import ResetCode
from ...sessions.bare import BareSession
from ...sessions.flow import RENEWED, BareFlow
from ...sessions.signal import Signal
from .failure import failed
from .places import Places
from .timer import DeadlineTimer

_SOONEST: Final = 0.001
"""Seconds that a call is given at the least where it is made again."""


class Calling:
    """What one end calls at the other."""

    def __init__(self, bare: BareSession) -> None:
        self._bare = bare
        self._core = bare.core
        self._loop = asyncio.get_running_loop()
        self._flow: BareFlow | None = None
        self._table = CallTable()
        self._timer = DeadlineTimer(self._table.unanswered, self._late)
        self._places = Places(bare.limits.max_calls)

    @property
    def waiting(self) -> int:
        """How many calls are not answered."""
        return len(self._table.unanswered)

    async def call(
        self, method: str, args: Sequence[Any], named: Mapping[str, Any], timeout: float | None
    ) -> Any:
        """Have the other end run a method; return its result. See ``Session.call``."""
        check_method(method)
        seconds = self._bare.limits.call_timeout if timeout is None else check_timeout(timeout)
        until = self._loop.time() + seconds
        if not self._places.take_nowait():
            await self._wait_for_place(method, args, named, until)
        try:
            flow = self._opened()
            if not self._core.has_room_in(flow.core):
                flow = await self._wait_for_room(method, args, named, until)
            asked = self._ask(flow, method, args, named, until)
            try:
                answer = await asked.waiter
            except asyncio.CancelledError:
                self._cancel(asked)
                raise
        finally:
            self._places.leave()
        if type(answer) is Result:
            try:
                return decode_value(answer.value)
            except ProtocolError as error:
                raise CallFailed(
                    f"the result of {method} cannot be read: {error.reason}", type="bad data"
                ) from error
        raise failed(answer.kind, answer.message, answer.data) if isinstance(answer, Failure) else answer

    # Asking...

    def _opened(self) -> BareFlow:
        """Return the flow of our calls."""
        flow = self._flow
        if flow is None or self._bare.ended is not None or self._bare.is_closing or self._bare.is_peer_closed:
            flow = self._flow = self._bare.open_flow(CALLS_PURPOSE)
            flow.arrived = _Told(self._arrived)
            self._core = self._bare.core
        return flow

    def _ask(
        self, flow: BareFlow, method: str, args: Sequence[Any], named: Mapping[str, Any], until: float
    ) -> Asked:
        core, loop = self._core, self._loop
        id = self._table.next_id()
        left = max(until - loop.time(), _SOONEST)
        payload = encode_request(id, left, method, args, named, core.max_message)
        asked = Asked(id, method, payload, until, loop.create_future())
        self._table.asked(asked, core.send(flow.core, BYTES, payload))
        self._timer.add(until, id)
        return asked

    async def _wait_for_place(
        self, method: str, args: Sequence[Any], named: Mapping[str, Any], until: float
    ) -> None:
        """Wait until fewer calls wait for their answers."""
        # What cannot be sent is told at once.
        encode_request(1, LONGEST, method, args, named, self._core.max_message)
        self._bare.on_limit("max_calls", "a caller waits for others to be answered")
        try:
            async with asyncio.timeout_at(until):
                await self._places.take()
        except TimeoutError:
            raise _too_late(method) from None

    async def _wait_for_room(
        self, method: str, args: Sequence[Any], named: Mapping[str, Any], until: float
    ) -> BareFlow:
        """Wait until the flow takes another request; return the flow, which may be another one then."""
        encode_request(1, LONGEST, method, args, named, self._core.max_message)
        flow = self._opened()
        self._bare.on_limit(self._core.full_limit(flow.core), "a caller waits for room")
        try:
            async with asyncio.timeout_at(until):
                while not self._core.has_room_in(flow.core):
                    await self._bare.room.wait()
                    flow = self._opened()
        except TimeoutError:
            raise _too_late(method) from None
        return flow

    def _cancel(self, asked: Asked) -> None:
        """Nobody waits for it any more: the other end is told to stop."""
        if self._table.answered(asked.id) is not None:
            self._tell_cancelled(asked)

    def _tell_cancelled(self, asked: Asked) -> None:
        if self._flow is not None and self._bare.ended is None and not self._bare.is_closing:
            self._core.send(self._flow.core, BYTES, encode(Cancel(asked.id)))

    # Hearing...

    def _arrived(self) -> None:
        """There may be answers, or there never will be."""
        flow = self._flow
        if flow is None:
            return
        core, bare, inbox, answered = self._core, self._bare, flow.core.inbox, self._table.answered
        try:
            while inbox:
                told = decode_told(core.take(flow.core))
                if isinstance(told, Offered):
                    self._table.idempotent = frozenset(told.idempotent)
                    self._places.most = min(told.at_once, bare.limits.max_calls)
                    continue
                asked = answered(told.id)
                if asked is not None and not asked.waiter.done():
                    asked.waiter.set_result(told)
        except ProtocolError as rubbish:
            bare.on_limit(rubbish.limit, rubbish.reason)
            flow.reset(ResetCode.BAD_DATA, rubbish.reason)  # this tells us that it is over
            return
        core.handle_taken(flow.core)
        bare.drained()
        error: LandlineError | None = bare.ended or flow.why_unreadable()
        if error is None and bare.is_peer_closed:
            error = bare.closing()
        if error is not None and self._flow is flow:
            self._over(flow, error)

    def _over(self, flow: BareFlow, error: LandlineError) -> None:
        """Nothing more is answered in this flow."""
        self._flow = None
        if isinstance(error, FlowEnded):
            flow.reset()  # where the other end only says that it sends no more, no call can be answered
        is_renewed = isinstance(error, FlowReset) and error.code == RENEWED
        for asked, fate in self._table.settle(flow.core.reach, is_renewed=is_renewed):
            if asked.waiter.done():
                continue
            if fate is Fate.AGAIN:
                self._again(asked)
            else:
                asked.waiter.set_result(_left(asked, error))
        if not self._table.unanswered:
            self._timer.stop()

    def _again(self, asked: Asked) -> None:
        try:
            flow = self._opened()
        except LandlineError as error:
            asked.waiter.set_result(_left(asked, error))
            return
        asked.payload = ask_again(asked.payload, max(asked.until - self._loop.time(), _SOONEST))
        self._table.asked(asked, self._core.send(flow.core, BYTES, asked.payload))

    # Time passes...

    def _late(self, id: int) -> None:
        asked = self._table.answered(id)
        if asked is not None:
            if not asked.waiter.done():
                asked.waiter.set_result(CallTimeout(f"{asked.method} was not answered in time"))
            self._tell_cancelled(asked)


class _Told(Signal):
    """Calls instead of waking: answers go from the flow to those who wait for them without a task between."""

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        super().__init__()
        self._call = call

    def wake(self) -> None:
        self._call()


def check_method(name: object) -> None:
    """See that a method is asked for by its name.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(name, str):
        raise TypeError(f"a method is called by its name, which is text, and not by {name!r}")


def check_timeout(seconds: float) -> float:
    """Return how long a call may take.

    Raises:
        ValueError, TypeError: it is nothing, or no number, or over 31 days.
    """
    if not 0 < as_seconds(seconds) <= LONGEST:
        raise ValueError(f"a timeout is above 0 and at most {LONGEST:.0f} seconds, and not {seconds!r}")
    return seconds


def _left(asked: Asked, error: LandlineError) -> LandlineError:
    """Return the error for a call that is not answered any more: it may have run, or certainly did not."""
    if asked.may_have_run:
        return CallUnknown(asked.method, str(error))
    if isinstance(error, FlowEnded):
        return CallFailed(f"{asked.method} did not run: {error}", type="not taken")
    return error


def _too_late(method: str) -> CallTimeout:
    return CallTimeout(f"{method} was not asked for in time: others were waiting for their answers")
