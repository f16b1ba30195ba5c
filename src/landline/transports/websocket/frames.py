"""WebSocket's frames (RFC 6455, section 5), sans I/O: bytes in, what they say out; and the other way.

What arrives of a message is told as it arrives: nothing is kept of an unfinished one, whatever it declares and however many fragments it
comes in. Control frames are told whole.
No extension is ever agreed on, compression least of all (docs/decisions/0008-websocket.md), so the reserved bits are 0.
"""

from __future__ import annotations

import codecs
import struct
from typing import Final, NamedTuple

from ...errors import ProtocolError
from ...limits import TRANSPORT
from .masking import fastest

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MAX_MESSAGE: Final = TRANSPORT.websocket_message

MAX_CONTROL: Final = 125
"""Bytes of a control frame's payload (section 5.5)."""

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
NO_CODE: Final = 1005
"""Stands for a Close without a code; never on the wire."""
BAD_DATA: Final = 1007
TOO_LARGE: Final = 1009

_MAY_BE_SENT: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})
"""The registered codes that may stand in a Close; 3000 to 4999 are free for libraries and programs (section 7.4)."""

_KINDS: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_FINAL: Final = 0x80
_WHOLE_BINARY: Final = _FINAL | BINARY
_SHORT: Final = [bytes([_WHOLE_BINARY, size]) for size in range(126)]
_LARGE: Final = 1024
"""Bytes from which on a view of them costs less than a copy."""
_UTF8: Final = codecs.getincrementaldecoder("utf-8")

Arrival = tuple[int, bytes, bool]
"""What arrived: TEXT or BINARY, more of that message, and whether it is complete; or CLOSE, PING or PONG, its payload, and True."""


class WebSocketError(ProtocolError):
    """The peer broke a rule of WebSocket.

    Attributes:
        close_code: the number that its Close says this with.
    """

    def __init__(self, reason: str, close_code: int = PROTOCOL_ERROR, *, limit: str = "") -> None:
        super().__init__(reason, _CODES.get(close_code, "protocol-error"), limit=limit)
        self.close_code = close_code


_CODES: Final = {UNSUPPORTED: "bad-data", BAD_DATA: "bad-data", TOO_LARGE: "too-large"}


class CloseReason(NamedTuple):
    """What a Close says: a number, ``NO_CODE`` for none, and a clause for people, which may be empty."""

    code: int
    reason: str


