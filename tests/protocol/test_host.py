"""What a server decides: who is let in, which connection carries a session, and what the end of either means."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.credit import Pressure
from landline.protocol.events import ConnectionEnded, Event, MessagesReceived
from landline.protocol.frames import HEADER, MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Close, Refusal, Welcome, decode_payload, encode_payload
from landline.protocol.host import Host
from landline.protocol.resume import SessionTable
from landline.protocol.session import Session
from landline.protocol.states import Phase, Role
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
    """A host, and everybody who comes to it."""

    def __init__(self, **limits: Any) -> None:
        self.now = 0.0
        self.limits = Limits(**limits)
        self.begun: list[End] = []
        self.asked: list[tuple[Carrier, Any]] = []
        self.turned_away: list[CloseCode] = []
        self.hits: list[tuple[str, str]] = []
        self.woken = 0
        self.due: float | None = None
        self.is_slow = False
        self._numbers = count(1)
        self.table = SessionTable(self.limits)
        self.host: Host[Carrier, End] = Host(
            self.table,
            self.limits,
            life=LIFE,
            draw=lambda size: next(self._numbers).to_bytes(size, "big"),
            make_end=lambda core, session_id, principal, carrier: End(self, core, session_id, principal),
            identify=self._identify,
            begin=self.begun.append,
            turned_away=lambda carrier, event: self.turned_away.append(event.code),
            hit=lambda source, limit, what: self.hits.append((source, limit)),
            wake=self._wake,
            pressure=Pressure(self.limits.memory),
        )

    def _wake(self) -> None:
        self.woken += 1
        self.due = self.host.timeout_at()

    def _identify(self, carrier: Carrier, credentials: Any) -> None:
        if self.is_slow:
            self.asked.append((carrier, credentials))
        else:
            self.host.admit(carrier, credentials, self.now)

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


# A new session...


def test_the_program_hears_of_a_session_once_it_is_confirmed() -> None:
    """Once: not with the welcome, and not again when it is resumed."""
    house = House()
    first = house.hello()
    assert house.begun == []

    welcome = house.confirm(first)
    house.confirm(house.resume(welcome))
    assert [end.principal for end in house.begun] == ["ana"]
    assert not welcome.resumed


def test_a_wrong_token_does_not_confirm() -> None:
    """Its connection ends; the session waits for who has the right one."""
    house = House()
    carrier = house.hello()
    house.say(carrier, encode_frame(FrameType.CONFIRM, 0, b"?" * 32))

    assert carrier.connection.phase is Phase.CLOSED
    assert house.begun == []


def test_a_session_that_nobody_confirms_is_forgotten() -> None:
    """Its client may hold the welcome: it has as long as any handshake; whoever comes to confirm in time keeps it."""
    house = House(handshake_timeout=10, resume_window=300)
    lost, kept = house.hello(), house.hello()
    house.cut(lost)
    house.cut(kept)
    assert house.host.timeout_at() == 10
    house.confirm(house.resume(welcome_of(kept)))
    house.wait(9.9)
    assert len(house.host.kept) == 2
    house.wait(0.1)

    assert list(house.host.kept) == [welcome_of(kept).session]
    assert house.hits == [("", "handshake_timeout")]


def test_each_has_its_own_time_to_confirm() -> None:
    """The host asks to be woken for the first, and for whatever comes before that."""
    house = House(handshake_timeout=10, resume_window=300)
    first, second = house.hello(), house.hello()
    house.cut(first)
    assert house.due == 10
    house.now = 5.0
    house.cut(second)
    house.wait(5.0)
    assert list(house.host.kept) == [welcome_of(second).session]
    assert house.host.timeout_at() == 15

    brief = House(handshake_timeout=10, resume_window=4)
    brief.cut(brief.hello())
    assert (brief.due, brief.host.timeout_at()) == (4, 4)


def test_a_source_may_hold_so_many_sessions() -> None:
    """Those without a line count, those that ended do not; who has no source is not counted."""
    house = House(max_per_source=2)
    first, second, third = (house.hello(source="192.0.2.1") for _ in range(3))
    others = [house.hello(source="192.0.2.2"), *(house.hello() for _ in range(3))]

    assert refusal_of(third).code is CloseCode.BUSY
    house.tell(third)
    assert house.hits == [("192.0.2.1", "max_per_source")]
    assert [welcome_of(carrier).resumed for carrier in [first, second, *others]] == [False] * 6
    house.host.kept[welcome_of(first).session].end.lose(CloseCode.EXPIRED, "enough")
    assert not welcome_of(house.hello(source="192.0.2.1")).resumed
    assert refusal_of(house.hello(source="192.0.2.1")).code is CloseCode.BUSY


def test_a_full_house_ends_a_session_without_a_line_or_is_busy() -> None:
    """Those that have a line are not touched."""
    house = House(max_sessions=2)
    first, _, end = house.session()
    house.session()
    assert refusal_of(house.hello()).retry_in == 5.0
    house.cut(first)
    assert not welcome_of(house.hello()).resumed

    assert end.log[-1] == (CloseCode.EXPIRED, "the server needed the room")
    assert len(house.host.kept) == 2


def test_nobody_makes_room_for_who_gets_none() -> None:
    """A source that holds as many as it may is refused, and costs nobody a session."""
    house = House(max_sessions=2, max_per_source=1)
    house.confirm(house.hello(source="192.0.2.1"))
    other, _, end = house.session()
    house.cut(other)

    assert refusal_of(house.hello(source="192.0.2.1")).code is CloseCode.BUSY
    assert not end.is_over


def test_who_holds_nothing_is_not_ended_for_the_memory() -> None:
    """Who holds the most goes first, and nobody whose end would make no room."""
    house = House(memory=1000)
    (idle, _, idle_end), (large, _, large_end) = house.session(), house.session()
    house.cut(idle)
    large_end.core.send(large_end.core.messages, FrameType.BYTES, bytes(2000))
    house.cut(large)
    house.host.pressure.holds_back(large_end.core)

    assert large_end.log[-1] == (CloseCode.EXPIRED, "the server needed the memory")
    assert not idle_end.is_over
    assert house.hits == [("", "memory")]


def test_a_line_that_drops_while_memory_is_short_frees_what_its_session_held() -> None:
    """It may keep a quarter; else what it holds would hold everybody back until its window has passed."""
    house = House(memory=1000)
    large, _, large_end = house.session()
    large_end.core.send(large_end.core.messages, FrameType.BYTES, bytes(2000))
    assert house.host.pressure.holds_back(large_end.core)
    house.cut(large)
    assert house.host.timeout_at() == 0
    house.host.handle_timeout(house.now)

    assert large_end.is_over
    assert house.host.timeout_at() != 0


# ... who may have one ...


def test_nobody_is_refused() -> None:
    """Who is not known to be anybody gets no session."""
    house = House()
    carrier = house.hello(credentials=None)

    assert refusal_of(carrier).code is CloseCode.UNAUTHORIZED
    house.tell(carrier)
    assert house.turned_away == [CloseCode.UNAUTHORIZED]
    assert house.host.kept == {}


@pytest.mark.parametrize("how", ["drops", "is crowded out"])
def test_a_verdict_on_who_went_is_for_nobody(how: str) -> None:
    """It took its time; no session comes of it."""
    house = House(max_handshakes=1)
    house.is_slow = True
    carrier = house.hello()
    if how == "drops":
        house.cut(carrier)
    else:
        house.call()
    assert house.asked == [(carrier, "ana")]
    house.host.admit(carrier, "ana", house.now)

    assert house.host.kept == {}


def test_the_oldest_of_too_many_greetings_goes() -> None:
    """It is told to come back; the others may still be let in."""
    house = House(max_handshakes=2)
    oldest, next_oldest, newest = house.call(), house.call(), house.call()

    assert refusal_of(oldest).code is CloseCode.BUSY
    for carrier in (next_oldest, newest):
        house.say(carrier, encode_payload(FrameType.HELLO, make_hello(credentials="ana")))
        assert not welcome_of(carrier).resumed


# ... and the same one again.


def test_a_resume_fences_the_line_before() -> None:
    """The old one ends as replaced, and nothing that it still says reaches the session."""
    house = House()
    old, welcome, end = house.session()
    new = house.resume(welcome)
    heard = list(end.log)
    house.say(old, encode_frame(FrameType.TEXT, 0, b"late"))
    house.tell(old)

    assert heard == ["another line takes over"]
    assert end.log == heard
    assert old.connection.phase is Phase.CLOSED
    house.confirm(new)
    assert end.carrier is new


def test_a_welcome_says_whether_it_resumes() -> None:
    """The client asked for one or the other."""
    house = House()
    _, welcome, _ = house.session()

    assert not welcome.resumed
    assert welcome_of(house.resume(welcome)).resumed


def test_what_the_line_reports_reaches_the_session() -> None:
    """Whatever the host does not decide itself."""
    house = House()
    carrier, _, end = house.session()
    house.say(carrier, encode_frame(FrameType.TEXT, 0, b"hi"))

    assert end.log == [MessagesReceived(0)]


def test_limits_that_callers_hit_are_counted_for_their_source() -> None:
    """Before they are let in and after; who merely goes has hit none."""
    house = House(preauth_bytes=10)
    house.cut(house.call(source="192.0.2.1"))
    assert house.hits == []
    house.call(b"x" * 20, source="192.0.2.1")
    assert house.hits == [("192.0.2.1", "preauth_bytes")]

    house = House(max_message=100)
    carrier = house.hello(source="192.0.2.2")
    house.confirm(carrier)
    house.say(carrier, encode_frame(FrameType.TEXT, 0, b"x" * 101))
    assert house.hits == [("192.0.2.2", "max_message")]


def test_a_count_that_cannot_be_ends_the_session() -> None:
    """Never a guess: both are told that it is a miscount."""
    house = House()
    _, welcome, end = house.session()
    carrier = house.resume(welcome, received=7)

    assert refusal_of(carrier).code is CloseCode.MISCOUNT
    assert end.log[-1][0] is CloseCode.MISCOUNT


def test_a_stolen_token_ends_the_session() -> None:
    """The one that was retired, with a new attempt: the line that carries the session hears of it as well."""
    house = House()
    first, welcome, end = house.session()
    house.cut(first)
    second = house.resume(welcome)
    house.confirm(second)
    thief = house.resume(welcome, 3)

    assert refusal_of(thief).code is CloseCode.REVOKED
    assert end.log[-1][0] is CloseCode.REVOKED
    assert second.connection.phase is Phase.CLOSED


def test_a_refusal_for_another_reason_leaves_the_session_alone() -> None:
    """Somebody else's principal, or no new attempt."""
    house = House()
    carrier, welcome, end = house.session()

    assert refusal_of(house.resume(welcome, credentials="ben")).code is CloseCode.UNAUTHORIZED
    assert refusal_of(house.resume(welcome, 1)).code is CloseCode.STALE
    assert end.carrier is carrier
    assert end.log == []


