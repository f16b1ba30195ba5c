"""The handshake of WebSocket (RFC 6455, section 4), sans I/O: what a server checks and answers, what a client asks and takes for an answer.

A server reads the request with what reads its other requests; a client reads its one answer here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from ...errors import ProtocolError
from ...limits import TRANSPORT
from ..address import WEB, Address

MAX_ANSWER: Final = TRANSPORT.websocket_answer

VERSION: Final = "13"

_APPENDED: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_END: Final = b"\r\n\r\n"


def accept_key(key: str) -> str:
    """Return what proves that the request with this ``Sec-WebSocket-Key`` was understood."""
    return base64.b64encode(hashlib.sha1(key.encode() + _APPENDED, usedforsecurity=False).digest()).decode()


# The server...


def check_request(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return why a GET request with these header fields is no handshake of WebSocket, as a clause, or None when it is one.

    Names may be in any case. Who may come in, by ``Host`` and ``Origin``, is not looked at.
    """
    fields = [(name.lower(), value) for name, value in headers]
    if not _has_token(fields, b"upgrade", b"websocket"):
        return "it asks for no upgrade to websocket"
    if not _has_token(fields, b"connection", b"upgrade"):
        return "its Connection field does not say upgrade"
    if _values(fields, b"sec-websocket-version") != [VERSION.encode()]:
        return f"its Sec-WebSocket-Version is not {VERSION}"
    keys = _values(fields, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return "its Sec-WebSocket-Key is not 16 bytes in base64"
    return None


def encode_answer(key: str) -> bytes:
    """Return the answer that lets a client in; its frames follow. No extension and no subprotocol is ever agreed on."""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    ).encode()


# The client...


def encode_request(address: Address, key: str) -> bytes:
    """Return the request that asks for a WebSocket at ``address``. It names no origin: that is for browsers, which say whose page asks."""
    is_usual = WEB.get(address.scheme) == address.port
    host = address.authority.rpartition(":")[0] if is_usual else address.authority
    return (
        f"GET {address.path or '/'} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n\r\n"
    ).encode()


class AnswerReader:
    """Reads the answer to a request with ``key``, whatever chunks it comes in."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._head = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Return what came behind an answer that let us in, or None while the answer is incomplete.

        Raises:
            ProtocolError: we are not let in; the reason is a clause that says who answered what.
        """
        looked_at = max(len(self._head) - len(_END) + 1, 0)
        self._head += data
        if not _may_be_http(self._head):
            raise ProtocolError("what answered there speaks no HTTP, and so no WebSocket")
        end = self._head.find(_END, looked_at)
        if (len(self._head) if end < 0 else end + len(_END)) > MAX_ANSWER:
            raise ProtocolError(
                f"the web server there answers with a head of more than {MAX_ANSWER:,} bytes",
                limit="transport.websocket_answer",
            )
        if end < 0:
            return None
        _judge(bytes(self._head[:end]), self._key)
        return bytes(self._head[end + len(_END) :])


def _may_be_http(head: bytearray) -> bool:
    expected = b"HTTP/1.1 "
    seen = bytes(head[: len(expected)])
    return expected.startswith(seen) or seen == b"HTTP/1.0 "[: len(seen)]


def _judge(head: bytes, key: str) -> None:
    status, *lines = head.split(b"\r\n")
    found = _STATUS.fullmatch(status.replace(b"HTTP/1.0", b"HTTP/1.1", 1))
    read = [_FIELD.fullmatch(line) for line in lines]
    fields = [(field[1].lower(), field[2]) for field in read if field is not None]
    if found is None or len(fields) != len(lines):
        raise ProtocolError("what answered there speaks HTTP wrongly")
    code = found[1].decode()
    if code != "101" or status.startswith(b"HTTP/1.0"):
        raise ProtocolError(_who_answered(code, fields))
    if not _has_token(fields, b"upgrade", b"websocket") or not _has_token(fields, b"connection", b"upgrade"):
        raise ProtocolError("a web server switched there to something else than WebSocket")
    if _values(fields, b"sec-websocket-accept") != [accept_key(key).encode()]:
        raise ProtocolError(
            "what answered there did not read our request: its Sec-WebSocket-Accept is not the one that our key asks for"
        )
    if _values(fields, b"sec-websocket-extensions") or _values(fields, b"sec-websocket-protocol"):
        raise ProtocolError(
            "the web server there agreed to what we did not ask for: an extension or a subprotocol"
        )


def _who_answered(code: str, fields: list[tuple[bytes, bytes]]) -> str:
    places = _values(fields, b"location")
    if code.startswith("3") and places:
        place = places[0][:200].decode("ascii", "replace")
        return f"a web server answered {code} there, and names {place!r}; no redirect is followed: dial that, if you trust it"
    if code in ("401", "403", "407"):
        return (
            f"a web server answered {code} there: it lets us in not at all, or not without a login of its own"
        )
    if code in ("502", "503", "504"):
        return f"a web server answered {code} there: the server behind it is down or busy"
    return f"a web server answered {code} there, and no landline server"


# Header fields...


def _values(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for each, value in fields if each == name]


def _has_token(fields: list[tuple[bytes, bytes]], name: bytes, token: bytes) -> bool:
    tokens = b",".join(_values(fields, name)).lower().split(b",")
    return token in [each.strip() for each in tokens]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False
