"""Two ends of a session joined in memory, with time as a number: what the tests of the protocol talk over.

A ``Line`` is one transport whose bytes wait until a test moves them: all, some, in slices, one direction only, or never again. ``Guest``
and ``Host`` do what the ends of ``landline.sessions`` do with the protocol, and no more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec.structs import replace

from landline.limits import Limits
from landline.protocol.codec import encode_data
from landline.protocol.connection import Connection
from landline.protocol.credit import Pressure
from landline.protocol.decoder import FrameDecoder
from landline.protocol.events import (
    Confirmed,
    ConnectionEnded,
    Event,
    HelloReceived,
    PeerClosed,
    ResumeReceived,
    Turned,
    Welcomed,
)
from landline.protocol.frames import MAGIC, CloseCode, Frame
from landline.protocol.handshake import ID_SIZE, TOKEN_SIZE, Hello, Refusal, Resume, Welcome
from landline.protocol.resume import Record, SessionTable, hash_token
from landline.protocol.session import Session
from landline.protocol.states import Role

LIFE = bytes(range(ID_SIZE))
SESSION_ID = b"s" * ID_SIZE
TOKEN = b"t" * TOKEN_SIZE


class Ear:
    """Counts how often it is told that there is something to write, or room."""

    def __init__(self) -> None:
        self.told = 0

    def schedule(self) -> None:
        self.told += 1

    room_made = schedule


def make_hello(**changes: Any) -> Hello:
    return replace(Hello(life=LIFE, window=1 << 18, max_message=1 << 20), **changes)


def make_resume(**changes: Any) -> Resume:
    return replace(Resume(session=SESSION_ID, token=TOKEN, attempt=2, life=LIFE, received=0), **changes)


def make_welcome(**changes: Any) -> Welcome:
    usual = Welcome(
        session=SESSION_ID,
        token=TOKEN,
        life=LIFE,
        received=0,
        resumed=False,
        window=1 << 18,
        max_message=1 << 20,
        heartbeat=25.0,
        dead_after=8.0,
        resume_window=300.0,
    )
    return replace(usual, **changes)


def make_session(
    limits: Limits | None = None,
    *,
    peer_window: int = 1 << 18,
    peer_max_flows: int = 64,
    role: Role = Role.CLIENT,
    pressure: Pressure | None = None,
) -> Session:
    return Session(
        limits or Limits(),
        peer_window=peer_window,
        peer_max_message=1 << 20,
        peer_max_flows=peer_max_flows,
        role=role,
        pressure=pressure,
    )


def frames_of(data: bytes | list[bytes]) -> list[Frame]:
    """Return the frames in what a connection wrote, without the magic."""
    joined = data if isinstance(data, bytes) else b"".join(data)
    return list(FrameDecoder(1 << 30).feed(joined.removeprefix(MAGIC)))


def receive(session: Session, kind: int, number: int, payload: bytes) -> None:
    """Have one counted frame arrive."""
    session.receive(kind, number, (payload,))


def say(session: Session, value: Any) -> None:
    """Send a message, as a program would."""
    session.send(session.messages, *encode_data(value, session.max_message))


def hear(session: Session) -> list[Any]:
    """Take and handle every message that is there, as a program would."""
    values = []
    while session.messages.inbox:
        values.append(session.take(session.messages))
    session.handle_taken(session.messages)
    return values


class Line:
    """One transport between a client's connection and a server's."""

    def __init__(self, client: Connection, server: Connection) -> None:
        self.client = client
        self.server = server
        self.up = bytearray()
        self.down = bytearray()

    def write(self, now: float) -> None:
        """Both ends write what they want sent."""
        self.up += b"".join(self.client.data_to_send(now))
        self.down += b"".join(self.server.data_to_send(now))

    def move(self, now: float, *, up: int | None = None, down: int | None = None) -> int:
        """That many bytes of each direction arrive (by default all), as one chunk; return how many did."""
        at_server, at_client = bytes(self.up[:up]), bytes(self.down[:down])
        del self.up[: len(at_server)], self.down[: len(at_client)]
        if at_server:
            self.server.receive_data(at_server, now)
        if at_client:
            self.client.receive_data(at_client, now)
        return len(at_server) + len(at_client)

    def cut(self) -> None:
        """The line drops for both; what is under way is gone."""
        self.up.clear()
        self.down.clear()
        self.client.receive_end()
        self.server.receive_end()


class Guest:
    """A client: dials, shows its token, and knows how its session ended."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.session: Session | None = None
        self.id = b""
        self.token = b""
        self.attempt = 1
        self.connection: Connection | None = None
        self.log: list[Event] = []
        self.refusal: Refusal | None = None
        self.end: ConnectionEnded | None = None

    @property
    def core(self) -> Session:
        assert self.session is not None
        return self.session

    def dial(self, now: float) -> Connection:
        """Greet on a new connection; the one before is hung up on."""
        if self.connection is not None:
            self.connection.receive_end()
        connection = self.connection = Connection(Role.CLIENT, self.limits, now)
        if self.session is None:
            limits = self.limits
            connection.greet(Hello(life=LIFE, window=limits.window, max_message=limits.max_message))
        else:
            self.attempt += 1
            connection.greet(
                Resume(
                    session=self.id,
                    token=self.token,
                    attempt=self.attempt,
                    life=LIFE,
                    received=self.session.received,
                )
            )
        return connection

    def read(self, connection: Connection, now: float) -> None:
        """Take the connection's events."""
        for event in connection.events():
            if connection is not self.connection:
                continue
            self.log.append(event)
            if isinstance(event, Welcomed):
                self._carry(connection, event.welcome, now)
            elif isinstance(event, Turned):
                self.refusal = event.refusal
                if event.refusal.code is CloseCode.STALE and event.refusal.attempt is not None:
                    self.attempt = event.refusal.attempt
            elif isinstance(event, ConnectionEnded):
                self.connection = None
                self.end = event

    def _carry(self, connection: Connection, welcome: Welcome, now: float) -> None:
        if self.session is None:
            self.id = welcome.session
            self.session = Session(
                self.limits,
                peer_window=welcome.window,
                peer_max_message=welcome.max_message,
                peer_max_flows=64,
            )
        connection.carry(welcome, self.session, now)
        self.token = welcome.token