# Ends...


def test_a_window_passes() -> None:
    """Counted from the end of the line; the host asks to be woken for it, and a late RESUME is told the same."""
    house = House(resume_window=60)
    carrier, welcome, end = house.session()
    house.now = 5.0
    house.cut(carrier)
    assert (house.host.timeout_at(), house.woken) == (65.0, 1)
    house.wait(59.9)
    assert not end.is_over
    house.wait(0.1)

    assert end.log[-1] == (CloseCode.EXPIRED, "the resume window passed")
    assert house.host.timeout_at() is None
    assert refusal_of(house.resume(welcome)).code is CloseCode.EXPIRED


def test_who_is_told_that_a_session_expired_may_trust_it() -> None:
    """Before the sweep came: it ends at once, so that the counts that were told stay true."""
    house = House(resume_window=60)
    carrier, welcome, end = house.session()
    house.cut(carrier)
    house.now = 60.0

    assert refusal_of(house.resume(welcome)).code is CloseCode.EXPIRED
    assert end.is_over


def test_a_line_that_waits_for_its_token_ends_with_its_session() -> None:
    """Nobody else would tell it: it is not the session's line yet."""
    house = House()
    _, welcome, end = house.session()
    waiting = house.resume(welcome)
    end.lose(CloseCode.FAILED, "the program failed")

    assert waiting.connection.phase is Phase.CLOSED
    assert frames_of(bytes(waiting.written))[-1][0] == FrameType.CLOSE
    house.tell(waiting)
    assert end.log[-1] == (CloseCode.FAILED, "the program failed")


