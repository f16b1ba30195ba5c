"""Publishing exactly once: what a client says and hears in its flow of publishes, and the numbers that tell a repeat from something new.

A client numbers its publishes within an *outbox* that has an id of its own, and outlives sessions. Whatever was not answered when a flow
ended is said again, in order and with the same numbers, in the next one: on whatever session, to whatever life of the server. The server
commits the last numbers in the same transaction as the publications, so that a repeat is answered with the first position.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec

from ..errors import ProtocolError
from ..history import Position
from ..limits import PROTOCOL

PUBLISH_PURPOSE: Final = "landline.publish"
"""The flow of a client's publishes is opened for this."""

OUTBOX_ID_SIZE: Final = 16
"""Bytes: 128 bits that nobody can guess."""

MOST_UNANSWERED: Final = PROTOCOL.publishes

Number = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Code(IntEnum):
    """Why something was not published."""

    REFUSED = 0
    """It may not be: the topic's name, its size, or the server's rules are against it. It never was stored."""
    FULL = 1
    """The store has no room. It was not stored; later it may be."""
    UNKNOWN = 2
    """It may have been stored, and nobody can tell any more."""


# What the client says...


class Opening(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """First: the publishes that follow are of this outbox."""

    id: Annotated[bytes, msgspec.Meta(min_length=OUTBOX_ID_SIZE, max_length=OUTBOX_ID_SIZE)]


class Publish(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Add this to a topic."""

    number: Number
    """Rises from one to the next within the outbox."""
    answered: Offset
    """Answers to all up to this number have arrived; they will not be asked about again."""
    topic: str
    data: bytes
    """As it is stored."""


# ... and hears.


class Opened(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """First: whether the server knows the outbox already, so that it can tell what it has seen of it."""

    known: bool


class Published(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """It is stored, for the first time or since an earlier one."""

    number: Number
    epoch: str
    offset: Offset


class Unpublished(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """It is not, or nobody knows."""

    number: Number
    code: Code
    reason: Annotated[str, msgspec.Meta(max_length=PROTOCOL.reason)]


Answer = Published | Unpublished

encode: Final = msgspec.msgpack.Encoder().encode
_decode_publish = msgspec.msgpack.Decoder(Opening | Publish).decode
_decode_answer = msgspec.msgpack.Decoder(Opened | Published | Unpublished).decode


def decode_publish(payload: bytes) -> Opening | Publish:
    """Return what a client says.

    Raises:
        ProtocolError: it is none of these.
    """
    try:
        said: Opening | Publish = _decode_publish(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a publish that cannot be read: {error}", "bad-data") from error
    return said


def decode_answer(payload: bytes) -> Opened | Answer:
    """Return what a server says.

    Raises:
        ProtocolError: it is none of these.
    """
    try:
        answer: Opened | Answer = _decode_answer(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"an answer that cannot be read: {error}", "bad-data") from error
    return answer


class Publisher:
    """The client's half: one outbox.

    Args:
        id: the outbox's.
        unanswered: what an earlier life of this process left of it, by number.
        answered: the highest number of that life that was answered; numbers are never used again.
        was_opened: a server opened it in that life, so that any of these may have been sent.
        is_kept: whoever runs it keeps it beyond this process: numbers are said when they are ``kept``, and count as answered when they are
            ``forgotten``.

    Attributes:
        unanswered: what was published and not answered, by number, oldest first.
        size: the bytes of data in it.
        said: all up to this number may have been heard by a server.
        is_open: the server has answered the beginning of the present flow.
    """

    def __init__(
        self,
        id: bytes,
        unanswered: dict[int, tuple[str, bytes]] | None = None,
        answered: int = 0,
        *,
        was_opened: bool = False,
        is_kept: bool = False,
    ) -> None:
        self.id = id
        self.unanswered = dict(sorted((unanswered or {}).items()))
        self.size = sum(len(data) for _, data in self.unanswered.values())
        self._last = max([answered, *self.unanswered])
        self.said = self._last if was_opened else 0
        self.is_open = False
        self._is_kept = is_kept
        self._unkept: set[int] = set()
        self._unforgotten: set[int] = set()
        self._next = 0
        """Numbers from this one on are to be said in the present flow."""

    @property
    def answered(self) -> int:
        """All up to this number are answered, and will not be asked about again."""
        return (
            min(min(self.unanswered, default=self._last + 1), min(self._unforgotten, default=self._last + 1))
            - 1
        )

    @property
    def has_room(self) -> bool:
        """Whether another one may be published before the oldest is answered."""
        return len(self.unanswered) + len(self._unforgotten) < MOST_UNANSWERED

    def publish(self, topic: str, data: bytes) -> int:
        """Add one; return its number. The caller has seen to ``has_room``."""
        self._last += 1
        self.unanswered[self._last] = (topic, data)
        self.size += len(data)
        if self._is_kept:
            self._unkept.add(self._last)
        return self._last

    def skip(self) -> None:
        """Use no number any more that an earlier life of this process may have used."""
        self._last += MOST_UNANSWERED

    # Beyond this process...

    def kept(self, number: int) -> None:
        """It outlives this process now, and may be said."""
        self._unkept.discard(number)

    def withdraw(self, number: int) -> None:
        """It could not be kept, and was not said."""
        self._unkept.discard(number)
        self._settle(number)

    def forgotten(self, number: int) -> None:
        """It was answered, and does not outlive this process any more."""
        self._unforgotten.discard(number)

    # In a flow...

    def begin(self) -> bytes:
        """Return what a new flow begins with; the publishes follow when the server has answered it."""
        self.is_open = False
        return encode(Opening(self.id))

    def next_message(self) -> bytes | None:
        """Return what to say next, if there is something."""
        if not self.is_open:
            return None
        for number in range(self._next, self._last + 1):
            if number in self._unkept:
                self._next = number
                return None  # those after it wait, too: they are said in order
            if number in self.unanswered:
                self._next = number + 1
                self.said = max(self.said, number)
                topic, data = self.unanswered[number]
                return encode(Publish(number, self.answered, topic, data))
        self._next = self._last + 1
        return None

    def receive(self, payload: bytes) -> list[Answer]:
        """Take what the server said; return what became of which numbers.

        Raises:
            ProtocolError: it cannot be read, or answers what was not asked.
        """
        answer = decode_answer(payload)
        if isinstance(answer, Opened):
            if self.is_open:
                raise ProtocolError("an outbox that was opened twice", "bad-data")
            return self._opened(known=answer.known)
        if answer.number not in self.unanswered:
            raise ProtocolError(f"an answer to number {answer.number}, which was not asked", "bad-data")
        self._answered(answer.number)
        return [answer]

    def _opened(self, *, known: bool) -> list[Answer]:
        self.is_open = True
        lost: list[Answer] = []
        if not known:
            # The server has never seen the outbox, or forgot it: what was said before may be stored there or not, and is never said again.
            lost = [
                Unpublished(number, Code.UNKNOWN, "the server does not know what it had been sent before")
                for number in self.unanswered
                if number <= self.said
            ]
            for answer in lost:
                self._answered(answer.number)
        self._next = min(self.unanswered, default=self._last + 1)
        return lost

    def _answered(self, number: int) -> None:
        self._settle(number)
        if self._is_kept:
            self._unforgotten.add(number)

    def clear(self) -> None:
        """Nobody will answer any more."""
        self.unanswered.clear()
        self.size = 0

    def _settle(self, number: int) -> None:
        _, data = self.unanswered.pop(number)
        self.size -= len(data)


class Origin:
    """The server's half: what it knows of one outbox.

    Args:
        kept: the positions of what was stored and may be asked about again, by number.
        last: the last number that was stored.
        answered: the client has the answers to all up to this number.
    """

    def __init__(self, kept: dict[int, Position] | None = None, last: int = 0, answered: int = 0) -> None:
        self.kept = kept or {}
        self.last = last
        self.answered = answered
        self.waiting: set[int] = set()
        """Numbers that are being stored."""
        self.doubtful: set[int] = set()
        """Numbers of which nobody knows whether they are."""

    def is_new(self, number: int) -> bool:
        """Whether it was never heard of."""
        return number > self.last

    def receive(self, publish: Publish) -> Answer | bool:
        """Take one; return the answer to it where that is known, else whether it is to be stored: it may be on its way already.

        Raises:
            ProtocolError: too much of it waits for an answer.
        """
        number = publish.number
        if publish.answered > self.answered:
            self.answered = min(publish.answered, self.last)
            for known in [known for known in self.kept if known <= self.answered]:
                del self.kept[known]
            self.doubtful = {known for known in self.doubtful if known > self.answered}
        if number in self.waiting:
            return False
        if number > self.last:
            if len(self.waiting) + len(self.kept) + len(self.doubtful) >= MOST_UNANSWERED:
                raise ProtocolError(
                    f"more than {MOST_UNANSWERED} publishes wait for an answer", limit="protocol.publishes"
                )
            self.last = number
            self.waiting.add(number)
            return True
        position = self.kept.get(number)
        if position is not None:
            return Published(number, position.epoch, position.offset)
        if number <= self.answered:
            return Unpublished(number, Code.UNKNOWN, "it was answered before")
        if number in self.doubtful:
            return Unpublished(number, Code.UNKNOWN, "the disk failed while it was being stored")
        return Unpublished(number, Code.FULL, "it could not be stored before")

    def stored(self, number: int, position: Position) -> Published:
        """It is stored; return the answer."""
        self.waiting.discard(number)
        self.kept[number] = position
        return Published(number, position.epoch, position.offset)

    def failed(self, number: int, code: Code, reason: str) -> Unpublished:
        """It is not stored, or nobody knows."""
        self.waiting.discard(number)
        if code is Code.UNKNOWN:
            self.doubtful.add(number)
        return Unpublished(number, code, reason)

    def untaken(self, number: int) -> None:
        """The newest one was not dealt with after all: it is new when it comes again."""
        self.waiting.discard(number)
        self.last = number - 1


class OriginRecord(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of an outbox, in the transaction of what it publishes."""

    at: float
    """When, by the wall clock, in seconds since 1970."""
    answered: int
    kept: dict[str, list[tuple[int, int]]]
    """By epoch, the number and the offset of each publication that may be asked about again."""
    fresh: list[tuple[int, int]]
    """Of this transaction: the number of each, and how many of the transaction's publications come after it."""
    last: int = 0
    """All up to this number were dealt with, stored or not."""


_decode_record = msgspec.msgpack.Decoder(OriginRecord).decode


def encode_record(origin: Origin, fresh: list[tuple[int, int]], now: float, last: int = 0) -> bytes:
    """Return what to store of an outbox together with ``fresh`` publications of it; all up to ``last`` were dealt with besides."""
    kept: dict[str, list[tuple[int, int]]] = {}
    for number, position in origin.kept.items():
        kept.setdefault(position.epoch, []).append((number, position.offset))
    return encode(OriginRecord(now, origin.answered, kept, fresh, last))


def decode_record(data: bytes, position: Position) -> tuple[Origin, float]:
    """Return what was stored of an outbox, and when.

    Args:
        data: see ``encode_record``.
        position: of the last publication of its transaction.

    Raises:
        ValueError: it cannot be read.
    """
    record = _decode_record(data)
    kept = {
        number: Position(epoch, offset) for epoch, pairs in record.kept.items() for number, offset in pairs
    }
    for number, behind in record.fresh:
        kept[number] = Position(position.epoch, position.offset - behind)
    return Origin(kept, max([record.answered, record.last, *kept]), record.answered), record.at
