"""What is said in the flow of a subscription, and the client's half of it: where it is in the history, so that another flow can go on there."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec

from ..errors import ProtocolError
from ..history import BEHIND, HISTORY_REPLACED, SUPERSEDED, TOO_LARGE, Gap, Position, Publication
from .codec import decode_data

SUBSCRIBE_PURPOSE: Final = "landline.subscribe"
"""The flow of a subscription is opened for this."""

Offset = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class After(IntEnum):
    """Where a subscription begins."""

    POSITION = 0
    """After the position that is given."""
    START = 1
    """With the oldest that is kept."""
    NOW = 2
    """With what is published from now on."""
    LAST = 3
    """With the newest publication of each topic."""


# What the client says...


class Subscribe(msgspec.Struct, array_like=True, frozen=True):
    """The first and only message of its direction."""

    pattern: str
    after: After
    epoch: Annotated[str, msgspec.Meta(max_length=255)] = ""
    offset: Offset = 0


# ... and hears.


class Item(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """A publication, of the epoch that the last mark named."""

    topic: str
    offset: Offset
    data: bytes
    """As it is stored."""


class Mark(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Everything up to here was told; what follows is of this epoch."""

    epoch: str
    offset: Offset


class Missing(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A gap."""

    topic: str
    after_epoch: str
    after: Offset
    to_epoch: str
    to: Offset
    reason: str


encode: Final = msgspec.msgpack.Encoder().encode
_decode_subscribe = msgspec.msgpack.Decoder(Subscribe).decode
_decode_said = msgspec.msgpack.Decoder(Item | Mark | Missing).decode


def decode_subscribe(payload: bytes) -> Subscribe:
    """Return what a client wants.

    Raises:
        ProtocolError: it cannot be read.
    """
    try:
        return _decode_subscribe(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"a subscription that cannot be read: {error}", "bad-data") from error


_PASSED: Final = frozenset({HISTORY_REPLACED, BEHIND, SUPERSEDED, TOO_LARGE})
"""Gaps up to whose end everything was told; those that retention made may reach further than what comes after them."""


# What is published is stored with the type of frame that would carry it, so that text arrives as text.


def wrap(kind: int, payload: bytes) -> bytes:
    """Return data as it is stored."""
    return bytes((kind,)) + payload


def unwrap(data: bytes) -> object:
    """Return what was published; something packed as ``codec.Packed``.

    Raises:
        ProtocolError: it is not what its type says.
    """
    return decode_data(data[0], data[1:]) if data else b""


class Place:
    """The client's half.

    Args:
        pattern: what it selects.
        after: a position, or where else to begin.

    Attributes:
        position: everything up to here has been told, where that is known.
    """

    def __init__(self, pattern: str, after: Position | After) -> None:
        self.pattern = pattern
        self.position = after if isinstance(after, Position) else None
        self._after = After.POSITION if isinstance(after, Position) else after
        self._epoch = ""

    def begin(self) -> bytes:
        """Return what a new flow says: to begin, or to go on where the one before had come to."""
        self._epoch = ""
        if self.position is None:
            return encode(Subscribe(self.pattern, self._after))
        return encode(Subscribe(self.pattern, After.POSITION, self.position.epoch, self.position.offset))

    def receive(self, payload: bytes) -> Publication | Gap | None:
        """Take what the server says; return what the program is to be told.

        Raises:
            ProtocolError: it cannot be read.
        """
        try:
            said = _decode_said(payload)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise ProtocolError(f"a publication that cannot be read: {error}", "bad-data") from error
        if isinstance(said, Mark):
            self._epoch = said.epoch
            self.position = Position(said.epoch, said.offset)
            return None
        if isinstance(said, Missing):
            to = Position(said.to_epoch, said.to)
            if said.reason in _PASSED:
                self.position = to
            return Gap(said.topic, Position(said.after_epoch, said.after), to, said.reason)
        if not self._epoch:
            raise ProtocolError("a publication before its epoch was named", "bad-data")
        self.position = Position(self._epoch, said.offset)
        return Publication(said.topic, self.position, unwrap(said.data))
