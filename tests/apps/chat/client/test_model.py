"""The chat client without a screen, as conversations: what is typed and heard goes in, requests and events come out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.events import Aim
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.typist import MAX_WAITING
from landline.history import DAMAGED, EXPIRED
from tests.apps.chat.reading import Said, joined, published, read

NUMBER = 4711
RUN = 100
"""What the run is numbered by; its lines have the numbers after it."""


def line(offset: int, name: str, text: str, *, id: int = 0) -> wire.Line:
    return wire.Line(offset, 1000.0 + offset, name, text, id)


def new_client(name: str = "ana", rooms: Sequence[str] = ("lobby",), *, is_kept: bool = False) -> Client:
    """A client whose run and lines are numbered 100, 101, 102..."""
    return Client(name, NUMBER, rooms, draw=itertools.count(RUN).__next__, is_kept=is_kept)


def enter(rooms: dict[str, wire.Seen | None], *, name: str = "ana", asked: int = 0) -> wire.Enter:
    return wire.Enter(name, rooms, run=RUN, asked=asked)


def say(id: int, room: str, text: str, *, asked: int = 0) -> wire.Say:
    return wire.Say(id, room, text, RUN, asked)


def in_lobby(
    *, name: str = "ana", epoch: str = "e1", lines: list[wire.Line] | None = None, is_kept: bool = False
) -> Client:
    """A client that has entered and is in the lobby with ben."""
    client = new_client(name, is_kept=is_kept)
    client.opened(0.0)
    client.heard(wire.Entered(name, epoch), 0.0)
    client.heard(joined("lobby", [wire.Member(name), wire.Member("ben")], lines or (), epoch=epoch), 0.0)
    read(client, "lobby", lines or (), epoch=epoch)
    client.to_send()
    client.events()
    return client


def come_back(
    client: Client, now: float, *, epoch: str = "e2", lines: list[wire.Line] | None = None, missing: str = ""
) -> None:
    """A new session begins, and the server tells what the lobby holds after what was seen."""
    client.opened(now)
    client.heard(wire.Entered(client.name, epoch), now)
    for room in list(client.rooms):
        said = (lines or []) if room == "lobby" else []
        seen = client.rooms[room].seen
        after = seen.offset if seen is not None and not said else None
        client.heard(
            joined(room, [wire.Member(client.name)], said, missing=missing, epoch=epoch, after=after), now
        )
        read(client, room, said, now, epoch)


# Coming in.


def test_enter_is_the_first_request() -> None:
    """A new session begins with the wished name, our number, and the rooms with nothing seen."""
    client = new_client("ana", ["lobby", "dev"])

    client.opened(0.0)

    assert client.to_send() == [enter({"lobby": None, "dev": None})]


def test_a_taken_name_is_told() -> None:
    """Who wished for ana and is ana-2 is told both."""
    client = new_client()
    client.opened(0.0)

    client.heard(wire.Entered("ana-2", "e1"), 0.0)

    assert client.events() == [events.Named("ana-2", "ana")]
    assert client.name == "ana-2"


def test_a_name_that_cannot_be_one_is_not_called_taken() -> None:
    """What the server says of it is told instead."""
    client = new_client()
    client.opened(0.0)
    client.heard(wire.Entered("a-b", "e1", "There cannot be a space in a name."), 0.0)

    assert client.events() == [events.Named("a-b"), events.Said("There cannot be a space in a name.")]


def test_history_on_joining_is_shown_as_old() -> None:
    """What was said before we came is shown, marked old, and nothing counts as missed."""
    client = new_client()
    client.opened(0.0)
    client.heard(wire.Entered("ana", "e1"), 0.0)

    lines = [line(1, "ben", "one"), line(2, "ben", "two")]
    client.heard(joined("lobby", [wire.Member("ben")], lines), 0.0)
    read(client, "lobby", lines[:1])
    assert client.events() == [events.Named("ana"), events.Entered("lobby", (wire.Member("ben"),))]
    read(client, "lobby", lines[1:])

    assert client.events() == [
        events.Heard("lobby", line(1, "ben", "one"), own=False, old=True),
        events.Heard("lobby", line(2, "ben", "two"), own=False, old=True),
    ]


def test_a_line_typed_before_the_room_is_ready_is_in_the_outbox_at_once() -> None:
    """What is typed (or piped) at once must survive us; that it waits for its turn is the server's to see to."""
    client = new_client()
    client.opened(0.0)

    client.typed("hello", 0.0)

    assert client.to_send() == [enter({"lobby": None}), say(101, "lobby", "hello")]


# Saying.


def test_a_line_is_confirmed_by_its_echo() -> None:
    """Our own line comes back with its number: then it is seen in its place, and waits no more. That it is stored does not show its place."""
    client = in_lobby()
    client.typed("hello", 1.0)
    assert client.to_send() == [say(101, "lobby", "hello")]
    assert [pending.text for pending in client.waiting] == ["hello"]

    client.published(101, 1, 1.1)
    assert [pending.text for pending in client.waiting] == ["hello"]
    echo = line(1, "ana", "hello", id=101)
    read(client, "lobby", [echo], 1.2)

    assert client.events() == [events.Heard("lobby", echo, own=True)]
    assert client.waiting == []


def test_a_line_of_somebody_else_does_not_confirm_ours() -> None:
    """The same words with another number are another line."""
    client = in_lobby()
    client.typed("hello", 1.0)

    read(client, "lobby", [line(1, "ben", "hello", id=7)], 1.2)

    assert [pending.text for pending in client.waiting] == ["hello"]


