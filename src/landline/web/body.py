"""A request's body, read only as far as the application asks for it, and never faster.

Bounded in bytes, in what frames them, and in time: only the time that the application waits for the caller counts against the caller.
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11

from ..limits import WEB
from .bytestream import ByteStream
from .refusal import Refused

BODY_BYTES: Final = WEB.body_bytes
BODY_TIMEOUT: Final = WEB.body_timeout
FRAMING: Final = WEB.framing

_RATE: Final = 1 << 10
"""Bytes for which a caller has a second more."""
_PIECE: Final = 16 << 10
"""Bytes that are parsed at a time: of the smallest chunks they make thousands of events."""


class RequestBody:
    """What follows a head.

    Attributes:
        is_complete: its end was read, and what follows it belongs to the next request.
    """

    def __init__(self, connection: h11.Connection, request: h11.Request, stream: ByteStream) -> None:
        self.is_complete = False
        self._connection = connection
        self._stream = stream
        self._size = self._fed = 0
        self._waited = 0.0
        length = dict(request.headers).get(b"content-length", b"0")
        if int(length) > BODY_BYTES:
            raise _too_large(is_fault=False)  # an honest one says so before
        self.is_empty = length.strip(b"0") == b"" and b"transfer-encoding" not in dict(request.headers)
        if self.is_empty:
            self._read_what_arrived()

    async def next(self) -> bytes:
        """Return the next part of it; ``b""`` only at its end, where ``is_complete`` says so too.

        Raises:
            Refused: it is too large, too slow or malformed.
            EOFError: the caller went before its end.
        """
        if self._connection.they_are_waiting_for_100_continue:
            informed = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            await self._stream.write(self._connection.send(informed) or b"")
        while True:
            part = self._read_what_arrived()
            if part or self.is_complete:
                return part
            await self._wait()

    def skip_what_arrived(self) -> None:
        """Have the rest read and dropped, if all of it is here already."""
        if self._connection.they_are_waiting_for_100_continue:
            return
        try:
            while not self.is_complete and self._stream.buffer:
                self._read_what_arrived()
        except Refused:
            return  # what else comes on this connection is not read anyway

    def _read_what_arrived(self) -> bytes:
        if self.is_complete:
            return b""
        parts: list[bytes] = []
        try:
            while not self.is_complete:
                event = self._connection.next_event()
                if isinstance(event, h11.Data):
                    parts.append(bytes(event.data))
                    self._size += len(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.is_complete = True
                elif parts or not self._stream.buffer:
                    break
                else:
                    piece = self._stream.take(_PIECE)
                    self._fed += len(piece)
                    self._connection.receive_data(piece)
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, f"The request's body is malformed: {error}.") from None
        rest = self._connection.trailing_data[0] if self.is_complete else b""
        self._check(self._fed - len(rest))
        self._stream.put_back(rest)
        return b"".join(parts)

    def _check(self, read: int) -> None:
        if self._size > BODY_BYTES:
            raise _too_large(is_fault=True)
        if read - self._size > FRAMING + self._size // 8:
            raise Refused(400, "The request's body has more framing than content.", limit="web.framing")

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            has_more = await self._stream.more(began + BODY_TIMEOUT + self._size / _RATE - self._waited)
        except TimeoutError:
            raise Refused(408, "The request's body came too slowly.", limit="web.body_timeout") from None
        if not has_more:
            raise EOFError
        self._waited += loop.time() - began


def _too_large(*, is_fault: bool) -> Refused:
    sentence = f"A request's body may have {BODY_BYTES:,} bytes at most."
    return Refused(413, sentence, limit="web.body_bytes", is_fault=is_fault)
