"""How what programs publish becomes what is stored and sent, and back; shared by both ends of ``topics``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import msgspec

from ..errors import (
    FlowEnded,
    NotAllowed,
    ProtocolError,
    PublishFailed,
    PublishUnknown,
    SessionEnded,
    StorageError,
    TopicError,
)
from ..history import Position, Publication
from ..limits import PROTOCOL, STORAGE
from ..protocol.codec import Packed, encode_data
from ..protocol.frames import HEADER, FrameType, ResetCode
from ..protocol.publish import Answer, Code, Published
from ..protocol.subscription import unwrap, wrap
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..storage.base import Page
from .failures import clause, is_cancelled, log

_OURS: Final = "landline."

T = TypeVar("T")

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
    """Send what these flows carry: bytes, in which there is a message of ``protocol.publish`` or ``protocol.subscription``."""
    flow.put(HEADER.pack(len(payload), FrameType.BYTES, flow.core.number) + payload)


def heard(said: Any) -> bytes:
    """Return what such a flow brought.

    Raises:
        ProtocolError: it is not bytes.
    """
    if not isinstance(said, bytes):
        raise ProtocolError("what flows of topics carry is bytes", "bad-data")
    return said


async def serve_flow(bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
    """Serve a flow that the peer opened, to its end; tell the peer why it cannot be."""
    try:
        await serving
    except FlowEnded:
        flow.end()
    except SessionEnded:
        pass  # the session says so itself; to say that the flow ends would end it for the next life of the server, too
    except (NotAllowed, TopicError) as error:
        flow.reset(ResetCode.UNWANTED, str(error))
    except ProtocolError as error:
        bare.on_limit(error.limit, error.reason)
        flow.reset(ResetCode.BAD_DATA, error.reason)
    except StorageError as error:
        log.exception("a flow of topics cannot be served")
        flow.reset(ResetCode.FAILED, clause(error))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if is_cancelled(error):
            raise
        log.exception("serving a flow of topics failed")  # its client must not wait for ever
        flow.reset(ResetCode.FAILED, "internal error")


def refuse_flow(flow: BareFlow) -> bool:
    """Refuse a flow of the library's own kinds, at a server that keeps nothing; return whether it is one."""
    if not flow.purpose.startswith(_OURS):
        return False
    flow.reset(ResetCode.UNWANTED, "the server has no topics, and no storage")
    return True


async def while_open(bare: BareSession, flow: BareFlow, work: Coroutine[Any, Any, T]) -> T:
    """Return what is worked out for a flow; where that ends before, nobody wants it, and it is cancelled.

    Raises:
        FlowEnded, SessionEnded: it did.
    """
    task = asyncio.ensure_future(work)
    try:
        while True:
            arrived = asyncio.ensure_future(flow.arrived.wait())
            try:
                await asyncio.sleep(0)  # both have begun to wait; and most verdicts are there
                error = bare.ended or (bare.closing() if bare.is_closing else flow.why_unreadable())
                if not task.done() and error is None:
                    await asyncio.wait([task, arrived], return_when=asyncio.FIRST_COMPLETED)
            finally:
                arrived.cancel()
            if task.done():
                return task.result()
            if error is not None:
                raise error
    finally:
        task.cancel()
