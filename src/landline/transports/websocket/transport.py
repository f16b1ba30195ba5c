"""WebSocket as a transport: over another one, after the handshake.

What is written at once is one binary message; where a message begins and ends is not told, as bytes are all that a transport carries. A
Close ends its sender's direction. RFC 6455 lets the other end finish what it is saying before it answers with its own, so between two of
ours one direction may go on after the other; elsewhere the peer takes nothing more once it has said its Close, as browsers do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from ...errors import ProtocolError
from ...limits import TRANSPORT
from ..base import Borrower, Receiver, Transport, joined, nothing, unheeded
from .frames import (
    BINARY,
    CLOSE,
    GOING_AWAY,
    MAX_MESSAGE,
    NO_CODE,
    NORMAL,
    PING,
    PONG,
    Arrival,
    FrameReader,
    WebSocketError,
    encode_close,
    encode_frame,
    read_close,
)
from .masking import new_key

log = logging.getLogger("landline.transports")

LINGER: Final = TRANSPORT.linger

_ORDERLY: Final = (NORMAL, GOING_AWAY, NO_CODE)


class WebSocketTransport:
    """One WebSocket. It takes ``inner`` over at once, of whose bytes the handshake has been read.

    ``end`` sends a Close and reads on until the peer's. ``close`` sends one too, and waits for the peer's for two seconds before it closes
    ``inner``. What breaks a rule is answered with a Close that says which; the receiver is told at once that the transport is lost.

    Args:
        inner: closed with it.
        is_client: whether this end dialled: it masks what it sends.
        first: what was read behind the handshake.
        max_message: bytes of one arriving message.

    Attributes:
        peer: the other end's address as text.
        source: who that is for limits per source.
        on_broken: called at once when the peer breaks a rule of WebSocket.
    """

    def __init__(
        self, inner: Transport, *, is_client: bool, first: bytes = b"", max_message: int = MAX_MESSAGE
    ) -> None:
        self.peer = _web(inner.peer)
        self.source = inner.source
        self.on_lost: Callable[[Transport], None] = nothing
        self.on_broken: Callable[[Exception], object] = unheeded
        self._inner = inner
        self._wrapping = 0
        self._is_client = is_client
        self._reader = FrameReader(is_masked=not is_client, max_message=max_message)
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver | None = None
        self._early: bytearray | None = bytearray(first)  # until the receiver was told of it
        self._linger: asyncio.TimerHandle | None = None
        self._pong: bytes | None = None  # what the newest ping said, while it cannot be answered
        self._code = NORMAL  # what our Close says: after the peer's, the same
        self._error: Exception | None = None
        self._is_held = False
        self._is_closing = False
        self._has_ended = False  # the peer said its Close
        self._has_said_all = False  # we said ours
        self._is_cut = False  # inner ended
        self._is_gone = False  # inner is lost
        self._has_told_lost = False
        inner.start(self)

    # What the writer sees...

    @property
    def backlog(self) -> int:
        """Bytes written and not yet given to the kernel."""
        return self._inner.backlog

    @property
    def wrapping(self) -> int:
        """Bytes that were put around what was written."""
        return self._wrapping + self._inner.wrapping

    @property
    def is_writable(self) -> bool:
        """Whether more should be written now."""
        return not self._is_closing and self._inner.is_writable

    def start(self, receiver: Receiver) -> None:
        """Tell ``receiver`` from now on."""
        is_first = self._receiver is None
        self._receiver = receiver
        if is_first:
            self._loop.call_soon(self._begin)
        elif self._has_ended and not self._is_closing:
            self._loop.call_soon(receiver.data_ended)

    def hold(self, is_held: bool) -> None:
        """Read no more for now, or read on."""
        self._is_held = is_held
        if self._early is not None:
            if self._receiver is not None:
                self._loop.call_soon(self._begin)
        elif not self._is_closing:
            self._inner.hold(is_held)

    def widen(self, borrower: Borrower) -> None:
        """Have more read at a time; messages are put together here anyway."""
        del borrower
        self._inner.widen(self)

    def write(self, *pieces: bytes) -> None:
        """Send them as one message; nothing is none."""
        data = joined(pieces)
        if data and not self._has_said_all:
            frame = encode_frame(BINARY, data, new_key() if self._is_client else b"")
            self._wrapping += len(frame) - len(data)
            self._inner.write(frame)

    def end(self) -> None:
        """Send a Close behind what waits, and read on until the peer's."""
        self._say_close(self._code)

    def close(self) -> None:
        """Send a Close behind what waits, and go when the peer has said its own."""
        if self._is_closing:
            return
        self._is_closing = True
        self._say_close(self._code)
        if self._has_ended or self._is_cut or self._early is not None:
            self._inner.close()
        else:
            self._inner.hold(False)
            self._linger = self._loop.call_later(LINGER, self._inner.close)

    def abort(self) -> None:
        """Go at once, without a Close."""
        self._is_closing = self._has_said_all = True
        self._inner.abort()

    # What inner tells...

    def data_received(self, data: bytes) -> None:
        """These bytes arrived."""
        if self._early is not None:
            self._early += data
            if self._receiver is None:
                self._inner.hold(True)
            return
        found = self._reader.feed(data)
        if len(found) == 1 and found[0][0] == BINARY:
            self._deliver(found[0][1])
        elif found:
            self._take(found)
        if self._reader.failure is not None:
            self._fail(self._reader.failure)

    def data_lent(self, data: memoryview) -> None:
        """These bytes arrived, and are kept."""
        self.data_received(bytes(data))

    def data_ended(self) -> None:
        """The line ends, which without a Close means that it was cut."""
        self._is_cut = True
        if self._early is None and not self._has_ended:
            self._fail(ProtocolError("the line ended without a WebSocket Close"))

    def writable(self) -> None:
        """Inner takes more bytes again."""
        if self._pong is not None:
            pong, self._pong = self._pong, None
            self._say_pongs([pong])
        if self._receiver is not None and not self._is_closing:
            self._receiver.writable()

    def lost(self, error: Exception | None) -> None:
        """Inner is gone."""
        if self._linger is not None:
            self._linger.cancel()
        if self._receiver is not None:
            self._is_held = False
            self._begin()
        self._is_gone = self._is_closing = self._has_said_all = True
        self._error = self._error or error
        self._tell_lost()
        self.on_lost(self)

    # What arrived means...

    def _begin(self) -> None:
        """Tell the receiver what came before it was there, or before it could be told."""
        if self._early is None or self._is_held:
            return
        early, self._early = self._early, None
        self._inner.hold(False)
        self.data_received(bytes(early))
        if self._is_cut:
            self.data_ended()
        if self._is_gone:
            self._tell_lost()

    def _take(self, found: list[Arrival]) -> None:
        """Answer the pings; tell the bytes of all messages at once, which costs least; then the end."""
        self._say_pongs([payload for kind, payload, _ in found if kind == PING])
        self._deliver(b"".join([payload for kind, payload, _ in found if kind == BINARY]))
        kind, payload, _ = found[-1]
        if kind == CLOSE:
            self._hear_close(payload)

    def _deliver(self, data: bytes) -> None:
        if data and not self._is_closing and self._receiver is not None:
            self._receiver.data_received(data)

    def _hear_close(self, payload: bytes) -> None:
        self._has_ended = True
        self._code, reason = read_close(payload)
        if self._code not in _ORDERLY:
            self._error = ProtocolError(f"the other end closed its WebSocket with {self._code}, {reason!r}")
        if self._is_closing:
            self._inner.close()
        elif self._receiver is not None:
            self._receiver.data_ended()

    def _fail(self, error: ProtocolError) -> None:
        """Say why, and go, without waiting for what the peer says to that (section 7.1.7)."""
        if not self._is_closing:
            log.debug("hung up on %s: %s", self.peer, error)
            self._error = error
            if isinstance(error, WebSocketError):
                self.on_broken(error)
                self._say_close(error.close_code, error.reason)
            self._is_closing = self._has_said_all = True
            self._inner.hold(False)
            self._tell_lost()
        self._inner.close()

    def _tell_lost(self) -> None:
        if self._receiver is not None and not self._has_told_lost:
            self._has_told_lost = True
            self._receiver.lost(self._error)

    # What control frames we send...

    def _say_close(self, code: int, reason: str = "") -> None:
        if not self._has_said_all:
            self._has_said_all = True
            self._say(encode_close(code, reason, self._key()))

    def _say_pongs(self, pongs: list[bytes]) -> None:
        """Answer each ping; where the peer takes nothing, only the last, when it does (section 5.5.3): what waits stays small."""
        if not pongs or self._has_said_all:
            return
        if self._inner.is_writable:
            self._say(b"".join([encode_frame(PONG, pong, self._key()) for pong in pongs]))
        else:
            self._pong = pongs[-1]

    def _say(self, control: bytes) -> None:
        self._wrapping += len(control)
        self._inner.write(control)

    def _key(self) -> bytes:
        return new_key() if self._is_client else b""


def _web(address: str) -> str:
    """Return an address as that of a WebSocket, where there is a scheme for that."""
    for inner, ours in (("tcp://", "ws://"), ("tls://", "wss://")):
        if address.startswith(inner):
            return ours + address.removeprefix(inner)
    return address