def test_a_line_whose_token_was_only_just_shown_ends_with_its_session() -> None:
    """Its CONFIRM was read, and before the host heard of it the session was lost to make room: it is not the session's line either."""
    house = House()
    _, welcome, end = house.session()
    waiting = house.resume(welcome)
    token = welcome_of(waiting).token
    waiting.connection.receive_data(encode_frame(FrameType.CONFIRM, 0, token), house.now)
    end.lose(CloseCode.EXPIRED, "the server needed the memory")
    house.tell(waiting)

    assert waiting.connection.phase is Phase.CLOSED
    assert end.carrier is not waiting


def test_a_line_whose_end_is_the_sessions_is_not_detached_as_well() -> None:
    """The session hears of one end, and that is the last."""
    house = House()
    carrier, _, end = house.session()
    house.say(carrier, encode_frame(0x7F))
    house.wait(1e6)

    assert [entry[0] for entry in end.log] == [CloseCode.PROTOCOL_ERROR]
    assert house.host.timeout_at() is None


def test_a_session_that_ends_says_good_bye_on_its_own_line_itself() -> None:
    """The host does not break off what was confirmed."""
    house = House()
    carrier, welcome, _ = house.session()
    house.host.ended(welcome.session, CloseCode.NORMAL, "", house.now)

    assert carrier.connection.phase is Phase.OPEN


