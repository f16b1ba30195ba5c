"""What the carriers of a world put around what is written: nothing (TCP, a Unix socket), WebSocket's frames, or records as TLS has them.

A ``Wrapping`` is one end's half, in both directions; a line whose ends have none carries bytes as they are. WebSocket is the real codec of
``transports.websocket.frames``, with the pings and fragments that other programs, and proxies on the way, may make of it; of TLS it is what
sessions meet: all of a record arrives or nothing. Handshakes are left to the tests with real sockets.
"""

from __future__ import annotations

import random
import struct
from typing import Final, Protocol

from ...protocol.frames import HEADER, MAGIC
from ...transports.websocket.frames import (
    BINARY,
    CLOSE,
    NORMAL,
    PING,
    PONG,
    FrameReader,
    encode_close,
    encode_frame,
)
from ...transports.websocket.frames import CONTINUATION as GOES_ON
from .line import Port, Violation

BYTES: Final = "bytes"
WEBSOCKET: Final = "WebSocket"
TLS: Final = "TLS"

KINDS: Final = (BYTES, BYTES, WEBSOCKET, TLS)
"""What a line is drawn from: half of them are bytes, where cuts and slices do most at the least cost."""

_UNUSUAL = 0.05
"""How often a message is in two fragments, or a ping goes before it."""

_RECORD = struct.Struct(
    "!BHQ"
)  # data or farewell, the length, and in place of the tag which record of its direction this is
_DATA, _FAREWELL = 23, 21
_LARGEST = 256  # bytes of ours in a record: a large write is several, as it is in 16 KiB ones elsewhere


class Wrapping(Protocol):
    """One end of a line that does not carry bytes as they are.

    Attributes:
        kind: of line.
        answer: what is to be written at once because of what arrived; whoever writes it empties it.
        has_ended: the other end said that nothing follows.
    """

    kind: str
    answer: bytes
    has_ended: bool

    def wrap(self, pieces: list[bytes]) -> bytes:
        """Return what goes on the line for what is written at once."""

    def unwrap(self, data: bytes) -> bytes:
        """Take what arrived, in any chunks; return what of it is for the connection."""

    def farewell(self) -> bytes:
        """Return what says that nothing follows."""


def kind_of(port: Port) -> str:
    """Return what carries a line, of which this is an end."""
    return BYTES if port.wrapping is None else port.wrapping.kind


def draw_wrappings(chance: random.Random) -> tuple[Wrapping | None, Wrapping | None]:
    """Return the client's end and the server's of a new line."""
    kind = chance.choice(KINDS)
    if kind == WEBSOCKET:
        own = random.Random(chance.getrandbits(32))
        return WebSocketWrapping(own, is_client=True), WebSocketWrapping(own, is_client=False)
    if kind == TLS:
        return TlsWrapping(), TlsWrapping()
    return None, None


class WebSocketWrapping:
    """One end of a WebSocket, without the handshake: what is written at once is one binary message."""

    kind = WEBSOCKET

    def __init__(self, chance: random.Random, *, is_client: bool) -> None:
        self._chance = chance
        self._is_client = is_client
        self._reader = FrameReader(is_masked=not is_client)
        self._is_first = True
        self.answer = b""
        self.has_ended = False

    def wrap(self, pieces: list[bytes]) -> bytes:
        """Return one message, which must hold whole frames of the session: a receiver may count on that."""
        data = b"".join(pieces)
        check_whole(data, is_first=self._is_first)
        self._is_first = False
        drawn = self._chance.random()
        if drawn > 2 * _UNUSUAL:
            return encode_frame(BINARY, data, self._key())
        ping = encode_frame(PING, b"still there?", self._key())
        if drawn > _UNUSUAL:
            return ping + encode_frame(BINARY, data, self._key())
        cut = self._chance.randrange(len(data) + 1)
        return b"".join((
            encode_frame(BINARY, data[:cut], self._key(), is_final=False),
            ping,
            encode_frame(GOES_ON, data[cut:], self._key()),
        ))  # fmt: skip

    def unwrap(self, data: bytes) -> bytes:
        """Read frames; of messages their bytes are returned as they come, all that came at once together, as the transport does."""
        found = self._reader.feed(data)
        if self._reader.failure is not None:
            raise Violation(f"a WebSocket's rules were broken: {self._reader.failure}")
        told = []
        for kind, payload, _ in found:
            if kind == BINARY:
                told.append(payload)
            elif kind == PING:
                self.answer += encode_frame(PONG, payload, self._key())
            elif kind == CLOSE:
                self.has_ended = True
        return b"".join(told)

    def farewell(self) -> bytes:
        """Return a Close."""
        return encode_close(NORMAL, key=self._key())

    def _key(self) -> bytes:
        return self._chance.randbytes(4) if self._is_client else b""


class TlsWrapping:
    """One end of what TLS is to a session: records, of which none is told before all of it is here."""

    kind = TLS

    def __init__(self) -> None:
        self._rest = b""
        self._sent = self._received = 0
        self.answer = b""
        self.has_ended = False

    def wrap(self, pieces: list[bytes]) -> bytes:
        """Return as many records as it takes."""
        data = b"".join(pieces)
        return b"".join(
            [self._record(_DATA, data[at : at + _LARGEST]) for at in range(0, len(data), _LARGEST)]
        )

    def unwrap(self, data: bytes) -> bytes:
        """Read records; one that does not follow the one before would not decrypt."""
        data = self._rest + data
        at, end, told = 0, len(data), []
        while end - at >= _RECORD.size:
            kind, size, number = _RECORD.unpack_from(data, at)
            stop = at + _RECORD.size + size
            if stop > end:
                break
            if number != self._received:
                raise Violation(f"record {number} arrived where {self._received} was due")
            self._received += 1
            self.has_ended = kind == _FAREWELL
            told.append(data[at + _RECORD.size : stop])
            at = stop
        self._rest = data[at:]
        return b"".join(told)

    def farewell(self) -> bytes:
        """Return the record that says so."""
        return self._record(_FAREWELL, b"")

    def _record(self, kind: int, data: bytes) -> bytes:
        number, self._sent = self._sent, self._sent + 1
        return _RECORD.pack(kind, len(data), number) + data


def check_whole(data: bytes, *, is_first: bool) -> None:
    """What is written at once ends where a frame ends; the first of a direction begins with the magic.

    Raises:
        Violation: it does not.
    """
    at, end, unpack = 0, len(data), HEADER.unpack_from
    if is_first:
        at = len(MAGIC)
        if data[:at] != MAGIC:
            raise Violation(f"a line begins with {data[:at]!r}, and not with the magic")
    while at < end:
        if end - at < HEADER.size:
            break
        at += HEADER.size + unpack(data, at)[0]
    if at != end:
        raise Violation("a frame straddles two writes")
