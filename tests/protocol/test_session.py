"""What both ends keep of a session: counts that must agree, replay before anything new, acks in company, outcomes at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.errors import ProtocolError
from landline.limits import Limits
from landline.protocol.codec import BYTES, TEXT
from landline.protocol.flows import MESSAGES
from landline.protocol.frames import COUNT, COUNTS, FRAME_COST, HEADER, FrameType
from landline.protocol.session import Session
from tests.protocol.lines import Ear, frames_of, hear, make_session, say

ALL = 1 << 30


def attached(limits: Limits | None = None, **more: Any) -> Session:
    """Return a session on its first transport, with its first totals told."""
    session = make_session(limits, **more)
    session.attach(0)
    session.data_to_send(0.0, ALL)
    return session


def written(session: Session, now: float = 0.0, budget: int = ALL) -> list[tuple[str, Any]]:
    """Write, and return what went out as words and numbers."""
    found: list[tuple[str, Any]] = []
    for kind, _, payload in frames_of(session.data_to_send(now, budget)):
        name = FrameType(kind).name.lower()
        if kind == FrameType.ACK:
            found.append((name, COUNTS.unpack(payload)))
        elif kind in (FrameType.HANDLED, FrameType.CREDIT, FrameType.ASK):
            found.append((name, COUNT.unpack(payload)[0]))
        else:
            found.append((name, payload.decode()))
    return found


def miscounts(do: Callable[[], None]) -> None:
    with pytest.raises(ProtocolError) as caught:
        do()
    assert caught.value.code == "miscount"


# The first words on a transport...


def test_a_transport_begins_with_all_totals() -> None:
    """Counts and credit are absolute, and told on every new transport, whether they changed or not."""
    session = make_session(Limits(window=1000))
    session.attach(0)

    assert written(session) == [("ack", (0, 0)), ("handled", 0), ("credit", 1000)]
    assert written(session) == []


def test_what_changed_without_a_transport_is_told_once() -> None:
    """The first totals are those of now."""
    session = attached(Limits(window=1000))
    session.receive(TEXT, 0, (b"a",))
    session.attach(0)
    hear(session)

    assert written(session) == [("ack", (1, 0)), ("handled", 1), ("credit", 1000 + FRAME_COST + 1)]


def test_what_was_queued_before_the_transport_goes_behind_the_totals() -> None:
    """Control first."""
    session = make_session(Limits(window=1000))
    say(session, "a")
    session.attach(0)

    assert written(session) == [("ack", (0, 0)), ("handled", 0), ("credit", 1000), ("text", "a")]


# Acks...


@pytest.mark.limit("ack_delay")
def test_an_ack_waits_for_company_but_not_for_long() -> None:
    """A quarter of a second after the first frame that is not acked; ``timeout_at`` says when."""
    session = attached()
    assert session.timeout_at() is None

    session.receive(TEXT, 0, (b"a",))
    assert written(session, 1.0) == []
    assert session.timeout_at() == pytest.approx(1.25)
    session.receive(TEXT, 0, (b"b",))
    assert written(session, 1.24) == []

    assert written(session, 1.25) == [("ack", (2, 0))]
    assert session.timeout_at() is None


def test_half_a_window_is_acked_at_once() -> None:
    """Whoever sends without pause is not held up by our patience."""
    session = attached(Limits(window=1000))
    session.receive(BYTES, 0, (bytes(500 - FRAME_COST),))

    assert written(session) == [("ack", (1, 0))]

    session.receive(BYTES, 0, (bytes(499 - FRAME_COST),))
    assert written(session) == []


def test_an_ack_that_is_due_waits_for_the_transport_without_a_timer() -> None:
    """A transport that takes nothing for a while is not asked again and again: a time that has passed is no time to wait for."""
    session = attached()
    session.receive(TEXT, 0, (b"a",))
    written(session, 1.0)

    session.handle_timeout(1.24)
    assert session.timeout_at() == pytest.approx(1.25)
    session.handle_timeout(1.25)
    assert session.timeout_at() is None
    session.handle_timeout(9.0)

    assert written(session, 9.0) == [("ack", (1, 0))]


def test_what_the_program_handles_goes_along_with_the_ack() -> None:
    """Received, handled and credit in one breath."""
    session = attached(Limits(window=1000))
    session.receive(TEXT, 0, (b"a",))
    assert hear(session) == ["a"]

    assert written(session, 1.0) == []
    assert written(session, 1.25) == [("ack", (1, 0)), ("handled", 1), ("credit", 1000 + FRAME_COST + 1)]


def test_credit_of_half_a_window_is_granted_at_once() -> None:
    """The sender may be waiting for it."""
    session = attached(Limits(window=1000))
    for _ in range(4):
        session.receive(BYTES, 0, (bytes(100),))
    written(session)

    taken = [session.take(session.messages) for _ in range(4)]

    assert taken == [bytes(100)] * 4
    assert ("credit", 1000 + 4 * (100 + FRAME_COST)) in written(session)


def test_an_ack_counts_the_frames_before_it_on_this_transport() -> None:
    """``sent`` is what the peer must have received by then; it goes before the frames of the same write."""
    session = attached()
    say(session, "mine")
    written(session)
    session.receive(TEXT, 0, (b"a",))
    say(session, "more")

    assert written(session, 0.0) == [("text", "more")]
    assert written(session, 1.0) == [("ack", (1, 2))]


def test_an_ack_is_not_repeated() -> None:
    """What was told once on this transport is told."""
    session = attached()
    session.receive(TEXT, 0, (b"a",))
    written(session)
    assert written(session, 1.0) == [("ack", (1, 0))]

    assert written(session, 2.0) == []


def test_last_words_do_not_wait() -> None:
    """Before a CLOSE everything is told."""
    session = attached()
    session.receive(TEXT, 0, (b"a",))
    hear(session)

    assert [FrameType(kind).name for kind, *_ in frames_of(session.last_words())] == [
        "ACK",
        "HANDLED",
        "CREDIT",
    ]
    assert session.timeout_at() is None


# Asking...


def test_who_waits_for_an_outcome_asks_once() -> None:
    """For everything queued so far."""
    session = attached()
    say(session, "a")
    session.ask(session.messages)
    session.ask(session.messages)

    assert written(session) == [("ask", 1), ("text", "a")]
    session.ask(session.messages)
    assert written(session) == []


def test_who_sent_nothing_asks_nothing() -> None:
    """There is no outcome to wait for."""
    session = attached()
    session.ask(session.messages)

    assert written(session) == []


def test_who_is_asked_answers_as_soon_as_it_can() -> None:
    """Not with the first message handled, but with the one that was asked for."""
    session = attached()
    for text in (b"a", b"b", b"c"):
        session.receive(TEXT, 0, (text,))
    session.receive_ask(MESSAGES, 2)
    session.take(session.messages)
    session.take(session.messages)
    assert ("handled", 1) not in written(session)

    session.take(session.messages)

    assert ("handled", 2) in written(session)


def test_a_late_question_is_answered_at_once() -> None:
    """What was handled before it was asked about need not wait for its ack's time."""
    session = attached()
    session.receive(TEXT, 0, (b"a",))
    hear(session)
    assert written(session) == []
    ear = session.writer = Ear()

    session.receive_ask(MESSAGES, 1)

    assert ear.told == 1
    assert ("handled", 1) in written(session)


