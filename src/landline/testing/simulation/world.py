"""A world: one server, its clients and the lines between them, in one thread and in virtual time, run by a schedule.

Each operation of a schedule is a method here. After every step the books of whoever it touched must be in order, at the end all of them;
when the schedule ends everything is healed, and the world must come to rest. Nothing in here depends on chance but through the seed, nor on
the order of hashes.
"""

from __future__ import annotations

import heapq
import random
import struct
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b

from ...protocol.handshake import Refusal
from ...protocol.session import Session
from ...protocol.subscription import After
from .call_books import CallBooks
from .checks import check_times
from .client import Client
from .depot import Depot, depots_of
from .desk import PATTERNS, Desk
from .disk import SLOWEST
from .ends import End
from .file_books import FileBooks
from .healing import come_to_rest
from .host import ServerProcess
from .hub import RULES
from .line import Port, Violation, join
from .presence_books import PresenceBooks
from .schedule import Shape, Step
from .talk import LONGEST, Speaker, Talk
from .wrappings import draw_wrappings, kind_of

_ALL = 1 << 30
_MOST_TURNS = 100
_STEP = struct.Struct("!dHH")
_PADDING = "." * LONGEST


class World:
    """One run.

    Args:
        seed: what small chances during the run are drawn from (jitter and pauses).
        shape: its limits and sizes.
        others: what else can happen: what can go wrong, and calls and groups; by the names that schedules use.

    Attributes:
        now: seconds since the beginning.
        patience: seconds that a caller may wait for the server to find out who it is, and to store that.
        calls: the books of what programs call; None: they call nothing.
        presence: the books of groups; None: there are none.
        files: the books of files; None: nobody sends any.
        depots: of every process that takes files, by its number; the server's is 0.
        faults: how many of each kind took effect.
        lines: how many clients opened, by what carries them.
        changed: sessions that went on over a carrier of another kind at least once; changes: how often that happened.
        is_touched: something changed that no session is known to own, so all books are looked at; else each session says so itself.
        trace: everything that arrived anywhere, and when, as a rolling hash.
    """

    def __init__(
        self, seed: int, shape: Shape, others: Mapping[str, Callable[[World, int, int], None]]
    ) -> None:
        self.chance = random.Random(f"run {seed}")
        self._wires = random.Random(f"carriers {seed}")  # of their own: the other chances stay as they are
        self.shape = shape
        self.limits = shape.limits
        self.capacity = shape.capacity
        self.auth_delay = shape.auth_delay
        self.commit_pause = shape.commit_pause
        self.calls = CallBooks() if shape.has_calls else None
        self.presence = PresenceBooks() if shape.has_presence else None
        self.files = FileBooks() if shape.has_files else None
        self.file_chance = random.Random(f"shelves {seed}")
        self.depots: dict[int, Depot] = {}
        self.patience = self.auth_delay + (0.0 if shape.commit_pause is None else 4 * SLOWEST)
        self.now = self._look_at = 0.0
        self.faults: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.changed = self.changes = 0
        self.trace = blake2b(digest_size=16)
        self.is_refusing = False
        self.is_calm = False
        self.is_touched = False
        self.has_ended = False
        self.strangers: deque[Port] = deque()
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._ties = 0
        self._step = 0
        self._talks: list[Talk] = []
        self.sessions = 0
        self.server = ServerProcess(self)
        self.clients = [Client(self, number, 1000.0 * number) for number in range(1, shape.clients + 1)]
        self.nodes = [self.server.node, *(client.node for client in self.clients)]
        if self.files is not None:
            self.depots = depots_of((self.server, *self.clients), self.files, self.file_chance)
        chronicle = self.server.books.chronicle
        self.desks = {
            each.number: Desk(chronicle, each.number, self.server.books.sends)
            for each in self.clients
            if shape.has_topics
        }
        self._operations: dict[str, Callable[[int, int], None]] = {
            "send": self.do_send, "take": self.do_take, "ask": self.do_ask, "close": self.do_close, "flow": self.do_flow,
            "strand": self.do_strand, "topic": self.do_topic, "durable": self.do_durable, "tick": self.do_tick,
        }  # fmt: skip
        for name, operation in others.items():
            self._operations[name] = partial(operation, self)
        for client in self.clients:
            client.begin()
        for _ in range(3):
            self._flow_all()

    # What the ends ask of the world...

    def age(self, core: Session) -> None:
        """Make a new session one that has carried ``base`` messages each way."""
        base = self.shape.base
        if base:
            flow = core.messages
            core.sent = core.received = core.received_by_peer = core._received_told = base
            flow.queued = flow.sent = flow.handled_by_peer = flow.wanted = base
            flow.received = flow.taken = flow.handled = flow.handled_told = flow.asked = base

    def connect(self, port: Port) -> None:
        """A client opened a line."""
        far = self.server.accept(self.capacity)
        join(port, far)
        port.wrapping, far.wrapping = draw_wrappings(self._wires)
        self.lines[kind_of(port)] += 1

    def forget(self, port: Port) -> None:
        """A line that was given up long ago is not looked at any more; both its ends have noticed."""
        for end in (port, port.far):
            if end is not None and not end.is_over:
                end.connection.receive_end()
                end.schedule()

    def watch(self, talk: Talk) -> None:
        """A session began."""
        self._talks.append(talk)
        self.sessions += 1

    def talk_of(self, session_id: bytes, life: bytes) -> Talk:
        """Return the books of a session in a life of the server, which are looked at from now on, if that life is over or not."""
        talk = self.server.lives[session_id, life]
        if talk not in self._talks:
            self._talks.append(talk)
        return talk

    def explain(self, talk: Talk, refusal: Refusal) -> None:
        """Why a RESUME may have been refused: the server knows."""
        self.server.explain(talk, refusal)

    # The run...

    def run(self, steps: Sequence[Step]) -> None:
        """Run a schedule, then heal everything and wait for rest.

        Raises:
            Violation: something was not as it must be.
        """
        operations, note, pack, settle = self._operations, self.trace.update, _STEP.pack, self._settle
        later = self._later
        for step, (name, a, b) in enumerate(steps, self._step + 1):
            note(pack(self.now, a, b))
            self._step = step
            while later and later[0][0] < step:
                heapq.heappop(later)[2]()
            operations[name](a, b)
            settle()
        self.heal()

    def _settle(self) -> None:
        """Everybody ends the turn of its loop, and the books are looked at."""
        nodes, disk = self.nodes, self.server.disk
        for _ in range(_MOST_TURNS):
            is_quiet = True
            if disk is not None and disk.has_crashed:
                self.server.die()
            for depot in self.depots.values():
                if depot.has_crashed:
                    depot.process.die()
            for node in nodes:
                if (node.scheduled or node.ready) and not node.is_stalled:
                    node.turn()
                    is_quiet = False
            if is_quiet:
                break
        else:
            raise Violation("a loop never comes to rest")
        is_all = is_any = self.is_touched
        for talk in self._talks:
            if talk.is_touched or is_all:
                is_any = True
                talk.is_touched = False
                talk.check()
        if is_any:
            self.is_touched = False
            self.server.check_pressure()
        if self.server.crowd is not None:
            self.server.crowd.check()
        if self.has_ended:
            self._bury()

    def _bury(self) -> None:
        """Somewhere a session ended: programs take what is left of it, and clients begin another one."""
        self.has_ended, self.is_touched = False, True
        for talk in self._talks:
            if talk.is_over:
                for end in talk.ends:
                    while end is not None and end.take():
                        pass
                talk.check()
        self._talks = [talk for talk in self._talks if not talk.is_over]
        for client in self.clients:
            if client.end is not None and client.end.ended and not client.is_dialling:
                client.begin()
                self.has_ended = True  # what it wrote is looked at next time

    def advance(self, seconds: float) -> None:
        """Let time pass, from one thing that is due to the next."""
        self._settle()  # no time passes within a turn of a loop
        until = self.now + seconds
        nodes = self.nodes
        for _ in range(5000):
            due = until + 1
            for node in nodes:
                if not node.is_stalled:
                    at = node.next_due()
                    due = min(due, at)
            if due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            for node in nodes:
                if not node.is_stalled:
                    node.run_due()
            self._settle()
            if self.is_calm:
                self._flow_all()
            if self.now >= self._look_at:
                self._look_at = self.now + check_times(nodes, self.limits, self.patience)
        raise Violation("a timer is due again and again")

    def later(self, steps: int, call: Callable[[], None]) -> None:
        """Call back that many steps from now: a fault is over."""
        self._ties += 1
        heapq.heappush(self._later, (self._step + steps, self._ties, call))

    def move(self, port: Port, size: int) -> int:
        """Let bytes arrive; a line that does not carry its session may not change it."""
        if not port.out and not port.is_hung_up:
            return 0
        far = port.far
        end: End | None = None if far is None else far.owner
        if end is None or end.port is far:
            return port.move(size)
        core = end.core
        flow = core.messages
        before = (core.received, flow.handled_by_peer, flow.credit, core.outbox_frames)
        moved = port.move(size)
        if end.port is far:
            return moved
        after = (core.received, flow.handled_by_peer, flow.credit, core.outbox_frames)
        if before != after and not end.ended:
            raise Violation(f"a line that does not carry its session changed it: {before} became {after}")
        return moved

    # What the programs and a perfect network do...

    def _client(self, a: int) -> Client:
        return self.clients[(a >> 8) % len(self.clients)]

    def _end(self, a: int) -> Speaker | None:
        client = self._client(a)
        end = client.end if a & 1 or client.talk is None else client.talk.ends[1]
        return (
            None
            if end is None or end.node.is_stalled or not client.talk or not client.talk.is_confirmed
            else end
        )

    def do_send(self, a: int, b: int) -> None:
        """A program sends one to three messages, of any of the three kinds."""
        end = self._end(a)
        if end is not None:
            end.talk.is_touched = True
            for _ in range(1 + b % 3):
                number = len(end.talk.said[end.side])
                text = f"{end.side}{number}{_PADDING[: (b >> 4) % (LONGEST - 20)]}"
                if not end.send((text, text.encode(), [number, text])[(a >> 1) % 3]):
                    break

    def do_take(self, a: int, b: int) -> None:
        """A program asks for the next messages."""
        end = self._end(a)
        if end is not None and not end.is_lazy:
            end.talk.is_touched = True
            for _ in range(1 + b % 4):
                if not end.take():
                    break

    def do_strand(self, a: int, b: int) -> None:
        """A program opens a flow besides the messages, or does something in one that there is."""
        end = self._end(a)
        if end is None or end.ended:
            return
        end.talk.is_touched = True
        strands = list(end.talk.strands.values())
        what = b % 16
        if what == 0 or not strands:
            end.open_flow()
            return
        strand = strands[(a >> 1) % len(strands)]
        if what < 8:
            for _ in range(what % 4):
                strand.say(end, 10 + (b >> 4) % (LONGEST - 20))
        elif what < 14:
            if not end.is_lazy:
                for _ in range(what % 4):
                    strand.hear(end)
        elif what == 14 or b & 0x70:
            strand.finish(end)
        else:
            strand.leave(end)

    def do_topic(self, a: int, b: int) -> None:
        """A program publishes, subscribes, or asks for what was published."""
        client = self._client(a)
        desk, end = self.desks.get(client.number), client.end
        if desk is None or end is None or client.node.is_stalled:
            return
        end.talk.is_touched = True
        what, topic = b % 16, list(RULES)[(a >> 1) % 3]
        if what < 5:
            for more in range(1 + (b >> 8) % 4):
                desk.publish(end, topic, 20 + ((b >> 4) + 7 * more) % 60)
        elif what < 7 and not self.server.node.is_stalled:
            for _ in range(1 + (b >> 8) % 4):
                self.server.publish(topic)
        elif what < 9:
            desk.subscribe(end, PATTERNS[(a >> 1) % 5], After.NOW if b & 16 else After.START)
        elif what == 15 and not b & 0x70:
            desk.unsubscribe(a >> 1)
        else:
            desk.read(a >> 1, 1 + (b >> 4) % 8)
            desk.go_on(end)

    def do_durable(self, a: int, b: int) -> None:
        """A client's program sends durably; or the server's is given such a send, handles it, or fails over it."""
        client = self._client(a)
        desk, end, hub = self.desks.get(client.number), client.end, self.server.hub
        if desk is None or hub is None or end is None:
            return
        end.talk.is_touched = True
        what = b % 8
        if what < 2:
            if not client.node.is_stalled and not desk.is_closing:
                for _ in range(1 + (b >> 8) % 3):
                    desk.sends.send(end, (b >> 4) % 60)
            return
        program = end.talk.ends[1]
        if isinstance(program, End) and not self.server.node.is_stalled:
            for receiving in list(hub.received.values()):
                if what == 2 or not receiving.put_down(program, fails=what == 3 and not b & 0x10):
                    receiving.take(program)

    def do_ask(self, a: int, b: int) -> None:
        """A program waits for its outcomes."""
        del b
        end = self._end(a)
        if end is not None:
            end.ask()

    def do_close(self, a: int, b: int) -> None:
        """A program closes its session."""
        del b
        end = self._end(a)
        if end is not None:
            end.close()

    def do_flow(self, a: int, b: int) -> None:
        """Everything on the lines of today arrives."""
        del a
        for client in self.clients:
            port = client.port
            if port is None or port.is_over:
                self.advance(0.01 + (b % 8) ** 2 / 64)  # perhaps until it dials
            else:
                self._flow(port)
                if client.is_dialling:
                    self._settle()
                    self._flow(port)
                    if self.commit_pause is not None and b & 0x08:  # perhaps until it is stored
                        self.advance(2 * self.commit_pause)
                        self._flow(port)

    def do_tick(self, a: int, b: int) -> None:
        """A little time passes."""
        self.advance((1 + a % 60) / 1024 if b & 7 else 0.5)

    def _flow(self, port: Port) -> None:
        if port.out or port.is_hung_up:
            self.move(port, _ALL)
        far = port.far
        if far is not None and (far.out or far.is_hung_up):
            self.move(far, _ALL)

    def _flow_all(self) -> None:
        for client in self.clients:
            for port in client.old:
                self._flow(port)
            if client.port is not None:
                self._flow(client.port)
        self._settle()

    # The end...

    def heal(self) -> None:
        """No more faults: everything must arrive, be acked, and come to rest; then stay at rest; then close."""
        self.is_touched = True
        for _ in range(2):
            later, self._later = self._later, []
            for _, _, call in sorted(later):
                call()
                self._settle()
        disk = self.server.disk
        if disk is not None:
            disk.heal()
            if disk.is_broken:
                self.server.die()
        for depot in self.depots.values():
            depot.heal()
        come_to_rest(self)
