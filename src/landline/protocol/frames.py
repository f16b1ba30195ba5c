"""The unit on the wire: a fixed header (length, type, one number) read by one struct call, then the payload.

``docs/protocol.md`` specifies what stands here. The magic opens each direction of a byte carrier; its first byte begins no text, no TLS
hello and no telnet command. The decoder allocates for what arrived, never for what a header declares.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Final

from ..errors import ProtocolError
from ..limits import PROTOCOL
from .empty import EMPTY_LIST

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

_ALIKE: Final = 16
"""Frames of one size that may follow each other before it is worth a look how many do: it costs about as much as three of them."""

_PIECE: Final = 4096
"""Parts of a frame that are smaller than this are gathered, larger ones are kept as they came."""


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

Series = tuple[int, int, Sequence[bytes]]
"""Type and number of frames that follow each other, and their payloads."""


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


class FrameDecoder:
    """Cuts arriving bytes into frames, whatever chunks they come in.

    Args:
        max_message: the largest payload of a data frame, in bytes, that of any other is ``MAX_CONTROL``; a header that declares more is an
            error at once.

    Attributes:
        held: the bytes that are here of an unfinished frame.
        needed: the size of the unfinished frame in bytes, header included, as far as known: at first that of the header alone.
    """

    __slots__ = ("_head", "_max_message", "_pieces", "_small", "held", "needed")

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message
        self._small = min(max_message, MAX_CONTROL)  # no frame is over its limit with this
        self._head = b""
        self._pieces: list[bytes | bytearray | memoryview] = EMPTY_LIST
        self.held = 0
        self.needed = HEADER.size

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes; see ``series``."""
        for kind, number, payloads in self.series(data):
            for payload in payloads:
                yield kind, number, payload

    def series(self, data: bytes | memoryview) -> Iterable[Series]:
        """Return the frames that ``data`` completes, those together that follow each other and differ in their payloads alone.

        The iterator must be run to its end, or the decoder be dropped. A ``memoryview`` is only lent: nothing of it is kept, and what is
        large in it is copied once.

        Raises:
            ProtocolError: a header declares more than the limit (``too-large``); while the frames before it are taken, not at once.
        """
        if type(data) is memoryview:
            return self._cut_lent(data)
        if self.held + len(data) < self.needed:  # little arrived: there is nothing to cut yet
            self._keep(data)
            return ()
        if not self.held:
            length, kind, number = HEADER.unpack_from(data)
            if length == len(data) - HEADER.size and length <= self._small:
                return (
                    (kind, number, (data[HEADER.size :],)),
                )  # one whole frame, as where they come one at a time
        return self._cut(data)

    def _cut(self, data: bytes) -> Iterator[Series]:
        at, header_size = 0, HEADER.size
        if self.held:
            if self.held < header_size:
                at = header_size - self.held
                self._keep(data[:at])
                self._learn(self._head)
            stop = at + self.needed - self.held
            part = _part(data, at, stop)
            if self.held + len(part) < self.needed:
                self._keep(part)
                return
            at = stop
            yield self._finish(part)
        unpack, small = HEADER.unpack_from, self._small
        end = len(data)
        payloads: list[bytes] = []
        its_kind, its_number, its_length, error = -1, -1, -1, None
        while end - at >= header_size:
            length, kind, number = unpack(data, at)
            if length > small and length > self._most(kind):
                error = _too_large(kind, length)
                break
            start = at + header_size
            stop = start + length
            if stop > end:
                self._keep(data[at:start])
                self.needed = stop - at
                at = start
                break
            if kind == its_kind and number == its_number:
                size = stop - at
                if length == its_length and end - at >= _ALIKE * size:
                    stop = at + _alike(data, at, size) * size
                    payloads += [
                        data[place : place + length] for place in range(start, stop + header_size, size)
                    ]
                else:
                    payloads.append(data[start:stop])
            else:
                if payloads:
                    yield its_kind, its_number, payloads
                its_kind, its_number, payloads = kind, number, [data[start:stop]]
            at, its_length = stop, length
        if payloads:
            yield its_kind, its_number, payloads
        if error is not None:
            raise error
        if at < end:
            self._keep(_part(data, at, end))

    def _cut_lent(self, data: memoryview) -> Iterator[Series]:
        at, end = 0, len(data)
        while at < end:
            if self.held >= HEADER.size:
                stop = at + self.needed - self.held
                if stop > end:
                    self._keep(bytes(data[at:]))
                    return
                yield self._finish(data[at:stop])
                at = stop
                continue
            length, kind, number = (
                (0, 0, 0) if self.held or end - at < HEADER.size else HEADER.unpack_from(data, at)
            )
            if length < LARGE:
                yield from self.series(bytes(data[at:]))
                return
            start = at + HEADER.size
            stop = start + length
            if stop <= end and length <= self._most(kind):
                yield kind, number, (bytes(data[start:stop]),)
                at = stop
            else:
                self._keep(bytes(data[at:start]))
                self._learn(self._head)
                at = start

    def _learn(self, head: bytes) -> None:
        """Learn from a whole header how much is needed."""
        length, kind, _ = HEADER.unpack(head)
        if length > self._most(kind):
            raise _too_large(kind, length)
        self.needed = HEADER.size + length

    def _most(self, kind: int) -> int:
        return self._max_message if FIRST_COUNTED <= kind <= LAST_DATA else MAX_CONTROL

    def _keep(self, part: bytes | memoryview) -> None:
        """Keep a part of the unfinished frame: of its header, or of its payload once that is whole."""
        if self._pieces is EMPTY_LIST:
            self._pieces = []
        if self.held < HEADER.size:
            self._head += part
        elif len(part) >= _PIECE:
            self._pieces.append(part)  # joined when all are here: a large message is copied once
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += part
        else:
            self._pieces.append(bytearray(part))
        self.held += len(part)

    def _finish(self, last: bytes | memoryview) -> Series:
        """Return the frame of which this is the last part, and keep nothing of it."""
        _, kind, number = HEADER.unpack(self._head)
        payload = b"".join((*self._pieces, last))
        self._head, self._pieces, self.held, self.needed = b"", EMPTY_LIST, 0, HEADER.size
        return kind, number, (payload,)


def _alike(data: bytes, at: int, size: int) -> int:
    """Return how many whole frames of that size have the same header as the one at ``at``, without a look at each."""
    stop = at + (len(data) - at) // size * size
    counts = []
    for place in range(at, at + HEADER.size):
        column = data[place:stop:size]
        counts.append(len(column) - len(column.lstrip(column[:1])))
    return min(counts)


def _part(data: bytes, at: int, stop: int) -> bytes | memoryview:
    """Return ``data[at:stop]``, not copied where that would be much; what is not copied keeps no more than twice its size."""
    size = min(stop, len(data)) - at
    if size < _PIECE or 2 * size < len(data):
        return data[at:stop]
    return data if size == len(data) else memoryview(data)[at:stop]


def _too_large(kind: int, length: int) -> ProtocolError:
    limit = "max_message" if FIRST_COUNTED <= kind <= LAST_DATA else "protocol.control"
    return ProtocolError(f"a frame of {length} bytes is over the limit", "too-large", limit=limit)