def test_a_question_that_may_be_lost_is_asked_again() -> None:
    """On the next transport, if it is still open."""
    session = attached()
    say(session, "a")
    session.ask(session.messages)
    written(session)

    session.attach(0)
    assert ("ask", 1) in written(session)

    session.receive_ack(1, 0)
    session.receive_handled(MESSAGES, 1)
    session.attach(1)
    assert not [name for name, _ in written(session) if name == "ask"]


# The outbox and the replay...


@pytest.mark.limit("outbox_messages")
def test_the_outbox_holds_until_the_peer_received() -> None:
    """Written is not enough; bytes and messages are both counted."""
    session = attached(Limits(outbox_messages=2, outbox_bytes=1000))
    rooms = []
    for text in "ab":
        say(session, text)
        rooms.append(session.has_room_in(session.messages))
    written(session)
    rooms.append(session.has_room_in(session.messages))
    assert rooms == [True, False, False]
    assert (session.outbox_frames, session.outbox_bytes) == (2, 2 * (HEADER.size + 1))

    session.receive_ack(1, 0)

    assert session.has_room_in(session.messages)
    assert session.made_room
    assert (session.outbox_frames, session.outbox_bytes) == (1, HEADER.size + 1)


@pytest.mark.limit("outbox_bytes")
def test_the_outbox_is_bounded_in_bytes() -> None:
    """By one message more than the limit at most."""
    session = attached(Limits(outbox_bytes=100))
    say(session, "x" * 200)

    assert not session.has_room_in(session.messages)


