"""What one end of a simulated session calls, and what it is called for: both ends have one, and offer the same methods."""

from __future__ import annotations

from functools import partial
from typing import Final

from ...protocol.calls import (
    CALLS_PURPOSE,
    STREAM_PURPOSE,
    decode_opening,
    decode_value,
    encode_opening,
)
from ...protocol.flow import Flow
from .call_books import CallBooks
from .calls import ONCE, TWICE, Callee, Caller
from .ends import End
from .flows import open_flow, say
from .streams import StreamEnd

_STREAMS: Final = 4
"""Streams that an end has open at once, of its own."""
_SECONDS: Final = (0.5, 20.0, 300.0, 3600.0)
"""How long calls may take."""


class Booth:
    """Calls and streams of one end; a client's outlives the lives of its server.

    Attributes:
        end: the end of the session that there is now.
        books: what must be true.
    """

    def __init__(self, end: End, books: CallBooks) -> None:
        self.end = end
        self.books = books
        self._callees: list[Callee] = []
        self._mine: list[StreamEnd] = []
        self._theirs: list[StreamEnd] = []
        self._caller = Caller(self)

    # Its session...

    def takes(self, flow: Flow) -> bool:
        """Take a flow that the peer opened, if it is one of these; return whether it is."""
        end = self.end
        if flow.purpose == CALLS_PURPOSE:
            callee = Callee(self, end, flow)
            self._callees = [*(each for each in self._callees if not each.is_over), callee]
            end.serving[flow.number] = callee.arrived
            end.node.ready.append(callee.arrived)  # what came together with it was reported before it
        elif flow.purpose == STREAM_PURPOSE:
            begin = end.serving[flow.number] = partial(self._begin_stream, end, flow)
            end.node.ready.append(begin)
        else:
            return False
        return True

    def _begin_stream(self, end: End, flow: Flow) -> None:
        if flow.inbox and flow.number in end.serving and not end.ended:
            del end.serving[flow.number]
            opening = decode_opening(end.core.take(flow))
            stream = self.books.streams[decode_value(opening.args)[0]]
            self._theirs.append(StreamEnd(end, flow, stream, 1))

    def drained(self) -> None:
        """Everything of a flow is handled: if that is all that came before the peer's close, the session ends."""
        self.end.drained()

    def wake(self) -> None:
        """The session is closing, or over: whoever waits is told, and what came is read."""
        end = self.end
        self._caller.arrived(end)
        for callee in self._callees:
            callee.arrived()
        if end.is_peer_closed or end.ended:
            self._read_out()
            self.drained()

    def renewed(self, before: End, end: End) -> None:
        """Another life of the server goes on with the session."""
        self.end = end
        self._caller.arrived(before)
        for callee in self._callees:
            callee.arrived()
        self._read_out()

    def _read_out(self) -> None:
        """Programs read what is left of their streams, up to being told that they are over."""
        for stream in (*self._mine, *self._theirs):
            while stream.hear():
                pass
        self._sweep()

    # The programs...

    def do_call(self, a: int, b: int) -> None:
        """Call something; or be done with a call, or give up either way."""
        what = b % 16
        if what < 6:
            method = TWICE if b & 0x10 else ONCE
            self._caller.call(method, _SECONDS[(b >> 5) % 4], (b >> 7) % 60)
        elif what == 6:
            self._caller.cancel(a >> 1)
        elif self._callees and not self.end.is_lazy:
            callee = self._callees[(a >> 1) % len(self._callees)]
            if what < 14:
                for _ in range(1 + (b >> 8) % 3):
                    callee.finish(a >> 1, fails=bool(b & 0x10))
            elif what == 15 and not b & 0x70:
                callee.give_up()
                self._callees.remove(callee)

    def do_stream(self, a: int, b: int) -> None:
        """Begin a stream; or send in one, read, end it, or leave it."""
        what = b % 16
        if what == 0:
            self._open_stream()
            return
        streams = self._theirs if b & 0x10 else self._mine
        if not streams:
            self._open_stream()
            return
        stream = streams[(a >> 1) % len(streams)]
        if what < 7:
            for _ in range(1 + what % 3):
                stream.say(20 + (b >> 5) % 100)
        elif what < 13:
            for _ in range(1 + what % 4):
                if self.end.is_lazy or not stream.hear():
                    break
        elif what == 13:
            stream.end()
        elif what == 14:
            stream.fail()
        elif not b & 0x60:
            stream.leave()
        self._sweep()

    def _open_stream(self) -> None:
        end = self.end
        if len(self._mine) >= _STREAMS or end.ended or end.is_closing or end.is_peer_closed:
            return
        flow = open_flow(end, STREAM_PURPOSE)
        if flow is not None:
            ticket = self.books.open()
            say(end, flow, encode_opening(None, ONCE, [ticket], {}, end.core.max_message))
            self._mine.append(StreamEnd(end, flow, self.books.streams[ticket], 0))

    def _sweep(self) -> None:
        """Forget what is over."""
        self._mine = [stream for stream in self._mine if stream.lacks]
        self._theirs = [stream for stream in self._theirs if stream.lacks]

    # ... until there is nothing to do.

    def wind_up(self) -> None:
        """Every call that somebody waits for is done, every stream is ended and read."""
        for callee in self._callees:
            callee.finish_all()
        for stream in (*self._mine, *self._theirs):
            stream.end()
            while stream.hear():
                pass
        self._sweep()

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        if waiting := self._caller.waiting:
            return f"{waiting} calls wait for their answers"
        everything: list[Callee | StreamEnd] = [*self._callees, *self._mine, *self._theirs]
        return next(filter(None, (each.lacks for each in everything)), "")

    def close(self) -> None:
        """Leave the flow of the calls."""
        self._caller.close()
