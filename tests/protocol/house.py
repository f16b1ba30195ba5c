"""A host, everybody who comes to it, and what is stored of them: what the tests of ``host`` and ``shortage`` talk to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.credit import Pressure
from landline.protocol.events import ConnectionEnded, Event
from landline.protocol.frames import MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Refusal, Welcome, decode_payload, encode_payload
from landline.protocol.host import Host
from landline.protocol.resume import SessionTable
from landline.protocol.session import Session
from landline.protocol.states import Role
from tests.protocol.lines import LIFE, frames_of, make_hello, make_resume


class Carrier:
    """A connection to somebody; what it writes is read at once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.written = bytearray()

    def schedule(self) -> None:
        self.written += b"".join(self.connection.data_to_send(0.0))

    def answer(self) -> Welcome | Refusal:
        """What the caller was told first."""
        kind, _, payload = frames_of(bytes(self.written))[0]
        if kind == FrameType.WELCOME:
            return decode_payload(Welcome, payload)
        return decode_payload(Refusal, payload)


class End:
    """An end of a session that only notes what happens to it."""

    def __init__(self, house: House, core: Session, session_id: bytes, principal: str) -> None:
        self.house = house
        self.core = core
        self.id = session_id
        self.principal = principal
        self.carrier: Carrier | None = None
        self.is_over = False
        self.log: list[Any] = []

    def attach(self, carrier: Carrier) -> None:
        self.carrier = carrier

    def detach(self, reason: str) -> None:
        self.carrier = None
        self.log.append(reason)

    def deliver(self, event: Event) -> None:
        self.log.append(event)

    def connection_ended(self, event: ConnectionEnded) -> bool:
        if event.code.resumable:
            return False
        self.lose(event.code, event.reason)
        return True

    def lose(self, code: CloseCode, reason: str) -> None:
        if not self.is_over:
            self.is_over = True
            self.log.append((code, reason))
            if self.carrier is not None:
                self.carrier.connection.break_off(code, reason)
                self.carrier.schedule()
            self.house.host.ended(self.id, code, reason, self.house.now)


class House:
    """A host, and everybody who comes to it.

    Args:
        records: what earlier lives of the server stored; this one stores there too. None: sessions do not outlive it.
        life: names this life.
    """

    def __init__(
        self, *, records: dict[bytes, bytes] | None = None, life: bytes = LIFE, **limits: Any
    ) -> None:
        self.now = 0.0
        self.records: dict[bytes, bytes] = {} if records is None else records
        self.storing: list[tuple[bytes, bytes | None, Callable[[float], None]]] = []
        self.is_disk_slow = False
        self.limits = Limits(**limits)
        self.begun: list[End] = []
        self.asked: list[tuple[Carrier, Any]] = []
        self.turned_away: list[CloseCode] = []
        self.hits: list[tuple[str, str]] = []
        self.woken = 0
        self.due: float | None = None
        self.is_slow = False
        self.lasts: float | None = None
        self._numbers = count(1 if life == LIFE else 1000)
        self.table = SessionTable(self.limits)
        self.host: Host[Carrier, End] = Host(
            self.table,
            self.limits,
            life=life,
            draw=lambda size: next(self._numbers).to_bytes(size, "big"),
            make_end=lambda core, session_id, principal, carrier: End(self, core, session_id, principal),
            identify=self._identify,
            begin=self.begun.append,
            turned_away=lambda carrier, event: self.turned_away.append(event.code),
            hit=lambda source, limit, what: self.hits.append((source, limit)),
            wake=self._wake,
            pressure=Pressure(self.limits.memory),
            store=None if records is None else self._store,
        )
        for session_id, data in self.records.items():
            self.host.restore(session_id, data, self.now)

    def _store(self, session_id: bytes, data: bytes | None, then: Callable[[float], None]) -> None:
        self.storing.append((session_id, data, then))
        if not self.is_disk_slow:
            self.sync()

    def sync(self) -> None:
        """The disk has done all that it was asked."""
        storing, self.storing = self.storing, []
        for session_id, data, then in storing:
            if data is None:
                self.records.pop(session_id, None)
            else:
                self.records[session_id] = data
            then(self.now)

    def _wake(self) -> None:
        self.woken += 1
        self.due = self.host.timeout_at()

    def _identify(self, carrier: Carrier, credentials: Any) -> None:
        if self.is_slow:
            self.asked.append((carrier, credentials))
        else:
            self.host.admit(carrier, credentials, self.now, self.lasts)

    def call(self, greeting: bytes = b"", source: str = "") -> Carrier:
        """Somebody comes, and perhaps greets."""
        carrier = Carrier(Connection(Role.SERVER, self.limits, self.now))
        self.host.greet(carrier, source)
        self.say(carrier, MAGIC + greeting)
        return carrier

    def say(self, carrier: Carrier, data: bytes) -> None:
        """Bytes arrive."""
        carrier.connection.receive_data(data, self.now)
        self.tell(carrier)

    def cut(self, carrier: Carrier) -> None:
        """A line drops."""
        carrier.connection.receive_end()
        self.tell(carrier)

    def tell(self, carrier: Carrier) -> None:
        """The host takes what a connection reports."""
        for event in carrier.connection.events():
            self.host.receive(carrier, event, self.now)
        carrier.schedule()

    def hello(self, source: str = "", **changes: Any) -> Carrier:
        """Somebody asks for a new session."""
        greeting = make_hello(**{"credentials": "ana", **changes})
        return self.call(encode_payload(FrameType.HELLO, greeting), source)

    def resume(self, welcome: Welcome, attempt: int = 2, **changes: Any) -> Carrier:
        """Somebody asks to go on with a session."""
        usual = {
            "session": welcome.session,
            "token": welcome.token,
            "attempt": attempt,
            "credentials": "ana",
        }
        return self.call(encode_payload(FrameType.RESUME, make_resume(**{**usual, **changes})))

    def confirm(self, carrier: Carrier) -> Welcome:
        """The caller shows the token that it was given."""
        welcome = welcome_of(carrier)
        self.say(carrier, encode_frame(FrameType.CONFIRM, 0, welcome.token))
        return welcome

    def session(self) -> tuple[Carrier, Welcome, End]:
        """A session that began."""
        carrier = self.hello()
        return carrier, self.confirm(carrier), self.begun[-1]

    def wait(self, seconds: float) -> None:
        """Time passes, in one step."""
        self.now += seconds
        self.host.handle_timeout(self.now)


def welcome_of(carrier: Carrier) -> Welcome:
    answer = carrier.answer()
    assert isinstance(answer, Welcome)
    return answer


def refusal_of(carrier: Carrier) -> Refusal:
    answer = carrier.answer()
    assert isinstance(answer, Refusal)
    return answer