class Host:
    """A server of anybody, which keeps sessions in a table and numbers its tokens."""

    def __init__(self, limits: Limits | None = None, *, principal: Callable[[Any], str] = str) -> None:
        self.limits = limits or Limits()
        self.table = SessionTable(self.limits)
        self.carriers: dict[bytes, Connection] = {}
        self.log: list[Event] = []
        self.closed: set[bytes] = set()
        self._principal = principal
        self._records: dict[Connection, Record] = {}
        self._numbers = count(1)

    @property
    def record(self) -> Record:
        """The only session there is."""
        (record,) = self.table
        return record

    @property
    def core(self) -> Session:
        return self.record.session

    def answer(self, now: float) -> Connection:
        """Return the connection for a transport that somebody opened."""
        return Connection(Role.SERVER, self.limits, now)

    def read(self, connection: Connection, now: float) -> None:
        """Take the connection's events."""
        for event in connection.events():
            self.log.append(event)
            record = self._records.get(connection)
            if isinstance(event, HelloReceived):
                self._begin(connection, event.hello, now)
            elif isinstance(event, ResumeReceived):
                self._resume(connection, event.resume, now)
            elif record is not None and self.carriers.get(record.id) is connection:
                self._read_session(connection, record, event, now)

    def _read_session(self, connection: Connection, record: Record, event: Event, now: float) -> None:
        if isinstance(event, Confirmed):
            if record.confirm(event.token):
                self.table.attached(record)
            else:
                connection.break_off(CloseCode.UNAUTHORIZED, "that is not the token that was given")
        elif isinstance(event, PeerClosed):
            if event.code is CloseCode.NORMAL:
                self.closed.add(record.id)
        elif isinstance(event, ConnectionEnded):
            del self.carriers[record.id]
            if event.code is CloseCode.NORMAL or record.id in self.closed:
                self.table.remove(record, CloseCode.NORMAL, event.reason, now)
            elif event.code.resumable:
                if record.detached_at is None:
                    self.table.detached(record, now)
            else:
                self.table.remove(record, event.code, event.reason, now)

    def _begin(self, connection: Connection, hello: Hello, now: float) -> None:
        session = Session(
            self.limits,
            peer_window=hello.window,
            peer_max_message=hello.max_message,
            peer_max_flows=64,
            role=Role.SERVER,
        )
        number, token = next(self._numbers), self._token()
        record = Record(
            number.to_bytes(ID_SIZE, "big"), self._principal(hello.credentials), session, 1, hash_token(token)
        )
        self.table.add(record)
        self._welcome(connection, record, token, 0, resumed=False, now=now)

    def _resume(self, connection: Connection, resume: Resume, now: float) -> None:
        verdict = self.table.judge(resume, self._principal(resume.credentials), now)
        if isinstance(verdict, Refusal):
            connection.refuse(verdict)
            return
        old = self.carriers.pop(verdict.id, None)
        if old is not None:
            old.fence()
        token = self._token()
        verdict.offer(token)
        self._welcome(connection, verdict, token, resume.received, resumed=True, now=now)

    def _welcome(
        self,
        connection: Connection,
        record: Record,
        token: bytes,
        received: int,
        *,
        resumed: bool,
        now: float,
    ) -> None:
        limits, session = self.limits, record.session
        welcome = Welcome(
            session=record.id,
            token=token,
            life=LIFE,
            received=session.received,
            resumed=resumed,
            window=limits.window,
            max_message=limits.max_message,
            heartbeat=limits.heartbeat_interval,
            dead_after=limits.dead_after,
            resume_window=limits.resume_window,
        )
        connection.welcome(welcome, session, received, now)
        self._records[connection] = record
        self.carriers[record.id] = connection

    def _token(self) -> bytes:
        return next(self._numbers).to_bytes(TOKEN_SIZE, "big")


