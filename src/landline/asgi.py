"""A server inside somebody else's: ``landline.asgi(server)`` is an ASGI application, to be mounted in FastAPI or Starlette or run by uvicorn.

WebSockets become sessions of the server, everything else is answered by its routes. The server is open, without any listening socket of its
own, from the lifespan's start to its end; an application that is mounted in another one hears of no lifespan, hence ``landline.lifespan``.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .server import Server
    from .web.mounted import Open
    from .web.types import App

_open: WeakKeyDictionary[Server, Open] = WeakKeyDictionary()
"""The servers that are open now; of each there is one, whatever it is mounted in."""


def lifespan(server: Server) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Return what FastAPI and Starlette take as ``lifespan``: the server is open while the application runs, and drained at its end."""

    @contextlib.asynccontextmanager
    async def run(app: Any) -> AsyncIterator[None]:
        from .web.mounted import Open  # what speaks HTTP is loaded by who needs it
        from .web.origin import Origins

        del app
        try:
            async with server.attach() as listening:
                origins = Origins(listening.web.hosts, listening.web.origins)
                _open[server] = Open(listening.app, listening.take, origins)
                yield
        finally:
            _open.pop(server, None)

    return run


def asgi(server: Server) -> App:
    """Return an ASGI application that serves ``server``: mount it, or have uvicorn run it by itself.

    Mounted, it needs the lifespan of the outer application: ``FastAPI(lifespan=landline.lifespan(server))``. Which names and pages it answers
    to, its ``Web`` says: a server that has a name in the world needs it among the ``hosts`` there.
    """
    from .web.mounted import Mounted

    return Mounted(lambda: _open.get(server), lifespan(server))
