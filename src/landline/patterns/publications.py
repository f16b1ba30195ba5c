"""How what programs publish becomes what is stored and sent, and back; shared by both ends of ``topics``."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..errors import ProtocolError, PublishFailed, PublishUnknown
from ..history import Position, Publication
from ..limits import PROTOCOL, STORAGE
from ..protocol.codec import Packed, encode_data
from ..protocol.frames import HEADER, FrameType
from ..protocol.publish import Answer, Code, Published
from ..protocol.subscription import unwrap, wrap
from ..sessions.flow import BareFlow
from ..storage.base import Page

MOST_STORED: Final = STORAGE.write_bytes - (64 << 10)
"""Bytes of one publication: with its topic, and with what is known of its outbox, it must fit one write."""


def encode_stored(data: Any, max_message: int) -> bytes:
    """Return what a program publishes as it is stored.

    Raises:
        DataError: it cannot be encoded, or is too large for a message.
    """
    return wrap(*encode_data(data, min(max_message - PROTOCOL.publish_overhead, MOST_STORED)))


def decode_stored(data: bytes) -> Any:
    """Return what was published.

    Raises:
        ProtocolError: it is not what its type says.
    """
    return unpacked(unwrap(data))


def unpacked(value: Any) -> Any:
    """Return a value that may be packed still.

    Raises:
        ProtocolError: it is not what its type says.
    """
    return value.unpack() if isinstance(value, Packed) else value


def lenient(data: bytes) -> Any:
    """Return what was published; of what was written into the storage by other ways, the bytes."""
    try:
        return decode_stored(data)
    except ProtocolError:
        return data


def decoded_page(page: Page) -> Page:
    """Return a storage's page with what was published."""
    return msgspec.structs.replace(
        page,
        publications=[
            Publication(publication.topic, publication.position, lenient(publication.data))
            for publication in page.publications
        ],
    )


def position_of(answer: Answer) -> Position:
    """Return where something was published.

    Raises:
        PublishFailed, PublishUnknown: it was not, or nobody knows.
    """
    if isinstance(answer, Published):
        return Position(answer.epoch, answer.offset)
    raise (PublishUnknown if answer.code is Code.UNKNOWN else PublishFailed)(answer.reason)


def say(flow: BareFlow, payload: bytes) -> None:
    """Send what these flows carry: bytes, in which there is a message of ``protocol.publish``, ``subscription`` or ``presence``."""
    flow.put(HEADER.pack(len(payload), FrameType.BYTES, flow.core.number) + payload)


def heard(said: Any) -> bytes:
    """Return what such a flow brought.

    Raises:
        ProtocolError: it is not bytes.
    """
    if not isinstance(said, bytes):
        raise ProtocolError("what flows of this kind carry is bytes", "bad-data")
    return said
