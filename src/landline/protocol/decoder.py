"""Cuts arriving bytes into frames, whatever chunks they come in: without a look at each where many are alike, and without a copy too many.

It allocates for what arrived, never for what a header declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..errors import ProtocolError
from .empty import EMPTY_LIST
from .frames import FIRST_COUNTED, HEADER, LARGE, LAST_DATA, MAX_CONTROL, Frame

_ALIKE: Final = 16
"""Frames of one size that may follow each other before it is worth a look how many do: it costs about as much as three of them."""

_FEW: Final = 4
"""Small frames before a large one: what is told of messages and credit comes that way."""

_PIECE: Final = 4096
"""Parts of a frame that are smaller than this are gathered, larger ones are kept as they came."""

Series = tuple[int, int, Sequence[bytes]]
"""Type and number of frames that follow each other, and their payloads."""


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
        large in it is copied once where no more than a few small ones come before it.

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
        look_from, patience, most = 1, _ALIKE, _ALIKE
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
                if length == its_length and len(payloads) >= look_from and end - at >= _ALIKE * size:
                    count = _alike(data, at, size, most)
                    stop = at + count * size
                    payloads += [
                        data[place : place + length] for place in range(start, stop + header_size, size)
                    ]
                    if count == most:
                        most *= 2
                    else:  # looks that find little become rare
                        look_from, patience, most = len(payloads) + patience, 2 * patience, _ALIKE
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
            large = -1 if self.held else _find_large(data, at)
            if large != at:
                stop = end if large < 0 else large
                yield from self.series(bytes(data[at:stop]))
                at = stop
                continue
            length, kind, number = HEADER.unpack_from(data, at)
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


def _alike(data: bytes, at: int, size: int, most: int) -> int:
    """Return how many whole frames of that size have the same header as the one at ``at``, of so many at most, without a look at each."""
    stop = at + min((len(data) - at) // size, most) * size
    counts = []
    for place in range(at, at + HEADER.size):
        column = data[place:stop:size]
        counts.append(len(column) - len(column.lstrip(column[:1])))
    return min(counts)


def _find_large(data: memoryview, at: int) -> int:
    """Return where the next large frame begins, if no more than a few come before it, and -1 else."""
    for _ in range(_FEW):
        if len(data) - at < HEADER.size:
            break
        length = HEADER.unpack_from(data, at)[0]
        if length >= LARGE:
            return at
        at += HEADER.size + length
    return -1


def _part(data: bytes, at: int, stop: int) -> bytes | memoryview:
    """Return ``data[at:stop]``, not copied where that would be much; what is not copied keeps no more than twice its size."""
    size = min(stop, len(data)) - at
    if size < _PIECE or 2 * size < len(data):
        return data[at:stop]
    return data if size == len(data) else memoryview(data)[at:stop]


def _too_large(kind: int, length: int) -> ProtocolError:
    limit = "max_message" if FIRST_COUNTED <= kind <= LAST_DATA else "protocol.control"
    return ProtocolError(f"a frame of {length} bytes is over the limit", "too-large", limit=limit)
