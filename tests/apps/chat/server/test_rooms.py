"""The rules of rooms: who is in them, who hears what, and how many there may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.people import Refusal
from landline.apps.chat.server.rooms import Rooms
from landline.settings import DEFAULT_ROOM
from tests.apps.chat.reading import Said

Listening = Callable[..., Any]


def line(offset: int, name: str, *, id: int = 0) -> wire.Line:
    return wire.Line(offset, 0.0, name, f"line {offset}", id)


def joined(rooms: Rooms, name: str, *people: Any) -> Any:
    """The people are in the room, have caught up, and forget what they heard of it."""
    room = None
    for person in people:
        room = rooms.join(person, name)
        assert room is not None
        rooms.listen(person, room)
    for person in people:
        person.heard()
    return room


# Coming and going.


def test_who_joins_is_announced_to_the_others_and_not_to_themselves(listener: Listening) -> None:
    """Came goes to those who were there."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    joined(rooms, "lobby", ana)
    rooms.join(ben, "lobby")

    assert ana.heard() == [wire.Came("lobby", "ben")]
    assert ben.heard() == []


def test_who_comes_and_goes_is_told_with_the_line_before(listener: Listening) -> None:
    """Lines are read apart from this; so it finds its place among them."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    room = joined(rooms, "lobby", ana)
    room.said(line(7, "ana"), ana)
    rooms.join(ben, "lobby")
    room.said(line(9, "ben"), ana)
    rooms.leave(ben, "lobby")

    assert ana.heard() == [wire.Came("lobby", "ben", 7), wire.Went("lobby", "ben", "", 9)]


def test_joining_again_changes_nothing(listener: Listening) -> None:
    """However the room is spelled."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    joined(rooms, "lobby", ana, ben)

    assert rooms.join(ben, "#Lobby") is None
    assert ana.heard() == []


def test_who_leaves_is_announced_and_hears_no_more(listener: Listening) -> None:
    """From the moment of leaving on."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    room = joined(rooms, "lobby", ana, ben)
    rooms.leave(ben, "lobby")
    room.said(line(1, "ana"))

    assert ana.heard() == [wire.Went("lobby", "ben"), Said("lobby", line(1, "ana"))]
    assert ben.heard() == []


def test_leaving_all_says_why_in_each_room(listener: Listening) -> None:
    """Who shares two rooms sees it in both."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    joined(rooms, "lobby", ana, ben)
    joined(rooms, "tea", ana, ben)
    rooms.leave_all(ben, "the line was lost")

    assert ana.heard() == [
        wire.Went("lobby", "ben", "the line was lost"),
        wire.Went("tea", "ben", "the line was lost"),
    ]
    assert ben.rooms == {}


def test_one_cannot_leave_a_room_that_one_is_not_in(listener: Listening) -> None:
    """It is refused by name."""
    with pytest.raises(Refusal, match="not in the room tea"):
        Rooms(ChatLimits()).leave(listener("ana"), "tea")


def test_an_empty_room_is_closed_and_listed_only_if_something_was_said_in_it(listener: Listening) -> None:
    """A room is its people and its lines; without either there is none."""
    rooms, ana = Rooms(ChatLimits(), kept={"tea": 1}), listener("ana")
    joined(rooms, "tea", ana)
    joined(rooms, "hut", ana)
    assert rooms.listed() == [wire.Room("hut", 1), wire.Room("tea", 1)]
    rooms.leave_all(ana, "")

    assert rooms.get("hut") is None
    assert rooms.listed() == [wire.Room("tea", 0)]


def test_a_room_is_found_while_somebody_is_in_it_or_its_lines_are_kept(listener: Listening) -> None:
    """Otherwise the sentence says how to make it."""
    rooms, ana = Rooms(ChatLimits(), kept={"tea": 1}), listener("ana")
    joined(rooms, "lobby", ana)

    assert [*rooms.find("Lobby")[1]] == [ana]
    assert rooms.find("tea") == ("tea", ())
    with pytest.raises(Refusal, match="no room hut"):
        rooms.find("hut")
    with pytest.raises(Refusal, match="a space"):
        rooms.find("a b")


# Hearing.


