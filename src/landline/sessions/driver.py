"""Joins one transport to one connection on the loop: bytes to it, bytes from it once a tick, its timer, its events to whoever cares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from ..protocol.connection import Connection
from ..protocol.empty import EMPTY_LIST
from ..protocol.events import NEWS, Event
from ..protocol.frames import CloseCode
from ..protocol.states import Phase
from ..transports import Transport
from .alarms import Alarm, alarms
from .turns import turns

log = logging.getLogger("landline.sessions")

_CLOSED: Final = Phase.CLOSED


class Carried(Protocol):
    """A session that a connection carries."""

    def deliver(self, event: Event) -> None:
        """Take what the connection reports of it."""


class Driver:
    """A transport's receiver that runs a connection.

    Args:
        deliver: called with us and each event, in order; an exception in it ends this connection and no other.

    Attributes:
        carried: told instead of those that concern only the session which is carried, while there is one.
        has_crashed: what the peer sent made our own code fail.
    """

    __slots__ = (
        "_alarm", "_alarms", "_gone", "_is_gone", "_is_over", "_is_scheduled", "_turns", "carried",
        "connection", "deliver", "has_crashed", "transport",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, transport: Transport, deliver: Callable[[Driver, Event], None]
    ) -> None:
        self.connection = connection
        self.transport = transport
        self.deliver = deliver
        self.carried: Carried | None = None
        self._alarms = alarms()
        self._turns = turns()
        self._alarm: Alarm | None = None
        self._is_scheduled = False
        self._is_over = False
        self.has_crashed = False
        self._gone: asyncio.Future[None] | None = None
        self._is_gone = False

    @property
    def gone(self) -> asyncio.Future[None]:
        """Done when the transport is; made for whoever waits for that."""
        if self._gone is None:
            self._gone = self._turns.loop.create_future()
            if self._is_gone:
                self._gone.set_result(None)
        return self._gone

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
            self._turns.want(self)

    def advance(self) -> None:
        """Write what the connection wants sent, deliver its events, re-arm its timer."""
        self._is_scheduled = False
        if self._is_over:
            self._deliver_events()  # who attached to a connection that had ended is told so
            return
        connection, transport = self.connection, self.transport
        if transport.is_writable or connection.phase is _CLOSED:
            try:
                data = connection.data_to_send(self._turns.loop.time())
                if data:
                    transport.write(*data)
            except BaseException as error:
                self._fail(error)
                raise
            if data and connection.has_more_to_send and transport.is_writable:
                self.schedule()
        if connection.happened:
            self._deliver_events()
        if connection.phase is _CLOSED:
            self._finish()
        elif self._alarm is None or connection.is_due_before(self._alarm.begins_at):
            self._arm()  # else an earlier alarm looks again when it rings: cheaper than moving it with every frame

    def abort(self) -> None:
        """Hang up: the transport goes at once, as when the line drops."""
        self.transport.abort()
        self.connection.receive_end()
        self.schedule()

    def _deliver_events(self) -> None:
        connection = self.connection
        happened, connection.happened = connection.happened, EMPTY_LIST
        for event in happened:
            try:
                if self.carried is not None and type(event) in NEWS:
                    self.carried.deliver(event)
                else:
                    self.deliver(self, event)
            except BaseException as error:
                self._fail(error)
                if not isinstance(error, Exception):
                    raise
                # One connection's bug must not be another's.
                log.exception("a connection from %s failed", self.transport.peer)

    def _fail(self, error: BaseException) -> None:
        """End the connection and the session that it carries: a bug, or an interrupt, came in the middle of counting, so that nothing is sure any more."""
        is_bug = isinstance(error, Exception)
        self.has_crashed = self.has_crashed or is_bug
        why = "internal error" if is_bug else f"interrupted by {type(error).__name__}"
        self.connection.break_off(CloseCode.FAILED, why)
        self.schedule()

    def _finish(self) -> None:
        """The connection is over: let its last words out, and the transport go."""
        self._is_over = True
        if self._alarm is not None:
            self._alarm.clear(self)
            self._alarm = None  # who still holds us should not hold it
        self.transport.close()

    # Time passes...

    def _arm(self) -> None:
        """Have an alarm set for when something is due, if the one that is set is for later."""
        at, before = self.connection.timeout_at(), self._alarm
        if at is not None and (before is None or at < before.begins_at):
            if before is not None:
                before.clear(self)
            self._alarm = self._alarms.set(at, self)

    def ring(self) -> None:
        """It is time to look: something may be due."""
        self._alarm = None
        if self._is_scheduled:  # only just, or its turn was lost to an interrupt
            self._turns.call_again()
        transport = self.transport
        try:
            self.connection.handle_timeout(self._turns.loop.time(), transport.backlog, transport.wrapping)
        except BaseException as error:
            self._fail(error)
            raise
        self.advance()  # which sets the next

    # The transport tells...

    def data_received(self, data: bytes | memoryview) -> None:
        """Bytes arrived: events now, answers at the end of the tick, together with what the events cause to be sent."""
        connection = self.connection
        try:
            connection.receive_data(data, self._turns.loop.time())
        except BaseException as error:
            self._fail(error)
            raise
        if connection.happened:
            self._deliver_events()
            self._turns.call()  # so that what those answer who were woken by it goes out in this tick
        if not connection.is_quiet:
            self.schedule()
        elif connection.frame_deadline is not None:
            self._arm()

    data_lent = data_received

    def data_ended(self) -> None:
        """The peer writes no more: for a session that is the end of the line."""
        self.connection.receive_end()
        self.schedule()

    def writable(self) -> None:
        """The transport takes more."""
        self.schedule()

    def lost(self, error: Exception | None) -> None:
        """The transport is gone."""
        self._is_gone = True
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self.connection.receive_end()
        self.schedule()
