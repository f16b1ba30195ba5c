"""The unit on the wire: a fixed header (length, type, one number) read by one struct call, then the payload.

``docs/protocol.md`` specifies what stands here. The magic opens each direction of a byte carrier; its first byte begins no text, no TLS
hello and no telnet command. The decoder allocates for what arrived, never for what a header declares.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

from ..errors import ProtocolError
from ..limits import PROTOCOL

VERSION: Final = 1
MAGIC: Final = b"\xfeLNDLN\x00" + bytes([VERSION])

HEADER: Final = struct.Struct("!IBI")
"""Length of the payload in bytes, type of the frame, and one number whose meaning is the type's."""

COUNT: Final = struct.Struct("!Q")
COUNTS: Final = struct.Struct("!QQ")

FRAME_COST: Final = 64
"""What a frame counts besides its payload, in every limit that is counted in bytes."""

FIRST_CREDIT: Final = 4096
"""The credit that whoever opens a flow begins with, before the other end has said anything; and the least that a flow is granted anew."""

MAX_CONTROL: Final = PROTOCOL.control


class FrameType(IntEnum):
    """What a frame is. Below 0x20 are control frames: not counted, never waiting behind data; from 0x20 on frames are counted."""

    HELLO = 0x01
    RESUME = 0x02
    WELCOME = 0x03
    REFUSE = 0x04
    CONFIRM = 0x05
    PING = 0x06
    PONG = 0x07
    ACK = 0x08
    HANDLED = 0x09
    CREDIT = 0x0A
    ASK = 0x0B
    CLOSE = 0x0C
    WAITING = 0x0D

    BYTES = 0x20
    TEXT = 0x21
    PACKED = 0x22
    OPEN = 0x23
    END = 0x24
    DONE = 0x25
    RESET = 0x26


FIRST_COUNTED: Final = 0x20
"""Counted frames have a place in the session's one order of each direction: 0, 1, 2, … without carrying a number."""

LAST_DATA: Final = int(FrameType.PACKED)
"""Counted frames up to this one carry a program's data; those above it are about their flow."""

Frame = tuple[int, int, bytes]
"""Type, number, payload."""


class ResetCode(IntEnum):
    """Why an end abandoned a flow, on the wire of RESET."""

    CANCELLED = 0
    """Its program wants no more of it."""
    UNWANTED = 1
    """Nobody here takes a flow for that purpose."""
    FAILED = 2
    """Its program failed."""
    BAD_DATA = 3
    """Something in it could not be read."""

    @property
    def text(self) -> str:
        """The code as words."""
        return self.name.lower().replace("_", " ")


class CloseCode(IntEnum):
    """Why a connection was closed or refused, on the wire of CLOSE and REFUSE."""

    NORMAL = 0
    GOING_AWAY = 1
    REPLACED = 2
    STALE = 3
    DEAD = 4
    PROTOCOL_ERROR = 5
    MISCOUNT = 6
    TOO_LARGE = 7
    BAD_DATA = 8
    UNAUTHORIZED = 9
    UNKNOWN_SESSION = 10
    EXPIRED = 11
    REVOKED = 12
    BUSY = 13
    VERSION = 14
    FAILED = 15
    TIMED_OUT = 16

    @property
    def text(self) -> str:
        """The code as words, as it stands in errors: ``unknown session``."""
        return self.name.lower().replace("_", " ")

    @property
    def resumable(self) -> bool:
        """Whether the session lives on after a connection closed with this code, so that its client redials."""
        return self in _RESUMABLE


_RESUMABLE: Final = frozenset({CloseCode.GOING_AWAY, CloseCode.DEAD, CloseCode.BUSY, CloseCode.TIMED_OUT})


def is_magic(head: bytes | bytearray) -> bool:
    """Whether a peer's first bytes begin with ``MAGIC``; no while they may still come to.

    Raises:
        ProtocolError: they do not; with the code ``version`` when they are another version's.
    """
    seen = bytes(head[: len(MAGIC)])
    if seen == MAGIC[: len(seen)]:
        return len(seen) == len(MAGIC)
    if seen[:-1] == MAGIC[:-1] and len(seen) == len(MAGIC):
        raise ProtocolError(
            f"the peer speaks version {seen[-1]} of the protocol, we speak {MAGIC[-1]}", "version"
        )
    raise ProtocolError(f"the peer does not speak landline: it began with {bytes(head[:40])!r}")


