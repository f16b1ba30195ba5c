"""The least that serves WebSocket over our transports: a listener whose callers are WebSockets, and no door for anybody else.

The handshake is our library's; the request is cut up here, which a web server does better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landline.errors import ListenError
from landline.transports import (
    Accept,
    Listener,
    ServerTLS,
    TlsTransport,
    Transport,
    open_listener,
    parse_address,
)
from landline.transports.address import WEB
from landline.transports.base import Receiver
from landline.transports.websocket import WebSocketTransport, check_request, encode_answer

Upgrade = Callable[[Transport, bytes], Any]
"""Makes of a line, and of what was read behind the request, the WebSocket."""


def upgrade(line: Transport, first: bytes) -> WebSocketTransport:
    """Make the library's own."""
    return WebSocketTransport(line, is_client=False, first=first)


class Request(Receiver):
    """The receiver of a line until it is a WebSocket; what is no handshake is hung up on."""

    def __init__(self, line: Transport, opened: Callable[[Transport, bytes], None]) -> None:
        self._line = line
        self._opened = opened
        self._head = b""
        line.start(self)

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, separator, rest = self._head.partition(b"\r\n\r\n")
        if not separator:
            return
        fields = []
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            fields.append((name, value.strip()))
        if check_request(fields) is not None:
            self._line.abort()
            return
        key = next(value for name, value in fields if name.lower() == b"sec-websocket-key")
        self._line.write(encode_answer(key.decode()))
        self._opened(self._line, rest)

    def data_ended(self) -> None:
        self._line.close()

    def writable(self) -> None:
        pass

    def lost(self, error: Exception | None) -> None:
        pass


class WebListener:
    """A listener of lines whose addresses are a WebSocket's."""

    def __init__(self, lines: Listener, tls: ServerTLS | None) -> None:
        self._lines = lines
        scheme = "ws" if tls is None else "wss"
        self.addresses = [each.replace("tcp://", f"{scheme}://", 1) for each in lines.addresses]
        self.start = lines.start
        self.hand_over = lines.hand_over
        self.close = lines.close
        self.wait_closed = lines.wait_closed


async def listen(
    address: str, accept: Accept, make: Upgrade = upgrade, *, tls: ServerTLS | None = None
) -> Listener:
    """Accept WebSockets at ``ws://…``, with TLS at ``wss://…``, on a Unix socket or in memory."""

    def take(line: Transport) -> None:
        line = line if tls is None else TlsTransport(line, tls.context)
        Request(line, lambda line, first: accept(make(line, first)))

    scheme, _, place = address.partition("://")
    try:
        lines = await open_listener(
            parse_address(f"{'tcp' if scheme in WEB else scheme}://{place}"), take, backlog=4096
        )
    except ListenError as error:
        raise ListenError(address, error.reason) from error
    return WebListener(lines, tls)
