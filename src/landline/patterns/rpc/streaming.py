"""Serving streams: a method runs for each, until it is done, the deadline is over or the caller leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ...errors import CallFailed, DataError, FlowEnded, FlowReset
from ...protocol.calls import decode_opening
from ...protocol.frames import ResetCode
from ...sessions.bare import BareSession
from ...sessions.flow import BareFlow
from ...sessions.signal import Signal
from ..failures import is_cancelled
from ..messages import Messages
from .failure import INTERNAL, Failures
from .method_call import MethodCall
from .methods import Kind, Method
from .stream import Stream, send_failure


async def serve_stream(
    find: Callable[[str, str], Method],
    run: Callable[[MethodCall], Awaitable[Any]],
    failures: Failures,
    bare: BareSession,
    session: Any,
    flow: BareFlow,
) -> None:
    """Serve one stream that the peer opened, to its end.

    Args:
        find: finds a method for a principal, or raises.
        run: runs a call.
        failures: knows what callers are told of one that fails.
        bare: the session.
        session: the same, as methods are given it.
        flow: the stream's.
    """
    messages = Messages(bare, flow)
    opening = decode_opening(await messages.receive())
    stream = Stream(bare, flow, messages, opening.method, is_caller=False)
    deadline = asyncio.timeout(opening.seconds)
    leaving = _Leaving(bare, flow, deadline)
    try:
        async with deadline:
            method = find(opening.method, bare.principal)
            if method.kind is Kind.CALL:
                raise CallFailed(
                    f"{method.name} is no stream: it is called by session.call()", type="unknown method"
                )
            args, named = method.arguments.read(opening.args, opening.named)
            for name, given in method.arguments.given.items():
                named[name] = stream if name == method.stream_parameter else given.given(session)
            flow.arrived = leaving
            leaving.wake()
            await run(MethodCall(method, session, args, named, stream))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the method's own code: its bug ends this stream and nothing else
        leaving.stop()
        is_over = bare.ended is not None or bare.is_closing or bare.is_peer_closed
        if is_cancelled(error):
            if not leaving.has_cancelled:
                if not is_over:  # by the method itself, whose caller must not wait for ever
                    flow.reset(ResetCode.FAILED, f"{opening.method} was cancelled")
                raise
            leaving.forgive()
        if is_over or isinstance(flow.why_unreadable(), FlowReset):
            return  # nobody listens, whatever it was
        told = failures.told_of(error, opening.method, is_late=deadline.expired())
        try:
            await _tell(bare, flow, messages, told)
        except DataError as second:
            failures.log(f"what {opening.method} says of its failure cannot be sent", second)
            await _tell(bare, flow, messages, (INTERNAL, "", None))
    leaving.stop()
    flow.end()
    with contextlib.suppress(FlowEnded):
        while True:  # what else the caller sends is of no use; that it ends, or leaves, is
            await messages.receive()
    flow.end()


async def _tell(bare: BareSession, flow: BareFlow, messages: Messages, failure: tuple[str, str, Any]) -> None:
    try:
        await send_failure(bare, messages, *failure)
    except FlowEnded:  # it had said that it sends no more
        flow.reset(ResetCode.FAILED, failure[1])


class _Leaving(Signal):
    """Cancels the method when its caller leaves, or the session ends; once, and not if its deadline has: it may clean up in peace."""

    __slots__ = ("_bare", "_deadline", "_flow", "_task", "has_cancelled")

    def __init__(self, bare: BareSession, flow: BareFlow, deadline: asyncio.Timeout) -> None:
        super().__init__()
        self._deadline = deadline
        self._bare = bare
        self._flow = flow
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self.has_cancelled = False

    def wake(self) -> None:
        super().wake()
        bare = self._bare
        if self._task is not None and (
            bare.ended is not None
            or bare.is_closing
            or bare.is_peer_closed
            or isinstance(self._flow.why_unreadable(), FlowReset)
        ):
            task, self._task = self._task, None
            if not self._deadline.expired():
                self._deadline.reschedule(None)
                self.has_cancelled = True
                task.cancel()

    def stop(self) -> None:
        """Cancel nothing any more."""
        self._task = None

    def forgive(self) -> None:
        """The cancel has been seen to."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