def test_a_line_without_echo_shows_as_waiting_after_two_seconds() -> None:
    """Two seconds, not one moment earlier; and its late arrival is told."""
    client = in_lobby()
    client.typed("hello", 1.0)
    assert client.next_at() == 3.0

    client.advance(2.999)
    assert client.events() == []
    client.advance(3.0)
    assert client.events() == [events.Waiting("hello", "#lobby")]
    assert client.next_at() is None
    echo = line(1, "ana", "hello", id=101)
    read(client, "lobby", [echo], 4.0)

    assert client.events() == [events.Heard("lobby", echo, own=True), events.Arrived("hello", "#lobby")]


def test_a_line_is_shown_as_waiting_when_it_is_in_the_outbox_that_outlives_us() -> None:
    """Not before: whoever reads that it waits may rely on it."""
    client = in_lobby(is_kept=True)
    client.line_changed("reconnecting", 1.0, why="reset")
    client.events()
    client.typed("hello", 2.0)
    client.advance(9.0)
    assert (client.events(), client.next_at()) == ([], None)

    client.kept(101, 9.0)

    assert client.events() == [events.Waiting("hello", "#lobby")]


def test_several_lines_pasted_are_one_message() -> None:
    """A paste keeps its line ends and travels as one line of the room."""
    client = in_lobby()

    client.typed("one\ntwo\n", 1.0)

    assert client.to_send() == [say(101, "lobby", "one\ntwo")]


def test_a_refused_line_is_told_with_its_reason() -> None:
    """The server's sentence reaches the person together with the words that were not sent."""
    client = in_lobby()
    client.typed("hello", 1.0)

    client.unpublished(101, "the disk is full", 1.1, is_doubtful=False)

    assert client.events() == [events.NotSent("hello", "#lobby", "the disk is full")]
    assert (client.waiting, client.pending.failed) == ([], 1)


def test_a_line_that_is_too_long_never_leaves() -> None:
    """The rule is known here, so the answer does not need the server, and the text comes back to be shortened."""
    client = in_lobby()

    client.typed("x" * 5000, 1.0)

    assert client.to_send() == []
    (told,) = client.events()
    assert isinstance(told, events.NotSent) and told.back
    assert (told.text, client.pending.failed) == ("x" * 5000, 1)


@pytest.mark.limit("chat.client.waiting")
def test_too_many_waiting_lines_are_refused_and_given_back() -> None:
    """The heap of waiting lines is bounded, and who types beyond it gets the text back."""
    client = in_lobby()
    for number in range(MAX_WAITING):
        client.typed(f"line {number}", 1.0)
    client.events()

    client.typed("one more", 1.0)

    (told,) = client.events()
    assert isinstance(told, events.NotSent) and told.back
    assert len(client.waiting) == MAX_WAITING


def test_what_is_said_after_the_history_is_shown_at_once_and_as_new() -> None:
    """One after the other, as the topic brings them."""
    client = in_lobby(lines=[line(7, "ben", "seven")])

    read(client, "lobby", [line(8, "ben", "eight")])

    assert client.events() == [events.Heard("lobby", line(8, "ben", "eight"), own=False)]
    assert client.rooms.wanted() == {"lobby": wire.Seen("e1", 8)}


# What the rooms' topics say besides lines.


def test_a_gap_is_told_as_a_sentence_in_its_place() -> None:
    """Within the history and after it; what is no line of a chat is passed over, and counts as read."""
    client = new_client()
    client.opened(0.0)
    client.heard(wire.Entered("ana", "e1"), 0.0)
    client.heard(joined("lobby", [], [line(4, "ben", "four"), line(6, "ben", "six")], after=1), 0.0)
    client.events()
    reading = client.rooms.readings()["lobby"]

    def gap(after: int, to: int, reason: str) -> None:
        places = landline.Position("e1", after), landline.Position("e1", to)
        client.read("lobby", reading, landline.Gap("room.lobby", *places, reason), 1.0)

    gap(1, 3, EXPIRED)
    read(client, "lobby", [line(4, "ben", "four")])
    assert client.events() == [events.Unreachable("lobby", "Older lines than these are no longer kept.")]
    gap(5, 6, DAMAGED)
    client.read(
        "lobby", reading, landline.Publication("room.lobby", landline.Position("e1", 8), b"rubbish"), 1.0
    )
    gap(8, 9, DAMAGED)

    damaged = events.Unreachable("lobby", "Some lines are damaged on the server's disk and cannot be shown.")
    assert client.events() == [
        damaged,
        events.Heard("lobby", line(4, "ben", "four"), own=False, old=True),
        damaged,
    ]
    assert client.rooms.wanted() == {"lobby": wire.Seen("e1", 9)}


def test_what_the_server_cannot_read_is_told_once_and_the_room_is_there() -> None:
    """The present does not need the past: what is there of the history is shown, and what comes is new."""
    client = new_client()
    client.opened(0.0)
    client.heard(wire.Entered("ana", "e1"), 0.0)
    lines = [line(1, "ben", "one"), line(2, "ben", "two")]
    client.heard(joined("lobby", [], lines), 0.0)
    read(client, "lobby", lines[:1])
    client.events()

    client.unreadable("lobby", client.rooms.readings()["lobby"], "away", 1.0)
    assert client.events() == [
        events.Unreachable("lobby", "away"),
        events.Heard("lobby", lines[0], own=False, old=True),
    ]
    assert client.rooms.are_known
    read(client, "lobby", lines[1:])

    assert client.events() == [events.Heard("lobby", lines[1], own=False)]


def test_a_room_that_the_server_puts_us_out_of_is_left() -> None:
    """With a sentence; what is typed goes elsewhere, and what was for it comes back."""
    client = in_lobby()
    reading = client.rooms.readings()["lobby"]

    client.put_out("lobby", reading, 1.0)

    assert client.events() == [
        events.Left("lobby", ""),
        events.Said("You are no longer in #lobby: the server has put you out.", trouble=True),
    ]
    assert client.to_send() == []


