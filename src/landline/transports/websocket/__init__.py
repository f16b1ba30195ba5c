"""WebSocket (RFC 6455), both ends: ``frames`` and ``handshake`` are sans I/O, ``transport`` runs the former over another transport, ``client`` dials.

Why we write it ourselves: docs/decisions/0008-websocket.md. Nothing here knows of HTTP more than the handshake needs.
"""

from __future__ import annotations

from .client import open_transport
from .handshake import accept_key, check_request, encode_answer
from .transport import WebSocketTransport

__all__ = ["WebSocketTransport", "accept_key", "check_request", "encode_answer", "open_transport"]
