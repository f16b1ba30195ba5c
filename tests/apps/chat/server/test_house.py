"""The house: coming, going, and what each may do to the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server import calls
from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Refusal
from landline.apps.chat.text import MAX_LINES, MAX_TEXT

Listening = Callable[..., Any]


class World:
    """A house, and people who enter it."""

    def __init__(self, listener: Listening, left: Any = None, **limits: Any) -> None:
        self.house = House(ChatLimits(**limits), left=left)
        self._listener = listener

    def enter(self, name: str, *rooms: str, client: int = 0) -> Any:
        person = self._listener(client=client)
        self.house.enter(person, name)
        for room in rooms:
            opened = self.house.rooms.join(person, room)
            assert opened is not None
            self.house.rooms.listen(person, opened)
        for other in self.house.names:
            other.heard()  # type: ignore[attr-defined]
        return person


@pytest.fixture
def world(listener: Listening) -> World:
    return World(listener)


def test_who_leaves_is_gone_from_everywhere(world: World) -> None:
    """Name, rooms and call are free; the others are told why."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.ring(ana, "ben")
    ben.heard()
    world.house.leave(ana, "hung up")

    assert ben.heard() == [wire.CallEnded("ana", "they left the chat"), wire.Went("lobby", "ana", "hung up")]
    assert not world.house.is_here(ana)
    assert world.enter("ana").name == "ana"


def test_leaving_twice_is_leaving_once(world: World) -> None:
    """The second farewell is told to nobody."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.leave(ana)
    world.house.leave(ana)

    assert ben.heard() == [wire.Went("lobby", "ana")]


@pytest.mark.limit("chat.people")
def test_the_house_is_full_at_its_limit(listener: Listening) -> None:
    """Whichever door the next one comes by."""
    world = World(listener, people=2)
    world.enter("ana")
    world.enter("ben")
    with pytest.raises(Refusal, match="full: 2 people"):
        world.house.enter(listener(), "cid")
    with pytest.raises(Refusal, match="full: 2 people"):
        world.house.enter_as_guest(listener())


def test_a_client_that_comes_back_on_a_new_session_takes_its_own_place(
    world: World, listener: Listening
) -> None:
    """It shows its secret number: name and rooms are its own, the old session is out, and nobody sees a going and a coming."""
    old, ben = world.enter("ana", "lobby", client=7), world.enter("ben", "lobby")
    new = listener(client=7)
    world.house.enter(new, "ana")

    assert new.name == "ana"
    assert [*new.rooms] == ["lobby"]
    assert not world.house.is_here(old)
    assert ben.heard() == []
    world.house.leave(old)
    assert world.house.is_here(new)


def test_a_client_may_read_the_rooms_that_it_is_in(listener: Listening) -> None:
    """Until it leaves them, and whoever it is now; and no topic but theirs, no pattern, and nobody without a number."""
    changes: list[Any] = []
    world = World(listener, changes.append)
    ana, _ben = world.enter("ana", "lobby", "tea.x", client=7), world.enter("ben", "den")

    def readable(client: int) -> set[str]:
        topics = ("room.lobby", "room.tea%x", "room.den", "room.*", "**", "room", "lobby", "")
        return {topic for topic in topics if world.house.may_read(client, topic)}

    assert readable(7) == {"room.lobby", "room.tea%x"}
    assert readable(0) == readable(8) == set()
    again = listener(client=7)
    world.house.enter(again, "ana")
    world.house.leave(ana)
    assert readable(7) == {"room.lobby", "room.tea%x"}
    changes.clear()
    world.house.rooms.leave(again, "lobby")
    assert (readable(7), changes) == ({"room.tea%x"}, [again])
    world.house.leave(again)
    assert (readable(7), changes) == (set(), [again, again])


def test_what_the_old_session_is_in_the_middle_of_lets_it_into_nothing(
    world: World, listener: Listening
) -> None:
    """No room, no call, no name, no word: it would be a ghost that nobody sees out."""
    old, ben, new = world.enter("ana", "lobby", client=7), world.enter("ben", "lobby"), listener(client=7)
    world.house.enter(new, "ana")
    for deed in (
        lambda: world.house.rooms.join(old, "tea"),
        lambda: world.house.rename(old, "eva"),
        lambda: world.house.ring(old, "ben"),
        lambda: world.house.whisper(old, "ben", "x"),
    ):
        with pytest.raises(Refusal, match="left the chat"):
            deed()
    with pytest.raises(Refusal, match="not in the room"):
        world.house.may_say(old, "lobby", "x")
    world.house.leave(old)

    assert ben.heard() == []
    assert ben.call is None
    assert {*world.house.names} == {new, ben}
    assert {*new.rooms["lobby"].members} == {new, ben}


def test_who_leaves_is_out_of_everything_even_without_their_name(world: World) -> None:
    """Whatever took the name, rooms and calls are no longer theirs."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.ring(ana, "ben")
    ben.heard()
    world.house.names.release(ana)
    world.house.leave(ana, "hung up")

    assert ben.heard() == [wire.CallEnded("ana", "they left the chat"), wire.Went("lobby", "ana", "hung up")]
    assert ben.call is None
    assert [*ben.rooms["lobby"].members] == [ben]


