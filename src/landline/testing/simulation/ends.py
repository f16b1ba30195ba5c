"""The two ends of a session without a loop, and the client that keeps its end on a line.

``End`` does what ``sessions.bare`` and ``patterns.messages`` do, ``Client`` what ``sessions.reconnect`` and ``sessions.dial`` do: the same
calls into the protocol in the same order. Where those change, these follow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...limits import Limits
from ...protocol.codec import encode_data
from ...protocol.connection import Connection
from ...protocol.events import ConnectionEnded, Event, OutcomesKnown, PeerClosed, Turned, Welcomed
from ...protocol.frames import MAGIC, CloseCode, FrameType
from ...protocol.handshake import ID_SIZE, Hello, Refusal, Resume, Welcome, encode_payload
from ...protocol.session import Session
from ...protocol.states import Role
from .checks import check_honest, check_verdict
from .line import Node, Port, Violation

if TYPE_CHECKING:
    from .talk import Talk
    from .world import World


class End:
    """One end of a session.

    Attributes:
        side: 0 at the client, 1 at the server.
        port: the line that carries it now, if any.
        ended: ``closed`` or ``lost``, once it is over, with ``code`` and ``reason``.
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
        self.on_end: Callable[[], None] = _nothing
        self.is_closing = False
        self.is_peer_closed = False
        self.is_lazy = False
        self.is_gone = False

    # A connection comes and goes...

    def attach(self, port: Port) -> None:
        """Go on over this line."""
        self.port = port
        self.core.wake = port.schedule
        port.schedule()
        if self.is_closing:
            port.connection.close(CloseCode.NORMAL, "", self.node.now)

    def detach(self) -> None:
        """The line is gone, the session is not."""
        self.port = None

    def deliver(self, event: Event) -> None:
        """Take what the line's connection reports."""
        if self.ended:
            return
        if isinstance(event, OutcomesKnown):
            self.talk.check_outcomes(self)
        elif isinstance(event, PeerClosed) and event.code is CloseCode.NORMAL:
            self.is_peer_closed = True
            if self.is_closing or self.core.is_everything_handled:
                self.end("closed")

    def connection_ended(self, event: ConnectionEnded) -> str:
        """Return how the end of the line ends the session, or nothing when it goes on."""
        if event.code is CloseCode.NORMAL or self.is_peer_closed:
            return "closed"
        if event.code.resumable:
            return ""
        self.code, self.reason = event.code, event.reason
        return "lost"

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

    def _close_is_late(self) -> None:
        if not self.ended:
            if self.core.outbox_frames:
                self.talk.excuses.add("closed late")
                self.lose(CloseCode.EXPIRED, "closed before everything was delivered")
            self.end("closed")

    def lose(
        self,
        code: CloseCode,
        reason: str,
        *,
        peer_received: int | None = None,
        peer_handled: int | None = None,
    ) -> None:
        """The session cannot go on."""
        if not self.ended:
            self.core.end(peer_received, peer_handled)
            self.code, self.reason = code, reason
            if self.port is not None:
                self.port.connection.break_off(code, reason)
            self.end("lost")

    def die(self) -> None:
        """The process of this end is gone; nobody is told."""
        self.ended = self.ended or "lost"
        self.is_gone = True
        self.talk.world.has_ended = True

    def end(self, how: str) -> None:
        """The session is over."""
        if self.ended:
            return
        self.ended = how
        self.core.wake = _nothing
        port, self.port = self.port, None
        if port is not None:
            port.connection.close(CloseCode.NORMAL, "", self.node.now)
            port.schedule()
        self.talk.check_end(self)
        self.talk.world.has_ended = True
        self.on_end()

    # The program...

    def send(self, value: Any) -> bool:
        """Send a message, if there is room for it."""
        core = self.core
        if self.ended or self.is_closing or self.is_peer_closed or not core.has_room:
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