def test_everybody_hears_a_line_with_its_number(listener: Listening) -> None:
    """Whoever has said it too."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana", client=7), listener("ben", client=8)
    room = joined(rooms, "lobby", ana, ben)

    assert room.said(line(1, "ana", id=3)) == 2
    assert ana.heard() == ben.heard() == [Said("lobby", line(1, "ana", id=3))]


def test_news_is_encoded_once_for_all(listener: Listening) -> None:
    """They are all handed the same object."""
    rooms, people = Rooms(ChatLimits()), [listener(f"p{n}") for n in range(4)]
    joined(rooms, "lobby", *people)
    rooms.join(listener("late"), "lobby")
    first, *others = [person.tellings()[0] for person in people]

    assert all(other is first for other in others)


def test_a_speaker_without_a_client_of_ours_is_spared_their_own_line(listener: Listening) -> None:
    """A plain caller sees what it typed already."""
    rooms, guest, ana = Rooms(ChatLimits()), listener("guest-1"), listener("ana")
    room = joined(rooms, "lobby", guest, ana)
    room.said(line(1, "guest-1"), guest)

    assert guest.heard() == []
    assert ana.heard() == [Said("lobby", line(1, "guest-1"))]


def test_who_does_not_listen_is_not_told_what_they_read(listener: Listening) -> None:
    """They count as hearers all the same: a member reads the topic, and somebody who will listen is about to read the past."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    room = joined(rooms, "lobby", ana)
    rooms.join(ben, "lobby")

    assert room.said(line(5, "ana")) == 2
    assert ben.heard() == []
    assert room.last == 5
    rooms.listen(ben, room)
    room.said(line(6, "ana"))
    assert ben.heard() == [Said("lobby", line(6, "ana"))]


def test_who_leaves_before_they_listen_never_does(listener: Listening) -> None:
    """The past was read too late for them."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    room = joined(rooms, "lobby", ana)
    rooms.join(ben, "lobby")
    rooms.leave(ben, "lobby")
    rooms.listen(ben, room)
    room.said(line(1, "ana"))

    assert ben.heard() == []


def test_who_left_while_the_line_was_stored_does_not_hear_it_and_the_others_do(listener: Listening) -> None:
    """It was said when they were there."""
    rooms, ana, ben = Rooms(ChatLimits()), listener("ana"), listener("ben")
    room = joined(rooms, "lobby", ana, ben)
    rooms.leave(ana, "lobby")
    ben.heard()

    assert room.said(line(1, "ana")) == 1
    assert ana.heard() == []
    assert ben.heard() == [Said("lobby", line(1, "ana"))]


def test_somebody_who_leaves_while_being_told_disturbs_nobody(listener: Listening) -> None:
    """A member's own reaction may change the room under the teller's hands."""
    rooms, ana, ben, cid = Rooms(ChatLimits()), listener("ana"), listener("ben"), listener("cid")
    room = joined(rooms, "lobby", ana, ben, cid)
    ben.hear = lambda room, line: rooms.leave_all(ben, "fell behind") if ben.rooms else None
    room.said(line(1, "ana"))

    assert Said("lobby", line(1, "ana")) in cid.heard()


def test_somebody_who_cannot_be_told_disturbs_nobody(
    listener: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever their trouble is: it is logged, and the others hear everything."""
    rooms, ana, ben, cid = Rooms(ChatLimits()), listener("ana"), listener("ben"), listener("cid")
    room = joined(rooms, "lobby", ana, ben, cid)

    def fail(*what: Any) -> None:
        raise ZeroDivisionError

    ben.tell = ben.hear = fail
    assert room.said(line(1, "ana")) == 3
    rooms.tell_acquaintances(ana, wire.Renamed("ana", "eva"))
    rooms.leave(ana, "lobby")

    assert cid.heard() == [
        Said("lobby", line(1, "ana")),
        wire.Renamed("ana", "eva"),
        wire.Went("lobby", "ana", at=1),
    ]
    assert "'ben'> could not be told" in caplog.text


def test_who_has_left_the_chat_is_let_into_no_room(listener: Listening) -> None:
    """What they were doing when they left may still be going on."""
    rooms, ana = Rooms(ChatLimits()), listener("ana")
    ana.has_left = True
    with pytest.raises(Refusal, match="left the chat"):
        rooms.join(ana, "lobby")

    assert rooms.listed() == []


def test_acquaintances_are_told_once_however_many_rooms_are_shared(listener: Listening) -> None:
    """And strangers not at all."""
    rooms, ana, ben, cid = Rooms(ChatLimits()), listener("ana"), listener("ben"), listener("cid")
    joined(rooms, "lobby", ana, ben)
    joined(rooms, "tea", ana, ben)
    joined(rooms, "hut", cid)
    rooms.tell_acquaintances(ana, wire.Renamed("ana", "eva"))

    assert ana.heard() == ben.heard() == [wire.Renamed("ana", "eva")]
    assert cid.heard() == []


# Limits, each at and over the edge.


@pytest.mark.limit("chat.rooms_each")
def test_one_person_is_in_so_many_rooms_and_no_more(listener: Listening) -> None:
    """Leaving one makes place for another."""
    rooms, ana = Rooms(ChatLimits(rooms_each=2)), listener("ana")
    joined(rooms, "a", ana)
    joined(rooms, "b", ana)
    with pytest.raises(Refusal, match="2 rooms, which is the most"):
        rooms.join(ana, "c")
    rooms.leave(ana, "a")

    assert rooms.join(ana, "c") is not None


