"""Joins one transport to one connection on the loop: bytes to it, bytes from it once a tick, its timer, its events to whoever cares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..protocol.connection import Connection
from ..protocol.events import Event
from ..protocol.frames import CloseCode
from ..protocol.states import Phase
from ..transports import Transport

log = logging.getLogger("landline.sessions")


class Driver:
    """A transport's receiver that runs a connection.

    Args:
        deliver: called with each event, in order; an exception in it ends this connection and no other.

    Attributes:
        gone: done when the transport is.
        has_crashed: what the peer sent made our own code fail.
    """

    def __init__(
        self, connection: Connection, transport: Transport, deliver: Callable[[Event], None]
    ) -> None:
        self.connection = connection
        self.transport = transport
        self.deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._is_scheduled = False
        self._is_over = False
        self.has_crashed = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def start(self, first: bytes = b"") -> None:
        """Begin; ``first`` is what was read already."""
        self.transport.start(self)
        if first:
            self.data_received(first)
        self.schedule()

    def schedule(self) -> None:
        """Advance at the end of this tick of the loop, once."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self.advance)

    def advance(self) -> None:
        """Write what the connection wants sent, deliver its events, re-arm its timer."""
        self._is_scheduled = False
        if self._is_over:
            self._deliver_events()  # who attached to a connection that had ended is told so
            return
        self._write()
        self._deliver_events()
        if self.connection.phase is Phase.CLOSED:
            self._finish()
        else:
            self._arm()

    def abort(self) -> None:
        """Hang up: the transport goes at once, as when the line drops."""
        self.transport.abort()
        self.connection.receive_end()
        self.schedule()

    def _write(self) -> None:
        transport, connection = self.transport, self.connection
        if not transport.is_writable and connection.phase is not Phase.CLOSED:
            return
        data = connection.data_to_send(self._loop.time())
        if data:
            transport.write(data[0] if len(data) == 1 else b"".join(data))
            if connection.has_more_to_send and transport.is_writable:
                self.schedule()

    def _deliver_events(self) -> None:
        for event in self.connection.events():
            try:
                self.deliver(event)
            except Exception:  # one connection's bug must not be another's
                log.exception("a connection from %s failed", self.transport.peer)
                self.has_crashed = True
                self.connection.break_off(CloseCode.FAILED, "internal error")
                self.schedule()

    def _finish(self) -> None:
        """The connection is over: let its last words out, and the transport go."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self.transport.close()

    # The timer...

    def _arm(self) -> None:
        at = self.connection.timeout_at()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return  # an earlier timer looks again when it fires: cheaper than moving it with every frame
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_timer)
        self._timer_at = at

    def _on_timer(self) -> None:
        self._timer = None
        self.connection.handle_timeout(self._loop.time(), self.transport.backlog)
        self.advance()

    # The transport tells...

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: events now, answers at the end of the tick, together with what the events cause to be sent."""
        self.connection.receive_data(data, self._loop.time())
        self._deliver_events()
        self.schedule()

    def data_ended(self) -> None:
        """The peer writes no more: for a session that is the end of the line."""
        self.connection.receive_end()
        self.schedule()

    def writable(self) -> None:
        """The transport takes more."""
        self.schedule()

    def lost(self, error: Exception | None) -> None:
        """The transport is gone."""
        if not self.gone.done():
            self.gone.set_result(None)
        self.connection.receive_end()
        self.schedule()
