"""What the server answers itself, before the program's application is asked: how it is, its counts, and the JavaScript client."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Final

from ..transports.tcp_listener import source_of
from .answers import answer, field_of, is_reading, path_in
from .assets import Assets
from .metrics import CONTENT_TYPE, Metric, metrics_text
from .types import App, Receive, Scope, Send

_PROXY: Final = {b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"}
"""Fields that say that somebody asks for somebody else."""
_CLIENT: Final = "/landline/"
_NO_STORE: Final = [(b"cache-control", b"no-store")]


class Routes:
    """An application of the server's own paths, and of another application below them.

    Args:
        app: asked about every other path; without one there is nothing.
        is_ready: whether new callers are wanted; a server that drains says no.
        metrics: returns what is counted.
        token: what callers from other machines must show to read the counts; without one they may not.
        client: the files of the JavaScript client, served below ``/landline/``.
    """

    def __init__(
        self,
        app: App | None = None,
        *,
        is_ready: Callable[[], bool],
        metrics: Callable[[], Iterable[Metric]],
        token: str = "",
        client: Assets | None = None,
    ) -> None:
        self._app = app
        self._is_ready = is_ready
        self._metrics = metrics
        self._token = token.encode()
        self._client = client
        self._own = {"/health": self._health, "/ready": self._ready, "/metrics": self._counts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = path_in(scope)
        if path in self._own:
            if await is_reading(scope, send):
                await self._own[path](scope, send)
        elif path.startswith(_CLIENT) and self._client is not None:
            await self._client.answer(path.removeprefix(_CLIENT[:-1]), scope, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        else:
            await answer(send, 404, "There is nothing here.")

    async def _health(self, scope: Scope, send: Send) -> None:
        del scope
        await answer(send, 200, "alive", headers=_NO_STORE)

    async def _ready(self, scope: Scope, send: Send) -> None:
        del scope
        if self._is_ready():
            await answer(send, 200, "ready", headers=_NO_STORE)
        else:
            await answer(send, 503, "not ready: the server goes", headers=_NO_STORE)

    async def _counts(self, scope: Scope, send: Send) -> None:
        if is_from_here(scope) or self._has_token(scope):
            body = metrics_text(self._metrics())
            await answer(send, 200, body, content_type=CONTENT_TYPE, headers=_NO_STORE)
        elif self._token:
            ask = [(b"www-authenticate", b"Bearer")]
            await answer(send, 401, "Show the token: Authorization: Bearer TOKEN.", headers=ask)
        else:
            await answer(send, 403, "The counts are for callers on this machine, unless a token is set.")

    def _has_token(self, scope: Scope) -> bool:
        kind, _, given = (field_of(scope, b"authorization") or b"").partition(b" ")
        is_same = hmac.compare_digest(given.strip(), self._token)
        return is_same and bool(self._token) and kind.lower() == b"bearer"


def is_from_here(scope: Scope) -> bool:
    """Whether a request comes from this machine, and from nobody behind it: a proxy here speaks for callers from anywhere."""
    if any(name in _PROXY for name, _ in scope["headers"]):
        return False
    client = scope.get("client")
    if client is None:
        return True
    host = str(client[0])
    return host != "" and not source_of(host)