@pytest.mark.limit("chat.rooms")
def test_there_are_so_many_rooms_and_no_more(listener: Listening) -> None:
    """Those with people in them stay, and can be joined."""
    rooms, ana, ben = Rooms(ChatLimits(rooms=2), kept={"kept": 1}), listener("ana"), listener("ben")
    joined(rooms, "open", ana)
    joined(rooms, "kept", ana)
    with pytest.raises(Refusal, match="There are 2 rooms"):
        rooms.join(ben, "new")

    assert ben.founding is None
    assert rooms.join(ben, "open") is not None
    assert rooms.join(ben, "kept") is not None


def test_when_there_are_too_many_the_empty_room_that_was_silent_for_longest_gives_way(
    listener: Listening,
) -> None:
    """Neither the one with somebody in it, nor the lobby; it may be made again, in the place of another."""
    kept = {"new": 9, DEFAULT_ROOM: 1, "busy": 2, "old": 3}
    rooms, ana, ben = Rooms(ChatLimits(rooms=4), kept), listener("ana"), listener("ben")
    joined(rooms, "busy", ana)
    joined(rooms, "fresh", ben)
    assert kept.keys() == {"new", DEFAULT_ROOM, "busy"}
    joined(rooms, "old", ben)

    assert kept.keys() == {DEFAULT_ROOM, "busy"}
    assert {room.name for room in rooms.listed()} == {DEFAULT_ROOM, "busy", "fresh", "old"}


def test_the_lobby_can_be_joined_however_many_rooms_there_are(listener: Listening) -> None:
    """Everybody comes into it, and nobody is said to have made it."""
    rooms, ana, ben = Rooms(ChatLimits(rooms=1, rooms_founded=1)), listener("ana"), listener("ben")
    joined(rooms, "tea", ana)

    assert rooms.join(ana, DEFAULT_ROOM) is not None
    assert rooms.join(ben, DEFAULT_ROOM) is not None


@pytest.mark.limit("chat.rooms_founded")
def test_one_person_makes_so_many_rooms_at_once_and_no_more(listener: Listening) -> None:
    """Leaving them does not help: it is how the house is filled with rooms. Waiting does, and so does joining one that there is."""
    now = 0.0
    limits = ChatLimits(rooms_founded=2, founding_interval=30.0)
    rooms, ana = Rooms(limits, {"kept": 1}, clock=lambda: now), listener("ana")
    for name in ("a", "b"):
        joined(rooms, name, ana)
        rooms.leave(ana, name)
    with pytest.raises(Refusal, match="You made many rooms just now; the next can be made in 30 s"):
        rooms.join(ana, "c")
    assert rooms.join(ana, "kept") is not None
    now += 30

    assert rooms.join(ana, "c") is not None


def test_a_client_on_a_new_session_goes_on_at_its_pace(listener: Listening) -> None:
    """Else coming back would be a way to make more rooms."""
    rooms, ana, again = Rooms(ChatLimits(rooms_founded=1), clock=lambda: 0.0), listener("ana"), listener()
    joined(rooms, "a", ana)
    rooms.replace(ana, again)
    with pytest.raises(Refusal, match="You made many rooms"):
        rooms.join(again, "b")


@pytest.mark.limit("chat.members")
def test_a_room_holds_so_many_people_and_no_more(listener: Listening) -> None:
    """The last one in is let in, the next is told why not."""
    rooms = Rooms(ChatLimits(members=2))
    joined(rooms, "lobby", listener("a"), listener("b"))
    with pytest.raises(Refusal, match="lobby is full: 2 people"):
        rooms.join(listener("c"), "lobby")


@pytest.mark.limit("chat.members_told")
def test_a_crowd_is_not_told_who_comes_and_goes(listener: Listening) -> None:
    """At the limit it is, above it is not; what is said is always told."""
    rooms = Rooms(ChatLimits(members_told=2))
    ana, ben, cid = listener("ana"), listener("ben"), listener("cid")
    joined(rooms, "lobby", ana)
    rooms.join(ben, "lobby")
    assert ana.heard() == [wire.Came("lobby", "ben")]
    rooms.join(cid, "lobby")
    rooms.tell_acquaintances(cid, wire.Away("cid", True), besides=cid)
    assert ana.heard() == []
    room = rooms.get("lobby")
    assert room is not None
    room.said(line(1, "cid"))

    assert ana.heard() == [Said("lobby", line(1, "cid"))]


@pytest.mark.parametrize(
    ("name", "sentence"), [("", "empty"), ("a b", "a space"), ("x" * 65, "too long"), ("\x1b[2J", "U[+]001B")]
)
def test_a_bad_name_makes_no_room(listener: Listening, name: str, sentence: str) -> None:
    """Empty, of two words, too long or unprintable; the longest good one is taken."""
    rooms = Rooms(ChatLimits())
    with pytest.raises(Refusal, match=sentence):
        rooms.join(listener("ana"), name)

    assert rooms.listed() == []
    assert rooms.join(listener("ana"), "x" * 64) is not None
