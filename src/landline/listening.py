"""A server that listens: where, what it holds, what it counts, and its answers over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .sessions.accept import Acceptor
from .transports import Listener, ListeningSocket, Transport
from .web.site import Web

if TYPE_CHECKING:
    from .web.metrics import Metric
    from .web.types import App


class Listening:
    """A server that listens.

    Attributes:
        app: what it answers over HTTP, as an ASGI application.
        web: what the server was told of that.
        is_going: it drains, and is not ready for anybody new.
    """

    def __init__(self, acceptor: Acceptor, listeners: list[Listener], web: Web) -> None:
        self.is_going = False
        self.web = web
        self.app = self._routes(web)
        self._listeners = listeners
        self._acceptor = acceptor

    @property
    def addresses(self) -> list[str]:
        """Where it really listens, ports filled in."""
        return [address for listener in self._listeners for address in listener.addresses]

    def take(self, transport: Transport) -> None:
        """Let a transport in that something else has accepted; its first bytes say which door it takes."""
        self._acceptor.accept(transport)

    @property
    def sessions(self) -> int:
        """How many sessions it holds, those without a line included."""
        return len(self._acceptor.sessions)

    @property
    def connections(self) -> int:
        """How many lines are open, of every door together."""
        return self._acceptor.connections

    @property
    def hits(self) -> Mapping[str, int]:
        """How often each limit was hit since it began to listen, by the limit's name; one that never was is not there.

        Each hit is logged too, at a bounded rate. What only slows a sender down on its own line (credit, a full socket) is no hit.
        """
        return self._acceptor.hits.counts

    def hand_over(self) -> list[ListeningSocket]:
        """Return copies of the listening sockets, which outlive this server: who dials then waits in them for the next one to accept.

        Close each, or pass them to another ``listen``, in this process or in the next program. The files of Unix sockets are theirs from now on.
        """
        return [copy for listener in self._listeners for copy in listener.hand_over()]

    def _routes(self, web: Web) -> App:
        # Here, so that `import landline` loads nothing of HTTP.
        from .web.assets import Assets, package_files
        from .web.routes import Routes

        return Routes(
            web.app,
            is_ready=lambda: not self.is_going,
            metrics=self._metrics,
            token=web.metrics_token,
            client=Assets(package_files("landline.javascript", ".js")),
        )

    def _metrics(self) -> Iterator[Metric]:
        from .web.metrics import Metric

        with_line = sum(session.driver is not None for session in self._acceptor.sessions)
        yield Metric("landline_sessions", "sessions held, those without a line included", self.sessions)
        yield Metric("landline_sessions_connected", "sessions with a line", with_line)
        yield Metric("landline_connections", "lines open, of every door together", self.connections)
        yield Metric("landline_limit_hits_total", "times that a limit was hit", self.hits, "counter", "limit")
