"""An open server as an ASGI application: the same rules and routes as at its own door, where another server speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from ..transports.base import Transport
from .answers import answer
from .asgi_transport import AsgiTransport
from .origin import Origins
from .refusal import Refused
from .security import secured
from .types import App, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Open:
    """A server that takes callers."""

    app: App
    """What it answers over HTTP."""
    take: Callable[[Transport], None]
    """Lets a caller in."""
    origins: Origins


class Mounted:
    """Serves whatever scope there is.

    Args:
        find: returns the server when it is open.
        lifespan: opens it, for who runs this application by itself.
    """

    def __init__(
        self, find: Callable[[], Open | None], lifespan: Callable[[Any], AbstractAsyncContextManager[None]]
    ) -> None:
        self._find = find
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, a WebSocket or the lifespan.

        Raises:
            RuntimeError: the server is not open.
        """
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        server = self._find()
        if server is None:
            raise RuntimeError(
                "the server is not open: a mounted landline.asgi(server) needs the outer application's lifespan,"
                " as in FastAPI(lifespan=landline.lifespan(server))"
            )
        try:
            _check(server.origins, scope)
        except Refused as refused:
            await _refuse(refused, scope, receive, send)
            return
        if scope["type"] == "websocket":
            await _take(server, scope, receive, send)
        else:
            await secured(server.app)(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Be open from the start to the end of whoever runs this application by itself."""
        await receive()
        state = "startup"
        try:
            async with self._lifespan(self):
                await send({"type": "lifespan.startup.complete"})
                state = "shutdown"
                await receive()
        except Exception as error:
            await send({"type": f"lifespan.{state}.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def _check(origins: Origins, scope: Scope) -> None:
    origins.check(
        scope.get("method", "GET"),
        dict(scope["headers"]),
        is_secure=scope.get("scheme") in {"https", "wss"},
        is_upgrade=scope["type"] == "websocket",
    )


async def _refuse(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": refused.sentence[:120]})
        return

    async def say(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await answer(send, refused.status, refused.sentence, headers=refused.headers)

    await secured(say)(scope, receive, send)


async def _take(server: Open, scope: Scope, receive: Receive, send: Send) -> None:
    """Make a transport of a WebSocket, and run it to its end."""
    await receive()
    await send({"type": "websocket.accept"})
    transport = AsgiTransport(scope, receive, send)
    server.take(transport)
    await transport.run()