def test_what_an_earlier_reading_of_a_room_brings_is_passed_over() -> None:
    """After a leave, a lost session or another life of the server the room is read anew from where it was, or not at all."""
    client = in_lobby(lines=[line(1, "ben", "one")])
    old = client.rooms.readings()["lobby"]
    client.interrupted(1.0)
    client.opened(1.0)
    client.events()

    def late() -> None:
        client.read("lobby", old, published(Said("lobby", line(2, "ben", "two"))), 2.0)
        client.unreadable("lobby", old, "away", 2.0)
        client.put_out("lobby", old, 2.0)

    late()
    come_back(client, 3.0, lines=[line(2, "ben", "two")])
    late()

    heard = [event for event in client.events() if isinstance(event, events.Heard)]
    assert heard == [events.Heard("lobby", line(2, "ben", "two"), own=False, old=True)]
    assert "lobby" in client.rooms


# The line goes down and comes back beneath the session.


def test_a_dropped_line_shows_what_waits_and_how_long_it_was_gone() -> None:
    """The session delivers by itself: nothing is sent twice, and the person sees the state, the wait and the return."""
    client = in_lobby()
    client.typed("/drop 4", 10.0)
    assert client.drop_asked() == 4.0
    assert client.drop_asked() is None

    client.line_changed("reconnecting", 10.0, why="dropped", redial_in=4.0)
    assert (client.line.state, client.line.redial_at) == ("reconnecting", 14.0)
    client.typed("are you there", 11.0)
    assert client.to_send() == [say(101, "lobby", "are you there")]
    client.line_changed("connected", 14.25)
    echo = line(1, "ana", "are you there", id=101)
    read(client, "lobby", [echo], 14.3)

    assert client.to_send() == []
    assert client.events() == [
        events.LineDown("you hung up"),
        events.Waiting("are you there", "#lobby"),
        events.LineBack(4.25),
        events.Heard("lobby", echo, own=True),
        events.Arrived("are you there", "#lobby"),
    ]


def test_commands_typed_while_the_line_is_down_are_told_to_wait() -> None:
    """Each once, as it was typed; but a call does not wait."""
    client = in_lobby()
    client.line_changed("reconnecting", 1.0)
    client.events()
    for command in ("/who", "/nick hal", "/history 3", "/rooms", "/join dev"):
        client.typed(command, 2.0)
        client.advance(9.0)
        assert client.events() == [events.Waiting(command, "")]
    client.to_send()
    client.typed("/call ben", 9.0)

    assert client.to_send() == []
    assert client.pending.failed == 1
    (told,) = client.events()
    assert isinstance(told, events.Said) and told.trouble and "a call does not wait" in told.text


def test_a_command_without_an_answer_waits_as_a_line_does() -> None:
    """After two seconds, with the line up; what it brings needs no further word."""
    client = in_lobby()
    client.typed("/who", 1.0)
    assert client.next_at() == 3.0
    client.advance(2.9)
    assert client.events() == []
    client.advance(3.0)
    assert client.events() == [events.Waiting("/who", "")]

    client.heard(wire.MemberList(1, "lobby", [wire.Member("ana")]), 4.0)

    assert client.events() == [events.Members("lobby", (wire.Member("ana"),))]
    assert client.next_at() is None


def test_only_ones_own_drop_is_told_as_ones_own() -> None:
    """The line that drops by itself afterwards has its own reason."""
    client = in_lobby()
    client.typed("/drop 4", 10.0)
    client.line_changed("reconnecting", 10.0, why="dropped")
    client.line_changed("connected", 14.0)
    client.events()

    client.line_changed("reconnecting", 20.0, why="dropped")

    assert client.events() == [events.LineDown("dropped")]


def test_a_flood_is_told_once_that_the_chat_takes_its_time() -> None:
    """Up to the burst nothing is said, one more says it, and the next flood says it again."""
    client = in_lobby()
    for number in range(5):
        client.typed(f"line {number}", 1.0)
    assert client.events() == []

    for number in range(5, 16):
        client.typed(f"line {number}", 1.0)

    assert client.events() == [events.Paced(2.0)]
    for id in range(1, 17):
        read(client, "lobby", [line(id, "ana", "x", id=100 + id)], 2.0)
    client.events()
    for number in range(6):
        client.typed(f"again {number}", 9.0)
    assert client.events() == [events.Paced(2.0)]


def test_lines_that_wait_for_the_line_wait_for_no_pace() -> None:
    """What waits is told apart: first for the line, and when that is back, for the chat."""
    client = in_lobby()
    client.line_changed("reconnecting", 1.0, why="reset")
    for number in range(16):
        client.typed(f"line {number}", 2.0)
    assert not any(isinstance(event, events.Paced) for event in client.events())

    client.line_changed("connected", 3.0)

    assert client.events() == [events.LineBack(2.0), events.Paced(2.0)]


def test_the_line_down_is_told_once_for_many_dials() -> None:
    """Each dial that fails changes the countdown, not the screen."""
    client = in_lobby()

    client.line_changed("reconnecting", 10.0, why="reset", redial_in=0.2)
    client.line_changed("reconnecting", 11.0, why="refused", redial_in=0.4)

    assert client.events() == [events.LineDown("reset")]
    assert client.line.redial_at == 11.4


def test_a_suspect_line_says_nothing_yet() -> None:
    """Silence for a moment is a state to see, not a message to read."""
    client = in_lobby()

    client.line_changed("suspect", 10.0)
    client.line_changed("connected", 10.5)

    assert client.events() == []


# The server lost the session: nothing is silently lost and nothing silently doubled.


