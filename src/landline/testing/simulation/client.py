"""A client without a loop: runs the real ``protocol.redial`` as ``sessions.reconnect`` and ``sessions.dial`` do.

It dials, keeps its session on a line, and redials until the session is over; then it begins another one.
"""

from __future__ import annotations

from functools import partial

from ...protocol.connection import Connection
from ...protocol.events import ConnectionEnded, Event, PeerClosed, Turned, Welcomed
from ...protocol.frames import MAGIC, CloseCode, FrameType
from ...protocol.handshake import ID_SIZE, Hello, Refusal, Resume, Welcome, encode_payload
from ...protocol.redial import Fate, Redial, full_jitter
from ...protocol.session import Session
from ...protocol.states import Role
from .booth import Booth
from .checks import check_honest, check_verdict
from .circle import Circle
from .courier import Courier
from .ends import End
from .line import Node, Port, Timer, Violation
from .setting import Setting
from .talk import Talk
from .wrappings import kind_of


class Client:
    """A program that wants to stay connected: one session after the other, each kept on a line as long as it lives.

    Attributes:
        end: the session that it has, if any.
        port: the line that it has or dials on.
        old: lines that it gave up, newest last; what was under way on them may still arrive.
    """

    def __init__(self, world: Setting, number: int, offset: float) -> None:
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
        self._kind = ""  # what carried the session last
        self._has_changed = False
        self._late: Timer = []
        self.redial = self._new_redial()

    def begin(self) -> None:
        """Ask for a new session."""
        self.end = self.talk = None
        self._kind, self._has_changed = "", False
        self.redial = self._new_redial()
        self.greetings.clear()
        self._redial_tag += 1
        limits = self.limits
        self._dial(
            Hello(
                life=self.life.to_bytes(ID_SIZE, "big"),
                window=limits.window,
                max_message=limits.max_message,
                max_flows=limits.max_flows,
                credentials=self.principal,
            )
        )

    def _new_redial(self) -> Redial:
        chance = self.world.chance.random
        return Redial(self.limits, full_jitter(self.limits, chance), chance)

    def die(self) -> None:
        """The process is killed and started again; it knows nothing any more."""
        self.let_go()
        self.node.die()
        if self.number in self.world.depots:
            self.world.depots[self.number].die()
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
        """Give the line up, as ``session.drop`` does."""
        if self.end is not None and not self.is_dialling and self.port is not None:
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
        self.greetings.append((self.redial.attempt, MAGIC + encode_payload(kind, greeting)))
        self.is_dialling = True
        port.deliver = partial(self._answered, port)
        world.connect(port)
        self._late = self.node.after(self.limits.connect_timeout, partial(self._dial_is_late, port))

    def _dial_is_late(self, port: Port) -> None:
        if self.port is port and self.is_dialling:
            port.deliver = _ignore
            port.abort()
            self._failed()

    def _answered(self, port: Port, event: Event) -> None:
        if self.port is not port or not self.is_dialling:
            return
        self._late[2] = None
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
        fate = self.redial.refused(refusal)
        if fate is Fate.DIAL_AGAIN:
            self._redial_later()
        elif fate is Fate.CLOSED:
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
            end = self._begin_with(welcome)
            self.world.age(end.core)
        elif end.ended:
            port.abort()
            return
        elif self.redial.is_new_life(welcome):
            end.renew()
            before, end = end, self._begin_with(welcome)
            end.go_on(before)
        port.deliver = partial(self._deliver, port)
        port.owner = end
        self._carried_by(kind_of(port))
        port.connection.carry(
            welcome, end.core, self.node.now
        )  # a ProtocolError is a violation: nobody here lies
        port.is_confirmed = True
        port.heard_at = self.node.now
        self.redial.welcomed(welcome, self.node.now)
        end.attach(port)

    def _carried_by(self, kind: str) -> None:
        before, self._kind = self._kind, kind
        if before in {"", kind}:
            return
        self.world.changes += 1
        if not self._has_changed:
            self._has_changed = True
            self.world.changed += 1

    def _begin_with(self, welcome: Welcome) -> End:
        core = Session(
            self.limits,
            peer_window=welcome.window,
            peer_max_message=min(welcome.max_message, self.limits.max_message),
            peer_max_flows=welcome.max_flows,
        )
        self.talk = self.world.talk_of(welcome.session, welcome.life)
        end = self.end = End(self.node, core, self.talk, 0, self.limits)
        self.talk.ends[0] = end
        end.on_end = self._stop
        if self.world.calls is not None:
            end.patterns.append(Booth(end, self.world.calls))
        if self.world.presence is not None:
            end.patterns.append(Circle(end, self.world.presence))
        if self.world.files is not None:
            depots = self.world.depots
            end.patterns.append(Courier(end, depots[self.number], depots[0], 0, self.world.file_chance))
        return end

    def _deliver(self, port: Port, event: Event) -> None:
        end = self.end
        if end is None or end.port is not port or end.ended:
            return
        end.deliver(event)
        if isinstance(event, PeerClosed) and event.retry_in is not None:
            self.redial.come_back_in(event.retry_in)
        elif isinstance(event, ConnectionEnded):
            check_honest(event, "the client")
            check_verdict(event, self.node, self.limits)
            if end.connection_ended(event):
                return
            end.detach(event.reason)
            self.redial.line_ended(self.node.now)
            self._redial_later()

    # ... and when it is not.

    def _redial_later(self) -> None:
        pause = max(self.redial.next_pause(), 0.2 if self.world.is_refusing else 0.0)
        self._redial_tag += 1
        self.node.after(pause, partial(self._redial, self._redial_tag))

    def _redial(self, tag: int) -> None:
        end = self.end
        if tag != self._redial_tag or end is None or end.ended or end.port is not None:
            return
        if self.node.now >= self.redial.gives_up_at:
            end.talk.excuses.add("no server")
            end.lose(CloseCode.EXPIRED, "no server was reached")
            return
        self._dial(self.redial.greeting(end.core.received, self.principal))


def _ignore(event: Event) -> None:
    del event