class FrameReader:
    """Reads what one end sends, whatever chunks it comes in.

    Args:
        is_masked: whether that end is the client, which masks every frame; the server masks none.
        max_message: bytes that one message may have, all its frames together; a frame that declares more is an error at once.
        takes_text: else a text message is an error: a session has none.

    Attributes:
        failure: why nothing more is read, or None; set after everything that came before it was returned.
        is_closed: a Close came; what comes after it is not looked at.
    """

    __slots__ = (
        "_is_final", "_is_masked", "_key", "_kind", "_left", "_max_message", "_rest", "_size", "_takes_text", "_unmask", "_utf8",
        "failure", "is_closed",
    )  # fmt: skip

    def __init__(self, *, is_masked: bool, max_message: int = MAX_MESSAGE, takes_text: bool = False) -> None:
        self._is_masked = is_masked
        self._unmask = fastest()
        self._max_message = max_message
        self._takes_text = takes_text
        self._rest = b""  # of an unfinished header, or of an unfinished control frame: at most 139 bytes
        self._kind = CONTINUATION  # of the message that is unfinished, or none
        self._size = 0  # of that message, as declared so far
        self._utf8 = _UTF8()
        self._left = 0  # bytes that the unfinished frame lacks
        self._key = b""  # as it goes on with the next of them
        self._is_final = False
        self.failure: WebSocketError | None = None
        self.is_closed = False

    @property
    def held(self) -> int:
        """The bytes that are kept, of an unfinished header or control frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Arrival]:
        """Return what ``data`` says; look at ``failure`` and ``is_closed`` afterwards."""
        found: list[Arrival] = []
        if self.failure is None and not self.is_closed:
            try:
                self._read(self._rest + data if self._rest else data, found)
            except WebSocketError as error:
                self.failure = error.with_traceback(None)  # which would hold what was read
        return found

    def _read(self, data: bytes, found: list[Arrival]) -> None:
        at, end = 0, len(data)
        is_masked = self._is_masked
        if self._left:
            at = self._go_on(data, found)
        while end - at >= 2:
            first, second = data[at], data[at + 1]
            if (second > 127) is not is_masked:
                raise WebSocketError(
                    "a frame of a client without a mask" if is_masked else "a masked frame from a server"
                )
            start, length = at + 2, second & 127
            if first != _WHOLE_BINARY or self._kind:  # else it is what sessions send: nothing to check
                self._check(first, length)
            if length > 125:
                size = 2 if length == 126 else 8
                start += size
                if end < start:
                    break
                length = _read_length(data[start - size : start])
            if is_masked:
                start += 4
                if end < start:
                    break
            stop = start + length
            if first & 8:
                if stop > end:
                    break
                payload = data[start:stop]
                self._heed(
                    first & 15,
                    self._unmask(payload, data[start - 4 : start]) if is_masked else payload,
                    found,
                )
                if self.is_closed:
                    return
            elif first == _WHOLE_BINARY and stop <= end and length <= self._max_message:
                if not is_masked:
                    payload = data[start:stop]
                elif length < _LARGE:
                    payload = self._unmask(data[start:stop], data[start - 4 : start])
                else:
                    payload = self._unmask(memoryview(data)[start:stop], data[start - 4 : start])
                found.append((BINARY, payload, True))
            else:
                self._begin(first, length, data[start - 4 : start])
                stop = start + self._go_on(data[start:stop], found)
            at = stop
        self._rest = data[at:]

    # The parts of a message...

    def _check(self, first: int, length: int) -> None:
        """Refuse a frame for what its first two bytes say; what is declared beyond them comes later."""
        kind = first & 15
        if first & 0x70:
            raise WebSocketError("reserved bits are set, and no extension was agreed on")
        if kind not in _KINDS:
            raise WebSocketError(f"a frame of the unknown kind {kind}")
        if kind & 8:
            if length > MAX_CONTROL:
                raise WebSocketError("a control frame of more than 125 bytes")
            if not first & _FINAL:
                raise WebSocketError("a control frame in fragments")
        elif kind == CONTINUATION and not self._kind:
            raise WebSocketError("a message goes on that did not begin")
        elif kind != CONTINUATION and self._kind:
            raise WebSocketError("a message begins within another")
        elif kind == TEXT and not self._takes_text:
            raise WebSocketError("a text message, where only binary ones are taken", UNSUPPORTED)

    def _begin(self, first: int, length: int, key: bytes) -> None:
        """A frame of a message begins: by what it declares, is the message still within its limits?"""
        self._kind = self._kind or first & 15
        self._size += length
        if self._size > self._max_message:
            raise WebSocketError(
                f"a message of {self._size:,} bytes, where {self._max_message:,} are taken",
                TOO_LARGE,
                limit="transport.websocket_message",
            )
        self._is_final = first >= _FINAL
        self._left = length
        self._key = key

    def _go_on(self, data: bytes, found: list[Arrival]) -> int:
        """Take what is there of the frame that began; return how much that was."""
        piece = data[: self._left]
        taken = len(piece)
        self._left -= taken
        if self._is_masked:
            key, turn = self._key, taken & 3
            piece = self._unmask(piece, key)
            self._key = key[turn:] + key[:turn]
        kind, is_complete = self._kind, self._is_final and not self._left
        if kind == TEXT:
            self._check_text(piece, is_complete)
        if is_complete:
            self._kind = CONTINUATION
            self._size = 0
        if piece or is_complete:
            found.append((kind, piece, is_complete))
        return taken

    def _check_text(self, piece: bytes, is_complete: bool) -> None:
        try:
            self._utf8.decode(piece, is_complete)
        except UnicodeDecodeError:
            raise WebSocketError("a text message that is not UTF-8", BAD_DATA) from None

    def _heed(self, kind: int, payload: bytes, found: list[Arrival]) -> None:
        """A control frame is complete."""
        if kind == CLOSE:
            read_close(payload)
            self.is_closed = True
        found.append((kind, payload, True))


def read_close(payload: bytes) -> CloseReason:
    """Read what a Close says.

    Raises:
        WebSocketError: it says what none may say.
    """
    if not payload:
        return CloseReason(NO_CODE, "")
    code = int.from_bytes(payload[:2], "big")  # half of one is none that may be sent either
    if code not in _MAY_BE_SENT and not 3000 <= code <= 4999:
        raise WebSocketError(f"a Close with the code {code}, which may not be sent")
    try:
        return CloseReason(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise WebSocketError("a Close whose reason is not UTF-8", BAD_DATA) from None


def encode_frame(kind: int, payload: bytes, key: bytes = b"", *, is_final: bool = True) -> bytes:
    """Return one frame; ``key`` is the mask, which a client needs and a server has none of."""
    size = len(payload)
    if not key and size < 126 and kind == BINARY and is_final:
        return _SHORT[size] + payload
    first = kind | (_FINAL if is_final else 0)
    bit = 0x80 if key else 0
    if size < 126:
        header = bytes((first, bit | size))
    elif size < 1 << 16:
        header = struct.pack("!BBH", first, bit | 126, size)
    else:
        header = struct.pack("!BBQ", first, bit | 127, size)
    return b"".join((header, key, fastest()(payload, key))) if key else header + payload


def encode_close(code: int, reason: str = "", key: bytes = b"") -> bytes:
    """Return a Close; of a reason that is too long, what fits."""
    if code == NO_CODE:
        return encode_frame(CLOSE, b"", key)
    words = reason.encode()[: MAX_CONTROL - 2].decode(errors="ignore").encode()
    return encode_frame(CLOSE, code.to_bytes(2, "big") + words, key)


def _read_length(data: bytes) -> int:
    """Read a length that the second byte had no room for."""
    length = int.from_bytes(data, "big")
    if length >> 63:
        raise WebSocketError("a length beyond 63 bits")
    if length < (126 if len(data) == 2 else 1 << 16):
        raise WebSocketError("a length in more bytes than it needs")
    return length