def test_after_a_restart_the_missed_is_shown_and_what_the_outbox_holds_goes_out_by_itself() -> None:
    """Another life of the server goes on with the session: we enter anew, and nobody says the line again but the outbox."""
    client = in_lobby(lines=[line(5, "ben", "five")])
    client.line_changed("reconnecting", 10.0, why="connection reset")
    client.typed("waited", 11.0)
    assert client.to_send() == [say(101, "lobby", "waited")]
    client.line_changed("connected", 15.0)
    client.interrupted(16.0)
    client.events()

    client.opened(16.0)
    assert client.to_send() == [enter({"lobby": wire.Seen("e1", 5)})]
    client.heard(wire.Entered("ana", "e2"), 16.0)
    echo = line(7, "ana", "waited", id=101)
    client.heard(joined("lobby", [], [line(6, "ben", "six"), echo], epoch="e2"), 16.0)
    read(client, "lobby", [line(6, "ben", "six"), echo], 16.0, "e2")

    assert client.to_send() == []
    assert client.events() == [
        events.LineBack(0.0, restarted=True),
        events.Missed("lobby", 1),
        events.Heard("lobby", line(6, "ben", "six"), own=False, old=True),
        events.Heard("lobby", echo, own=True, old=True),
        events.Arrived("waited", "#lobby"),
    ]
    assert client.waiting == []


def test_a_line_that_was_not_handed_over_yet_is_when_the_session_goes_on() -> None:
    """It was typed in the moment of the interruption."""
    client = in_lobby()
    client.typed("just now", 1.0)

    client.interrupted(1.0)
    client.opened(1.0)

    assert client.to_send() == [enter({"lobby": wire.Seen("e1", 0)}), say(101, "lobby", "just now")]


def test_a_lost_session_hands_over_what_the_next_outbox_does_not_hold() -> None:
    """What it holds goes out by itself; what was never taken, or is typed with no session at hand, is handed over."""
    client = in_lobby()
    for text in ("kept", "not taken"):
        client.typed(text, 1.0)
    kept, _ = client.to_send()
    assert isinstance(kept, wire.Say)
    client.settled(102, "failed")
    client.ended(2.0, "lost")
    client.typed("typed meanwhile", 2.5)
    assert client.to_send() == []

    client.opened(3.0, [kept])

    assert client.to_send()[1:] == [say(102, "lobby", "not taken"), say(103, "lobby", "typed meanwhile")]
    assert [pending.text for pending in client.waiting] == ["kept", "not taken", "typed meanwhile"]
    assert not any(isinstance(event, events.GoingOut) for event in client.events())


def test_what_an_earlier_run_left_goes_out_and_is_ours() -> None:
    """It is told that it does, it waits like what we typed ourselves, and its echo is our own."""
    client = new_client()
    left = wire.Say(7, "lobby", "typed before", 5, 3)
    client.opened(0.0, [left])
    assert client.events() == [events.GoingOut(1)]
    assert [pending.text for pending in client.waiting] == ["typed before"]
    assert client.to_send() == [enter({"lobby": None})]
    come_back(client, 1.0, epoch="e1")
    client.events()
    echo = line(1, "ana", "typed before", id=7)

    read(client, "lobby", [echo], 2.0)

    assert client.events() == [
        events.Heard("lobby", echo, own=True),
        events.Arrived("typed before", "#lobby"),
    ]


def test_what_an_earlier_run_left_and_is_refused_comes_back_with_the_reason() -> None:
    """It was for a room that we are not in now, for example."""
    client = new_client()
    client.opened(0.0, [wire.Say(7, "tea", "typed before")])
    client.events()

    client.unpublished(7, "You are not in the room tea; /join tea takes you there.", 1.0, is_doubtful=False)

    assert client.events() == [
        events.NotSent("typed before", "#tea", "You are not in the room tea; /join tea takes you there.")
    ]
    assert client.pending.failed == 1


def test_a_line_of_which_nobody_knows_is_marked_and_never_repeated() -> None:
    """The server forgot what it had been sent: doubtful, once; and the mark is taken back when the line is heard later."""
    client = in_lobby()
    client.typed("hello", 1.0)

    client.unpublished(101, "the server does not know", 2.0, is_doubtful=True)
    assert client.events() == [events.Doubtful("hello", "#lobby")]
    client.ended(2.0, "lost")
    come_back(client, 3.0, epoch="e1")
    assert not any(isinstance(request, wire.Say) for request in client.to_send())
    client.events()
    echo = line(1, "ana", "hello", id=101)
    read(client, "lobby", [echo], 4.0)

    assert client.events() == [
        events.Heard("lobby", echo, own=True),
        events.Arrived("hello", "#lobby", doubted=True),
    ]


def test_a_stored_line_that_the_history_has_passed_is_not_waited_for() -> None:
    """It arrived, and what was said there before is no longer kept, say."""
    client = in_lobby()
    client.typed("hello", 1.0)
    client.published(101, 8, 1.1)
    client.ended(2.0, "lost")

    come_back(
        client, 3.0, lines=[line(9, "ben", "nine")], missing="Older lines than these are no longer kept."
    )

    assert client.waiting == []
    assert events.Arrived("hello", "#lobby") in client.events()


def test_a_line_stored_in_a_room_that_we_left_is_not_waited_for() -> None:
    """Its echo is told to those who are there."""
    client = in_lobby()
    client.typed("last words", 1.0)
    client.typed("/leave", 1.0)
    client.events()

    client.published(101, 8, 1.1)

    assert client.waiting == []


def test_lines_and_requests_say_what_was_asked_before_them() -> None:
    """So a line comes after the /nick before it, whichever way each of them takes."""
    client = in_lobby()
    client.typed("/nick anna", 1.0)
    client.typed("hello", 1.0)
    assert client.to_send() == [wire.Rename(1, "anna"), say(101, "lobby", "hello", asked=1)]
    client.interrupted(2.0)

    client.opened(2.0)

    assert client.to_send() == [enter({"lobby": wire.Seen("e1", 0)}, name="anna", asked=1)]