def encode_frame(kind: int, number: int = 0, payload: bytes = b"") -> bytes:
    """Return one whole frame."""
    return HEADER.pack(len(payload), kind, number) + payload


def decode_count(payload: bytes) -> int:
    """Read the payload that is one count.

    Raises:
        ProtocolError: it is none, or beyond 63 bits.
    """
    if len(payload) != COUNT.size:
        raise ProtocolError("a count of the wrong size")
    count: int = COUNT.unpack(payload)[0]
    if count >> 63:
        raise ProtocolError("a count beyond 63 bits")
    return count


class FrameDecoder:
    """Cuts arriving bytes into frames, whatever chunks they come in.

    Args:
        max_message: the largest payload of a data frame, in bytes, that of any other is ``MAX_CONTROL``; a header that declares more is an
            error at once.
    """

    __slots__ = ("_buffer", "_max_message", "_needed")

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message
        self._buffer = bytearray()
        self._needed = HEADER.size

    @property
    def held(self) -> int:
        """The bytes that are here of an unfinished frame."""
        return len(self._buffer)

    @property
    def needed(self) -> int:
        """The size of the unfinished frame in bytes, header included, as far as known: at first that of the header alone."""
        return self._needed

    def feed(self, data: bytes) -> Iterable[Frame]:
        """Return the frames that ``data`` completes.

        The iterator must be run to its end, or the decoder be dropped.

        Raises:
            ProtocolError: a header declares more than the limit (``too-large``); while the frames before it are taken, not at once.
        """
        buffer = self._buffer
        if len(buffer) + len(data) < self._needed:  # little arrived: there is nothing to cut yet
            buffer += data
            return ()
        return self._cut(data)

    def _cut(self, data: bytes) -> Iterator[Frame]:
        at, header_size = 0, HEADER.size
        if self._buffer:
            at = self._fill(data)
            if len(self._buffer) < self._needed:
                return
            # One copy, and what it was gathered in goes before anybody works on it: a large message is never here three times.
            whole, self._buffer, self._needed = self._buffer, bytearray(), header_size
            _, kind, number = HEADER.unpack_from(whole)
            payload = bytes(memoryview(whole)[header_size:])
            del whole
            yield kind, number, payload
        unpack, max_message = HEADER.unpack_from, self._max_message
        end = len(data)
        while end - at >= header_size:
            length, kind, number = unpack(data, at)
            if length > (max_message if FIRST_COUNTED <= kind <= LAST_DATA else MAX_CONTROL):
                raise _too_large(kind, length)
            stop = at + header_size + length
            if stop > end:
                self._needed = stop - at
                break
            yield kind, number, data[at + header_size : stop]
            at = stop
        if at < end:
            self._buffer += data[at:]

    def _fill(self, data: bytes) -> int:
        """Add what the unfinished frame lacks; return how much of ``data`` that took."""
        buffer, at = self._buffer, 0
        if len(buffer) < HEADER.size:
            at = HEADER.size - len(buffer)
            buffer += data[:at]
            if len(buffer) < HEADER.size:
                return len(data)
            length, kind, _ = HEADER.unpack_from(buffer)
            if length > (self._max_message if FIRST_COUNTED <= kind <= LAST_DATA else MAX_CONTROL):
                raise _too_large(kind, length)
            self._needed = HEADER.size + length
        stop = at + self._needed - len(buffer)
        buffer += data[at:stop]
        return min(stop, len(data))


def _too_large(kind: int, length: int) -> ProtocolError:
    limit = "max_message" if FIRST_COUNTED <= kind <= LAST_DATA else "protocol.control"
    return ProtocolError(f"a frame of {length} bytes is over the limit", "too-large", limit=limit)
