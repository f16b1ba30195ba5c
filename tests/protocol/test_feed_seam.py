"""Where a feed could lose something: a mark in front of a gap, and a queue that overflows while the last page is read."""

from __future__ import annotations

from landline.history import SUPERSEDED, Gap, Position
from landline.protocol.feed import MOST_QUEUED, Behind, Entry, Feed


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


def test_a_queue_that_overflows_while_the_last_page_is_read_is_read_from_the_log() -> None:
    """The page was read before: what was dropped since is not in it, so there must be another one."""
    feed = Feed("a", Position("one", 0))
    feed.begin("one")
    feed.next_part()
    assert feed.wants_page
    feed.read()
    for offset in range(1, 4):
        feed.push(Entry("a", offset, b"." * (MOST_QUEUED // 2), Behind.HISTORY))
    feed.page([], [], Position("one", 0), more=False)

    assert not feed.is_live
    assert feed.wants_page
