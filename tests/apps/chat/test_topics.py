"""The topics of rooms: each tells its room, or leaves that to the line."""

from __future__ import annotations

import pytest

from landline.apps.chat.topics import ROOMS, room_of, said_room, topic_of
from landline.storage import Pattern, check_topic


@pytest.mark.parametrize("room", ["lobby", "a.b", "a-b_c.d'e", "日本" * 32, "𐐷" * 64])
def test_every_rooms_name_makes_a_topic_of_one_token_that_tells_it(room: str) -> None:
    """Dots, marks, and names whose bytes are more than a topic's: those are told by the line."""
    topic = topic_of(room)

    assert len(check_topic(topic).split(".")) == 2
    assert Pattern(ROOMS).matches(topic)
    assert room_of(topic, said_room(room)) == room
    assert bool(said_room(room)) == (len(room.encode()) > 200)


def test_different_rooms_have_different_topics() -> None:
    """However alike, and however long."""
    rooms = ["a.b", "a-b", "ab", "𐐷" * 64, "𐐷" * 63 + "𐐶"]

    assert len({topic_of(room) for room in rooms}) == len(rooms)