def test_whoever_takes_their_own_place_is_no_longer_away_and_in_no_call(
    world: World, listener: Listening
) -> None:
    """The new session knows nothing of the call, and its line is up."""
    old, ben = world.enter("ana", "lobby", client=7), world.enter("ben", "lobby")
    world.house.ring(old, "ben")
    world.house.set_away(old, True)
    ben.heard()
    world.house.enter(listener(client=7), "ana")

    assert ben.heard() == [wire.CallEnded("ana", "they lost the line"), wire.Away("ana", False)]
    assert ben.call is None


def test_whoever_takes_their_own_place_may_have_another_name_if_it_is_free(
    world: World, listener: Listening
) -> None:
    """A renaming that was on its way when the session was lost."""
    world.enter("ana", "lobby", client=7)
    ben, new, newer = world.enter("ben", "lobby"), listener(client=7), listener(client=7)
    world.house.enter(new, "eva")
    assert new.name == "eva"
    assert ben.heard() == [wire.Renamed("ana", "eva")]
    world.house.enter(newer, "ben")

    assert newer.name == "eva"


def test_another_client_does_not(world: World) -> None:
    """A name alone proves nothing."""
    old = world.enter("ana", client=7)

    assert world.enter("ana", client=8).name == "ana-2"
    assert world.house.is_here(old)


def test_renaming_is_told_to_those_around(world: World) -> None:
    """In shared rooms, in the call, and to the one renamed; once each."""
    ana, ben, cid, dan = (
        world.enter("ana", "lobby"),
        world.enter("ben", "lobby"),
        world.enter("cid"),
        world.enter("dan"),
    )
    world.house.ring(ana, "cid")
    cid.heard()
    world.house.rename(ana, "eva")

    assert ana.heard() == ben.heard() == cid.heard() == [wire.Renamed("ana", "eva")]
    assert dan.heard() == []


def test_a_name_is_held_while_its_owners_line_is_down(world: World) -> None:
    """Others see that they are away, once, and nobody else gets the name."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.set_away(ana, True)
    world.house.set_away(ana, True)
    assert ben.heard() == [wire.Away("ana", True)]
    assert world.enter("ana").name == "ana-2"
    world.house.set_away(ana, False)

    assert ben.heard() == [wire.Away("ana", False)]
    assert ana.heard() == []


def test_while_the_house_closes_nobody_is_told_of_lines(world: World) -> None:
    """The sessions that end then change their state as well."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.set_away(ana, True)
    world.house.close("closing")
    world.house.set_away(ana, False)

    assert ben.heard() == [wire.Away("ana", True), wire.Notice("closing")]


