"""The way in for HTTP: whoever's first bytes are a request is served here, until the server goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from ..hits import Failures, Hit
from ..limits import TRANSPORT, Limits
from ..transports.base import Transport
from .connection import HttpConnection
from .origin import Origins
from .refusal import Refused
from .types import App

if TYPE_CHECKING:
    from ..transports.websocket import WebSocketTransport

LINGER: Final = TRANSPORT.linger

log = logging.getLogger("landline.web")


class WebDoor:
    """Serves an application, and hands WebSockets over.

    Args:
        app: answers requests, as ASGI has it.
        limits: of whose fields ``close_timeout`` and ``max_web`` are looked at.
        upgrade: called with each WebSocket, which it must start.
        hosts: further names under which this server may be called; see ``Origins``.
        origins: of further pages that may do what our own may.
        charge: called with the transport of whoever has to answer for what came over it.
        hit: told of every limit that was hit.
        path: where WebSockets are taken; elsewhere a request for one is answered like any other.

    Attributes:
        is_closed: the server goes: answers under way are the last of their connections.
        failures: hears where the application fails.
    """

    def __init__(
        self,
        app: App,
        limits: Limits,
        *,
        upgrade: Callable[[WebSocketTransport], None],
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        charge: Callable[[Transport], None] | None = None,
        hit: Hit | None = None,
        path: str = "/",
    ) -> None:
        self.app = app
        self.upgrade = upgrade
        self.origins = Origins(hosts, origins)
        self.path = path
        self.is_closed = False
        self.failures = Failures(log, asyncio.get_running_loop().time)
        self._limits = limits
        self._charge = charge
        self._hit = hit
        self._running: dict[HttpConnection, asyncio.Task[None]] = {}
        """In the order in which their newest requests came."""

    def serve(self, transport: Transport, head: bytes, *, is_secure: bool = False) -> None:
        """Serve a caller; ``head`` is what was read of it, ``is_secure`` whether it came by TLS."""
        connection = HttpConnection(self, transport, head, is_secure=is_secure)
        name = f"landline web caller {transport.peer}"
        task = asyncio.get_running_loop().create_task(connection.run(), name=name)
        self._running[connection] = task
        task.add_done_callback(partial(self._done, connection))
        if len(self._running) > self._limits.max_web:
            self._make_room()

    def heard(self, connection: HttpConnection) -> None:
        """A request came whole: others are to go before this one."""
        self._running[connection] = self._running.pop(connection)

    @property
    def connections(self) -> int:
        """How many are served now."""
        return len(self._running)

    async def close(self) -> None:
        """Let idle callers go, wait for the answers under way, but not for longer than ``close_timeout``."""
        self.is_closed = True
        for connection in self._running:
            connection.leave_if_idle()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._limits.close_timeout)
        self.abort()
        if self._running:  # an application may have to tidy up; one that heeds nothing is left behind
            await asyncio.wait(self._running.values(), timeout=LINGER)
        self.failures.close()

    def abort(self) -> None:
        """Let everybody go at once."""
        self.is_closed = True
        for connection, task in self._running.items():
            connection.abort()
            task.cancel()

    def blame(self, transport: Transport, refused: Refused) -> None:
        """Somebody was refused: count the limit, and have the source answer for it."""
        if refused.limit and self._hit is not None:
            self._hit(
                transport.source, refused.limit, f"hung up on {transport.peer or 'a caller on this machine'}"
            )
        if refused.is_fault and self._charge is not None:
            self._charge(transport)

    def _make_room(self) -> None:
        """Hang up on whoever asked for something the longest ago: it is idle, or slow, in whatever way."""
        connection, task = next(iter(self._running.items()))
        if self._hit is not None:
            self._hit(connection.source, "max_web", "hung up on whoever asked for something the longest ago")
        connection.abort()
        task.cancel()
        self.heard(
            connection
        )  # of an application that heeds nothing: it is not gone, and the next one is another

    def _done(self, connection: HttpConnection, task: asyncio.Task[None]) -> None:
        del self._running[connection]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.log("serving a request failed", error)
