"""Answering the calls of one session: each runs as soon as it comes, so many at once, and the others wait in their flow.

No task is made for a call that is done at once. One worker leads: it takes the next call and runs it itself. Where that has to wait for
something, another worker leads from then on, and the first stays with its call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, Final

from ...errors import CallFailed, ProtocolError
from ...protocol.calls import (
    Cancel,
    Offered,
    Request,
    decode_asked,
    encode,
    encode_failure,
    encode_result,
)
from ...protocol.codec import BYTES
from ...sessions.bare import BareSession
from ...sessions.flow import BareFlow
from ...sessions.signal import Signal
from ..failures import is_cancelled
from .driven import Driven
from .failure import INTERNAL, TIMED_OUT, Failures
from .method_call import MethodCall
from .methods import Kind, Method
from .timer import DeadlineTimer

CANCELLED: Final = "cancelled"

_SPARE: Final = 8
"""Workers that are kept for the next call that has to wait."""
_TURN: Final = 64
"""Calls that are done at once, before everybody else on the loop has a turn."""


class Answering:
    """What runs for one flow of calls.

    Args:
        find: finds a method for a principal, or raises.
        run: runs a call, and returns its result.
        failures: knows what callers are told of one that fails.
        session: what a method is given that wants the session.

    Attributes:
        gone: woken when nothing of it runs any more.
    """

    def __init__(
        self,
        find: Callable[[str, str], Method],
        run: Callable[[MethodCall], Awaitable[Any]],
        failures: Failures,
        bare: BareSession,
        session: Any,
        flow: BareFlow,
    ) -> None:
        self._find = find
        self._run = run
        self._failures = failures
        self.gone = Signal()
        self._done = Signal()
        self._bare = bare
        self._core = bare.core
        self._session = session
        self._flow = flow
        self._most = bare.limits.max_calls
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._workers: set[asyncio.Task[None]] = set()
        self._spare: list[asyncio.Future[None]] = []
        self._held: Request | None = None
        self._held_size = 0
        self._bytes = 0
        self._busy = 0
        self._looked_at = 0
        self._is_stopping = False
        self._waiting: dict[int, _Running] = {}
        self._timer = DeadlineTimer(self._waiting, self._late)

    @property
    def is_open(self) -> bool:
        """Whether its flow may bring more."""
        return self._flow.why_unreadable() is None

    async def finish(self) -> None:
        """Wait until the calls that run now are done; others may begin meanwhile."""
        running = set(self._waiting)
        while running & self._waiting.keys():
            await self._done.wait()

    async def serve(self, idempotent: list[str]) -> None:
        """Answer until the flow or the session ends; then cancel what still runs."""
        self._offer(idempotent)
        self._begin_worker()
        try:
            await self._over
        finally:
            self._timer.stop()
            await self._stop_workers()

    def _offer(self, idempotent: list[str]) -> None:
        """Say what there is to know, as far as the caller takes such a message: without the names its calls are made once at the most."""
        for names in (idempotent, []):
            offered = encode(Offered(names, self._most))
            if len(offered) <= self._core.max_message:
                self._say(offered)
                return

    async def _stop_workers(self) -> None:
        """Cancel what runs, and what has been cancelled already no second time: it may clean up in peace, unless we have no time ourselves."""
        self._is_stopping = True
        for worker in self._workers - {call.task for call in self._waiting.values() if call.why}:
            worker.cancel()
        try:
            if self._workers:
                await asyncio.wait(self._workers)
        except asyncio.CancelledError:
            for worker in self._workers:
                worker.cancel()
            raise

    # Workers...

    def _begin_worker(self) -> None:
        worker = self._loop.create_task(self._work(), name="landline call")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        """Lead; stay with a call that waits; lead again, when we are needed for that."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a worker is a task")
        turn = 0
        leads = True
        try:
            while True:
                request, size = await self._next()
                call = _Running(self, request, task)
                self._busy += 1
                self._bytes += size
                try:
                    await Driven(self._answer(call), call.suspended)
                finally:  # also where it is cancelled while its answer waits for room
                    leads = not call.was_suspended
                    self._is_done(call, size)
                if not call.was_suspended:
                    if task.cancelling():  # by the method itself: that hits whatever we wait for next
                        self._promote()
                        return
                    turn += 1
                    if turn % _TURN == 0:
                        await asyncio.sleep(0)
                    continue
                if task.cancelling() or len(self._spare) >= _SPARE:
                    return
                promoted = self._loop.create_future()
                self._spare.append(promoted)
                try:
                    await promoted
                finally:
                    leads = promoted.done() and not promoted.cancelled()
        except asyncio.CancelledError:
            # A method may have kept the task that it ran in, and cancel it when that is ours again.
            if leads and not self._is_stopping:
                self._promote()
            raise
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whoever serves the flow is told
            if not self._over.done():
                self._over.set_exception(error)

    def _is_done(self, call: _Running, size: int) -> None:
        self._busy -= 1
        self._bytes -= size
        if call.was_suspended:
            del self._waiting[call.request.id]
            self._done.wake()
            if self._held is not None:
                self._flow.arrived.wake()

    def _promote(self) -> None:
        """Another worker leads from now on."""
        while self._spare:
            spare = self._spare.pop()
            if not spare.done():  # else its worker was cancelled meanwhile
                spare.set_result(None)
                return
        self._begin_worker()

    async def _next(self) -> tuple[Request, int]:
        """Return the next call that may run now, and its size in bytes; what is no longer wanted is cancelled meanwhile."""
        bare, core, flow = self._bare, self._core, self._flow
        while True:
            while self._held is None and flow.core.inbox:
                self._looked_at = 0
                payload = core.take(flow.core)
                asked = decode_asked(payload)
                if isinstance(asked, Cancel):
                    self._cancel(asked.id)
                elif asked.id in self._waiting:
                    raise ProtocolError(f"call {asked.id} was made twice", "bad-data")
                else:
                    self._held, self._held_size = asked, len(payload)
            if self._held is not None and self._has_room_for(self._held_size):
                request, self._held = self._held, None
                return request, self._held_size
            if self._held is None:
                core.handle_taken(flow.core)
                bare.drained()
            else:
                self._cancel_behind(flow.core.inbox)
                bare.on_limit(
                    "call_bytes" if self._busy < self._most else "max_calls",
                    "a call waits for others to be done",
                )
            error = bare.ended or flow.why_unreadable()
            if error is not None:
                raise error
            if bare.is_closing or bare.is_peer_closed:
                raise bare.closing()
            await flow.arrived.wait()

    def _cancel_behind(self, inbox: deque[tuple[Any, int]]) -> None:
        """Cancel what is asked to be behind a call that waits for room: that may be what makes room."""
        for payload, _ in islice(inbox, self._looked_at, None):
            asked = decode_asked(payload)
            if isinstance(asked, Cancel):
                self._cancel(asked.id)
        self._looked_at = len(inbox)

    def _has_room_for(self, size: int) -> bool:
        return self._busy == 0 or (
            self._busy < self._most and self._bytes + size <= self._bare.limits.call_bytes
        )

    # One call...

    async def _answer(self, call: _Running) -> None:
        request = call.request
        most = self._core.max_message
        try:
            method = self._find(request.method, self._bare.principal)
            if method.kind is not Kind.CALL:
                raise CallFailed(
                    f"{method.name} is a stream: it is read by session.stream()", type="unknown method"
                )
            args, named = method.arguments.read(request.args, request.named)
            for name, given in method.arguments.given.items():
                named[name] = given.given(self._session)
            result = await self._run(MethodCall(method, self._session, args, named))
            answer = encode_result(request.id, result, most)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the method's own code: its bug ends this call and nothing else
            if is_cancelled(error) and call.why != TIMED_OUT:
                if call.why == CANCELLED:
                    return
                if self._is_stopping or self._over.done():
                    raise
                # Else the method cancelled its own task: its bug, whose caller must not wait out its time.
            try:
                kind, message, data = self._failures.told_of(
                    error, request.method, is_late=call.why == TIMED_OUT
                )
                answer = encode_failure(request.id, kind, message, data, most)
            except Exception as second:  # noqa: BLE001 - its words are the method's own, too: no text, or of no form that can be sent
                self._failures.log(f"what {request.method} says of its failure cannot be sent", second)
                answer = encode_failure(request.id, INTERNAL, "", None, most)
        while not self._core.has_room_in(self._flow.core) and self._flow.why_unwritable() is None:
            self._bare.on_limit(self._core.full_limit(self._flow.core), "an answer waits for room")
            await self._bare.room.wait()
        self._say(answer)

    def _say(self, payload: bytes) -> None:
        if self._flow.why_unwritable() is None:
            self._core.send(self._flow.core, BYTES, payload)

    def _cancel(self, id: int) -> None:
        call = self._waiting.get(id)
        if call is not None:
            call.stop(CANCELLED)

    # ... that waits.

    def was_suspended(self, call: _Running) -> None:
        """A call has to wait for something: others go on, and it may be cancelled and be late."""
        id = call.request.id
        self._waiting[id] = call
        self._timer.add(self._loop.time() + call.request.seconds, id)
        self._promote()

    def _late(self, id: int) -> None:
        call = self._waiting.get(id)
        if call is not None:
            call.stop(TIMED_OUT)


class _Running:
    """A call that runs.

    Attributes:
        task: the worker that runs it.
        why: what it was stopped for.
    """

    __slots__ = ("_answering", "request", "task", "was_suspended", "why")

    def __init__(self, answering: Answering, request: Request, task: asyncio.Task[None]) -> None:
        self._answering = answering
        self.task = task
        self.request = request
        self.was_suspended = False
        self.why = ""

    def suspended(self) -> None:
        self._answering.was_suspended(self)
        self.was_suspended = True

    def stop(self, why: str) -> None:
        if not self.why:
            self.why = why
            self.task.cancel()
