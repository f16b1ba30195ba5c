"""What an application sends, as the bytes of an HTTP answer: in one write where it is small, in pieces and no faster than they go where not."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import h11

from .bytestream import ByteStream
from .security import with_security
from .types import Headers, Message

_OURS: Final = {b"transfer-encoding", b"upgrade", b"keep-alive"}
"""Fields that say how bytes lie on this connection, which an application does not know."""
_WITHOUT_BODY: Final = {204, 304}


class Response:
    """The answer to one request.

    Attributes:
        has_begun: something of it was written.
        is_complete: all of it was written.
    """

    def __init__(self, connection: h11.Connection, request: h11.Request, stream: ByteStream) -> None:
        self.has_begun = False
        self.is_complete = False
        self._connection = connection
        self._is_head = request.method == b"HEAD"
        self._stream = stream
        self._status = 0
        self._fields: Headers = []

    def start(self, message: Message) -> None:
        """Have it begin with this; it is written with the first of the body, so that what fails before is answered in good order.

        Raises:
            RuntimeError: it began before.
        """
        if self._status:
            raise RuntimeError("the application began its answer twice")
        self._status = int(message["status"])
        self._fields = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", [])]

    async def write_body(self, body: bytes, *, is_end: bool, is_final: bool) -> None:
        """Write a part of the body; ``is_final``: nothing else is answered on this connection.

        Raises:
            RuntimeError: it has not begun, or is over.
            h11.LocalProtocolError: the application contradicts itself, or what it sends is no HTTP.
            TimeoutError: the caller takes nothing any more.
        """
        if not self._status or self.is_complete:
            raise RuntimeError("the application sent a body before its answer, or after its end")
        out: list[bytes | None] = []
        if not self.has_begun:
            size = len(body) if is_end else None
            out.append(self._connection.send(self._begin(size, is_final=is_final)))
            self.has_begun = True
        if body and not self._is_head and self._status not in _WITHOUT_BODY:
            out.append(self._connection.send(h11.Data(data=body)))
        if is_end:
            out.append(self._connection.send(h11.EndOfMessage()))
            self.is_complete = True
        await self._stream.write(b"".join(filter(None, out)))

    def _begin(self, size: int | None, *, is_final: bool) -> h11.Response:
        fields = [field for field in self._fields if field[0] not in _OURS]
        names = {name for name, _ in fields}
        if b"date" not in names:
            fields.append((b"date", formatdate(usegmt=True).encode()))
        if size is not None and b"content-length" not in names and self._status not in _WITHOUT_BODY:
            fields.append((b"content-length", b"%d" % size))
        if is_final and b"connection" not in names:
            fields.append((b"connection", b"close"))
        return h11.Response(
            status_code=self._status, headers=with_security(fields), reason=_phrase(self._status)
        )


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
