"""What a server decides: who is let in, which connection carries a session, and what the end of either means."""

from __future__ import annotations

import gc
import weakref
from itertools import count

import pytest

from landline.protocol.events import FlowOpened, MessagesReceived
from landline.protocol.frames import CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Close, decode_payload, encode_payload
from landline.protocol.states import Phase
from tests.protocol.house import House, refusal_of, welcome_of
from tests.protocol.lines import frames_of, make_hello

NEXT = b"n" * 16
"""Names the next life of the server."""


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


def test_nothing_is_delivered_to_a_session_that_has_not_begun() -> None:
    """Nobody is there to take it: a flow would be refused as unwanted, and its opener would give up."""
    house = House()
    carrier = house.hello()
    house.host.receive(carrier, FlowOpened(1, "files"), house.now)
    house.confirm(carrier)
    house.host.receive(carrier, FlowOpened(3, "files"), house.now)

    assert house.begun[0].log == [FlowOpened(3, "files")]


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


def test_a_session_that_ends_is_not_waited_for() -> None:
    """Whatever ends it before its time to confirm is over, nothing of it is kept until then."""
    house = House(handshake_timeout=10, resume_window=300)
    carrier = house.hello()
    session_id = welcome_of(carrier).session
    held = weakref.ref(house.host.kept[session_id].end)
    house.cut(carrier)
    assert house.host.timeout_at() == 10
    house.host.kept[session_id].end.lose(CloseCode.EXPIRED, "enough")
    gc.collect()

    assert house.host.timeout_at() != 10
    assert held() is None


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


# Sessions that outlive the server...


def test_nobody_is_welcomed_before_that_is_stored() -> None:
    """Nor welcomed again: the attempt and the token are safe first."""
    house = House(records={})
    house.is_disk_slow = True
    first = house.hello()
    assert (frames_of(bytes(first.written)), house.records) == ([], {})
    house.sync()
    welcome = house.confirm(first)
    assert list(house.records) == [welcome.session]
    before = house.records[welcome.session]
    second = house.resume(welcome)
    assert (frames_of(bytes(second.written)), first.connection.phase) == ([], Phase.CLOSED)
    house.sync()

    assert welcome_of(second).resumed
    assert house.records[welcome.session] != before


def test_another_life_goes_on_with_the_session() -> None:
    """Its client shows the token that it was given last, and is told that the life is another; the program begins anew."""
    first = House(records={})
    _, welcome, _ = first.session()
    second = House(records=first.records, life=NEXT)
    assert second.begun == []
    carrier = second.resume(welcome, received=7)
    answer = second.confirm(carrier)

    assert (answer.session, answer.life, answer.resumed, answer.received) == (welcome.session, NEXT, True, 0)
    assert [(end.id, end.principal) for end in second.begun] == [(welcome.session, "ana")]


def test_what_was_judged_in_an_earlier_life_stays_judged() -> None:
    """Attempts go on rising, a retired token shows a theft, and somebody else's session is not to be had."""
    first = House(records={})
    _, welcome, _ = first.session()
    again = first.confirm(first.resume(welcome))
    last = first.confirm(first.resume(again, 3))
    second = House(records=first.records, life=NEXT)

    assert refusal_of(second.resume(last, 3)).code is CloseCode.STALE
    assert refusal_of(second.resume(last, 4, credentials="ben")).code is CloseCode.UNAUTHORIZED
    assert refusal_of(second.resume(last, 4, token=b"?" * 32)).code is CloseCode.UNAUTHORIZED
    assert refusal_of(second.resume(welcome, 4)).code is CloseCode.REVOKED
    assert (second.host.kept, second.records) == ({}, {})


def test_a_token_is_bad_in_the_next_life_when_its_successor_was_shown() -> None:
    """Not only when the one after that was: who stole it may come first."""
    first = House(records={})
    _, welcome, _ = first.session()
    first.confirm(first.resume(welcome))
    second = House(records=first.records, life=NEXT)

    assert refusal_of(second.resume(welcome, 3)).code is CloseCode.REVOKED


