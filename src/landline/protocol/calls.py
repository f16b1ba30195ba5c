"""Calls: what both ends say in a flow of calls, and what a caller remembers of those that are not answered.

One flow carries all calls of one end. The other end begins its direction with the names of the methods that may run twice; then it answers, in
whatever order the calls are done. A caller that is left without an answer asks what the end of the flow means for each (``CallTable.settle``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

import msgspec

from ..errors import ProtocolError
from ..limits import LONGEST, PROTOCOL
from .codec import encode_data

CALLS_PURPOSE: Final = "landline.calls"
"""The flow of one end's calls is opened for this."""

STREAM_PURPOSE: Final = "landline.stream"
"""A flow is opened for this for each stream."""

FAILURE: Final = 76
"""The code of the extension that is the last item of a stream that failed; no other item is one of this code."""

Id = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=PROTOCOL.method)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=LONGEST)]

NOTHING_NAMED: Final = msgspec.Raw(b"\x80")
NO_DATA: Final = msgspec.Raw(b"\xc0")


# What a caller says...


class Request(msgspec.Struct, array_like=True, frozen=True, tag=0, omit_defaults=True):
    """Run a method."""

    id: Id
    """Rises from one to the next within the session, and is never used again."""
    seconds: Seconds
    """How long the caller will still wait for the answer."""
    method: Name
    args: msgspec.Raw
    """An array, in order."""
    named: msgspec.Raw = NOTHING_NAMED
    """A map, by name."""


