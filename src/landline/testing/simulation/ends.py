"""The two ends of a session without a loop: what ``sessions.bare`` and ``patterns.messages`` do, the same calls in the same order.

Where those change, this follows; ``client`` and ``host`` are who holds an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ...errors import Full
from ...limits import Limits
from ...protocol.codec import encode_data
from ...protocol.empty import NOBODY
from ...protocol.events import (
    ConnectionEnded,
    Event,
    FlowAbandoned,
    FlowOpened,
    MessagesReceived,
    OutcomesKnown,
    PeerClosed,
    RoomMade,
)
from ...protocol.flow import Flow
from ...protocol.frames import CloseCode
from ...protocol.session import Session
from ...protocol.states import State
from .line import Node, Port
from .strands import MOST, STRAND, Strand
from .talk import Talk

T = TypeVar("T")


class Pattern(Protocol):
    """What an end has besides messages and topics: calls (``booth.Booth``), groups (``circle.Circle``, at the server ``crowd.Seat``), and
    files (``courier.Courier``).
    """

    def takes(self, flow: Flow, /) -> bool:
        """Take a flow that the peer opened, if it is one of these; return whether it is."""
        ...

    def wake(self) -> None:
        """The session is closing, or over."""
        ...

    def renewed(self, before: End, end: End, /) -> None:
        """Another life of the server goes on with the session."""
        ...


class End:
    """One end of a session.

    Attributes:
        side: 0 at the client, 1 at the server.
        port: the line that carries it now, if any.
        ended: ``closed``, ``lost`` or ``renewed`` (it goes on with another life of the server, as another end), once it is over, with ``code``
            and ``reason``.
        serving: called when something happened to a flow of the library's own, by its number.
        on_room: called when there may be room again in such a flow.
        serve: takes a flow of the library's own that the peer opened.
        patterns: what it has besides messages and topics.
        on_line: called when it has another line, or none.
        on_loss: called before whoever keeps the session loses it, with the code and the reason.
    """

    def __init__(self, node: Node, core: Session, talk: Talk, side: int, limits: Limits) -> None:
        self.node = node
        self.core = core
        self.talk = talk
        self.side = side
        self.limits = limits
        self.port: Port | None = None
        self.ended = ""
        self.code = CloseCode.NORMAL
        self.reason = ""
        self.on_loss: Callable[[CloseCode, str], None] = _ignore
        self.on_end: Callable[[], None] = _nothing
        self.serving: dict[int, Callable[[], None]] = {}
        self.on_room: dict[int, Callable[[], None]] = {}
        self.serve: Callable[[End, Flow], None] | None = None
        self.patterns: list[Pattern] = []
        self.on_line: Callable[[], None] = _nothing
        self.is_closing = False
        self.is_peer_closed = False
        self.is_lazy = False
        self.is_gone = False

    def pattern(self, kind: type[T]) -> T | None:
        """Return what it has of this kind, if anything."""
        return next((each for each in self.patterns if isinstance(each, kind)), None)

    @property
    def state(self) -> State:
        """What a person who watches it sees."""
        if self.ended:
            return State.CLOSED if self.ended == "closed" else State.LOST
        if self.is_closing or self.is_peer_closed:
            return State.CLOSING
        return State.RECONNECTING if self.port is None else State.CONNECTED

    # A connection comes and goes...

    def attach(self, port: Port) -> None:
        """Go on over this line."""
        self.port = port
        self.core.writer = port
        port.schedule()
        if self.is_closing:
            port.connection.close(CloseCode.NORMAL, "", self.node.now)
        self.on_line()

    def detach(self, reason: str) -> None:
        """The line is gone, the session is not."""
        del reason  # nobody watches
        self.port = None
        self.on_line()

    def deliver(self, event: Event) -> None:
        """Take what the line's connection reports."""
        if self.ended:
            return
        if isinstance(event, OutcomesKnown):
            self.talk.check_outcomes(self)
        elif isinstance(event, FlowOpened):
            self._flow_opened(event.flow)
        elif isinstance(event, MessagesReceived | FlowAbandoned):
            if event.flow in self.serving:
                self.serving[event.flow]()
        elif isinstance(event, RoomMade):
            for fill in list(self.on_room.values()):
                fill()
        elif isinstance(event, PeerClosed) and event.code is CloseCode.NORMAL:
            self.is_peer_closed = True
            if self.is_closing or self.core.is_everything_handled:
                self.end("closed")
            self._wake_patterns()

    def _flow_opened(self, number: int) -> None:
        flow = self.core.flows.get(number)
        if flow is None:
            return
        if flow.purpose == STRAND:
            self.talk.strands[number].flows[self.side] = flow
        elif self.patterns and any(pattern.takes(flow) for pattern in self.patterns):
            pass
        elif self.serve is not None:
            self.serve(self, flow)

    def connection_ended(self, event: ConnectionEnded) -> bool:
        """End where the end of the line means that; return whether it does, or the session goes on."""
        if event.code is CloseCode.NORMAL or self.is_peer_closed:
            self.end("closed")
            return True
        if event.code.resumable:
            return False
        self.code, self.reason = event.code, event.reason
        self.end("lost")
        return True

    # The session ends...

    def close(self) -> None:
        """Begin an orderly close."""
        if self.ended or self.is_closing:
            return
        self.is_closing = True
        self.talk.was_closed = True
        if self.port is not None:
            self.port.connection.close(CloseCode.NORMAL, "", self.node.now)
            self.port.schedule()
        self.node.after(self.limits.close_timeout, self._close_is_late)
        self._wake_patterns()

    def _close_is_late(self) -> None:
        if not self.ended:
            if self.core.outbox_frames:
                self.talk.excuses.add("closed late")
                self._lose(CloseCode.EXPIRED, "closed before everything was delivered")
            self.end("closed")

    def lose(
        self,
        code: CloseCode,
        reason: str,
        *,
        peer_received: int | None = None,
        peer_handled: int | None = None,
    ) -> None:
        """The session cannot go on, says who keeps it."""
        if not self.ended:
            self.on_loss(code, reason)
            self.core.end(peer_received, peer_handled)
            self._lose(code, reason)

    def _lose(self, code: CloseCode, reason: str) -> None:
        self.code, self.reason = code, reason
        if self.port is not None:
            self.port.connection.break_off(code, reason)
        self.end("lost")

    def die(self) -> None:
        """The process of this end is gone; nobody is told."""
        self.ended = self.ended or "lost"
        self.is_gone = True
        self.talk.world.has_ended = True

    def renew(self) -> None:
        """Another life of the server goes on with the session: what was not handled is in doubt here, and begins again elsewhere."""
        self.ended = "renewed"
        self.core.writer = NOBODY
        self.core.release()
        self.talk.world.has_ended = self.talk.is_touched = True

    def go_on(self, before: End) -> None:
        """Be the end that ``before`` was in the last life of the server."""
        self.patterns = before.patterns
        if before.is_closing:
            self.is_closing = self.talk.was_closed = True
            self.node.after(self.limits.close_timeout, self._close_is_late)
        for pattern in self.patterns:
            pattern.renewed(before, self)

    def end(self, how: str) -> None:
        """The session is over."""
        if self.ended:
            return
        self.ended = how
        self.core.writer = NOBODY
        self.core.release()
        port, self.port = self.port, None
        if port is not None:
            port.connection.close(CloseCode.NORMAL, "", self.node.now)
            port.schedule()
        self.talk.check_end(self)
        self.talk.world.has_ended = True
        self._wake_patterns()
        self.on_end()

    def _wake_patterns(self) -> None:
        for pattern in self.patterns:
            pattern.wake()

    def drained(self) -> None:
        """Everything of a flow is handled: if that is all that came before the peer's close, the session ends."""
        if self.is_peer_closed and self.core.is_everything_handled:
            self.end("closed")

    # The program...

    def open_flow(self) -> None:
        """Open a flow besides the messages, if there are not too many."""
        core, strands = self.core, self.talk.strands
        if self.ended or self.is_closing or self.is_peer_closed or len(core.flows) > MOST:
            return
        try:
            flow = core.open_flow(STRAND)
        except Full:
            return
        strand = strands[flow.number] = Strand(flow.number)
        strand.flows[self.side] = flow

    def send(self, value: Any) -> bool:
        """Send a message, if there is room for it."""
        core = self.core
        if self.ended or self.is_closing or self.is_peer_closed or not core.has_room_in(core.messages):
            return False
        self.talk.said[self.side].append(value)
        core.send(core.messages, *encode_data(value, core.max_message))
        return True

    def take(self) -> bool:
        """Ask for the next message; what came before it is handled thereby."""
        core, flow = self.core, self.core.messages
        if self.is_gone:
            return False
        if not flow.inbox:
            core.handle_taken(flow)
            self.talk.idle(self)
            if self.is_peer_closed:
                self.end("closed")
            return False
        if self.is_closing:
            return False
        self.talk.hear(self, core.take(flow))
        return True

    def ask(self) -> None:
        """Wait for the outcome of everything sent so far."""
        if not self.ended and self.core.messages.handled_by_peer < self.core.messages.queued:
            self.core.ask(self.core.messages)


def _nothing() -> None:
    pass


def _ignore(code: CloseCode, reason: str) -> None:
    del code, reason