class Client:
    """A program that wants to stay connected: one session after the other, each kept on a line as long as it lives.

    Attributes:
        end: the session that it has, if any.
        port: the line that it has or dials on.
        old: lines that it gave up, newest last; what was under way on them may still arrive.
    """

    def __init__(self, world: World, number: int, offset: float) -> None:
        self.world = world
        self.node = Node(world, offset)
        self.limits = world.limits
        self.number = number
        self.life = 0
        self.principal = f"p{number}"
        self.end: End | None = None
        self.talk: Talk | None = None
        self.port: Port | None = None
        self.old: list[Port] = []
        self.greetings: list[tuple[int, bytes]] = []
        self.is_dialling = False
        self._redial_tag = 0
        self._session = b""
        self._token = b""
        self._attempt = 1
        self._pauses = 0
        self._hold = 0.0
        self._lost_line_at = 0.0
        self._resume_window = 0.0

    def begin(self) -> None:
        """Ask for a new session."""
        self.end = self.talk = None
        self._attempt, self._pauses, self._hold = 1, 0, 0.0
        self.greetings.clear()
        self._redial_tag += 1
        limits = self.limits
        self._dial(
            Hello(
                life=self.life.to_bytes(ID_SIZE, "big"),
                window=limits.window,
                max_message=limits.max_message,
                credentials=self.principal,
            )
        )

    def die(self) -> None:
        """The process is killed and started again; it knows nothing any more."""
        self.let_go()
        self.node.die()
        self.life += 1
        if self.end is not None:
            self.end.die()
        self.begin()

    def let_go(self) -> None:
        """Put the line among the old ones."""
        port, self.port = self.port, None
        if port is not None:
            self.old.append(port)
            if len(self.old) > 3:
                self.world.forget(self.old.pop(0))

    def hang_up(self) -> None:
        """Give the line up, as ``session.drop`` does: the next one is dialled at once."""
        if self.end is not None and not self.is_dialling and self.port is not None:
            self._pauses = -1
            self.port.abort()

    def _stop(self) -> None:
        """Dial no more: the session is over."""
        self._redial_tag += 1
        if self.is_dialling and self.port is not None:
            self.is_dialling = False
            self.port.deliver = _ignore
            self.port.abort()

    # Dialling...

    def _dial(self, greeting: Hello | Resume) -> None:
        self.let_go()
        world = self.world
        if world.is_refusing:
            self._failed()
            return
        connection = Connection(Role.CLIENT, self.limits, self.node.now, jitter=world.chance.random())
        port = self.port = Port(self.node, connection, world.capacity)
        connection.greet(greeting)
        kind = FrameType.HELLO if isinstance(greeting, Hello) else FrameType.RESUME
        self.greetings.append((self._attempt, MAGIC + encode_payload(kind, greeting)))
        self.is_dialling = True
        port.deliver = partial(self._answered, port)
        world.connect(self, port)
        self.node.after(self.limits.connect_timeout, partial(self._dial_is_late, port))

    def _dial_is_late(self, port: Port) -> None:
        if self.port is port and self.is_dialling:
            port.deliver = _ignore
            port.abort()
            self._failed()

    def _answered(self, port: Port, event: Event) -> None:
        if self.port is not port or not self.is_dialling:
            return
        if isinstance(event, Welcomed):
            self.is_dialling = False
            port.deliver = _ignore
            self.node.ready.append(partial(self._welcomed, port, event.welcome))
        elif isinstance(event, Turned):
            self.is_dialling = False
            self._refused(event.refusal)
        elif isinstance(event, ConnectionEnded):
            check_honest(event, "the client, dialling")
            self._failed()

    def _failed(self) -> None:
        self.is_dialling = False
        if self.end is None:
            self.let_go()
            self._redial_tag += 1
            self.node.after(0.2, partial(self._begin_again, self._redial_tag))
        elif not self.end.ended:
            self._redial_later()

    def _begin_again(self, tag: int) -> None:
        if tag == self._redial_tag and self.end is None and self.port is None:
            self.begin()

    def _refused(self, refusal: Refusal) -> None:
        end = self.end
        if end is None or self.talk is None:
            if refusal.code not in {CloseCode.BUSY, CloseCode.UNAUTHORIZED, CloseCode.TIMED_OUT}:
                raise Violation(f"a HELLO was refused as {refusal.code.text}: {refusal.reason}")
            self._failed()
            return
        if end.ended:
            return
        self.talk.check_refusal(refusal)
        if refusal.code is CloseCode.STALE and refusal.attempt is not None:
            self._attempt = refusal.attempt
            self._redial_later()
        elif refusal.code.resumable:
            self._hold = max(self._hold, refusal.retry_in or 0.0)
            self._redial_later()
        elif refusal.code is CloseCode.NORMAL:
            end.core.end(refusal.received, refusal.handled)
            end.end("closed")
        else:
            end.lose(
                refusal.code,
                refusal.reason,
                peer_received=refusal.received,
                peer_handled=refusal.handled,
            )

    # A line is there...

    def _welcomed(self, port: Port, welcome: Welcome) -> None:
        if self.port is not port:
            return
        end = self.end
        if end is None:
            core = Session(
                self.limits,
                peer_window=welcome.window,
                peer_max_message=min(welcome.max_message, self.limits.max_message),
            )
            self.talk = self.world.host.talks[welcome.session]
            self.world.age(core)
            end = self.end = End(self.node, core, self.talk, 0, self.limits)
            self.talk.ends[0] = end
            end.on_end = self._stop
            self._session = welcome.session
        elif end.ended:
            port.abort()
            return
        port.deliver = partial(self._deliver, port)
        port.owner = end
        port.connection.carry(
            welcome, end.core, self.node.now
        )  # a ProtocolError is a violation: nobody here lies
        port.is_confirmed = True
        self._pauses = 0
        self._token = welcome.token
        self._resume_window = welcome.resume_window
        end.attach(port)

    def _deliver(self, port: Port, event: Event) -> None:
        end = self.end
        if end is None or end.port is not port or end.ended:
            return
        end.deliver(event)
        if isinstance(event, PeerClosed) and event.retry_in is not None:
            self._hold = event.retry_in
        elif isinstance(event, ConnectionEnded):
            check_honest(event, "the client")
            check_verdict(event, self.node, self.limits)
            how = end.connection_ended(event)
            if how:
                end.end(how)
                return
            end.detach()
            self._lost_line_at = self.node.now
            self._redial_later()

    # ... and when it is not.

    def _redial_later(self) -> None:
        self._pauses += 1
        spread = min(
            self.limits.redial_max, self.limits.redial_min * 2.0 ** min(max(self._pauses - 1, 0), 32)
        )
        pause = max(self._hold, self.world.chance.random() * spread, 0.2 if self.world.is_refusing else 0.0)
        self._hold = 0.0
        self._redial_tag += 1
        self.node.after(pause, partial(self._redial, self._redial_tag))

    def _redial(self, tag: int) -> None:
        end = self.end
        if tag != self._redial_tag or end is None or end.ended or end.port is not None:
            return
        if self.node.now >= self._lost_line_at + self._resume_window:
            end.talk.excuses.add("no server")
            end.lose(CloseCode.EXPIRED, "no server was reached")
            return
        self._attempt += 1
        self._dial(
            Resume(
                session=self._session,
                token=self._token,
                attempt=self._attempt,
                received=end.core.received,
                credentials=self.principal,
            )
        )


def _nothing() -> None:
    pass


def _ignore(event: Event) -> None:
    del event