def test_an_empty_room_is_asked_for_from_its_beginning() -> None:
    """Who saw an empty room and comes back misses nothing, however much was said."""
    client = in_lobby()
    client.ended(2.0, "lost")

    client.opened(3.0)

    assert client.to_send() == [enter({"lobby": wire.Seen("e1", 0)})]


def test_a_hole_in_the_history_is_told() -> None:
    """Lines that cannot be shown are said to be missing, before what follows."""
    client = in_lobby(lines=[line(50, "ben", "fifty")])
    client.ended(2.0, "lost")
    client.events()

    come_back(client, 3.0, lines=[line(9, "ben", "nine")], missing="history replaced")

    assert client.events() == [
        events.LineBack(1.0, restarted=True),
        events.Unreachable("lobby", "history replaced"),
        events.Missed("lobby", 1),
        events.Heard("lobby", line(9, "ben", "nine"), own=False, old=True),
    ]
    assert client.rooms["lobby"].seen == wire.Seen("e2", 9)


def test_a_whisper_in_doubt_is_marked_and_one_that_failed_goes_out() -> None:
    """Private lines are in no history: doubt stays doubt, at once."""
    client = in_lobby()
    client.typed("/msg ben in doubt", 1.0)
    client.typed("/msg ben not gone", 1.0)
    client.to_send()
    client.settled(1, "unknown")
    client.settled(2, "failed")

    client.ended(2.0, "lost")
    assert events.Doubtful("in doubt", "ben") in client.events()
    client.opened(3.0)
    client.heard(wire.Entered("ana", "e2"), 3.0)

    assert client.to_send()[1:] == [wire.Whisper(2, "ben", "not gone")]


def test_a_session_the_server_forgot_is_not_called_a_restart() -> None:
    """The same epoch: the server ran on."""
    client = in_lobby()
    client.ended(2.0, "lost")
    client.events()

    come_back(client, 5.0, epoch="e1")

    assert client.events() == [events.LineBack(3.0)]


def test_losing_the_session_while_the_line_is_down_says_so() -> None:
    """First the line went, then the server did not know us: two facts, told as they came."""
    client = in_lobby()
    client.line_changed("reconnecting", 1.0, why="reset")

    client.ended(2.0, "unknown session")

    assert client.events() == [events.LineDown("reset"), events.Redialling("unknown session")]


def test_another_name_after_the_return_is_told() -> None:
    """Somebody took our name while we were away."""
    client = in_lobby()
    client.ended(2.0, "lost")
    client.opened(3.0)
    client.events()

    client.heard(wire.Entered("ana-2", "e2"), 3.0)

    assert client.events() == [events.LineBack(1.0, restarted=True), events.Named("ana-2", "ana")]


# Rooms and names.


def test_join_turns_to_the_room_at_once_and_lines_are_for_it() -> None:
    """What is typed right after /join is meant for the new room, even if the answer takes its time: it says that it comes after that."""
    client = in_lobby()

    client.typed("/join #Dev", 1.0)
    client.typed("hello dev", 1.0)

    assert client.rooms.current == "dev"
    assert client.to_send() == [wire.Join(1, "dev"), say(101, "dev", "hello dev", asked=1)]


def test_a_refused_join_goes_back_and_keeps_the_line_from_the_wrong_room() -> None:
    """A line for a room that would not have us is told as not sent, never said elsewhere."""
    client = in_lobby()
    client.typed("/join dev", 1.0)
    client.typed("secret", 1.0)

    client.heard(wire.Sorry(1, "The room is full."), 1.1)
    client.unpublished(101, "You are not in the room dev; /join dev takes you there.", 1.2, is_doubtful=False)

    assert client.rooms.current == "lobby"
    assert client.events() == [
        events.Left("dev", "lobby"),
        events.Said("The room is full.", trouble=True),
        events.NotSent("secret", "#dev", "You are not in the room dev; /join dev takes you there."),
    ]


def test_rooms_joined_and_left_while_the_session_was_lost_are_in_the_next_enter() -> None:
    """Join and leave say what shall be: the list of rooms carries them over a lost session."""
    client = in_lobby()
    client.ended(1.0, "lost")
    client.typed("/join dev", 2.0)
    client.typed("/leave lobby", 2.0)

    client.opened(3.0)

    assert client.to_send() == [enter({"dev": None}, asked=2)]
    assert len(client.pending) == 0


def test_leaving_keeps_the_echo_of_what_was_said_before() -> None:
    """A line said just before /leave is confirmed although its room is read no more."""
    client = in_lobby()
    client.typed("last words", 1.0)
    client.typed("/leave", 1.0)
    assert client.to_send() == [say(101, "lobby", "last words"), wire.Leave(1, "lobby")]

    assert client.rooms.readings() == {}
    client.published(101, 1, 1.1)
    client.heard(wire.Done(1), 1.1)

    assert len(client.pending) == 0


def test_typing_in_no_room_explains_itself() -> None:
    """Nothing is sent, and the person is told what to do."""
    client = in_lobby()
    client.typed("/leave", 1.0)
    client.to_send()
    client.events()

    client.typed("hello", 1.0)

    assert client.to_send() == []
    assert client.events() == [
        events.Said("You are in no room: /join lobby takes you to the lobby.", trouble=True)
    ]


def test_members_follow_what_is_told() -> None:
    """Coming, going, renaming and away keep the list of who is here."""
    client = in_lobby()

    client.heard(wire.Came("lobby", "cleo"), 1.0)
    client.heard(wire.Went("lobby", "ben"), 1.0)
    client.heard(wire.Renamed("cleo", "cleopatra"), 1.0)
    client.heard(wire.Away("cleopatra", True), 1.0)

    assert client.rooms["lobby"].members == {
        "ana": wire.Member("ana"),
        "cleopatra": wire.Member("cleopatra", away=True),
    }
    assert client.events() == [
        events.Came("lobby", "cleo"),
        events.Went("lobby", "ben", ""),
        events.Renamed("cleo", "cleopatra"),
        events.Away("cleopatra", True),
    ]


