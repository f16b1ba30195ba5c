"""Dials a WebSocket: the line below it, the request, the answer."""

from __future__ import annotations

import asyncio
import base64
import os

import msgspec

from ...errors import ConnectError, ProtocolError
from .. import tcp
from ..address import Address
from ..base import Transport
from ..certificates import ClientTLS
from ..tls import open_transport as open_tls
from .handshake import AnswerReader, encode_request
from .transport import WebSocketTransport


async def open_transport(address: Address, tls: ClientTLS | None = None) -> Transport:
    """Connect to a WebSocket; it reads nothing more until it is started. ``tls`` says whom to trust at ``wss://``.

    Raises:
        ConnectError: nobody is there, or not whom we trust, or no WebSocket; the reason says what answered.
    """
    try:
        transport = await ask(await _open_line(address, tls), address)
    except ConnectError as error:
        error.address = str(address)  # not that of the line
        raise
    except ProtocolError as error:
        raise ConnectError(str(address), error.reason) from error
    transport.peer = str(address)
    return transport


async def ask(line: Transport, address: Address) -> WebSocketTransport:
    """Make a line that was just opened the WebSocket that ``address`` names; else it is gone.

    Raises:
        ProtocolError: whoever is at the other end does not agree; the reason says who that is.
    """
    asking = _Asking(line, address)
    try:
        return await asking.answer
    except (ProtocolError, asyncio.CancelledError):
        line.abort()
        raise


async def _open_line(address: Address, tls: ClientTLS | None) -> Transport:
    if address.scheme == "ws":
        return await tcp.open_transport(msgspec.structs.replace(address, scheme="tcp", path=""))
    return await open_tls(msgspec.structs.replace(address, scheme="tls", path=""), tls)


class _Asking:
    """The receiver of a line until it is a WebSocket."""

    def __init__(self, inner: Transport, address: Address) -> None:
        self.answer: asyncio.Future[WebSocketTransport] = asyncio.get_running_loop().create_future()
        self._inner = inner
        key = base64.b64encode(os.urandom(16)).decode()
        self._reader = AnswerReader(key)
        inner.start(self)
        inner.write(encode_request(address, key))

    def data_received(self, data: bytes) -> None:
        """More of the answer, and perhaps of what follows it."""
        if self.answer.done():
            return
        try:
            first = self._reader.feed(data)
        except ProtocolError as error:
            self.answer.set_exception(error)
            return
        if first is not None:  # from here on the WebSocket is told what arrives
            self.answer.set_result(WebSocketTransport(self._inner, is_client=True, first=first))

    def data_ended(self) -> None:
        """There is no answer to come."""
        self.lost(None)

    def writable(self) -> None:
        """The request is short."""

    def lost(self, error: Exception | None) -> None:
        """The line is gone."""
        if not self.answer.done():
            self.answer.set_exception(ProtocolError("the line was closed there before anything answered"))
