"""One process and its sockets, in virtual time: what a loop, a transport and a driver are to the real thing.

A ``Node`` is a process with a clock of its own, timers and a loop that can stand still. A ``Port`` is its end of one line: the bytes that
it wrote lie in ``out`` until the network moves them. ``Port`` does what ``landline.sessions.driver`` does, call by call.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from ...protocol.connection import Connection
from ...protocol.events import Event
from ...protocol.states import Phase

if TYPE_CHECKING:
    from .wrappings import Wrapping

_CLOSED = Phase.CLOSED
_SLACK = 1e-9  # the clocks are floats that were added up in different orders
_NEVER = float("inf")
_SOON = 1e-6  # a timer never fires at the very moment at which it was set


Timer = list[Any]
"""When it fires on its process's clock, a number that keeps the order, and what it calls; None there cancels it."""


class Violation(Exception):
    """Something that must always be true was not."""


class Clock(Protocol):
    """The time of the world, in seconds, and its rolling hash; touched is one where something changed that no session is known to own."""

    now: float
    trace: blake2b
    is_touched: bool


class Node:
    """One process: its clock, its timers, and what its loop does at the end of a turn.

    Args:
        offset: how far its clock is ahead of the world's, in seconds.

    Attributes:
        is_stalled: its loop stands still: nothing is read, no timer fires.
        late_at: when it last came back from that, or its clock jumped.
        woke_at: the same, of the long ones only.
        ports: the lines that it holds.
    """

    def __init__(self, world: Clock, offset: float) -> None:
        self.world = world
        self.offset = offset
        self.is_stalled = False
        self.late_at = self.woke_at = 0.0
        self.ports: dict[Port, None] = {}
        self.scheduled: dict[Port, None] = {}
        self.ready: list[Callable[[], None]] = []
        self._timers: list[Timer] = []
        self._ties = 0

    @property
    def now(self) -> float:
        """The time on this process's clock."""
        return self.world.now + self.offset

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call back when that much time has passed here; who calls later checks whether it still matters, or cancels it."""
        self._ties += 1
        timer: Timer = [self.world.now + self.offset + max(seconds, _SOON), self._ties, call]
        heapq.heappush(self._timers, timer)
        return timer

    def next_due(self) -> float:
        """When something is due here, on the world's clock."""
        timers = self._timers
        while timers and timers[0][2] is None:
            heapq.heappop(timers)
        due = timers[0][0] if timers else _NEVER
        for port in self.ports:
            at = port.due
            if at is not None and at < due:
                due = at
        return due - self.offset

    def run_due(self) -> None:
        """Fire the timers that are due."""
        now = self.world.now + self.offset + _SLACK
        while self._timers and self._timers[0][0] <= now:
            call = heapq.heappop(self._timers)[2]
            if call is not None:
                call()
        for port in self.ports:
            if port.due is not None and port.due <= now:
                break
        else:
            return
        for port in list(self.ports):
            if port.due is not None and port.due <= now:
                port.fire()

    def turn(self) -> None:
        """End the loop's turn: write, tell, re-arm."""
        if self.ready:
            ready, self.ready = self.ready, []
            for call in ready:
                call()
        if self.scheduled:
            scheduled, self.scheduled = self.scheduled, {}
            for port in scheduled:
                port.advance()

    def die(self) -> None:
        """The process is gone: its lines end, its timers are forgotten."""
        for port in list(self.ports):
            port.vanish()
        self.scheduled.clear()
        self.ready.clear()
        self._timers.clear()


