"""The server's half of a subscription: history and then live without a seam, and what becomes of a reader that is behind."""

from __future__ import annotations

import tracemalloc

import pytest

import landline.protocol.feed as feed_module
from landline.history import (
    BEHIND,
    EXPIRED,
    HISTORY_REPLACED,
    SUPERSEDED,
    TOO_LARGE,
    Gap,
    Position,
    Publication,
)
from landline.limits import PROTOCOL
from landline.protocol.feed import MOST_QUEUED, Behind, Bundle, Entry, Feed, Part, fitting, frame_of
from landline.protocol.frames import FRAME_COST, HEADER, FrameType
from landline.protocol.subscription import After, Place, encode
from tests.protocol.lines import frames_of

HALF = MOST_QUEUED // 2
LONG = bytes(HALF // 8 - FRAME_COST)
"""Eight of these and eight more fill a queue."""


def at(offset: int, epoch: str = "e") -> Position:
    return Position(epoch, offset)


def old(offset: int, epoch: str = "e", topic: str = "t") -> Publication:
    """Something of the log."""
    return Publication(topic, at(offset, epoch), b"%d" % offset)


def push(
    feed: Feed, *offsets: int, behind: Behind = Behind.HISTORY, topic: str = "t", data: bytes = b""
) -> None:
    for offset in offsets:
        feed.push(Entry(topic, offset, data, behind))


def gap(after: int, to: int, reason: str, topic: str = "t", epoch: str = "e") -> Gap:
    return Gap(topic, at(after, epoch), at(to, epoch), reason)


def live(pattern: str = "*", head: int = 0) -> Feed:
    """One that has everything so far, and has said so."""
    feed = Feed(pattern, at(head))
    feed.begin("e")
    feed.go_live()
    assert told(feed) == [at(head)]
    return feed


def told(feed: Feed, most: int = 1 << 20) -> list[object]:
    """What it tells now: live publications by their offsets."""
    parts: list[object] = []
    while feed.has_something and len(parts) < most:
        part = feed.next_part()
        parts.append(part.offset if isinstance(part, Entry) else part)
    return parts


@pytest.mark.parametrize("is_live", [True, False])
def test_what_does_not_fit_a_message_is_a_gap(is_live: bool) -> None:
    """Of the epoch that it is of; everything else is what it was."""
    data = bytes(10)
    part = Entry("t", 6, data, Behind.HISTORY) if is_live else Publication("t", at(6, "old"), data)
    most = len(data) + PROTOCOL.publish_overhead
    epoch = "e" if is_live else "old"

    assert fitting(part, most, "e") is part
    assert fitting(part, most - 1, "e") == gap(5, 6, TOO_LARGE, epoch=epoch)
    assert fitting(at(3), 1, "e") == at(3)


# Live...


def test_what_is_published_is_told_in_order() -> None:
    """After a mark that says where it begins."""
    feed = Feed("t", at(4))
    feed.begin("e")
    feed.go_live()
    push(feed, 5, 7)

    assert told(feed) == [at(4), 5, 7]
    assert feed.cursor == at(7)
    assert not feed.wants_page


def test_what_is_published_is_taken_at_once_where_nothing_waits_before_it() -> None:
    """Not before the mark, not past what waits, and not where it is not taken: then it waits itself."""
    taken: list[int] = []
    is_taking = True

    def take(bundle: Bundle) -> bool:
        if is_taking:
            taken.extend(entry.offset for entry in bundle.entries)
        return is_taking

    def takes(feed: Feed, *offsets: int) -> bool:
        return feed.takes(Bundle([Entry("t", offset, b"", Behind.HISTORY) for offset in offsets]))

    feed = Feed("t", at(4))
    feed.take = take
    feed.begin("e")
    feed.go_live()
    assert not takes(feed, 5)
    push(feed, 5)
    assert told(feed) == [at(4), 5]
    assert takes(feed, 6, 7)
    assert (taken, feed.cursor, feed.has_something) == ([6, 7], at(7), False)

    is_taking = False
    assert not takes(feed, 8)
    push(feed, 8, behind=Behind.LATEST)
    is_taking = True
    assert not takes(feed, 9)
    push(feed, 9)
    assert taken == [6, 7]
    assert told(feed) == [8, 9]

    feed.page([], [], at(20), more=False)
    assert not takes(feed, 20, 21)
    assert not takes(feed, 20)
    assert (taken, told(feed)) == ([6, 7], [])
    assert takes(feed, 21)

    empty = Feed("t", None)
    empty.take = take
    empty.begin("e")
    empty.page([], [], at(3), more=False)
    assert not takes(empty, 4)
    push(empty, 4)
    assert told(empty) == [at(3), 4]


def test_what_is_published_is_only_taken_where_somebody_takes_it_and_all_before_it_was_told() -> None:
    """Who reads its publications itself has them queued; so has who still reads the log."""
    bundle = Bundle([Entry("t", 1, b"", Behind.HISTORY)])

    assert not live().takes(bundle)
    behind = Feed("t", at(0))
    behind.take = lambda bundle: True
    behind.begin("e")
    assert told(behind) == [at(0)]
    behind.read()
    assert not behind.takes(bundle)


def test_a_frame_is_made_once_for_all_whose_flows_have_one_number() -> None:
    """And anew for the others; what it says is the same."""
    entry = Entry("t", 1, b"\x20data", Behind.HISTORY)
    frame = frame_of(entry, 5)

    assert frame_of(entry, 5) is frame
    assert Bundle([entry]).frames(5).together is frame
    assert frames_of(frame_of(entry, 7)) == [(FrameType.BYTES, 7, frame[HEADER.size :])]


def test_a_bundle_is_encoded_once_for_all_whose_flows_have_one_number() -> None:
    """Each of its frames, and all of them in one piece."""
    entries = [Entry("t", offset, b"\x20data", Behind.HISTORY) for offset in (1, 2)]
    bundle = Bundle(entries)
    five, seven = bundle.frames(5), bundle.frames(7)

    assert bundle.frames(5) is five
    assert five.each() == [entry.frame(5) for entry in entries]
    assert (five.count, five.last) == (2, len(entries[1].frame(5)))
    assert [number for _, number, _ in frames_of(seven.together)] == [7, 7]
    assert [one.entries for one in bundle.alone()] == [[entry] for entry in entries]
    assert bundle.alone() is bundle.alone()


@pytest.mark.parametrize("size", [0, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize(("topic", "offset"), [("t", 1), ("t" * 32, 1 << 32), ("é" * 200, 127)])
def test_a_bundle_knows_how_much_of_it_is_before_its_last(topic: str, offset: int, size: int) -> None:
    """As bytes of whole frames, before any of them is made."""
    entries = [Entry(topic, offset + place, bytes(size), Behind.HISTORY) for place in range(3)]

    assert Bundle(entries).before_last == sum(len(entry.frame(5)) for entry in entries[:-1])
    assert Bundle(entries[:1]).before_last == 0


def test_of_a_bundle_one_piece_is_kept_for_each_number() -> None:
    """What flows of that number count as theirs is what is held."""
    data = bytes(1000)
    bundle = Bundle([Entry("t", offset, data, Behind.HISTORY) for offset in range(100)])
    size = len(bundle.frames(1).together)
    numbers = range(3, 43, 2)
    tracemalloc.start()
    try:
        for number in numbers:
            bundle.frames(number)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < (len(numbers) + 1) * 1.05 * size  # and each publication keeps its frame of the last number


def test_a_bundle_knows_its_largest_and_its_end() -> None:
    """Whether it fits a message, and where a reader is that was told all of it."""
    bundle = Bundle([Entry("t", offset, bytes(offset), Behind.HISTORY) for offset in (1, 9, 4)])

    assert bundle.largest == 9
    assert bundle.end("e") == at(4)
    assert bundle.end("e") is bundle.end("e")


@pytest.mark.parametrize(
    "part",
    [
        Publication("t", at(6), b"\x20data"),
        gap(3, 9, BEHIND),
        Gap("*", at(9, "other"), at(3), HISTORY_REPLACED),
        at(6),
        Entry("t", 6, b"\x20data", Behind.HISTORY),
    ],
)
def test_a_subscriber_reads_what_the_feed_tells(part: Part) -> None:
    """Each kind of part, through its frame."""
    subscription = Place("t", After.NOW)
    subscription.receive(frame_of(at(1), 1)[HEADER.size :])
    heard = subscription.receive(frame_of(part, 1)[HEADER.size :])

    if isinstance(part, Position):
        assert heard is None
        assert subscription.position == part
    elif isinstance(part, Gap):
        assert heard == part
    else:
        assert heard == Publication("t", at(6), b"data")


# ... and from the log ...


def test_history_comes_first_and_then_what_was_published_meanwhile() -> None:
    """The last page and the queue overlap: nothing between them is missing or doubled."""
    feed = Feed("t", None)
    feed.begin("e")
    wants = [feed.wants_page]
    feed.read()
    wants.append(feed.wants_page)
    push(feed, 3, 4, 5)
    feed.page([old(1), old(2)], [], at(2), more=True)
    wants.append(feed.wants_page)
    assert told(feed) == [at(0), old(1), old(2)]
    assert [*wants, feed.wants_page] == [True, False, False, True]
    feed.read()
    push(feed, 6)
    feed.page([old(3), old(4)], [], at(4), more=False)
    push(feed, 7)

    assert told(feed) == [old(3), old(4), 5, 6, 7]
    assert not feed.wants_page


def test_what_is_published_before_a_page_is_asked_for_is_not_pushed() -> None:
    """Every page yet to be asked for has it; from then on it is pushed, and so it is where the page is the last."""
    feed = Feed("t", None)
    feed.begin("e")

    def is_pushed(offset: int) -> bool:
        if feed.gathers:
            push(feed, offset)
        return feed.gathers

    pushed = [is_pushed(2)]
    feed.read()
    pushed.append(is_pushed(3))
    feed.page([old(1)], [], at(1), more=True)
    pushed.append(is_pushed(4))
    assert told(feed) == [at(0), old(1)]
    pushed.append(is_pushed(5))
    feed.read()
    feed.page([old(2), old(3), old(4), old(5)], [], at(5), more=False)
    pushed.append(is_pushed(6))

    assert pushed == [False, True, False, False, True]
    assert told(feed) == [old(2), old(3), old(4), old(5), 6]


def test_what_the_log_gave_before_it_was_told_is_not_told_twice() -> None:
    """A page is read beside the writer, and may have what is pushed only afterwards."""
    feed = Feed("t", None)
    feed.begin("e")
    feed.read()
    feed.page([old(1), old(2)], [], at(2), more=False)
    push(feed, 1, 2, 3)

    assert told(feed) == [at(0), old(1), old(2), 3]


def test_pages_without_anything_move_on() -> None:
    """A reading may look at much that does not match."""
    feed = Feed("t", at(1))
    feed.begin("e")
    told(feed)
    feed.read()
    feed.page([], [], at(50), more=True)

    assert feed.wants_page
    assert feed.cursor == at(50)
    feed.read()
    feed.page([], [], at(60), more=False)
    push(feed, 61)
    assert told(feed) == [61]


def test_epochs_are_named_before_what_is_of_them() -> None:
    """Also where what is live is of another than what the log gave last."""
    feed = Feed("t", None)
    feed.begin("new")
    feed.read()
    feed.page([old(1, "old"), old(2, "old"), old(3, "mid")], [], at(3, "mid"), more=False)
    push(feed, 5)

    assert told(feed) == [
        at(0, "old"),
        old(1, "old"),
        old(2, "old"),
        at(2, "mid"),
        old(3, "mid"),
        at(4, "new"),
        5,
    ]


def test_a_mark_never_goes_past_the_beginning_of_a_gap() -> None:
    """Who goes on from it must be told of all that is missing."""
    feed = Feed("*", at(1, "old"))
    feed.begin("e")
    told(feed)
    feed.read()
    feed.page([], [], at(1, "old"), more=False)
    push(feed, 2, 3, 4, behind=Behind.LATEST)

    assert told(feed) == [at(1), gap(1, 3, SUPERSEDED), 4]
    assert feed.cursor == at(4)


def test_neighbours_are_told_as_one_gap() -> None:
    """Of one topic and for one reason, in the queue and in the log; others are told as what they are."""
    feed = Feed("*", at(0))
    feed.begin("e")
    told(feed)
    feed.read()
    feed.page(
        [],
        [gap(0, 2, EXPIRED), gap(2, 3, EXPIRED), gap(3, 4, BEHIND), gap(4, 5, BEHIND, "u")],
        at(5),
        more=False,
    )
    push(feed, 6, 7, 8, behind=Behind.LATEST)
    push(feed, 9, behind=Behind.LATEST, topic="u")

    assert told(feed) == [
        gap(0, 3, EXPIRED),
        gap(3, 4, BEHIND),
        gap(4, 5, BEHIND, "u"),
        gap(5, 7, SUPERSEDED),
        8,
        9,
    ]
    assert feed.cursor == at(9)


def test_gaps_come_before_what_follows_them() -> None:
    """One that says that the history is another comes first, wherever its offsets are."""
    feed = Feed("*", at(99, "other"))
    feed.begin("e")
    told(feed)
    feed.read()
    replaced = Gap("*", at(99, "other"), at(2), HISTORY_REPLACED)
    expired, damaged = gap(2, 6, EXPIRED, "a"), gap(4, 5, "damaged", "b")
    feed.page([old(4, topic="b"), old(8, topic="a")], [expired, damaged, replaced], at(8), more=False)

    assert told(feed) == [replaced, expired, at(3), old(4, topic="b"), damaged, old(8, topic="a")]


def test_the_newest_of_each_topic_comes_before_what_is_live() -> None:
    """And what is missing among them before that."""
    missing = gap(0, 3, "a reason", "*")
    feed = Feed("*", at(9), [old(5, topic="a"), old(7, topic="b")], [missing])
    feed.begin("e")
    feed.go_live()
    push(feed, 10)

    assert told(feed) == [missing, at(4), old(5, topic="a"), old(7, topic="b"), at(9), 10]


# ... and who is behind...


@pytest.mark.limit("protocol.feed")
def test_a_reader_that_is_behind_reads_on_from_the_log() -> None:
    """One byte more than a queue may hold, and it is let go of: the log has it all."""
    feed = live()
    push(feed, *range(1, 16), data=LONG)
    push(feed, 16, data=LONG)
    assert feed.is_live
    push(feed, 17)
    assert not feed.has_something
    assert feed.wants_page

    feed.read()
    assert feed.cursor == at(0)
    feed.page([old(offset) for offset in range(1, 18)], [], at(17), more=False)
    push(feed, 18)
    assert told(feed) == [*(old(offset) for offset in range(1, 18)), 18]


@pytest.mark.limit("protocol.feed")
def test_of_small_publications_a_queue_holds_so_many() -> None:
    """Each counts for what it costs besides its data."""
    feed = live()
    most = MOST_QUEUED // FRAME_COST
    push(feed, *range(1, most + 1))
    assert feed.is_live
    push(feed, most + 1)

    assert not feed.is_live


@pytest.mark.parametrize("when", ["a page is read", "a page waits to be sent"])
def test_a_queue_that_overflows_beside_the_log_has_it_read_further(when: str) -> None:
    """What was let go of is in the log, behind the page that is read or sent just now."""
    feed = Feed("t", None)
    feed.begin("e")
    feed.read()
    if when == "a page is read":
        push(feed, *range(2, 19), data=LONG)
        feed.page([old(1)], [], at(1), more=False)
    else:
        feed.page([old(1)], [], at(1), more=False)
        assert feed.is_live
        push(feed, *range(2, 19), data=LONG)
    push(feed, 19)
    assert told(feed) == [at(0), old(1)]
    assert feed.wants_page
    feed.read()
    feed.page([old(offset) for offset in range(2, 20)], [], at(19), more=False)

    assert told(feed) == [old(offset) for offset in range(2, 20)]


def test_the_oldest_are_dropped_where_a_topic_wants_that() -> None:
    """Down to half of the queue, as one gap."""
    feed = live()
    push(feed, *range(1, 18), behind=Behind.DROP_OLDEST, data=LONG)

    assert told(feed) == [gap(0, 9, BEHIND), *range(10, 18)]
    assert feed.is_live


def test_only_topics_that_want_it_have_theirs_dropped() -> None:
    """The others' stay where they are; neighbours of several topics are a gap of the pattern."""
    feed = live("*")
    push(feed, 1, behind=Behind.DROP_OLDEST, topic="a", data=LONG)
    push(feed, 2, behind=Behind.DROP_OLDEST, topic="b", data=LONG)
    push(feed, 3, topic="kept", data=LONG)
    push(feed, *range(4, 18), behind=Behind.DROP_OLDEST, topic="a", data=LONG)

    assert told(feed) == [gap(0, 2, BEHIND, "*"), 3, gap(3, 10, BEHIND, "a"), *range(11, 18)]


def test_where_dropping_does_not_help_the_log_is_read() -> None:
    """What is left over may not be dropped: then everything comes from the log, what could be dropped too."""
    feed = live()
    push(feed, 1, behind=Behind.DROP_OLDEST, data=LONG)
    push(feed, *range(2, 18), data=LONG)
    assert feed.is_live
    push(feed, 18, data=LONG)

    assert feed.wants_page
    assert feed.cursor == at(0)


def test_of_a_topic_that_wants_the_latest_one_waits() -> None:
    """Of each; those before are told as superseded, in their place."""
    feed = live()
    push(feed, 1, behind=Behind.LATEST, topic="a")
    push(feed, 2, behind=Behind.LATEST, topic="b")
    push(feed, 3, 4, behind=Behind.LATEST, topic="a")
    push(feed, 5)

    assert told(feed) == [gap(0, 1, SUPERSEDED, "a"), 2, gap(2, 3, SUPERSEDED, "a"), 4, 5]
    push(feed, 6, behind=Behind.LATEST, topic="a")
    assert told(feed) == [6]


def test_gaps_of_several_reasons_become_one_that_says_no_more_than_is_true() -> None:
    """The reader was behind; that something newer came is not so of all."""
    feed = live()
    for offset in (1, 20):
        push(feed, offset, behind=Behind.LATEST, topic="a")
        push(feed, *range(offset + 1, offset + 19), behind=Behind.DROP_OLDEST, topic="b", data=LONG)
    first, *_ = told(feed)

    assert isinstance(first, Gap)
    assert (first.topic, first.after, first.reason) == ("*", at(0), BEHIND)


@pytest.mark.limit("protocol.feed")
def test_gaps_do_not_gather_without_end() -> None:
    """A queue of one topic's latest stays short, however many went before; what it counts stays right."""
    feed = live()
    for offset in range(1, 2 * MOST_QUEUED // FRAME_COST + 10):
        push(feed, offset, behind=Behind.LATEST, data=b"x" * 100)
        assert len(feed._queue) <= MOST_QUEUED // FRAME_COST + 2
    assert feed._size == 100 + FRAME_COST
    *gaps, last = told(feed)
    ends = [(part.after.offset, part.to.offset) for part in gaps if isinstance(part, Gap)]

    assert last == offset
    assert [after for after, _ in ends] == [0, *(to for _, to in ends[:-1])]
    assert ends[-1][1] == offset - 1
    assert feed._size == 0


def test_a_gap_of_the_queue_that_the_log_can_fill_is_not_told() -> None:
    """What was superseded while the log was read is read there."""
    feed = Feed("t", None)
    feed.begin("e")
    feed.read()
    push(feed, 1, 2, 3, behind=Behind.LATEST)
    feed.page([old(1), old(2)], [], at(2), more=False)

    assert told(feed) == [at(0), old(1), old(2), 3]


def test_a_gap_of_which_the_log_can_fill_a_part_is_cut() -> None:
    """What was read there is not called missing."""
    feed = Feed("t", None)
    feed.begin("e")
    feed.read()
    push(feed, 1, 2, 3, 4, behind=Behind.LATEST)
    feed._merge_gaps()
    feed.page([old(1), old(2)], [], at(2), more=False)

    assert told(feed) == [at(0), old(1), old(2), gap(2, 3, SUPERSEDED), 4]


def test_a_publication_is_encoded_once_for_flows_of_whatever_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the header differs, which names the flow."""
    encoded: list[object] = []

    def encode_once(said: object) -> bytes:
        encoded.append(said)
        return encode(said)

    monkeypatch.setattr(feed_module, "encode", encode_once)
    entry = Entry("t", 7, b"data", Behind.HISTORY)
    frames = [entry.frame(number) for number in (1, 3, 1)]

    assert len(encoded) == 1
    assert frames[0] == frames[2] != frames[1]
    assert [HEADER.unpack_from(frame)[2] for frame in frames] == [1, 3, 1]
    assert len({frame[HEADER.size :] for frame in frames}) == 1