def test_nick_is_ours_when_the_server_says_so() -> None:
    """Either answer will do: Renamed, Done, or both; it is told once."""
    client = in_lobby()
    client.typed("/nick anna", 1.0)
    assert client.to_send() == [wire.Rename(1, "anna")]

    client.heard(wire.Renamed("ana", "anna"), 1.1)
    client.heard(wire.Done(1), 1.1)

    assert client.name == "anna"
    assert client.events() == [events.Named("anna")]


def test_who_comes_again_is_found_by_the_name_that_is_known_or_was_asked_for() -> None:
    """The one that we have first; one that is asked for counts from then on, and one that was refused no more."""
    client = new_client("dora")
    client.opened(0.0)
    client.heard(wire.Entered("dora-2", "e1"), 0.0)
    assert list(client.names) == ["dora-2", "dora"]
    client.typed("/nick eve", 1.0)
    assert list(client.names) == ["dora-2", "dora", "eve"]
    client.heard(wire.Sorry(1, "Somebody is called eve already."), 1.1)
    assert list(client.names) == ["dora-2", "dora"]
    client.typed("/nick fay", 2.0)
    client.heard(wire.Done(2), 2.1)
    assert list(client.names) == ["fay"]

    client.typed("/nick eve", 3.0)
    client.ended(3.0, "lost")
    client.opened(4.0)
    assert list(client.names) == ["fay", "eve"]
    client.heard(wire.Entered("eve-2", "e2"), 4.0)

    assert list(client.names) == ["eve-2", "eve"]


def test_a_reserved_nick_is_refused_here() -> None:
    """The rule for names is known on this side too."""
    client = in_lobby()

    client.typed("/nick host", 1.0)

    assert client.to_send() == []
    (told,) = client.events()
    assert isinstance(told, events.Said) and told.trouble


def test_a_nick_in_doubt_is_wished_for_in_the_next_enter() -> None:
    """Asking again for the same name does no harm."""
    client = in_lobby()
    client.typed("/nick anna", 1.0)
    client.settled(1, "unknown")
    client.ended(2.0, "lost")

    client.opened(3.0)
    assert client.to_send() == [enter({"lobby": wire.Seen("e1", 0)}, name="anna", asked=1)]
    client.events()
    client.heard(wire.Entered("anna", "e2"), 3.0)

    assert events.Named("anna") in client.events()


def test_questions_are_asked_again_after_a_lost_session() -> None:
    """/who and /rooms have no effect: they are repeated until answered."""
    client = in_lobby()
    client.typed("/who", 1.0)
    client.typed("/rooms", 1.0)
    client.settled(1, "unknown")
    client.ended(2.0, "lost")

    client.opened(3.0)
    client.heard(wire.Entered("ana", "e2"), 3.0)

    assert client.to_send()[1:] == [wire.ListMembers(1, "lobby"), wire.ListRooms(2)]


# Calls.


def talking() -> Client:
    client = in_lobby()
    client.typed("/call ben", 1.0)
    client.heard(wire.CallBegan("ben"), 2.0)
    client.to_send()
    client.events()
    return client


def test_a_call_from_ring_to_goodbye() -> None:
    """While it lasts, what is typed goes to the other alone; bye ends it and we are in the room again."""
    client = in_lobby()
    client.typed("/call ben", 1.0)
    client.heard(wire.Done(1), 1.0)
    client.typed("still to the room", 1.1)
    client.heard(wire.CallBegan("ben"), 2.0)
    client.typed("to you alone", 2.1)
    client.heard(wire.Talked("ben", "yes?"), 2.2)
    client.typed("bye", 2.3)
    client.typed("to all", 2.4)

    assert client.to_send() == [
        wire.Ring(1, "ben"),
        say(101, "lobby", "still to the room", asked=1),
        wire.Talk(2, "to you alone"),
        wire.Hangup(3),
        say(102, "lobby", "to all", asked=3),
    ]
    assert client.events() == [
        events.Calling("ben"),
        events.CallBegan("ben"),
        events.Talked("ben", "yes?"),
        events.CallEnded("ben", "you hung up", "lobby"),
    ]
    assert not client.leaving


def test_the_end_that_we_made_is_not_told_twice() -> None:
    """The server's word about our own hanging up changes nothing, not even a new call to the same person."""
    client = talking()
    client.typed("/bye", 3.0)
    client.typed("/call ben", 3.0)
    client.events()

    client.heard(wire.CallEnded("ben", "hung up"), 3.1)
    client.heard(wire.Done(2), 3.1)

    assert client.events() == []
    assert client.call.stage == "calling"


def test_calling_back_who_rings_accepts() -> None:
    """/call NAME of the one who is ringing takes the call."""
    client = in_lobby()
    client.heard(wire.Rang("ben"), 1.0)

    client.typed("/call ben", 2.0)

    assert client.to_send() == [wire.Accept(1)]


def test_bye_declines_who_rings_and_does_not_leave() -> None:
    """While it rings, /bye is for the ringing."""
    client = in_lobby()
    client.heard(wire.Rang("ben"), 1.0)

    client.typed("/bye", 2.0)

    assert client.to_send() == [wire.Hangup(1)]
    assert not client.leaving


def test_a_private_line_is_never_said_to_the_room() -> None:
    """The other one hung up while we were typing: the words come back instead of going to everybody."""
    client = talking()
    aim = client.aim
    assert aim == Aim(call="ben")
    client.heard(wire.CallEnded("ben", "hung up"), 3.0)
    client.events()

    client.typed("for your ears only", 3.1, aim=aim)

    assert client.to_send() == []
    assert client.events() == [
        events.NotSent("for your ears only", "ben", "the call with ben is over", back=True)
    ]