def test_replay_goes_before_anything_new_and_skips_what_arrived() -> None:
    """In the order of the first time, with the same bytes."""
    session = attached()
    for text in "abc":
        say(session, text)
    assert [value for _, value in written(session)] == ["a", "b", "c"]
    say(session, "d")

    session.attach(1)

    assert [value for name, value in written(session) if name == "text"] == ["b", "c", "d"]
    assert session.sent == 4


def test_replay_and_what_is_new_share_the_budget() -> None:
    """A long replay is written in pieces, and nothing new slips in between."""
    session = attached()
    for text in "abcd":
        say(session, text)
    written(session)
    say(session, "e")
    session.attach(0)

    seen = []
    while session.can_write_more:
        seen.append([value for name, value in written(session, budget=15) if name == "text"])

    assert seen == [["a", "b"], ["c", "d"], ["e"]]


def test_a_line_that_drops_in_the_middle_of_a_replay_replays_again() -> None:
    """From the count that the peer tells this time."""
    session = attached()
    for text in "abcd":
        say(session, text)
    written(session)
    session.attach(1)
    written(session, budget=1)

    session.attach(2)

    assert [value for name, value in written(session) if name == "text"] == ["c", "d"]


def test_an_ack_during_a_replay_reaches_as_far_as_was_written() -> None:
    """More than this transport has carried cannot have been received on it."""
    session = attached()
    for text in "abc":
        say(session, text)
    written(session)
    session.attach(0)
    written(session, budget=1)

    session.receive_ack(1, 0)
    miscounts(lambda: session.receive_ack(2, 0))


def test_a_replay_that_ends_has_nothing_to_tell_by_itself() -> None:
    """Neither is the driver woken for it, nor does a timer run."""
    session = attached()
    say(session, "a")
    written(session)
    session.attach(0)
    written(session, budget=0)
    ear = session.writer = Ear()

    assert written(session) == [("text", "a")]
    assert written(session) == []
    assert (ear.told, session.timeout_at()) == (0, None)


def test_a_question_about_a_flow_that_is_being_replayed_is_answered_at_once() -> None:
    """The peer may know of it from another line, and ask for more than there was: it is told what there is."""
    session = attached()
    flow = session.open_flow("")
    written_kinds(session)
    session.attach(0)
    written_kinds(session)
    session.receive_ask(flow.number, 5)

    assert written_kinds(session) == [FrameType.HANDLED, FrameType.CREDIT]


def written_kinds(session: Session) -> list[int]:
    return [kind for kind, *_ in frames_of(session.data_to_send(0.0, ALL))]


def test_replay_costs_no_credit_twice() -> None:
    """A frame is paid for when it is first written."""
    session = attached(peer_window=2 * FRAME_COST)
    for text in "abcd":
        say(session, text)
    written(session)
    session.attach(0)

    assert [value for name, value in written(session) if name == "text"] == ["a", "b"]
    session.receive_credit(MESSAGES, 2 * FRAME_COST + 3)
    assert [value for name, value in written(session) if name == "text"] == ["c"]


# Counts that cannot be...


def test_a_resume_count_that_cannot_be_is_a_miscount() -> None:
    """Fewer than the peer had acked, or more than were ever written."""
    session = attached()
    for text in "abc":
        say(session, text)
    written(session)
    session.receive_ack(2, 0)

    miscounts(lambda: session.attach(1))
    miscounts(lambda: session.attach(4))
    session.attach(3)


def test_queued_is_not_sent() -> None:
    """A peer cannot have received what is still waiting for credit."""
    session = attached(peer_window=1)
    say(session, "a")
    say(session, "b")
    written(session)

    miscounts(lambda: session.attach(2))


def test_an_ack_of_more_than_was_written_is_a_miscount() -> None:
    """Nor may it fall."""
    session = attached()
    say(session, "a")
    say(session, "b")
    written(session)

    miscounts(lambda: session.receive_ack(3, 0))
    session.receive_ack(2, 0)
    session.receive_ack(2, 0)
    miscounts(lambda: session.receive_ack(1, 0))


@pytest.mark.parametrize("sent", [0, 2, 2**63])
def test_an_acks_sent_count_must_be_what_arrived(sent: int) -> None:
    """One frame arrived here: a peer that wrote none, or two, is out of step with us."""
    session = attached()
    session.receive(TEXT, 0, (b"a",))

    session.receive_ack(0, 1)
    miscounts(lambda: session.receive_ack(0, sent))


