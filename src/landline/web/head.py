"""A request's head: where it ends, and whether it can be read in one way only.

h11 parses it, as generously as the standard allows; other programs on the way may read the same bytes in another way, and so a request may
be smuggled into another. What gives room for that is refused here first (RFC 9112, sections 2.2, 5.2 and 6.1), and what is too large.
"""

from __future__ import annotations

import re
from typing import Final

import h11

from ..limits import WEB
from .refusal import Refused

HEAD_BYTES: Final = WEB.head_bytes
FIELDS: Final = WEB.fields

_END: Final = b"\r\n\r\n"
_AMBIGUOUS: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0|\r\n[ \t]")
"""A line end that is none for everybody, NUL, and a field that goes on in the next line."""
_UNENDED: Final = re.compile(rb"(?<!\r)\n|\0")
"""The same of a head that is not complete."""

_PREAMBLE: Final = {
    b"CONNECT": "This server is no proxy.",
    b"TRACE": "TRACE is not answered here: it would show what a browser keeps from its pages.",
}


def take_head(buffer: bytearray) -> bytes | None:
    """Take a complete head out of what arrived, or return None while there is none.

    Raises:
        Refused: it is too large already, or no head.
    """
    if buffer.startswith(b"\r\n"):  # an old habit after a body (RFC 9112, section 2.2); one is enough
        del buffer[:2]
    end = buffer.find(_END, 0, HEAD_BYTES)
    if end < 0:
        _check_unended(buffer)
        return None
    size = end + len(_END)
    head = bytes(buffer[:size])
    del buffer[:size]
    if _AMBIGUOUS.search(head):
        raise _ambiguous()
    if head.count(b"\r\n") - 2 > FIELDS:
        raise Refused(431, f"A request may have {FIELDS} fields at most.", limit="web.fields")
    return head


def _check_unended(buffer: bytearray) -> None:
    if _UNENDED.search(buffer, 0, HEAD_BYTES):
        raise _ambiguous()
    if len(buffer) >= HEAD_BYTES:
        is_in_line = buffer.find(b"\r\n", 0, HEAD_BYTES) < 0
        what = "address" if is_in_line else "head"
        raise Refused(
            414 if is_in_line else 431,
            f"The request's {what} is too long: {HEAD_BYTES:,} bytes at most.",
            limit="web.head_bytes",
        )


def _ambiguous() -> Refused:
    return Refused(
        400, "The request is malformed: lines end in CR LF, and a field has one line without control bytes."
    )


def read_head(connection: h11.Connection, head: bytes) -> h11.Request:
    """Return the request that a head is; ``connection`` then knows what body follows.

    Raises:
        Refused: it cannot be read, or not in one way only, or is nothing that a server like this is asked.
    """
    lengths = sum(line.lower().startswith(b"content-length:") for line in head.split(b"\r\n"))
    try:
        connection.receive_data(head)
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise Refused(error.error_status_hint, f"The request is malformed: {error}.") from None
    assert isinstance(request, h11.Request)
    if request.http_version not in {b"1.0", b"1.1"}:
        raise Refused(505, "This server speaks HTTP/1.1.")
    if request.method in _PREAMBLE:
        raise Refused(501, _PREAMBLE[request.method], is_fault=False)
    if not request.target.startswith(b"/"):
        raise Refused(400, "The request is malformed: its address must begin with a slash.")
    fields = dict(request.headers)
    if lengths > 1 or (b"transfer-encoding" in fields and (lengths or request.http_version == b"1.0")):
        raise Refused(400, "The request is malformed: it says twice how long its body is.")
    if b"host" not in fields:
        raise Refused(400, "The request is malformed: it has no Host field.")
    if any(name == b"content-encoding" and value.lower() != b"identity" for name, value in request.headers):
        raise Refused(415, "Send the body as it is: nothing is unpacked here.", is_fault=False)
    if fields.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise Refused(417, "Only 100-continue can be expected here.", is_fault=False)
    return request
