"""Streams: items both ways between a method and whoever called it, in a flow of their own.

Either end that has sent everything says so (``end``), and may go on receiving. A failure is the last item, told apart by its form, so that
everything before it is read first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

from msgspec.msgpack import Ext

from ...errors import (
    CallFailed,
    CallTimeout,
    CallUnknown,
    DataError,
    FlowEnded,
    FlowReset,
    LandlineError,
    ProtocolError,
    SessionEnded,
)
from ...protocol.calls import (
    FAILURE,
    STREAM_PURPOSE,
    decode_stream_failure,
    encode_opening,
    encode_stream_failure,
)
from ...protocol.codec import BYTES, Packed
from ...protocol.flow import ENDED
from ...protocol.frames import ResetCode
from ...sessions.bare import BareSession
from ...sessions.flow import RENEWED, BareFlow
from ..messages import Messages
from .calling import check_method, check_timeout
from .failure import failed
from .methods import StreamGiven

_TYPES = {
    ResetCode.UNWANTED.text: "not taken",
    ResetCode.BAD_DATA.text: "bad data",
    ResetCode.CANCELLED.text: "cancelled",
}


class Stream(StreamGiven):
    """A streamed call: an asynchronous iterator of the other end's items, and a way to send it ours.

    Items are what messages can be. They arrive once and in order, across any number of dropped lines. Who does not read them stops whoever sends
    them, after what fits the window, and nobody else.

    Leave it by ``async with``: a stream that was not read to its end is cancelled at both ends then, and what waits in it is dropped. So it is
    when nobody holds it any more.

    Raises:
        CallFailed: the method failed, after the items before that; also ``CallTimeout`` and ``CallNotAllowed``.
        CallUnknown: the server was started again, and its new life knows nothing of it.
        SessionClosed, SessionLost: the session is over.
    """

    __slots__ = ("_bare", "_flow", "_is_caller", "_is_left", "_late", "_loop", "_messages", "_method")

    def __init__(
        self, bare: BareSession, flow: BareFlow, messages: Messages, method: str, *, is_caller: bool
    ) -> None:
        self._bare = bare
        self._flow = flow
        self._messages = messages
        self._method = method
        self._is_caller = is_caller
        self._loop = asyncio.get_running_loop()
        self._late: _Late | None = None
        self._is_left = False

    # Receiving...

    async def receive(self) -> Any:
        """Return the next item; asking for it says that the one before is done with.

        Raises:
            FlowEnded: the other end has sent everything; iterating ends there.
        """
        try:
            item = await self._messages.receive()
        except (FlowEnded, SessionEnded) as error:
            raise self._why(error) from None
        if type(item) is Ext and item.code == FAILURE:
            raise self._failed(item)
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except FlowReset:
            raise
        except FlowEnded:
            raise StopAsyncIteration from None

    # Sending...

    async def send(self, item: Any) -> None:
        """Send an item; waits while the other end does not read.

        Raises:
            DataError: it cannot be sent.
            FlowEnded: this end has said that it sends no more.
        """
        if type(item) is Ext and item.code == FAILURE:
            raise DataError(f"an extension of code {FAILURE} tells of a failure, and is no item")
        self._look_for_failure()
        try:
            _ = await self._messages.send(item)
        except (FlowEnded, SessionEnded) as error:
            raise self._why(error) from None

    def end(self) -> None:
        """Send no more; the other end's iteration ends after what was sent."""
        self._flow.end()

    # Leaving...

    async def close(self) -> None:
        """Leave it; what was not read to its end is cancelled. In a method, the same as ``end``."""
        self._leave()

    def _leave(self) -> None:
        self._is_left = True
        if self._is_caller:
            _leave(self._flow, self._messages, self._late)
        else:
            self._flow.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._leave()

    def __del__(self) -> None:
        if self._is_caller and (self._late is not None or not self._flow.is_over):
            with contextlib.suppress(RuntimeError):  # the loop is gone, and its sessions with it
                self._loop.call_soon_threadsafe(_leave, self._flow, self._messages, self._late)

    # What went wrong...

    def _look_for_failure(self) -> None:
        """Whoever sends on to a method that has failed is told, and not when it comes to read that at last."""
        core = self._flow.core
        if core.theirs & ENDED and core.inbox:
            last = core.inbox[-1][0]  # looked at for each that is sent: what is no failure must cost nothing
            if type(last) is Packed and last.extension == FAILURE:
                raise self._failed(last.unpack())

    def _failed(self, item: Ext) -> LandlineError:
        try:
            told = decode_stream_failure(bytes(item.data))
        except ProtocolError as error:
            return CallFailed(
                f"what {self._method} says of its failure cannot be read: {error.reason}", type="bad data"
            )
        return failed(told.kind, told.message, told.data)

    def _why(self, error: FlowEnded | SessionEnded) -> LandlineError:
        """Return what the end of its flow means for a stream."""
        if isinstance(error, FlowEnded):
            error.__traceback__ = (
                None  # whose frames hold the error, and us: we would not be dropped when nobody else holds us
            )
        if self._late is not None and self._late.error is not None:
            return self._late.error
        if isinstance(error, FlowReset) and error.code == RENEWED:
            return CallUnknown(self._method, error.reason)
        if isinstance(error, FlowReset) and not self._is_left:
            kind = _TYPES.get(error.code, "internal error")
            return CallFailed(error.reason or f"{self._method} was cancelled at the other end", type=kind)
        return error


class _Late:
    """Ends a stream at its deadline; holds no stream, which is dropped when nobody else does."""

    def __init__(self, flow: BareFlow, method: str, seconds: float) -> None:
        self._flow = flow
        self._method = method
        self.error: CallTimeout | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        if not self._flow.is_over:
            self.error = CallTimeout(f"{self._method} took too long")
            self._flow.reset()

    def stop(self) -> None:
        self._timer.cancel()


def open_stream(
    bare: BareSession, method: str, args: Sequence[Any], named: Mapping[str, Any], seconds: float | None
) -> Stream:
    """Begin a stream; see ``Session.stream``."""
    check_method(method)
    if seconds is not None:
        check_timeout(seconds)
    opening = encode_opening(seconds, method, args, named, bare.core.max_message)
    flow = bare.open_flow(STREAM_PURPOSE)
    messages = Messages(bare, flow)
    stream = Stream(bare, flow, messages, method, is_caller=True)
    bare.core.send(flow.core, BYTES, opening)
    if seconds is not None:
        stream._late = _Late(flow, method, seconds)
    return stream


async def send_failure(bare: BareSession, messages: Messages, kind: str, message: str, data: Any) -> None:
    """Say what went wrong, after everything that was sent."""
    _ = await messages.send(
        Ext(FAILURE, encode_stream_failure(kind, message, data, bare.core.max_message - _FORM))
    )


def _leave(flow: BareFlow, messages: Messages, late: _Late | None) -> None:
    if late is not None:
        late.stop()
    if flow.core.is_read_out:
        flow.end()
        messages.ack()
    else:
        flow.reset()


_FORM = 6
"""Bytes that an extension takes besides its data."""
