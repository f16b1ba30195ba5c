"""What is answered to a request that no application sees: a status, one sentence, and the end of the connection."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from .security import SECURITY
from .types import Headers

_LONGEST: Final = 300
"""Characters of a sentence: what a caller said may be in it, and is not said back to him at any length."""


class Refused(Exception):
    """A request that is not taken.

    Attributes:
        status: of the answer.
        sentence: what is told the caller, who may be a person.
        limit: the name of the limit that it went over, or an empty string.
        is_fault: whether the source has to answer for it: no well-behaved program says this.
        headers: further fields of the answer.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        limit: str = "",
        is_fault: bool = True,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(status, sentence)
        self.status = status
        self.sentence = sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}…"
        self.limit = limit
        self.is_fault = is_fault
        self.headers = headers or []


def refusal(refused: Refused, *, has_body: bool = True) -> bytes:
    """Return the whole answer, which is the last one of its connection."""
    body = f"{refused.sentence}\n".encode()
    fields: Headers = [
        (b"date", formatdate(usegmt=True).encode()),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *refused.headers,
        *SECURITY,
    ]
    line = f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}\r\n".encode()
    head = line + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n"
    return head + body if has_body else head
