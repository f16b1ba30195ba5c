"""Which way in a caller takes: the first bytes decide, and the server says nothing before them.

``recognise`` is the rule, ``Door`` the receiver that waits for it to be decided.
"""

from __future__ import annotations

import asyncio
import enum
import re
from collections.abc import Callable
from typing import Final

from ..limits import SESSION
from ..protocol.frames import MAGIC, CloseCode, FrameType
from ..protocol.handshake import Refusal, encode_payload
from ..transports import Transport

HTTP_METHODS: Final = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
)

UNDECIDED_FOR: Final = SESSION.undecided


class Way(enum.Enum):
    """What a caller's first bytes say it speaks."""

    SESSION = "session"
    TLS = "tls"
    HTTP = "http"
    PLAIN = "plain"


def recognise(head: bytes) -> Way | None:
    """Return which way in these first bytes mean, or None while that cannot be told.

    The magic's first byte begins no text and no TLS hello, so that it alone decides.
    """
    if head[:1] == MAGIC[:1]:
        return Way.SESSION
    if head[:1] == b"\x16":
        return Way.TLS
    for method in HTTP_METHODS:
        start = method + b" /"
        if head.startswith(start):
            return Way.HTTP
        if start.startswith(head):
            return None
    return Way.PLAIN


_BY_TLS: Final = "is reached by TLS only"
_PLACE: Final = re.compile(
    rb"(?:GET|HEAD) (/[!-~]*) HTTP/1\.1\r\n(?:.+\r\n)*?host: *([a-z0-9.:\[\]-]+)\r\n", re.IGNORECASE
)


def refusal_without_tls(way: Way, head: bytes) -> bytes:
    """Return what somebody who has to come by TLS, and does not, is told in their own words; ``head`` is what they said."""
    if way is Way.SESSION:
        refusal = Refusal(code=CloseCode.UNAUTHORIZED, reason=f"this server {_BY_TLS}: dial tls:// or wss://")
        return MAGIC + encode_payload(FrameType.REFUSE, refusal)
    if way is Way.HTTP:
        place = _PLACE.match(head)
        status = b"426 Upgrade Required\r\nUpgrade: TLS/1.2"
        if place is not None:
            status = b"308 Permanent Redirect\r\nLocation: https://%s%s" % (place[2], place[1])
        page = f"This server {_BY_TLS}: its address begins with https://\n".encode()
        return (
            b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(page), page)
        )
    if way is Way.PLAIN:
        return f"This server {_BY_TLS}: with ncat --ssl, or openssl s_client -connect, in place of nc.\r\n".encode()
    return b""


class Door:
    """Receives a caller's first bytes, and says which way it goes.

    Args:
        enter: called once, with the way and what was read.
        leave: called when the caller goes before that is known.
        silence: seconds that it may say nothing.

    Attributes:
        is_too_silent: it was hung up on for saying nothing for that long.
    """

    __slots__ = (
        "_enter",
        "_head",
        "_is_decided",
        "_leave",
        "_loop",
        "_timer",
        "is_too_silent",
        "since",
        "transport",
    )

    def __init__(
        self,
        transport: Transport,
        enter: Callable[[Door, Way, bytes], None],
        leave: Callable[[Door], None],
        silence: float,
    ) -> None:
        self.transport = transport
        self._enter = enter
        self._leave = leave
        self._head = b""
        self._is_decided = False
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        self.is_too_silent = False
        self._timer = self._loop.call_later(silence, self._give_up)
        transport.start(self)

    def data_received(self, data: bytes) -> None:
        """The caller says something."""
        if self._is_decided:
            return
        self._head += data
        way = recognise(self._head)
        self._timer.cancel()
        if way is None:
            self._timer = self._loop.call_later(UNDECIDED_FOR, self._decide, Way.PLAIN)
        else:
            self._decide(way)

    def data_ended(self) -> None:
        """The caller says no more."""
        if self._is_decided:
            return
        if self._head:
            self._timer.cancel()
            self._decide(Way.PLAIN)
        else:
            self.hang_up()

    def writable(self) -> None:
        """Nothing was written."""

    def lost(self, error: Exception | None) -> None:
        """The caller went."""
        self._timer.cancel()
        self._leave(self)

    def hang_up(self) -> None:
        """Enough waited. Nothing was written, so that nothing is lost by going at once."""
        self._timer.cancel()
        self.transport.abort()

    def _give_up(self) -> None:
        self.is_too_silent = True
        self.hang_up()

    def _decide(self, way: Way) -> None:
        self._is_decided = True
        self._enter(self, way, self._head)
