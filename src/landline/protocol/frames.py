"""The unit on the wire: a fixed header (length, type, one number) read by one struct call, then the payload.

``docs/protocol.md`` specifies what stands here. The magic opens each direction of a byte carrier; its first byte begins no text, no TLS
hello and no telnet command. ``decoder`` cuts bytes into frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from ..errors import ProtocolError
from ..limits import PROTOCOL

VERSION: Final = 1
MAGIC: Final = b"\xfeLNDLN\x00" + bytes([VERSION])

HEADER: Final = struct.Struct("!IBI")
"""Length of the payload in bytes, type of the frame, and one number whose meaning is the type's."""

_KIND_AT: Final = 4
"""Where the type stands in a frame."""

COUNT: Final = struct.Struct("!Q")
COUNTS: Final = struct.Struct("!QQ")

FRAME_COST: Final = 64
"""What a frame counts besides its payload, in every limit that is counted in bytes."""

FIRST_CREDIT: Final = 4096
"""The credit that whoever opens a flow begins with, before the other end has said anything; and the least that a flow is granted anew."""

MAX_CONTROL: Final = PROTOCOL.control

LARGE: Final = 16 << 10
"""Payloads from this size on are worth more care than frames: header and payload are written as they are, not as one copy."""


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


class LargeFrame:
    """A whole frame whose payload stays the object that it is: it is nowhere copied behind its header, as far as the carrier allows."""

    __slots__ = ("header", "payload")

    def __init__(self, header: bytes, payload: bytes) -> None:
        self.header = header
        self.payload = payload

    def __len__(self) -> int:
        return len(self.header) + len(self.payload)


DataFrame = bytes | LargeFrame
"""A whole frame with a program's data."""


class SharedFrames:
    """Whole data frames of one number that many flows are sent together, each of which keeps no more of them than this object.

    Args:
        together: the frames in one piece, one of them at the least; nothing else of them is kept.
        count: how many they are.
        last: the bytes of the last one.
    """

    __slots__ = ("count", "last", "together")

    def __init__(self, together: bytes, count: int, last: int) -> None:
        self.together = together
        self.count = count
        self.last = last

    def each(self) -> list[bytes]:
        """Return copies of the frames one by one: for where some of them are written, or received, and others are not."""
        if self.count == 1:
            return [self.together]
        frames, at = [], 0
        while at < len(self.together):
            stop = at + HEADER.size + HEADER.unpack_from(self.together, at)[0]
            frames.append(self.together[at:stop])
            at = stop
        return frames

    def __len__(self) -> int:
        return len(self.together)


Queued = DataFrame | SharedFrames
"""What waits to be written, or to be received by the peer."""


def each_of(queued: Iterable[Queued]) -> list[DataFrame]:
    """Return the frames one by one."""
    frames: list[DataFrame] = []
    for one in queued:
        frames += one.each() if isinstance(one, SharedFrames) else (one,)
    return frames


def encode_data_frame(kind: int, number: int, payload: bytes) -> DataFrame:
    """Return one whole frame, which is a ``LargeFrame`` from ``LARGE`` bytes of payload on."""
    header = HEADER.pack(len(payload), kind, number)
    return header + payload if len(payload) < LARGE else LargeFrame(header, payload)


def kind_of(frame: DataFrame) -> int:
    """Return the type of a whole frame."""
    return (frame.header if isinstance(frame, LargeFrame) else frame)[_KIND_AT]


def number_of(frame: DataFrame) -> int:
    """Return the number of a whole frame."""
    number: int = HEADER.unpack_from(frame.header if isinstance(frame, LargeFrame) else frame)[2]
    return number


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
