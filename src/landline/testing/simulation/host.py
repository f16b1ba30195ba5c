"""The server without a loop: runs the real ``protocol.host`` as ``sessions.accept`` does, and holds all it does against the ``account``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from ...protocol.connection import Connection
from ...protocol.credit import Pressure
from ...protocol.events import Confirmed, ConnectionEnded, Event
from ...protocol.frames import FIRST_CREDIT, HEADER, CloseCode, FrameType
from ...protocol.handshake import ID_SIZE, TOKEN_SIZE, Refusal
from ...protocol.host import Host
from ...protocol.session import Session
from ...protocol.states import Phase, Role
from ...protocol.subscription import wrap
from .account import Account, Book, WatchedTable
from .booth import Booth
from .checks import check_honest, check_verdict
from .chronicle import Chronicle
from .courier import Courier
from .crowd import Crowd
from .disk import Disk
from .ends import End
from .hub import Hub
from .line import Node, Port, Violation
from .records import SESSIONS, DiskBooks, Records
from .setting import Setting
from .talk import LONGEST, Talk

BARRED = "the credentials are not good"

STRANGER = "stranger"
"""The principal of who asks for a session and then does not keep to the rules."""


class ServerProcess:
    """A server process, and the one after it.

    Attributes:
        host: what decides.
        book: what we know of the sessions that live.
        talks: the books of every session that there ever was, by its id; of the last life of the server where it went through several.
        lives: the same, each by its id and the life of the server.
        disk: what outlives the process, if anything does.
        books: what must be on it.
        hub: the topics of this life, if there is a disk.
        crowd: its groups, in worlds with presence.
        barred, ever_barred: principals that are not let in now, or were not at some time.
    """

    def __init__(self, world: Setting) -> None:
        self.world = world
        self.limits = world.limits
        self.node = Node(world, 0.0)
        self.talks: dict[bytes, Talk] = {}
        self.lives: dict[tuple[bytes, bytes], Talk] = {}
        self.books = DiskBooks(Chronicle())
        self.disk: Disk | None = None
        if world.commit_pause is not None:
            self.disk = Disk(self.node, self.books, world.chance, world.commit_pause)
        self.barred: set[str] = set()
        self.ever_barred: set[str] = set()
        self._numbers = count(1)
        self._life = 0
        self._begin_life()

    def _begin_life(self) -> None:
        self._life += 1
        self._token = b""
        self._asking: Port | None = None
        self._due_at: float | None = None
        self._records: Records | None = None
        self.hub: Hub | None = None
        self.crowd: Crowd | None = None
        if self.world.presence is not None:
            self.crowd = Crowd(self.node, self.limits, self.world.presence, self._life)
        if self.disk is not None:
            self.disk.open()
            self._records = Records(self.disk, self.node, self.talks, self.books)
            self.hub = Hub(self.disk, self.node, self.books)
        self.book = Book(self.limits, self.node)
        self.host: Host[Port, End] = Host(
            WatchedTable(self.limits, self.book, self.talks),
            self.limits,
            life=self.life,
            draw=self._draw,
            make_end=self._make_end,
            identify=self._identify,
            begin=_begin,
            turned_away=_ignore,
            hit=_uncounted,
            wake=self._arm,
            pressure=Pressure(self.limits.memory),
            store=None if self._records is None else self._store,
        )
        self.book.pressure = self.host.pressure
        if self.disk is not None:
            self._restore(self.disk)

    def _restore(self, disk: Disk) -> None:
        """Take up what the lives before left, which must be what they were sure of."""
        found = disk.scan(SESSIONS)
        if sorted(self.books.durable) != [value.key for value in found]:
            raise Violation("the sessions that came back are not those that were stored")
        for value in found:
            session_id = bytes.fromhex(value.key.removeprefix(SESSIONS))
            self.host.restore(session_id, value.data, self.node.now)
            kept = self.host.kept.get(session_id)
            if kept is not None:
                self.books.durable[value.key].check(kept)
            elif len(self.host.kept) < self.limits.max_sessions:
                raise Violation("a session did not come back, and there was room for it")
            else:
                self.talks[session_id].excuses.add("found no room")
        self.book.admitted = None

    @property
    def life(self) -> bytes:
        """Names this life of the process."""
        return self._life.to_bytes(ID_SIZE, "big")

    def _draw(self, size: int) -> bytes:
        drawn = next(self._numbers).to_bytes(size, "big")
        if size == TOKEN_SIZE:
            self._token = drawn
        return drawn

    def die(self, *, is_old: bool = False) -> None:
        """The process is killed and started again; it knows nothing any more but what is on its disk.

        Args:
            is_old: a backup is put in the place of that.
        """
        for account in self.book.accounts.values():
            if self.disk is None:
                account.talk.excuses.add("server died")
            account.end.die()
        for session_id in self.book.buried:
            self.talks[session_id].excuses.add("server died")
        self.node.die()
        if 0 in self.world.depots:
            self.world.depots[0].die()
        if self.disk is not None:
            self.disk.crash()
            if is_old and self.disk.put_backup_back():
                for talk in self.talks.values():
                    talk.excuses.add("backup")
        for books in self.books.sends.values():
            books.server_died()
        self._begin_life()

    def publish(self, topic: str) -> None:
        """The server's own program publishes something."""
        assert self.hub is not None
        data = wrap(FrameType.BYTES, f"server/{next(self._numbers)}".encode())
        self.hub.board.publish(topic, data, partial(self.books.chronicle.check_answer, topic, data))

    def check_disk(self) -> None:
        """At rest it holds the sessions that live, and no others, but where it failed at that."""
        if self.disk is not None and self.disk.is_idle:
            live = {SESSIONS + session_id.hex() for session_id in self.host.kept}
            for key in live ^ set(self.books.durable):
                talk = self.talks[bytes.fromhex(key.removeprefix(SESSIONS))]
                if "not kept" not in talk.excuses:
                    raise Violation(
                        f"session {talk.number} {'lives' if key in live else 'is over'}, and the disk knows nothing of that"
                    )

    # Somebody comes...

    def accept(self, capacity: int) -> Port:
        """Return the server's end of a new line."""
        connection = Connection(Role.SERVER, self.limits, self.node.now, jitter=self.world.chance.random())
        port = Port(self.node, connection, capacity)
        port.deliver = partial(self._hear, port)
        self.host.greet(port, "")
        return port

    def _identify(self, port: Port, credentials: Any) -> None:
        principal = credentials if isinstance(credentials, str) else ""
        if self.world.auth_delay:
            self.node.after(self.world.auth_delay, partial(self._admit, port, principal))
        else:
            self._admit(port, principal)

    def _admit(self, port: Port, principal: str) -> None:
        self._asking = port
        self.host.admit(port, None if principal in self.barred else principal, self.node.now)
        self._asking = None
        account, self.book.admitted = self.book.admitted, None
        if account is not None and self._records is None:
            account.give(self._token)
            self._let_in(account, port)

    def _store(self, session_id: bytes, data: bytes | None, then: Callable[[float], None]) -> None:
        """Keep a session beyond this life, and only then have its client answered."""
        assert self._records is not None
        if data is None:
            self._records.store(session_id, None, None, then)
            return
        account, port = self.book.accounts[session_id], self._asking
        if port is not None:
            account.give(self._token)

        def stored(now: float) -> None:
            then(now)
            kept = self.host.kept.get(session_id)
            if kept is not None and port is not None and kept.carrier is port:
                self._let_in(account, port)

        self._records.store(session_id, data, account, stored)

    def _let_in(self, account: Account, port: Port) -> None:
        account.carrier = port
        account.is_welcomed = True
        port.owner = account.end
        self._check_alone(port, account.end.core)

    def _make_end(self, core: Session, session_id: bytes, principal: str, port: Port | None) -> End:
        if port is not None:
            self.world.age(core)
        before = self.talks.get(session_id)
        talk = Talk(self.world, int.from_bytes(session_id, "big"), session_id, core.sent)
        self.talks[session_id] = self.lives[session_id, self.life] = talk
        if before is not None:
            talk.excuses = before.excuses  # they are of the session, whichever life of the server finds them
        talk.is_stranger = principal == STRANGER
        talk.principal = principal
        end = talk.ends[1] = End(self.node, core, talk, 1, self.limits)
        end.serve = None if self.hub is None else self.hub.serve
        if self.world.calls is not None:
            end.patterns.append(Booth(end, self.world.calls))
        if self.crowd is not None:
            end.patterns.append(self.crowd.sit(end))
        if self.world.files is not None and principal.startswith("p"):
            depots, number = self.world.depots, int(principal[1:])
            end.patterns.append(Courier(end, depots[0], depots[number], number, self.world.file_chance))
        account = Account(talk, end, principal, port)
        if port is None:
            snapshot = self.books.durable[SESSIONS + session_id.hex()]
            account.attempt, account.detached_at = snapshot.attempt, self.node.now
            account.tokens, account.shown = [*snapshot.tokens], [*snapshot.shown]
        self.book.open(account)
        end.on_loss = partial(self.book.check_loss, account)
        end.on_end = partial(self._ended, account)
        self.world.watch(talk)
        return end

    def _check_alone(self, port: Port, core: Session) -> None:
        for other in self.node.ports:
            if (
                other is not port
                and other.connection.session is core
                and other.connection.phase is not Phase.CLOSED
            ):
                raise Violation("two lines carry one session")

    # A connection reports...

    def _hear(self, port: Port, event: Event) -> None:
        account = None if port.owner is None else self.book.accounts.get(port.owner.talk.session_id)
        if account is None or account.carrier is not port:
            self.host.receive(port, event, self.node.now)
        elif isinstance(event, ConnectionEnded):
            self._hear_end(account, port, event)
        elif isinstance(event, Confirmed):
            self._hear_token(account, port, event)
        else:
            self.host.receive(port, event, self.node.now)

    def _hear_end(self, account: Account, port: Port, event: ConnectionEnded) -> None:
        if not account.talk.is_stranger:
            check_honest(event, "the server")
        check_verdict(event, self.node, self.limits)
        account.carrier = None
        self.host.receive(port, event, self.node.now)
        if not account.end.ended:
            if account.detached_at is None:
                account.detached_at = self.node.now
            if not account.talk.is_confirmed and account.left_at is None:
                account.left_at = self.node.now

    def _hear_token(self, account: Account, port: Port, event: Confirmed) -> None:
        account.show(event.token)
        self.host.receive(port, event, self.node.now)
        if account.end.port is not port:
            raise Violation("an honest client's token was not believed")
        account.detached_at = None
        port.is_confirmed = True

    def _ended(self, account: Account) -> None:
        end = account.end
        code = CloseCode.NORMAL if end.ended == "closed" else end.code
        self.host.ended(account.id, code, end.reason, self.node.now)
        self.book.bury(account)

    # Time passes...

    def _arm(self) -> None:
        at = self.host.timeout_at()
        if at is not None and (self._due_at is None or at < self._due_at):
            self._due_at = at
            self.node.after(at - self.node.now, partial(self._due, at))

    def _due(self, at: float) -> None:
        if at == self._due_at:  # else an earlier timer took its place
            self._due_at = None
            self.host.handle_timeout(self.node.now)
            self.check_pressure()
            self._arm()

    # What may be held...

    def check_pressure(self) -> None:
        """What all sessions hold together is counted right, and bounded."""
        held = unfinished = ending = 0
        for kept in self.host.kept.values():
            core, carrier = kept.end.core, kept.carrier
            counted = core.unfinished
            if carrier is None:
                if counted:
                    raise Violation(f"a frame arrives nowhere, {counted} bytes of it are counted")
            elif (arriving := carrier.connection._decoder.held) != counted:
                if carrier.connection.phase is not Phase.CLOSED:
                    raise Violation(f"a frame of {arriving} bytes arrives, {counted} are counted")
                ending += counted  # counts until the end of the line is reported
            unfinished += counted
            held += counted + core.inbox_bytes + core.outbox_bytes
            if len(core.flows) > 1:
                held -= core.messages.pending_bytes
                for flow in core.flows.values():
                    held += flow.pending_bytes
            if core._about:
                held += sum([len(frame) for _, frame in core._about])
        pressure = self.host.pressure
        if held != pressure.used or unfinished != pressure.unfinished:
            raise Violation(
                f"the sessions hold {held} bytes, {unfinished} of them unfinished; {pressure.used} and {pressure.unfinished} are counted"
            )
        if pressure.is_on and unfinished - ending > self.limits.memory / 4 and not self.host._shortage.is_due:
            raise Violation(f"unfinished frames hold {unfinished} bytes while memory is short")
        if held > self.limits.memory:
            most = self.limits.memory
            for kept in self.host.kept.values():
                core = kept.end.core
                flows = core.flows.values()
                most += LONGEST + HEADER.size
                most += sum(
                    flow.committed + LONGEST + 100 for flow in flows
                )  # what was granted may still come
                most += len(flows) * (FIRST_CREDIT + LONGEST) + 50 * (core.sent - core.received_by_peer)
            if held > most:
                raise Violation(f"the sessions hold {held} bytes, {most} would be much")

    # What may be answered to whom...

    def explain(self, talk: Talk, refusal: Refusal) -> None:
        """Note in the books whether a RESUME was refused for its principal."""
        if refusal.reason == BARRED and talk.principal in self.ever_barred:
            talk.excuses.add("barred")


def _begin(end: End) -> None:
    end.talk.is_confirmed = True


def _ignore(port: Port, event: ConnectionEnded) -> None:
    del port, event


def _uncounted(source: str, limit: str, what: str) -> None:
    del source, limit, what