def test_handling_what_was_not_sent_is_a_miscount() -> None:
    """Or less than before."""
    session = attached()
    say(session, "a")
    say(session, "b")
    written(session)
    session.receive_handled(MESSAGES, 1)

    miscounts(lambda: session.receive_handled(MESSAGES, 3))
    miscounts(lambda: session.receive_handled(MESSAGES, 0))


def test_flows_that_are_not_open_are_errors() -> None:
    """In every frame that names one."""
    session = attached()
    wrong: tuple[Callable[[], None], ...] = (
        lambda: session.receive(TEXT, 1, (b"",)),
        lambda: session.receive_handled(1, 0),
        lambda: session.receive_credit(2**32 - 1, 0),
        lambda: session.receive_ask(1, 0),
    )
    for do in wrong:
        with pytest.raises(ProtocolError, match="not open"):
            do()


def test_counts_go_far_beyond_32_bits() -> None:
    """Nothing wraps."""
    session = attached()
    session.sent = session.received = session.received_by_peer = session.messages.sent = (
        session.messages.queued
    ) = 2**40
    session.attach(2**40)
    say(session, "a")
    session.receive(TEXT, 0, (b"b",))

    assert ("ack", (2**40 + 1, 2**40)) in written(session)
    session.receive_ack(2**40 + 1, 2**40 + 1)
    session.receive_handled(MESSAGES, 2**40 + 1)


# Waking the driver...


def test_the_driver_is_woken_once_for_many_sends() -> None:
    """And again after it has written."""
    session = attached()
    ear = session.writer = Ear()
    for text in "abc":
        say(session, text)
    assert ear.told == 1

    written(session)
    say(session, "d")
    assert ear.told == 2


def test_the_driver_is_woken_for_news_and_questions() -> None:
    """A message received, one taken, and an outcome waited for."""
    session = attached()
    ear = session.writer = Ear()
    session.receive(TEXT, 0, (b"a",))
    written(session)
    assert ear.told == 1

    session.receive_ask(MESSAGES, 1)
    hear(session)
    assert ear.told == 2

    say(session, "b")
    written(session)
    session.ask(session.messages)
    assert ear.told == 3


def test_everything_is_handled_when_the_program_says_so() -> None:
    """Taken is not handled."""
    session = attached()
    seen = [session.is_everything_handled]
    session.receive(TEXT, 0, (b"a",))
    session.take(session.messages)
    seen.append(session.is_everything_handled)

    session.handle_taken(session.messages)
    seen.append(session.is_everything_handled)

    assert seen == [True, False, True]

    flow = session.open_flow("")
    session.receive(TEXT, flow.number, (b"b",))
    assert not session.is_everything_handled


# The end...


@pytest.mark.parametrize(
    ("received", "handled", "reach", "acked"),
    [
        (None, None, 3, 0),  # nothing was said: whatever was written may have arrived
        (2, 1, 2, 1),
        (3, 3, 3, 3),
        (0, 0, 0, 0),
        (4, 0, 3, 0),  # counts that cannot be say nothing
        (2, 3, 2, 0),
    ],
)
def test_the_last_counts_decide_what_may_have_arrived(
    received: int | None, handled: int | None, reach: int, acked: int
) -> None:
    """Three of four messages were written. Beyond the reach they certainly never arrived; below it, and not handled, nobody knows."""
    session = attached(peer_window=2 * FRAME_COST + 3)
    for text in "abcd":
        say(session, text)
    written(session)
    assert session.sent == 3

    session.end(received, handled)

    assert (session.messages.reach, session.messages.handled_by_peer) == (reach, acked)


def test_unsent_is_what_this_transport_has_not_carried() -> None:
    """Pending, or still to be replayed."""
    session = attached()
    seen = [session.has_unsent]
    say(session, "a")
    seen.append(session.has_unsent)
    written(session)
    seen.append(session.has_unsent)
    session.attach(0)
    seen.append(session.has_unsent)

    assert seen == [False, True, False, True]


@pytest.mark.limit("outbox_bytes")
@pytest.mark.parametrize(("size", "has_room"), [(99, True), (100, False), (101, False)])
def test_the_outbox_takes_more_until_it_is_full(size: int, has_room: bool) -> None:
    """A byte below the limit another message fits; at it none does."""
    session = attached(Limits(outbox_bytes=100))
    say(session, bytes(size - HEADER.size))

    assert session.outbox_bytes == size
    assert session.has_room_in(session.messages) is has_room
