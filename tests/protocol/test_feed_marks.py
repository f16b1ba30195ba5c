"""A mark says that everything up to it was told: it does not pass the beginning of a gap."""

from __future__ import annotations

from landline.history import SUPERSEDED, Gap, Position
from landline.protocol.feed import Behind, Entry, Feed


def test_a_mark_before_a_gap_of_several_stands_where_the_gap_begins() -> None:
    """Who goes on from the mark is told of the whole gap."""
    feed = Feed("a", Position("one", 0))
    feed.begin("two")
    for offset in range(1, 5):
        feed.push(Entry("a", offset, b"data", Behind.LATEST))
    feed._merge_gaps()
    feed.go_live()
    told = [feed.next_part() for _ in range(3)]

    assert told == [
        Position("one", 0),
        Position("two", 0),
        Gap("a", Position("two", 0), Position("two", 3), SUPERSEDED),
    ]
