"""The rooms of a chat client: who is there, what was read, and where the typing goes."""

from __future__ import annotations

import pytest

from landline import Position
from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.rooms import MOST_HELD, Reading, RoomViews
from tests.apps.chat.reading import joined

OWN = 7


def line(offset: int, *, id: int = 0) -> wire.Line:
    return wire.Line(offset, 0.0, "ben", f"line {offset}", id)


def is_own(line: wire.Line) -> bool:
    return line.id == OWN


def views(*names: str) -> tuple[RoomViews, list[events.Event]]:
    told: list[events.Event] = []
    return RoomViews(names or ("lobby",), told.append), told


def take(rooms: RoomViews, *lines: wire.Line, epoch: str = "e1") -> list[wire.Line]:
    """Read these lines in the lobby; return those to show."""
    shown: list[wire.Line] = []
    for line in lines:
        place = Position(epoch, line.offset)
        shown += rooms.read("lobby", rooms.readings()["lobby"], place, line, is_own)
    return shown


def test_a_history_comes_out_whole() -> None:
    """Nothing before its last line, then everything in order; from then on each line."""
    rooms, _ = views()
    rooms.joined(joined("lobby", lines=[line(1), line(2)]))

    assert take(rooms, line(1)) == []
    assert rooms.wanted() == {"lobby": None}
    assert take(rooms, line(2)) == [line(1), line(2)]
    assert rooms.wanted() == {"lobby": wire.Seen("e1", 2)}
    assert rooms.are_known
    assert take(rooms, line(9)) == [line(9)]


def test_a_history_cut_off_by_a_lost_session_is_not_half_shown() -> None:
    """Its first part is asked for again with the rest."""
    rooms, _ = views()
    rooms.joined(joined("lobby", lines=[line(1), line(2)]))
    take(rooms, line(1))

    rooms.session_ended()
    assert rooms.readings() == {}
    rooms.joined(joined("lobby", lines=[line(1), line(2)]))

    assert rooms.wanted() == {"lobby": None}
    assert take(rooms, line(1), line(2)) == [line(1), line(2)]


def test_what_was_missed_counts_the_lines_of_others() -> None:
    """Our own lines among them were not missed."""
    rooms, told = views()
    rooms.joined(joined("lobby"))
    rooms.session_ended()
    lines = [line(1), line(2, id=OWN), line(3)]
    rooms.joined(joined("lobby", lines=lines))
    told.clear()

    take(rooms, *lines)

    assert told == [events.Missed("lobby", 2)]


def test_where_nothing_was_said_the_place_is_what_the_server_says() -> None:
    """So nothing that is said from then on can be missed; and why something is missing is told at once."""
    rooms, told = views()
    rooms.joined(joined("lobby", after=9, epoch="e2", missing="why"))

    assert rooms.wanted() == {"lobby": wire.Seen("e2", 9)}
    assert rooms.are_known
    assert told[-1] == events.Unreachable("lobby", "why")


def test_a_history_that_is_replaced_by_another_is_read_from_there() -> None:
    """Its places may lie before those that were seen."""
    rooms, _ = views()
    rooms.joined(joined("lobby", lines=[line(9)]))
    take(rooms, line(9))
    rooms.session_ended()
    rooms.joined(joined("lobby", lines=[line(4), line(5)], after=9))
    reading = rooms.readings()["lobby"]

    assert rooms.read("lobby", reading, Position("e1", 3), None, is_own) == []
    assert take(rooms, line(4), line(5), epoch="e2") == [line(4), line(5)]
    assert rooms.wanted() == {"lobby": wire.Seen("e2", 5)}


def test_leaving_the_current_room_turns_to_another() -> None:
    """And to none when it was the last."""
    rooms, _ = views("lobby", "dev")

    assert rooms.remove("lobby")
    assert rooms.current == "dev"
    assert rooms.remove("dev")
    assert rooms.current == ""
    assert not rooms.remove("dev")


def test_news_of_ourselves_is_no_news() -> None:
    """The server may tell the whole room; we know."""
    rooms, told = views()
    rooms.joined(joined("lobby", [wire.Member("ana")]))
    told.clear()

    for news in (wire.Came("lobby", "ana"), wire.Away("ana", True), wire.Went("lobby", "ana")):
        rooms.people(news, "ana")

    assert told == []
    assert list(rooms["lobby"].members) == ["ana"]


def test_news_of_rooms_that_we_left_is_passed_over() -> None:
    """It was on its way when we went."""
    rooms, told = views()

    rooms.people(wire.Came("attic", "ben"), "ana")

    assert told == []
    assert not rooms.is_read("attic", Reading(Position("e1", 0), 0))


def test_a_place_is_passed_when_it_was_read_and_not_while_the_history_is_on_its_way() -> None:
    """What we had read before a lost session says nothing of what was said since."""
    rooms, _ = views()
    rooms.joined(joined("lobby", lines=[line(3), line(5)]))
    take(rooms, line(3))
    assert not rooms["lobby"].has_passed(3)
    take(rooms, line(5))
    assert rooms["lobby"].has_passed(5)
    assert not rooms["lobby"].has_passed(6)

    rooms.session_ended()

    assert not rooms["lobby"].has_passed(5)


def test_who_comes_and_goes_is_told_after_the_lines_before() -> None:
    """Whichever comes first: what is not read yet is waited for, and who is there is known at once."""
    rooms, told = views()
    rooms.joined(joined("lobby", lines=[line(3)]))
    told.clear()
    for news in (
        wire.Came("lobby", "cid", 3),
        wire.Went("lobby", "ben", "", 5),
        wire.Came("lobby", "ben", 5),
    ):
        rooms.people(news, "ana")
    assert list(rooms["lobby"].members) == ["cid", "ben"]
    assert told == []

    take(rooms, line(3))
    rooms.release("lobby")
    assert told == [events.Came("lobby", "cid")]
    take(rooms, line(4))
    rooms.release("lobby")
    assert len(told) == 1
    take(rooms, line(5))
    rooms.release("lobby")

    assert told[1:] == [events.Went("lobby", "ben", ""), events.Came("lobby", "ben")]


def test_who_came_and_went_before_a_session_ended_is_told_then() -> None:
    """The lines before that are read in the next one, and nothing waits for those."""
    rooms, told = views()
    rooms.joined(joined("lobby"))
    rooms.people(wire.Came("lobby", "ben", 1), "ana")
    told.clear()

    rooms.session_ended()

    assert told == [events.Came("lobby", "ben")]


@pytest.mark.limit("chat.client.held")
def test_so_many_wait_for_the_lines_before_them() -> None:
    """One more, and the first of them waits no longer."""
    rooms, told = views()
    rooms.joined(joined("lobby"))
    told.clear()
    for number in range(MOST_HELD):
        rooms.people(wire.Came("lobby", f"p{number}", 1), "ana")
    assert told == []

    rooms.people(wire.Came("lobby", "late", 1), "ana")

    assert told == [events.Came("lobby", "p0")]