class Port:
    """A process's end of one line.

    Attributes:
        far: the other end, where there is one.
        out: what we wrote and what has not arrived yet.
        is_hung_up: nothing follows what lies in ``out``; behind it comes the end of the line.
        is_blocked: what we wrote does not move for now.
        due: when the connection wants to be told of the time, on the node's clock.
        owner: whoever this line belongs to, for the checks.
        taken: bytes that the connection was told.
        wrapping: what the line's carrier puts around what is written; None where it carries bytes as they are.
    """

    __slots__ = (
        "capacity", "connection", "deliver", "due", "far", "heard_at", "is_blocked", "is_confirmed", "is_hung_up", "is_over",
        "moved_at", "node", "opened_at", "out", "owner", "taken", "wrapping",
    )  # fmt: skip

    def __init__(self, node: Node, connection: Connection, capacity: int) -> None:
        self.node = node
        self.connection = connection
        self.capacity = capacity
        self.deliver: Callable[[Event], None] = _ignore
        self.far: Port | None = None
        self.out = bytearray()
        self.is_hung_up = False
        self.is_blocked = False
        self.is_over = False
        self.is_confirmed = False
        self.due: float | None = None
        self.owner: Any = None
        self.taken = 0
        self.wrapping: Wrapping | None = None
        self.opened_at = self.heard_at = self.moved_at = node.now
        node.ports[self] = None
        self.schedule()

    def schedule(self) -> None:
        """Advance at the end of this turn of the loop."""
        self.node.scheduled[self] = None

    def advance(self) -> None:
        """Write what the connection wants sent, tell its events, re-arm its timer."""
        if self.is_over:
            self.tell_late()
            return
        connection, out, node = self.connection, self.out, self.node
        if len(out) < self.capacity or connection.phase is _CLOSED:
            now = node.world.now + node.offset
            data = connection.data_to_send(now)
            if data:
                self._touch()
                if not self.is_hung_up:
                    if self.wrapping is not None:
                        data = [self.wrapping.wrap(data)]
                    for piece in data:
                        out += piece
                    if len(out) > self.capacity:
                        self.moved_at = now
                    elif len(out) < self.capacity and connection.has_more_to_send:
                        node.scheduled[self] = None
        for event in connection.events():
            self.deliver(event)
        if connection.phase is _CLOSED:
            self._finish()
        else:
            self.due = connection.timeout_at()

    def _touch(self) -> None:
        """Have the books looked at: those of the session that this line belongs to, or all while that is not known."""
        owner = self.owner
        if owner is None:
            self.node.world.is_touched = True
        else:
            owner.talk.is_touched = True

    def tell(self) -> None:
        """Hand on what happened."""
        for event in self.connection.events():
            self.deliver(event)

    def tell_late(self) -> None:
        """The line had ended before somebody attached to it: that one is told so."""
        self.tell()

    def fire(self) -> None:
        """The connection's time has come."""
        backlog = len(self.out) - self.capacity
        self.connection.handle_timeout(max(self.node.now, self.due or 0.0), max(0, backlog))
        self.advance()

    def abort(self) -> None:
        """Hang up at once; what was written is still under way."""
        self.connection.receive_end()
        self.is_hung_up = True
        self.schedule()

    def vanish(self) -> None:
        """The process that held this end is gone; nobody here is told anything."""
        self.is_over = self.is_hung_up = True
        self.node.ports.pop(self, None)

    def _finish(self) -> None:
        if self.wrapping is not None and not self.is_hung_up:
            self.out += self.wrapping.farewell()
        self.is_over = self.is_hung_up = True
        self.due = None
        self.node.ports.pop(self, None)

    # The network...

    def move(self, size: int) -> int:
        """Let that many bytes of what we wrote arrive; return how many did."""
        far, out = self.far, self.out
        if far is None or self.is_blocked or far.node.is_stalled:
            return 0
        if len(out) <= size:
            data = bytes(out)
            out.clear()
        else:
            data = bytes(out[:size])
            del out[:size]
        if data:
            node = self.node
            self.moved_at = node.world.now + node.offset
            if not self.is_over:
                node.scheduled[self] = None  # there is room to write again
            if not far.is_over:
                far.arrive(data)
        if self.is_hung_up and not out and not far.is_over:
            far.connection.receive_end()
            far.schedule()
        return len(data)

    def arrive(self, data: bytes) -> None:
        """Take bytes, as one chunk."""
        node = self.node
        self._touch()
        node.world.trace.update(data)
        connection, wrapping = self.connection, self.wrapping
        if wrapping is not None:
            data = wrapping.unwrap(data)
            if wrapping.answer:
                if not self.is_hung_up:
                    self.out += wrapping.answer
                wrapping.answer = b""
        if data:
            self.heard_at = now = node.world.now + node.offset
            self.taken += len(data)
            connection.receive_data(data, now)
        for event in connection.events():
            self.deliver(event)
        if wrapping is not None and wrapping.has_ended:
            connection.receive_end()
        node.scheduled[self] = None


def join(near: Port, far: Port) -> None:
    """Make two ports the ends of one line."""
    near.far, far.far = far, near


def _ignore(event: Event) -> None:
    del event
