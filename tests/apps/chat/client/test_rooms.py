"""The rooms of a chat client: who is there, what was read, and where the typing goes."""

from __future__ import annotations

from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.rooms import RoomViews

OWN = 7


def line(offset: int, *, id: int = 0) -> wire.Line:
    return wire.Line(offset, 0.0, "ben", f"line {offset}", id)


def is_own(line: wire.Line) -> bool:
    return line.id == OWN


def views(*names: str) -> tuple[RoomViews, list[events.Event]]:
    told: list[events.Event] = []
    return RoomViews(names or ("lobby",), told.append), told


def test_a_history_in_parts_comes_out_whole() -> None:
    """Nothing before the last part, then everything in order."""
    rooms, _ = views()
    rooms.joined(wire.Joined("lobby", []))

    assert rooms.history(wire.History("lobby", [line(1)], more=True), "e1", is_own) is None
    assert rooms.history(wire.History("lobby", [line(2)]), "e1", is_own) == [line(1), line(2)]
    assert rooms.wanted() == {"lobby": wire.Seen("e1", 2)}
    assert rooms.are_known


def test_a_history_cut_off_by_a_lost_session_is_not_half_shown() -> None:
    """Its first part is asked for again with the rest."""
    rooms, _ = views()
    rooms.joined(wire.Joined("lobby", []))
    rooms.history(wire.History("lobby", [line(1)], more=True), "e1", is_own)

    rooms.session_ended()
    rooms.joined(wire.Joined("lobby", []))

    assert rooms.wanted() == {"lobby": None}
    assert rooms.history(wire.History("lobby", [line(1), line(2)]), "e1", is_own) == [line(1), line(2)]


def test_what_was_missed_counts_the_lines_of_others() -> None:
    """Our own lines among them were not missed."""
    rooms, told = views()
    rooms.joined(wire.Joined("lobby", []))
    rooms.history(wire.History("lobby", []), "e1", is_own)
    rooms.session_ended()
    rooms.joined(wire.Joined("lobby", []))
    told.clear()

    rooms.history(wire.History("lobby", [line(1), line(2, id=OWN), line(3)]), "e1", is_own)

    assert told == [events.Missed("lobby", 2)]


def test_an_empty_history_keeps_what_was_seen() -> None:
    """Nothing new was said: the place is the same, in the new life of the store."""
    rooms, _ = views()
    rooms.joined(wire.Joined("lobby", []))
    rooms.history(wire.History("lobby", [line(9)]), "e1", is_own)
    rooms.session_ended()
    rooms.joined(wire.Joined("lobby", []))

    rooms.history(wire.History("lobby", []), "e2", is_own)

    assert rooms.wanted() == {"lobby": wire.Seen("e2", 9)}


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
    rooms.joined(wire.Joined("lobby", [wire.Member("ana")]))
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
    assert not rooms.said("attic", line(1), "e1")
    assert rooms.history(wire.History("attic", [line(1)]), "e1", is_own) is None


def test_a_place_is_passed_when_it_was_read_and_not_while_the_history_is_on_its_way() -> None:
    """What we had read before a lost session says nothing of what was said since."""
    rooms, _ = views()
    rooms.joined(wire.Joined("lobby", []))
    rooms.history(wire.History("lobby", [line(5)]), "e1", is_own)
    assert rooms["lobby"].has_passed(5)
    assert not rooms["lobby"].has_passed(6)

    rooms.session_ended()

    assert not rooms["lobby"].has_passed(5)
