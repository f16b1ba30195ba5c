"""Where publications are put up: stored, then told, then answered; one batch at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from landline.history import Position
from landline.limits import PROTOCOL
from landline.protocol.board import MOST_BYTES, MOST_CHANGES, Board
from landline.protocol.feed import Behind, Bundle, Entry, Feed
from landline.protocol.frames import FRAME_COST
from landline.protocol.publish import Answer, Code, Origin, Publish, Published, Unpublished, decode_record
from landline.storage.names import Pattern


def at(offset: int) -> Position:
    return Position("e", offset)


def as_it_is(publish: Publish) -> bytes:
    """Let everything be published."""
    return publish.data


class Room:
    """A board, and everything that happens around it, in order."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.woken = 0
        self.board = Board(at(0), self.behind, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def behind(self, topic: str) -> Behind:
        return Behind.LATEST if topic == "latest" else Behind.HISTORY

    def receive(self, origin: Origin, number: int, topic: str = "t", data: bytes = b"") -> None:
        """A client's publish arrives; whatever it is answered goes to the log."""
        self.board.receive(origin, "key", Publish(number, 0, topic, data), self.log.append, as_it_is)

    def subscribe(self, pattern: str) -> Feed:
        feed = Feed(pattern, at(0))
        feed.go_live()
        self.board.subscribe(feed, Pattern(pattern), lambda: self.log.append(pattern))
        return feed

    def store(self, first: int = 1) -> None:
        """What there is to store is stored, from this offset on."""
        batch = self.board.next_batch(0.0)
        self.board.stored([at(first + place) for place in range(len(batch.publications))])


def numbers(log: list[Any]) -> list[Any]:
    return [answer.number if isinstance(answer, Published | Unpublished) else answer for answer in log]


def test_nobody_is_told_or_answered_before_it_is_stored() -> None:
    """Then everybody is told all of the batch, and after that the publishers are answered, in the same order."""
    room, origin = Room(), Origin()
    room.subscribe("t")
    room.receive(origin, 1)
    room.receive(origin, 2)
    room.board.publish("t", b"ours", room.log.append)
    batch = room.board.next_batch(5.0)
    assert batch.publications == [("t", b""), ("t", b""), ("t", b"ours")]
    assert (room.log, room.board.head) == ([], at(0))
    room.board.stored([at(1), at(2), at(3)])

    assert room.log == [
        *["t"] * 3,
        *(Published(number, "e", offset) for number, offset in ((1, 1), (2, 2), (0, 3))),
    ]
    assert room.board.head == at(3)


def test_one_batch_is_stored_at_a_time() -> None:
    """What comes meanwhile makes up the next, and whoever runs the board is woken for it."""
    room, origin = Room(), Origin()
    assert not room.board.has_batch
    room.receive(origin, 1)
    assert (room.board.has_batch, room.woken) == (True, 1)
    room.board.next_batch(0.0)
    room.receive(origin, 2)
    assert not room.board.has_batch
    room.board.stored([at(1)])

    assert (room.board.has_batch, room.woken) == (True, 3)
    assert numbers(room.log) == [1]
    room.store(2)
    assert numbers(room.log) == [1, 2]
    assert (room.board.has_batch, room.woken) == (False, 3)


def test_what_is_known_of_an_outbox_is_stored_with_what_it_publishes() -> None:
    """Of each outbox once, with the places of all its publications among the batch's."""
    room, one, two = Room(), Origin(), Origin()
    for origin, key, number in ((one, "one", 1), (two, "two", 1), (one, "one", 2)):
        room.board.receive(origin, key, Publish(number, 0, "t", b""), room.log.append, as_it_is)
    room.board.publish("t", b"", room.log.append)
    records = dict(room.board.next_batch(9.0).records)

    assert list(records) == ["one", "two"]
    origin, when = decode_record(records["one"], at(14))
    assert (origin.kept, when) == ({1: at(11), 2: at(13)}, 9.0)
    assert decode_record(records["two"], at(14))[0].kept == {1: at(12)}


def test_who_selects_the_same_of_a_batch_is_given_one_bundle() -> None:
    """The same to all of one pattern, in the order of the offsets: so it is encoded once."""
    room = Room()
    bundles: dict[str, list[Bundle]] = {}

    def take(name: str, bundle: Bundle) -> bool:
        bundles.setdefault(name, []).append(bundle)
        return True

    for name, pattern in {"one": "a.x", "two": "a.x", "three": "a.*", "four": "a.*", "five": "*.y"}.items():
        feed = room.subscribe(pattern)
        assert feed.next_part() == at(0)
        feed.take = partial(take, name)
    for topic in ("a.x", "a.y", "b.z", "a.x"):
        room.board.publish(topic, b"", room.log.append)
    room.store()

    offsets = {
        name: [[entry.offset for entry in bundle.entries] for bundle in told]
        for name, told in bundles.items()
    }
    assert offsets == {
        "one": [[1, 4]],
        "two": [[1, 4]],
        "three": [[1, 2, 4]],
        "four": [[1, 2, 4]],
        "five": [[2]],
    }
    assert bundles["one"][0] is bundles["two"][0]
    assert bundles["three"][0] is bundles["four"][0]
    assert numbers(room.log) == [0] * 4  # nothing waits anywhere


def test_what_cannot_be_taken_as_one_bundle_is_taken_as_far_as_it_can() -> None:
    """Each by itself, in order; what waits in the end is what was not taken, and its feed is looked after at once."""
    room = Room()
    taken: list[int] = []
    waiting: list[list[int]] = []
    feed = Feed("t", at(0))
    feed.go_live()
    assert feed.next_part() == at(0)
    room.board.subscribe(feed, Pattern("t"), lambda: waiting.append(list(taken)))

    def take(bundle: Bundle) -> bool:
        if len(bundle.entries) > 1 or len(taken) == 2:
            return False
        taken.append(bundle.entries[0].offset)
        return True

    feed.take = take
    for _ in range(4):
        room.board.publish("t", b"", room.log.append)
    room.store()

    assert taken == [1, 2]
    assert waiting == [[1, 2], [1, 2]]
    assert [part.offset for part in (feed.next_part(), feed.next_part()) if isinstance(part, Entry)] == [3, 4]


def test_who_will_read_it_in_the_log_is_pushed_nothing() -> None:
    """Neither before it asks for a page, nor what is left of a batch when its queue is full."""
    room = Room()
    reading = room.subscribe("t")
    reading.is_live = False
    slow = room.subscribe("t")
    most = PROTOCOL.feed // 2
    for size in (0, most, most, 0, 0):
        room.board.publish("t", bytes(size), room.log.append)
    room.store()

    pushed = [told for told in room.log if told == "t"]
    assert len(pushed) == 3  # all of them to the slow one, the third is too much for it
    assert (reading.wants_page, slow.gathers) == (False, False)
    for feed in (reading, slow):
        feed.next_part()
        assert not feed.has_something
        assert feed.wants_page


def test_one_publication_is_offered_once() -> None:
    """Who is slow costs no second try."""
    room = Room()
    feed = room.subscribe("t")
    feed.next_part()
    offered: list[Bundle] = []

    def take(bundle: Bundle) -> bool:
        offered.append(bundle)
        return False

    feed.take = take
    room.board.publish("t", b"", room.log.append)
    room.store()

    assert len(offered) == 1
    assert room.log[0] == "t"


@pytest.mark.limit("protocol.batch")
@pytest.mark.parametrize("more", [0, 1])
def test_a_batch_has_so_many_publications(more: int) -> None:
    """One more waits for the next."""
    room = Room()
    for _ in range(MOST_CHANGES + more):
        room.board.publish("t", b"", room.log.append)

    assert len(room.board.next_batch(0.0).publications) == MOST_CHANGES
    room.board.stored([at(1 + place) for place in range(MOST_CHANGES)])
    assert room.board.has_batch is bool(more)


@pytest.mark.limit("protocol.batch_bytes")
@pytest.mark.parametrize(
    ("size", "taken"), [(MOST_BYTES // 2 - 1, 2), (MOST_BYTES // 2, 1), (2 * MOST_BYTES, 1)]
)
def test_a_batch_has_so_many_bytes(size: int, taken: int) -> None:
    """Names included; a single publication may be larger."""
    room = Room()
    for _ in range(2):
        room.board.publish("t", bytes(size), room.log.append)

    assert len(room.board.next_batch(0.0).publications) == taken


def test_what_waits_is_counted() -> None:
    """With its name, and what it costs besides; stored or failed it waits no more, while it is being stored it does."""
    room = Room()
    for fails in (False, True):
        room.board.publish("abc", b"12345", room.log.append)
        assert room.board.size == 3 + 5 + FRAME_COST
        room.board.next_batch(0.0)
        assert room.board.size == 3 + 5 + FRAME_COST
        if fails:
            room.board.failed(Code.FULL, "no room")
        else:
            room.board.stored([at(1)])
        assert room.board.size == 0


@pytest.mark.parametrize("code", [Code.FULL, Code.UNKNOWN])
def test_a_batch_that_fails_is_told_to_its_publishers_and_to_nobody_else(code: Code) -> None:
    """In words that fit an answer; the next one is stored as if nothing had been, and a repeat is told the same."""
    room, origin = Room(), Origin()
    room.subscribe("t")
    room.receive(origin, 1)
    room.board.publish("t", b"", room.log.append)
    room.board.next_batch(0.0)
    room.receive(origin, 2)
    room.board.failed(code, "x" * 10_000)
    assert room.log == [Unpublished(number, code, "x" * PROTOCOL.reason) for number in (1, 0)]
    assert (room.board.head, room.woken) == (at(0), 4)
    room.receive(origin, 1)
    room.store()

    assert numbers(room.log[2:]) == [1, "t", 2]
    assert room.log[2].code is code


def test_who_asks_again_while_it_waits_is_answered_as_well() -> None:
    """Of two flows the one whose client is gone may be the last to ask, and takes the answer from nobody; each hears it once."""
    room, origin = Room(), Origin()
    answers: list[Answer] = []
    for number in (1, 2):
        room.receive(origin, number)
        room.board.next_batch(0.0) if number == 1 else None
    for number in (1, 2, 1):
        room.board.receive(origin, "key", Publish(number, 0, "t", b""), answers.append, as_it_is)
    room.board.stored([at(1)])
    room.store(2)

    assert answers == room.log == [Published(1, "e", 1), Published(2, "e", 2)]


# Who is told...


def test_each_is_told_what_its_pattern_selects() -> None:
    """An exact one, wild ones, and several who want the same."""
    room = Room()
    feeds = [room.subscribe(pattern) for pattern in ("a.b", "a.*", "**", "a.*", "b")]
    for topic in ("a.b", "a.c", "b", "c"):
        room.board.publish(topic, b"", lambda answer: None)
    room.store()

    assert [list(feed._queue) for feed in feeds] == [[1], [1, 2], [1, 2, 3, 4], [1, 2], [3]]
    assert [room.log.count(feed.pattern) for feed in feeds] == [1, 4, 4, 4, 1]


def test_who_is_told_no_more() -> None:
    """Of several who want the same one may go, and one may come when topics are known already; twice is once."""
    room = Room()
    feeds = [room.subscribe(pattern) for pattern in ("t", "t", "*", "*")]
    room.board.publish("t", b"", room.log.append)
    room.store()
    for feed in (feeds[0], feeds[0], feeds[2], feeds[2]):
        room.board.unsubscribe(feed)
    late = room.subscribe("**")
    room.board.publish("t", b"", room.log.append)
    room.store(2)
    for feed in (feeds[1], feeds[3], late):
        room.board.unsubscribe(feed)
    room.board.publish("t", b"", room.log.append)
    room.store(3)

    assert [list(feed._queue) for feed in (*feeds, late)] == [[1], [1, 2], [1], [1, 2], [2]]
    assert (room.board._exact, room.board._wild) == ({}, {})


def test_publications_go_to_all_as_one_thing_with_its_topics_policy() -> None:
    """Kept once, whoever reads it."""
    room = Room()
    one, two = room.subscribe("latest"), room.subscribe("*")
    room.board.publish("latest", b"data", room.log.append)
    room.store()

    assert one._queue[1] is two._queue[1]
    assert one._queue[1].behind is Behind.LATEST  # type: ignore[union-attr]


@pytest.mark.limit("protocol.patterns")
def test_so_many_topics_are_remembered() -> None:
    """One more, and they are all matched again; who is told stays the same."""
    room = Room()
    feed = room.subscribe("*")
    most = PROTOCOL.patterns
    for number in range(most):
        room.board._selecting(f"t{number}")
    assert len(room.board._selected) == most
    assert room.board._selecting("t0") == [{feed: room.board._wild["*"][1][feed]}]
    assert len(room.board._selected) == most
    assert len(room.board._selecting("one more")) == 1

    assert list(room.board._selected) == ["one more"]