def test_a_line_begun_for_the_room_stays_with_the_room() -> None:
    """The call began while we were typing to everybody: the line goes where it was meant to."""
    client = in_lobby()
    aim = client.aim
    client.heard(wire.CallBegan("ben"), 2.0)

    client.typed("for all", 2.1, aim=aim)

    assert client.to_send() == [say(101, "lobby", "for all")]


def test_a_lost_session_ends_the_call_and_says_what_became_of_its_lines() -> None:
    """A call does not outlive the session: unsent words are told as unsent, uncertain ones as doubtful."""
    client = talking()
    client.typed("arrived perhaps", 3.0)
    client.typed("never left", 3.0)
    client.settled(2, "unknown")
    client.settled(3, "failed")

    client.ended(4.0, "lost")

    assert client.events() == [
        events.LineDown("lost"),
        events.CallEnded("ben", "the line to the server was lost", "lobby"),
        events.Doubtful("arrived perhaps", "ben"),
        events.NotSent("never left", "ben", "the call with ben is over"),
    ]
    assert client.waiting == []


def test_nobody_is_said_to_be_rung_before_they_are() -> None:
    """The server finds out whether there is such a person."""
    client = in_lobby()
    client.typed("/call ben", 1.0)
    assert client.events() == []

    client.heard(wire.Done(1), 1.1)

    assert client.events() == [events.Calling("ben")]


def test_a_refused_ring_ends_the_ringing() -> None:
    """Busy, unknown, oneself: the server's sentence is shown and nothing rings on."""
    client = in_lobby()
    client.typed("/call nobody", 1.0)

    client.heard(wire.Sorry(1, "Nobody here is called that."), 1.1)

    assert client.call.stage == "none"
    assert client.events() == [events.Said("Nobody here is called that.", trouble=True)]


def test_own_private_lines_are_shown_when_they_arrived() -> None:
    """A whisper and a line in a call have no echo from a room: Done is theirs."""
    client = talking()
    client.typed("hm", 3.0)
    client.typed("/msg cleo psst", 3.0)

    client.heard(wire.Done(2), 3.1)
    client.heard(wire.Done(3), 3.1)

    assert client.events() == [
        events.Talked("ben", "hm", own=True),
        events.Whispered("cleo", "psst", own=True),
    ]


# Leaving.


@pytest.mark.parametrize("word", ["bye", " BYE ", "/bye", "/quit"])
def test_bye_leaves_when_everything_is_confirmed(word: str) -> None:
    """What was said just before goes out first."""
    client = in_lobby()
    client.typed("hello", 1.0)
    client.typed(word, 1.0)
    assert client.leaving and not client.is_done

    read(client, "lobby", [line(1, "ana", "hello", id=101)], 1.1)

    assert client.is_done


def test_leaving_at_once_still_reads_what_was_said() -> None:
    """An empty pipe is a way to read a room: the end of the input waits for the history, a second wish does not."""
    client = new_client()
    client.opened(0.0)
    client.leave(0.0)
    client.heard(wire.Entered("ana", "e1"), 0.1)
    client.heard(joined("lobby", [], [line(1, "ben", "hi")]), 0.1)
    assert not client.is_done

    read(client, "lobby", [line(1, "ben", "hi")], 0.2)

    assert client.is_done


def test_a_barred_room_gives_its_lines_back() -> None:
    """A room named at the door that would not have us: forgotten, with the reason, and no line for it goes elsewhere."""
    client = new_client("ana", ["dev", "lobby"])
    client.opened(0.0)
    client.typed("for dev", 0.0)
    client.heard(wire.Entered("ana", "e1"), 0.1)
    client.events()

    client.heard(wire.Barred("dev", "The room is full."), 0.1)
    client.unpublished(101, "You are not in the room dev.", 0.2, is_doubtful=False)

    assert client.events() == [
        events.Left("dev", "lobby"),
        events.Said("The room is full.", trouble=True),
        events.NotSent("for dev", "#dev", "You are not in the room dev."),
    ]
    assert client.rooms.current == "lobby"


def test_a_line_held_for_a_room_that_is_left_does_not_go_out() -> None:
    """There was no session to hand it to."""
    client = in_lobby()
    client.ended(1.0, "lost")
    client.typed("never mind", 2.0)
    client.events()

    client.typed("/leave", 2.0)

    assert client.events() == [
        events.NotSent("never mind", "#lobby", "you left #lobby"),
        events.Left("lobby", ""),
    ]


@pytest.mark.parametrize(
    ("typed", "without"),
    [
        (["/msg ana secret"], "1 line is still waiting to go out first; /bye again leaves without."),
        (
            ["hello", "/msg ana secret"],
            "2 lines are still waiting to go out first; /bye again leaves, and what is kept goes out when you come back; private lines are not kept.",
        ),
    ],
)
def test_bye_promises_no_more_than_is_kept(typed: list[str], without: str) -> None:
    """A private line is in no outbox that outlives us."""
    client = in_lobby(is_kept=True)
    client.line_changed("reconnecting", 1.0, why="reset")
    for line in typed:
        client.typed(line, 1.0)
    client.kept(101, 1.0)
    client.typed("/bye", 2.0)
    client.events()
    client.advance(4.0)

    assert client.events() == [events.Said(without, True)]