class Cancel(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Nobody waits for the answer any more."""

    id: Id


# ... and hears.


class Result(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """The method returned this."""

    id: Id
    value: msgspec.Raw


class Failure(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """It did not."""

    id: Id
    kind: Name
    """What went wrong, for programs."""
    message: str
    """And for people."""
    data: msgspec.Raw = NO_DATA
    """And what belongs to it."""


class Offered(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """First: what there is to know before calls go wrong."""

    idempotent: list[Name]
    """The methods that may run twice, where nobody knows whether they have run."""
    at_once: Annotated[int, msgspec.Meta(ge=1)]
    """How many calls run here at once; a caller that keeps to it has its cancels heard at once, too."""


class StreamOpening(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """First in a stream: which method's it is; then come its items."""

    seconds: Seconds | None
    """How long the opener will still have it; None: until either end leaves it."""
    method: Name
    args: msgspec.Raw
    named: msgspec.Raw = NOTHING_NAMED


class StreamFailure(msgspec.Struct, array_like=True, frozen=True):
    """Last in a stream that failed, as an extension of code ``FAILURE``: as in ``Failure``."""

    kind: Name
    message: str
    data: msgspec.Raw = NO_DATA


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_decode_asked: Callable[[bytes], Request | Cancel] = msgspec.msgpack.Decoder(Request | Cancel).decode
_decode_told: Callable[[bytes], Result | Failure | Offered] = msgspec.msgpack.Decoder(
    Result | Failure | Offered
).decode
_decode_opening = msgspec.msgpack.Decoder(StreamOpening).decode
_decode_stream_failure = msgspec.msgpack.Decoder(StreamFailure).decode

T = TypeVar("T")


def _read(decode: Callable[[Any], T], payload: Any) -> T:
    if not isinstance(payload, (bytes, msgspec.Raw)):  # a union takes three times as long
        raise ProtocolError("what calls carry is bytes", "bad-data")
    try:
        return decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a call that cannot be read: {error}", "bad-data") from error


def decode_asked(payload: Any) -> Request | Cancel:
    """Return what a caller says.

    Raises:
        ProtocolError: it is none of these.
    """
    return _read(_decode_asked, payload)


def decode_told(payload: Any) -> Result | Failure | Offered:
    """Return what a caller hears.

    Raises:
        ProtocolError: it is none of these.
    """
    return _read(_decode_told, payload)


def decode_opening(payload: Any) -> StreamOpening:
    """Return what a stream begins with.

    Raises:
        ProtocolError: it is not that.
    """
    return _read(_decode_opening, payload)


def decode_stream_failure(payload: Any) -> StreamFailure:
    """Return what a stream that failed ends with.

    Raises:
        ProtocolError: it is not that.
    """
    return _read(_decode_stream_failure, payload)


def decode_value(value: msgspec.Raw) -> Any:
    """Return a value that is part of a message.

    Raises:
        ProtocolError: it holds what msgpack does not allow, invalid text for example.
    """
    return _read(_unpack, value)


def encode(said: Cancel | Offered) -> bytes:
    """Return what says this."""
    return _pack(said)


# What is said with a program's own values in it is checked as such, at its sender...


def encode_request(
    id: int, seconds: float, method: str, args: Sequence[Any], named: Mapping[str, Any], max_message: int
) -> bytes:
    """Return a ``Request``.

    Raises:
        DataError: the arguments cannot be sent.
    """
    if named:
        return encode_data([0, id, seconds, method, args, named], max_message)[1]
    return encode_data([0, id, seconds, method, args], max_message)[1]


def encode_result(id: int, value: Any, max_message: int) -> bytes:
    """Return a ``Result``.

    Raises:
        DataError: the value cannot be sent.
    """
    return encode_data([2, id, value], max_message)[1]


def encode_failure(id: int, kind: str, message: str, data: Any, max_message: int) -> bytes:
    """Return a ``Failure``; words that are too long are cut.

    Raises:
        DataError: the data cannot be sent.
    """
    return encode_data([3, id, *_in_bounds(kind, message), data], max_message)[1]


def encode_opening(
    seconds: float | None, method: str, args: Sequence[Any], named: Mapping[str, Any], max_message: int
) -> bytes:
    """Return a ``StreamOpening``.

    Raises:
        DataError: the arguments cannot be sent.
    """
    return encode_data([seconds, method, args, named], max_message)[1]


def encode_stream_failure(kind: str, message: str, data: Any, most: int) -> bytes:
    """Return a ``StreamFailure``; words that are too long are cut.

    Raises:
        DataError: the data cannot be sent, or is too much for the end of a stream.
    """
    return encode_data([*_in_bounds(kind, message), data], most)[1]


def ask_again(payload: bytes, seconds: float) -> bytes:
    """Return the same request for whoever waits only so long still."""
    request = _decode_asked(payload)
    if not isinstance(request, Request):
        raise TypeError("only a request is made again")
    return _pack(msgspec.structs.replace(request, seconds=seconds))


def _in_bounds(kind: str, message: str) -> tuple[str, str]:
    return _clean(kind[: PROTOCOL.method]) or "failed", _clean(message[: PROTOCOL.call_message])


def _clean(words: str) -> str:
    return words.encode(errors="replace").decode()


# What a caller remembers...


class Fate(Enum):
    """What the end of a flow means for a call that was not answered."""

    AGAIN = "again"
    """It certainly did not run, or may run twice, and another life of the other end goes on: it is asked again."""
    NEVER = "never"
    """It certainly did not run."""
    UNKNOWN = "unknown"
    """It may have run."""


class Asked:
    """A call that is not answered.

    Attributes:
        id: its number.
        method: what it calls.
        payload: the request.
        until: the moment at which nobody waits any more.
        waiter: who waits for the answer.
        index: of its request among what was queued in the flow.
        may_have_run: in a life of the other end that is over.
    """

    __slots__ = ("id", "index", "may_have_run", "method", "payload", "until", "waiter")

    def __init__(self, id: int, method: str, payload: bytes, until: float, waiter: Any) -> None:
        self.id = id
        self.method = method
        self.payload = payload
        self.until = until
        self.waiter = waiter
        self.index = -1
        self.may_have_run = False


class CallTable:
    """The calls of one end that are not answered, by number.

    Attributes:
        unanswered: they, oldest first.
        idempotent: the methods that may run twice, as the other end said last.
    """

    def __init__(self) -> None:
        self.unanswered: dict[int, Asked] = {}
        self.idempotent: frozenset[str] = frozenset()
        self._last = 0

    def next_id(self) -> int:
        """Return the number of the next call."""
        self._last += 1
        return self._last

    def asked(self, call: Asked, index: int) -> None:
        """Its request was queued, as that one of the flow."""
        call.index = index
        self.unanswered[call.id] = call

    def answered(self, id: int) -> Asked | None:
        """Take a call out that is answered, or that nobody waits for any more; None where nobody does already.

        Raises:
            ProtocolError: there never was one with this number.
        """
        if id > self._last:
            raise ProtocolError(f"call {id} was answered and never made", "bad-data")
        return self.unanswered.pop(id, None)

    def settle(self, reach: int, *, is_renewed: bool) -> list[tuple[Asked, Fate]]:
        """The flow ended: take out all calls, and return what that means for each, oldest first.

        Args:
            reach: how many messages of the flow may have come into the other end's hands.
            is_renewed: whether another life of the other end goes on with the session.
        """
        fates = []
        for asked in self.unanswered.values():
            if asked.index < reach:
                asked.may_have_run = True
            if is_renewed and (not asked.may_have_run or asked.method in self.idempotent):
                fate = Fate.AGAIN
            else:
                fate = Fate.UNKNOWN if asked.may_have_run else Fate.NEVER
            fates.append((asked, fate))
        self.unanswered.clear()
        return fates