def test_news_of_a_line_after_its_owner_left_is_nobodys_business(world: World) -> None:
    """The watcher of a line may be a moment late."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.leave(ana)
    ben.heard()
    world.house.set_away(ana, True)

    assert ben.heard() == []


def test_a_whisper_reaches_one_person_alone(world: World) -> None:
    """Cleaned like everything that is said."""
    ana, ben, cid = (world.enter(name, "lobby") for name in ("ana", "ben", "cid"))

    assert world.house.whisper(ana, "BEN", "psst\x1b[2J") == ben
    assert ben.heard() == [wire.Whispered("ana", "psst[2J")]
    assert cid.heard() == []


@pytest.mark.parametrize(
    ("to", "text", "sentence"),
    [("ana", "x", "That is you"), ("zoe", "x", "nobody called zoe"), ("ben", " ", "nothing to say")],
)
def test_why_a_whisper_is_refused(world: World, to: str, text: str, sentence: str) -> None:
    """To oneself, to nobody, or with nothing in it."""
    ana, ben = world.enter("ana"), world.enter("ben")
    with pytest.raises(Refusal, match=sentence):
        world.house.whisper(ana, to, text)

    assert ben.heard() == []


def test_a_line_is_checked_and_cleaned_before_it_is_said(world: World) -> None:
    """What could move a cursor is gone at the sender's edge."""
    ana = world.enter("ana", "lobby")

    assert world.house.may_say(ana, "#Lobby", "one\r\n\x1b]0;x\x07two\ud800 \n") == (
        "lobby",
        "one\n]0;xtwo\ufffd",
    )


@pytest.mark.limit("chat.text", "chat.text_lines")
@pytest.mark.parametrize(
    ("room", "text", "sentence"),
    [
        ("tea", "x", "not in the room tea"),
        ("a b", "x", "a space"),
        ("lobby", "", "nothing to say"),
        ("lobby", "\x1b\x00", "nothing to say"),
        ("lobby", "x" * (MAX_TEXT + 1), "too long"),
        ("lobby", "é" * (MAX_TEXT // 2 + 1), "too long"),
        ("lobby", "x\n" * MAX_LINES + "x", "too many lines"),
    ],
)
def test_why_a_line_is_refused(world: World, room: str, text: str, sentence: str) -> None:
    """Each rule has its sentence; the first characters over a limit are enough."""
    with pytest.raises(Refusal, match=sentence):
        world.house.may_say(world.enter("ana", "lobby"), room, text)


@pytest.mark.limit("chat.text", "chat.text_lines")
@pytest.mark.parametrize("text", ["x" * MAX_TEXT, "é" * (MAX_TEXT // 2), "x\n" * (MAX_LINES - 1) + "x"])
def test_a_line_at_the_limit_may_be_said(world: World, text: str) -> None:
    """In bytes, in characters of two bytes, and in lines."""
    assert world.house.may_say(world.enter("ana", "lobby"), "lobby", text) == ("lobby", text)


def test_talking_is_checked_like_saying(world: World) -> None:
    """Too long is too long, and escapes are gone."""
    ana, ben = world.enter("ana"), world.enter("ben")
    world.house.ring(ana, "ben")
    calls.accept(ben)
    with pytest.raises(Refusal, match="too long"):
        world.house.talk(ana, "x" * (MAX_TEXT + 1))
    ben.heard()
    world.house.talk(ana, "hi\x1b")

    assert ben.heard() == [wire.Talked("ana", "hi")]


def test_when_the_house_closes_everybody_is_told_and_nobody_is_told_who_goes(world: World) -> None:
    """All go at once: a thousand farewells to a thousand people help nobody."""
    ana, ben = world.enter("ana", "lobby"), world.enter("ben", "lobby")
    world.house.close("closing")
    world.house.leave(ana)

    assert ben.heard() == [wire.Notice("closing")]
    assert not world.house.is_here(ana)


def test_the_operator_is_there_until_they_leave(world: World, listener: Listening) -> None:
    """Callers are told whether somebody sits at the server."""
    host = listener()
    world.house.enter_as_operator(host, "host")
    assert world.house.operator == host
    world.house.leave(host)

    assert world.house.operator is None