def test_a_token_that_was_offered_and_perhaps_never_arrived_is_good_in_the_next_life() -> None:
    """So is the one before it: nobody knows which of them the client holds."""
    for shown in (0, 1):
        first = House(records={})
        _, welcome, _ = first.session()
        offered = welcome_of(first.resume(welcome))
        second = House(records=first.records, life=NEXT)

        assert welcome_of(second.resume((welcome, offered)[shown], 3)).resumed


def test_a_session_of_an_earlier_life_has_its_whole_window() -> None:
    """Counted from when this life began, also where its first line drops before it is confirmed."""
    first = House(records={}, handshake_timeout=10, resume_window=60)
    _, welcome, _ = first.session()
    second = House(records=first.records, life=NEXT, handshake_timeout=10, resume_window=60)
    assert second.due == 60
    second.cut(second.resume(welcome))
    second.wait(59.9)
    assert list(second.host.kept) == [welcome.session]
    second.wait(0.1)

    assert (second.host.kept, second.records) == ({}, {})
    assert second.hits == [("", "resume_window")]


def test_a_session_that_ended_is_forgotten_on_the_disk_too() -> None:
    """However it ended; one that only the end of the server ended is not."""
    house = House(records={})
    sessions = [house.session() for _ in range(3)]
    sessions[0][2].lose(CloseCode.FAILED, "it failed")
    _, welcome, end = sessions[1]
    end.is_over = True
    house.host.ended(welcome.session, CloseCode.NORMAL, "", 0.0, goes_on=True)

    assert list(house.records) == [welcome.session for _, welcome, _ in sessions[1:]]


@pytest.mark.parametrize("what", ["cut", "another comes", "the session ends", "the server goes"])
def test_what_happens_while_it_is_stored(what: str) -> None:
    """Nobody is welcomed to what is over, and of two attempts the later one is."""
    house = House(records={})
    _, welcome, end = house.session()
    house.is_disk_slow = True
    carrier = house.resume(welcome)
    other = None
    if what == "cut":
        house.cut(carrier)
    elif what == "another comes":
        other = house.resume(welcome, 3)
    elif what == "the session ends":
        end.lose(CloseCode.FAILED, "it failed")
    else:
        house.host.close()
        house.host.back_in = lambda: 7.0
    house.sync()

    if what == "cut":
        assert frames_of(bytes(carrier.written)) == []
        assert list(house.host.kept) == [welcome.session]
    elif other is not None:
        refusal = refusal_of(carrier)
        assert (refusal.code, refusal.attempt) == (CloseCode.STALE, 3)
        assert welcome_of(other).resumed
    elif what == "the session ends":
        assert refusal_of(carrier).code is CloseCode.FAILED
        assert house.records == {}
    else:
        refusal = refusal_of(carrier)
        assert (refusal.code, refusal.retry_in) == (CloseCode.GOING_AWAY, 7.0)
        assert list(house.records) == [welcome.session]


def test_a_caller_that_left_before_it_was_welcomed_leaves_no_session() -> None:
    """Nobody holds its token."""
    house = House(records={})
    house.is_disk_slow = True
    house.cut(house.hello())
    house.sync()
    house.sync()

    assert (house.host.kept, house.records) == ({}, {})


def test_a_record_that_cannot_be_read_is_an_error() -> None:
    """Whoever opens the records says so, and leaves it where it is."""
    house = House(records={})
    with pytest.raises(ValueError):
        house.host.restore(b"s" * 16, b"rubbish", 0.0)

    assert house.host.kept == {}


def test_counts_of_another_life_are_not_looked_at() -> None:
    """Of this life they are, by the same client."""
    first = House(records={})
    _, welcome, _ = first.session()
    second = House(records=first.records, life=NEXT)
    answer = second.confirm(second.resume(welcome, received=7))
    assert refusal_of(second.resume(answer, 3, life=NEXT, received=7)).code is CloseCode.MISCOUNT

    assert (second.host.kept, second.records) == ({}, {})


def test_who_names_another_life_when_there_are_counts_of_this_one_is_wrong() -> None:
    """What was received here would be given up for lost, and nobody told."""
    house = House(records={})
    _, welcome, end = house.session()
    end.core.sent = end.core.received_by_peer = 1  # and received: nothing of it is kept to be written again

    assert refusal_of(house.resume(welcome, life=NEXT)).code is CloseCode.MISCOUNT
    assert house.host.kept == {}