@pytest.mark.limit("memory")
@pytest.mark.parametrize(("size", "is_over"), [(100, False), (101, True)])
def test_sessions_without_a_line_keep_a_quarter_of_the_memory(size: int, is_over: bool) -> None:
    """When there is too much of all, and to the byte."""
    house = House(memory=400)
    carrier, _, end = house.session()
    house.cut(carrier)
    end.core.send(end.core.messages, FrameType.BYTES, bytes(size - HEADER.size))
    house.host.pressure.used = 400
    house.host.pressure.holds_back(end.core)

    assert end.is_over is is_over


def test_what_ended_a_session_is_told_to_who_comes_back() -> None:
    """At most as many words as a refusal holds, and in Unicode whatever the program said."""
    house = House()
    _, welcome, end = house.session()
    end.lose(CloseCode.FAILED, "x" * 900)
    refusal = refusal_of(house.resume(welcome))

    assert (refusal.code, refusal.reason) == (CloseCode.FAILED, "x" * 500)

    _, welcome, end = house.session()
    end.lose(CloseCode.FAILED, "bye \udcff")
    assert refusal_of(house.resume(welcome)).reason == "bye ?"


# The server goes...


def test_a_server_that_goes_lets_nobody_in() -> None:
    """Who comes is told when to come back, each another time; a line that drops now ends its session: nobody could resume it."""
    house = House()
    carrier, _, end = house.session()
    house.host.close()
    house.host.back_in = count(2).__next__
    refusals = [refusal_of(house.hello()) for _ in range(2)]
    assert [(refusal.code, refusal.retry_in) for refusal in refusals] == [
        (CloseCode.GOING_AWAY, 2.0),
        (CloseCode.GOING_AWAY, 3.0),
    ]
    house.cut(carrier)

    assert end.log[-1] == (CloseCode.EXPIRED, "the server is going away")


def test_everybody_is_told_that_the_server_goes() -> None:
    """Who is being greeted, who waits to confirm, and who talks; who was let in this very moment, to come back as well."""
    house = House()
    greeting, welcomed = house.call(), house.hello()
    _, _, end = house.session()
    house.host.back_in = lambda: 3.0
    house.host.leave(house.now)

    assert (refusal_of(greeting).code, refusal_of(greeting).retry_in) == (CloseCode.GOING_AWAY, 3.0)
    kind, _, payload = frames_of(bytes(welcomed.written))[-1]
    assert kind == FrameType.CLOSE
    close = decode_payload(Close, payload)
    assert (close.code, close.retry_in) == (CloseCode.GOING_AWAY, 3.0)
    assert welcomed.connection.phase is Phase.CLOSED
    assert end.log[-1] == (CloseCode.EXPIRED, "the server is going away")
    assert house.host.kept == {}
