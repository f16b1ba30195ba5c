"""One HTTP/1.1 connection: requests are taken one after the other, whoever sends more waits, and a mistake is the last of it.

One task runs all of it: it reads a head, has an application answer it, and goes on, until either end has had enough.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import h11

from ..limits import WEB
from .bytestream import ByteStream
from .exchange import Exchange
from .head import read_head, take_head
from .refusal import Refused, refusal
from .upgrade import is_websocket, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..hits import Failures
    from ..transports.base import Transport
    from ..transports.websocket import WebSocketTransport
    from .origin import Origins
    from .types import App

HEAD_TIMEOUT: Final = WEB.head_timeout
IDLE_TIMEOUT: Final = WEB.idle_timeout
REQUESTS: Final = WEB.requests

_H11_LIMIT: Final = 1 << 20
"""Never reached: what h11 is given is bounded by ``head`` and ``body`` before."""


class Door(Protocol):
    """What a connection asks whoever let it in."""

    app: App
    failures: Failures
    origins: Origins
    path: str
    is_closed: bool
    upgrade: Callable[[WebSocketTransport], None]

    def heard(self, connection: HttpConnection) -> None:
        """A request came whole."""

    def blame(self, transport: Transport, refused: Refused) -> None:
        """Somebody was refused."""


class HttpConnection:
    """Serves one caller.

    Args:
        door: whose application, rules and end it has.
        head: what was read so far.
        is_secure: whether the caller reached us by TLS.
    """

    def __init__(self, door: Door, transport: Transport, head: bytes, *, is_secure: bool) -> None:
        self._door = door
        self._is_secure = is_secure
        self._stream = ByteStream(transport, head)
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._is_idle = False
        self._is_handed_over = False
        self._is_head = False
        self._blamed: Refused | None = None

    async def run(self) -> None:
        """Serve until either end has had enough; then the transport is closed, or somebody else's."""
        transport = self._stream.transport
        try:
            while (head := await self._next_head()) is not None:
                if not await self._serve(head):
                    break
                await asyncio.sleep(0)  # who sent a thousand requests at once lets others have their turn
            if self._is_handed_over:
                return
            await self._stream.flush()
        except Refused as refused:
            self._blame(refused.with_traceback(None))  # which would hold what was read
            self._stream.let_go()
            await self._say(refused)
        except (ConnectionAbortedError, TimeoutError):
            transport.abort()
        except BaseException:
            transport.abort()
            raise
        self._stream.let_go()
        transport.close()

    @property
    def source(self) -> str:
        """Who the caller is for limits per source."""
        return self._stream.transport.source

    def leave_if_idle(self) -> None:
        """The server goes: who waits for another request to come is not waited for."""
        if self._is_idle and not self._stream.buffer:
            self._stream.stop()

    def abort(self) -> None:
        """Hang up; an application that is cancelled may still take its time."""
        if not self._is_handed_over:
            self._stream.transport.abort()

    # Between requests...

    async def _next_head(self) -> bytes | None:
        """Return the next head, or None when there is none."""
        stream = self._stream
        idle_until = self._loop.time() + IDLE_TIMEOUT
        began: float | None = None
        while (head := take_head(stream.buffer)) is None:
            self._is_idle = not stream.buffer
            if self._is_idle and self._door.is_closed:
                return None
            if not self._is_idle and began is None:
                began = self._loop.time()
            try:
                has_more = await stream.more(idle_until if began is None else began + HEAD_TIMEOUT)
            except TimeoutError:
                if began is None:
                    return None
                raise Refused(408, "The request came too slowly.", limit="web.head_timeout") from None
            if not has_more:
                return None
        self._is_idle = False
        self._door.heard(self)
        stream.taken()
        return head

    # ... one of them.

    async def _serve(self, head: bytes) -> bool:
        """Have a request answered; return whether another may follow."""
        self._count += 1
        self._is_head = head.startswith(b"HEAD ")
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_H11_LIMIT)
        request = read_head(connection, head)
        is_upgrade = is_websocket(request, self._door.path)
        self._door.origins.check(
            request.method.decode(), dict(request.headers), is_secure=self._is_secure, is_upgrade=is_upgrade
        )
        if is_upgrade:
            upgraded = upgrade(request, self._stream)
            self._is_handed_over = True
            self._door.upgrade(upgraded)
            return False
        exchange = Exchange(
            connection,
            request,
            self._stream,
            is_last=self._is_last,
            blame=self._blame,
            failures=self._door.failures,
        )
        return await exchange.run(self._door.app, is_secure=self._is_secure)

    def _is_last(self) -> bool:
        return self._count >= REQUESTS or self._door.is_closed

    def _blame(self, refused: Refused) -> None:
        """Tell the door, once: what an application is told of a body may be what is answered then."""
        if refused is not self._blamed:
            self._blamed = refused
            self._door.blame(self._stream.transport, refused)

    async def _say(self, refused: Refused) -> None:
        try:
            await self._stream.write(refusal(refused, has_body=not self._is_head))
            await self._stream.flush()
        except TimeoutError:
            self._stream.transport.abort()
