"""News and lists in words."""

from __future__ import annotations

import pytest

from landline.apps.chat import wire
from landline.apps.chat.words import SHOWN_NAMES, SHOWN_ROOMS, listed_members, listed_rooms, news


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (wire.Came("tea", "ben"), "ben joined tea."),
        (wire.Went("tea", "ben"), "ben left tea."),
        (wire.Went("tea", "ben", "hung up"), "ben left tea (hung up)."),
        (wire.Renamed("ben", "bob"), "ben is called bob now."),
        (wire.Away("ben", True), "The line of ben is down; it is being redialled."),
        (wire.Away("ben", False), "ben is back on the line."),
        (wire.Came("tea", "ana"), ""),
        (wire.Renamed("eva", "ana"), ""),
        (wire.Done(1), ""),
    ],
)
def test_news_as_ana_reads_them(message: wire.Told, sentence: str) -> None:
    """Nothing is news that one did oneself."""
    assert news(message, "ana") == sentence


def test_members_are_listed_with_the_state_of_their_line() -> None:
    """An empty room is said to be empty."""
    members = [wire.Member("ana"), wire.Member("ben", away=True)]

    assert listed_members("tea", members) == "In tea: ana, ben (line down)."
    assert listed_members("tea", []) == "Nobody is in tea."


def test_a_list_is_cut_and_says_how_much() -> None:
    """At the limit all are named; one more is counted."""
    members = [wire.Member(f"p{number}") for number in range(SHOWN_NAMES + 1)]
    rooms = [wire.Room(f"r{number}", 1) for number in range(SHOWN_ROOMS + 1)]

    assert "more" not in listed_members("tea", members[:-1])
    assert listed_members("tea", members).endswith(f"p{SHOWN_NAMES - 1} and 1 more.")
    assert "more" not in listed_rooms(rooms[:-1])
    assert listed_rooms(rooms).endswith(" and 1 more.")


def test_rooms_are_listed_with_how_many_are_there() -> None:
    """No rooms at all is a sentence, too."""
    assert listed_rooms([wire.Room("lobby", 2), wire.Room("tea", 0)]) == "Rooms: lobby (2), tea (empty)."
    assert listed_rooms([]) == "There are no rooms yet: /join makes one."
