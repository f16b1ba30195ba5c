"""What a program wants of the web's door: said to ``Server``, before anything of HTTP is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from .types import App


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What a server answers to browsers and other programs that speak HTTP, on the port where it takes sessions.

    It has ``/health``, ``/ready``, ``/metrics`` and, below ``/landline/``, the JavaScript client. A WebSocket at ``/`` is one more line for sessions.

    Attributes:
        app: an ASGI application (of FastAPI or Starlette, or a function) for every other path; its lifespan and WebSockets are not run here.
        hosts: names by which browsers may call the server, besides IP addresses, ``localhost`` and this machine's own. Any other is refused: a page of
            anybody's could have its name resolve to us.
        origins: of other servers' pages, as ``https://example.com``, which may open sessions and send requests that change something.
        metrics_token: what whoever reads ``/metrics`` from another machine must show, as ``Authorization: Bearer …``; without one, only this machine may.
    """

    app: App | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    metrics_token: str = ""
