"""Streams between simulated programs: items both ways in a flow of their own, and how either direction ends, as ``patterns.rpc.stream`` has it."""

from __future__ import annotations

from typing import Any, Final

from msgspec.msgpack import Ext

from ...protocol.calls import (
    FAILURE as FAILURE_CODE,
)
from ...protocol.calls import (
    decode_stream_failure,
    encode_stream_failure,
)
from ...protocol.codec import encode_data
from ...protocol.flow import Flow
from ...protocol.frames import ResetCode
from .call_books import FAILURE, Streamed
from .ends import End
from .flows import abandon, is_writable
from .line import Violation

_MOST: Final = 100


class StreamEnd:
    """One end of a stream; ``is_over`` once its program has nothing to do with it any more."""

    def __init__(self, end: End, flow: Flow, stream: Streamed, side: int) -> None:
        self._end = end
        self._flow = flow
        self._stream = stream
        self._side = side
        self._is_left = False

    # Its program...

    def say(self, size: int) -> None:
        """Send an item, if there is room for it."""
        end, flow, stream = self._end, self._flow, self._stream
        if self._may_send and end.core.has_room_in(flow):
            end.core.send(flow, *encode_data(stream.say(self._side, size), end.core.max_message))

    def end(self) -> None:
        """Send no more."""
        if self._may_send:
            self._stream.ended[self._side] = "end"
            self._end.core.end_flow(self._flow)

    def fail(self) -> None:
        """Say what went wrong, after everything that was sent."""
        end, flow, stream = self._end, self._flow, self._stream
        if self._may_send and self._side == 1 and end.core.has_room_in(flow):
            stream.ended[self._side] = FAILURE
            words = encode_stream_failure("drawn", str(stream.number), None, _MOST)
            end.core.send(flow, *encode_data(Ext(FAILURE_CODE, words), end.core.max_message))
            end.core.end_flow(flow)

    def leave(self) -> None:
        """Abandon it; the method's end does that where it cannot even say how it failed."""
        if not self.is_over and not self._is_left:
            self._is_left = self._stream.was_left = True
            code = ResetCode.FAILED if self._side else ResetCode.CANCELLED
            abandon(self._end, self._flow, code)

    @property
    def _may_send(self) -> bool:
        end = self._end
        return (
            not self._stream.ended[self._side]
            and is_writable(self._flow)
            and not (end.ended or end.is_closing or end.is_peer_closed)
        )

    # ... is told.

    def hear(self) -> bool:
        """Ask for the next item; return whether there was one."""
        end, flow, stream, side = self._end, self._flow, self._stream, self._side
        if self._is_left or end.is_gone:
            return False
        if flow.inbox:
            item: Any = end.core.take(flow)
            if type(item) is Ext and item.code == FAILURE_CODE:
                self._hear_failure(item)
            else:
                stream.hear(side, item)
            return True
        if not end.ended:
            end.core.handle_taken(flow)
        verdict = self._verdict()
        if verdict and not stream.verdicts[side]:
            stream.told(side, verdict, has_lost=bool(end.ended))
        return False

    def _verdict(self) -> str:
        """Return why nothing more can be heard, or nothing."""
        if self._flow.reset is not None:
            return "left"
        if self._flow.is_read_out:
            return "end"
        return self._end.ended

    def _hear_failure(self, item: Ext) -> None:
        stream = self._stream
        failure = decode_stream_failure(bytes(item.data))
        if failure.message != str(stream.number):
            raise Violation(f"stream {stream.number} was told another's failure: {failure.message}")
        stream.told(self._side, FAILURE)

    @property
    def is_over(self) -> bool:
        """Whether this end has nothing to do with it any more."""
        return self._flow.is_over or bool(self._end.ended)

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        if self._end.is_gone or self._is_left:
            return ""
        if self._stream.verdicts[self._side] and (self._flow.is_over or self._end.ended):
            return ""
        return f"stream {self._stream.number} goes on at side {self._side}"