class Pair:
    """A guest and a host, with one line at a time between them and a clock."""

    def __init__(self, limits: Limits | None = None, host_limits: Limits | None = None) -> None:
        self.now = 0.0
        self.guest = Guest(limits)
        self.host = Host(host_limits or limits)
        self.line = self.dial()

    def dial(self) -> Line:
        """Open a new line and have the guest greet on it."""
        self.line = Line(self.guest.dial(self.now), self.host.answer(self.now))
        return self.line

    def step(self, *, up: int | None = None, down: int | None = None) -> int:
        """Write, move bytes, take events; return how many bytes moved."""
        line = self.line
        line.write(self.now)
        moved = line.move(self.now, up=up, down=down)
        self.host.read(line.server, self.now)
        self.guest.read(line.client, self.now)
        return moved

    def settle(self, *, slices: int | None = None) -> None:
        """Go on until nothing moves any more, in slices of so many bytes."""
        for _ in range(1_000_000):
            if not self.step(up=slices, down=slices):
                return
        raise AssertionError("the two never come to rest")

    def wait(self, seconds: float) -> None:
        """Let time pass from one timer to the next, and bytes flow."""
        until = self.now + seconds
        while True:
            times = [connection.timeout_at() for connection in (self.line.client, self.line.server)]
            self.now = min([until, *(max(time, self.now) for time in times if time is not None)])
            for connection in (self.line.client, self.line.server):
                connection.handle_timeout(self.now)
            self.settle()
            if self.now >= until:
                return

    def cut(self) -> None:
        """Drop the line, and have both notice."""
        self.line.cut()
        self.host.read(self.line.server, self.now)
        self.guest.read(self.line.client, self.now)


def open_pair(limits: Limits | None = None, host_limits: Limits | None = None) -> Pair:
    """Return a pair whose session is on its line, with nothing under way."""
    pair = Pair(limits, host_limits)
    pair.settle()
    assert pair.guest.session is not None
    return pair