@pytest.mark.parametrize("is_kept", [False, True])
def test_bye_with_a_waiting_line_says_so_and_a_second_bye_goes(is_kept: bool) -> None:
    """Nobody leaves a word behind without knowing it, and what is in an outbox that outlives us goes out later."""
    client = in_lobby(is_kept=is_kept)
    client.line_changed("reconnecting", 1.0, why="reset")
    client.typed("hello", 1.0)
    client.kept(101, 1.0)
    client.typed("bye", 2.0)
    client.events()
    assert client.next_at() == 4.0

    client.advance(4.0)
    without = "leaves, and what is kept goes out when you come back" if is_kept else "leaves without"
    assert client.events() == [
        events.Said(f"1 line is still waiting to go out first; /bye again {without}.", True)
    ]
    assert not client.is_done
    client.typed("bye", 5.0)
    assert client.given_up
    client.give_up()

    later = events.NotSent("hello", "#lobby", "", later=True)
    assert client.events() == [later if is_kept else events.Doubtful("hello", "#lobby")]
    assert client.pending.failed == 1


def test_bye_with_a_command_that_waits_says_so_and_a_second_bye_goes() -> None:
    """Also of what is done for the person, and only the server has to hear of."""
    for command in ("/who", "/leave"):
        client = in_lobby()
        client.line_changed("reconnecting", 1.0)
        client.typed(command, 1.0)
        client.events()
        client.typed("/bye", 2.0)
        client.advance(4.0)
        assert client.events() == [
            events.Said(
                "What you asked for is not answered yet; /bye again leaves without waiting.", trouble=True
            )
        ]
        assert not client.is_done
        client.typed("/bye", 5.0)

        assert client.is_done


def test_what_is_stored_when_one_leaves_arrived() -> None:
    """Only its place was not seen."""
    client = in_lobby()
    client.typed("hello", 1.0)
    client.published(101, 1, 1.1)

    client.give_up()

    assert (client.events(), client.pending.failed) == ([], 0)


def test_a_mistake_is_answered_with_a_sentence() -> None:
    """An unknown command is never said to the room."""
    client = in_lobby()

    client.typed("/jion dev", 1.0)

    assert client.to_send() == []
    (told,) = client.events()
    assert isinstance(told, events.Said) and told.trouble and "/join" in told.text


# Looking further back.


def earlier(id: int, *lines: wire.Line, after: int = 0, is_start: bool = False) -> wire.EarlierLines:
    return wire.EarlierLines(id, "lobby", list(lines), after, is_start)


def test_what_is_asked_for_lies_before_everything_that_is_shown() -> None:
    """First before the history of the room, then before what was looked back at; each page is told as what it is."""
    client = in_lobby(lines=[line(8, "ben", "eight"), line(9, "ben", "nine")])
    client.typed("/history 2", 1.0)
    assert client.to_send() == [wire.Earlier(1, "lobby", 8, 2)]
    client.heard(earlier(1, line(4, "ben", "four"), line(6, "ben", "six"), after=3), 1.0)
    assert client.events() == [
        events.LookedBack("lobby", 2, is_start=False),
        events.Heard("lobby", line(4, "ben", "four"), own=False, old=True),
        events.Heard("lobby", line(6, "ben", "six"), own=False, old=True),
    ]
    client.typed("/history", 2.0)

    assert client.to_send() == [wire.Earlier(2, "lobby", 4, 20)]


def test_one_page_is_asked_for_at_a_time() -> None:
    """Before its answer nobody knows where the next one ends."""
    client = in_lobby()
    client.typed("/history", 1.0)
    client.typed("/history", 1.0)
    assert client.to_send() == [wire.Earlier(1, "lobby", 1, 20)]
    client.heard(earlier(1, is_start=True), 1.0)

    assert client.events() == [events.LookedBack("lobby", 0, is_start=True)]


def test_a_second_page_is_not_asked_for_while_the_first_waits_for_the_line() -> None:
    """What is not asked for at all does not look as if it waited, too."""
    client = in_lobby()
    client.line_changed("reconnecting", 1.0)
    client.typed("/history", 1.0)
    client.to_send()
    client.events()
    client.typed("/history", 2.0)

    assert client.to_send() == []
    assert client.events() == [events.Said("/history waits already; its answer says where the next begins.")]


def test_after_a_new_session_one_looks_back_from_where_one_was() -> None:
    """What was shown stays shown; an answer that the old session owed does not come any more."""
    client = in_lobby(lines=[line(8, "ben", "eight")])
    client.typed("/history", 1.0)
    client.ended(2.0, "expired")
    come_back(client, 3.0, epoch="e1", lines=[line(9, "ben", "nine")])
    client.to_send()
    assert events.Said("/history got no answer; it can be asked for again.", trouble=True) in client.events()
    client.typed("/history", 4.0)

    assert client.to_send() == [wire.Earlier(2, "lobby", 8, 20)]


def test_in_another_history_one_looks_back_from_its_beginning() -> None:
    """The places in the one before mean nothing there."""
    client = in_lobby(lines=[line(80, "ben", "eighty")])
    client.ended(2.0, "expired")
    come_back(client, 3.0, epoch="other", lines=[line(5, "ben", "five")], missing="It is another history.")
    client.to_send()
    client.typed("/history", 4.0)

    assert client.to_send() == [wire.Earlier(1, "lobby", 5, 20)]


def test_one_looks_back_from_a_room_that_has_been_read() -> None:
    """Before that there is nothing to look back from; and in no room nothing to look at."""
    client = new_client()
    client.opened(0.0)
    client.heard(wire.Entered("ana", "e1"), 0.0)
    client.heard(joined("lobby", [], [line(1, "ben", "one")]), 0.0)
    client.to_send()
    client.events()
    client.typed("/history", 1.0)
    client.typed("/leave", 1.0)
    client.typed("/history", 1.0)

    assert [event.text for event in client.events() if isinstance(event, events.Said)] == [
        "#lobby is still being read; try again in a moment.",
        "You are in no room: /rooms lists those there are.",
    ]
    assert client.to_send() == [wire.Leave(1, "lobby")]
