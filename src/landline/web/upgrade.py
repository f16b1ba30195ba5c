"""The handshake of WebSocket: a request that ends HTTP on its connection, which then is a session's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11

from .refusal import Refused

if TYPE_CHECKING:
    from ..transports.websocket import WebSocketTransport
    from .bytestream import ByteStream


def is_websocket(request: h11.Request, path: str) -> bool:
    """Whether a request asks for a WebSocket at this path."""
    fields = dict(request.headers)
    is_asked = fields.get(b"upgrade", b"").lower() == b"websocket"
    return is_asked and request.target.partition(b"?")[0] == path.encode()


def upgrade(request: h11.Request, stream: ByteStream) -> WebSocketTransport:
    """Answer a handshake; return what the connection is from now on.

    Raises:
        Refused: it is none.
    """
    from ..transports.websocket import WebSocketTransport
    from ..transports.websocket.handshake import check_request, encode_answer

    why_not = check_request(request.headers)
    if request.method != b"GET":
        why_not = "its method is not GET"
    if why_not is not None:
        raise Refused(
            426,
            f"This is no handshake of WebSocket: {why_not}.",
            is_fault=False,
            headers=[(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")],
        )
    key = dict(request.headers)[b"sec-websocket-key"].decode()
    stream.transport.write(encode_answer(key))
    return WebSocketTransport(stream.transport, is_client=False, first=stream.hand_over())
