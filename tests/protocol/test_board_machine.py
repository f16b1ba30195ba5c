"""Publishers, a board over a storage, subscribers, flows that break and servers that die at any step: a state machine for hypothesis.

The model is a list: what was committed, in order. Nothing published may be in it twice, or out of its publisher's order; what was acked is in it,
what failed is not; and each subscriber is told all of it that it asked for, in order and once, or that it is missing. What fails is shrunk by
hypothesis to the fewest steps.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from unittest import mock

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from landline.history import HISTORY_REPLACED, Gap, Position, Publication
from landline.protocol import board, feed, publish
from landline.protocol.board import Board
from landline.protocol.feed import Behind, Feed, frame_of
from landline.protocol.frames import HEADER
from landline.protocol.publish import (
    Answer,
    Code,
    Opened,
    Opening,
    Origin,
    Publish,
    Published,
    Publisher,
    decode_publish,
    decode_record,
    encode,
    encode_record,
)
from landline.protocol.subscription import After, Place, decode_subscribe
from landline.storage import Append, MemoryStorage, Page, Pattern, Put, Retention

T = TypeVar("T")

TOPICS = {
    "all": Behind.HISTORY,
    "short": Behind.HISTORY,
    "some": Behind.DROP_OLDEST,
    "one": Behind.LATEST,
}
PATTERNS = ("*", "all", "short", "one")
BOTH = st.sampled_from((0, 1))
FEW = st.integers(1, 5)
MOST = 6
"""Publishes that may wait for their answers."""
ANY = st.integers(0, len(PATTERNS) - 1)


def now(waiting: Coroutine[Any, Any, T]) -> T:
    """What a storage in memory returns, which never waits."""
    try:
        waiting.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


def as_it_is(said: Publish) -> bytes:
    """Let everything be published."""
    return said.data


class Client:
    """Who publishes, and the books about it."""

    def __init__(self, number: int) -> None:
        self.name = f"client{number}"
        self.publisher = Publisher(bytes([number]) * 16)
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.published: list[bytes] = []
        self.committed: dict[int, int] = {}
        """Offsets by numbers."""
        self.outcomes: dict[int, Answer] = {}
        self.origin: Origin | None = None

    def begin(self) -> None:
        """Another flow; what was under way in the last one is lost."""
        self.up, self.down, self.origin = deque([self.publisher.begin()]), deque(), None

    def commit(self, number: int, offset: int) -> None:
        assert number > max(self.committed, default=0), "doubled or out of order"
        outcome = self.outcomes.get(number)
        assert outcome is None or getattr(outcome, "code", None) is Code.UNKNOWN, (
            "answered before it was stored"
        )
        self.committed[number] = offset

    def hear(self) -> None:
        for answer in self.publisher.receive(self.down.popleft()):
            number = answer.number
            assert number not in self.outcomes
            self.outcomes[number] = answer
            if isinstance(answer, Published):
                assert answer.offset == self.committed.get(number), "acked, and is not there"
            elif answer.code is not Code.UNKNOWN:
                assert number not in self.committed, "called certain to have failed, and is there"


class Subscriber:
    """Who subscribes, what it was told, and its feed at the server."""

    def __init__(self, pattern: str, after: After) -> None:
        self.selects = Pattern(pattern)
        self.place = Place(pattern, after)
        self.begins_at: int | None = 0 if after is After.START else None
        self.told: list[Publication | Gap] = []
        self.last = 0
        self.down: deque[bytes] = deque()
        self.feed: Feed
        self.page: Page | None = None

    def hear(self, committed: Sequence[tuple[str, bytes]]) -> None:
        part = self.place.receive(self.down.popleft())
        if self.begins_at is None:
            assert self.place.position is not None
            self.begins_at = self.last = self.place.position.offset
        if isinstance(part, Gap):
            assert part.reason != HISTORY_REPLACED
            assert part.after.offset < part.to.offset <= len(committed)
        elif part is not None:
            assert part.position.offset > self.last, "doubled or out of order"
            self.last = part.position.offset
            assert committed[self.last - 1] == (part.topic, part.data)
            assert self.selects.matches(part.topic)
        if part is not None:
            self.told.append(part)

    def check(self, committed: Sequence[tuple[str, bytes]]) -> None:
        """All that it asked for was told once, or lies in a gap."""
        selects, begins_at = self.selects, self.begins_at or 0
        gaps = [part for part in self.told if isinstance(part, Gap)]
        delivered = {part.position.offset for part in self.told if isinstance(part, Publication)}
        for offset in range(begins_at + 1, len(committed) + 1):
            topic = committed[offset - 1][0]
            around = [gap.topic for gap in gaps if gap.after.offset < offset <= gap.to.offset]
            if offset in delivered:
                assert selects.is_exact or topic not in around, f"{offset} was told, and is called missing"
                assert not selects.is_exact or not around, f"{offset} was told, and is called missing"
            elif selects.matches(topic):
                assert topic in around or selects.text in around, f"{offset} is missing without a word"


class Topics(RuleBasedStateMachine):
    """One storage, one life of a server after the other, two who publish and four who subscribe."""

    @initialize(kept=st.integers(1, 4))
    def begin(self, kept: int) -> None:
        self.patches = [
            mock.patch.multiple(feed, MOST_QUEUED=500, _MOST_GAPS=3),
            mock.patch.object(board, "MOST_CHANGES", 3),
            mock.patch.object(publish, "MOST_UNANSWERED", MOST),
        ]
        for patch in self.patches:
            patch.start()
        epochs = iter(range(1000))
        self.storage = MemoryStorage(
            retention={"*": Retention(max_count=None), "short": Retention(max_count=kept)},
            entropy=lambda size: next(epochs).to_bytes(size, "big"),
        )
        self.committed: list[tuple[str, bytes]] = []
        self.clients = [Client(number) for number in range(2)]
        self.subscribers = [
            Subscriber(pattern, After.NOW if pattern == "one" else After.START) for pattern in PATTERNS
        ]
        self.live()

    def live(self) -> None:
        """A server's life begins, with what is committed and nothing else."""
        now(self.storage.open())
        self.board = Board(now(self.storage.head()), lambda topic: TOPICS[topic], lambda: None)
        self.origins: dict[str, Origin] = {}
        self.is_written: list[Position] | None = None
        self.is_broken = False
        for client in self.clients:
            client.begin()
        for subscriber in self.subscribers:
            self.subscribe(subscriber)

    # Publishing...

    @rule(
        who=BOTH,
        topics=st.lists(st.sampled_from(sorted(TOPICS)), min_size=1, max_size=4),
        size=st.integers(0, 200),
    )
    def publish(self, who: int, topics: list[str], size: int) -> None:
        client = self.clients[who]
        for topic in topics[: MOST - len(client.publisher.unanswered)]:
            assert client.publisher.has_room
            data = f"{who} {len(client.published)} ".encode().ljust(size, b".")
            client.published.append(data)
            client.publisher.publish(topic, b"\x20" + data)

    @rule(who=BOTH, number=FEW)
    def say(self, who: int, number: int) -> None:
        client = self.clients[who]
        for _ in range(number):
            message = client.publisher.next_message()
            if message is not None:
                client.up.append(message)

    @rule(who=BOTH, number=FEW)
    def arrive(self, who: int, number: int) -> None:
        """The server takes some messages of a flow of publishes."""
        client = self.clients[who]
        for _ in range(min(number, len(client.up))):
            self.take(client, decode_publish(client.up.popleft()))

    def take(self, client: Client, said: Opening | Publish) -> None:
        if isinstance(said, Opening):
            client.origin, known = self.origin(client.name)
            client.down.append(encode(Opened(known)))
        else:
            assert client.origin is not None
            self.receive(client, client.origin, said)

    def receive(self, client: Client, origin: Origin, said: Publish) -> None:
        flow = client.down
        self.board.receive(origin, client.name, said, lambda answer: flow.append(encode(answer)), as_it_is)

    def origin(self, key: str) -> tuple[Origin, bool]:
        for waiting in (*self.board._storing, *self.board._waiting):
            if waiting.key == key and waiting.origin is not None:
                return waiting.origin, True
        known = self.origins.get(key)
        if known is not None and known.doubtful:
            return known, True
        value = now(self.storage.get(key))
        if value is None:
            origin, is_known = Origin(), False
            now(self.storage.put(key, encode_record(origin, [], 0.0)))
        else:
            (origin, _), is_known = decode_record(value.data, value.position), True
        self.origins[key] = origin
        return origin, is_known

    @rule(who=BOTH, number=FEW)
    def answer(self, who: int, number: int) -> None:
        """A client takes some answers."""
        for _ in range(min(number, len(self.clients[who].down))):
            self.clients[who].hear()

    @rule(who=BOTH)
    def break_publishes(self, who: int) -> None:
        """A flow of publishes breaks, and another begins."""
        self.clients[who].begin()

    # ... storing ...

    @rule()
    def write(self) -> None:
        """A batch is written: its commit is done, and nobody was told of it."""
        if self.board.has_batch:
            batch = self.board.next_batch(0.0)
            if self.is_broken:
                self.board.failed(Code.FULL, "broken")
            else:
                self.is_written = self.commit(batch)

    def commit(self, batch: board.Batch) -> list[Position]:
        changes: list[Append | Put] = [Append(topic, data) for topic, data in batch.publications]
        changes += [Put(key, data) for key, data in batch.records]
        for topic, data in batch.publications:
            self.committed.append((topic, data[1:]))
            who, number, _ = data[1:].split(b" ", 2)
            self.clients[int(who)].commit(int(number) + 1, len(self.committed))
        return now(self.storage.write(changes))

    @rule()
    def tell(self) -> None:
        """The server hears that it is committed."""
        if self.is_written is not None:
            positions, self.is_written = self.is_written, None
            self.board.stored(positions)

    @rule(how=st.sampled_from(("full", "broken", "broken after all")))
    def fail(self, how: str) -> None:
        """A batch is not stored, or nobody knows whether it is: then nothing more is."""
        if self.board.has_batch and not self.is_broken:
            batch = self.board.next_batch(0.0)
            self.is_broken = how != "full"
            if how == "broken after all":
                self.commit(batch)
            self.board.failed(Code.UNKNOWN if self.is_broken else Code.FULL, how)

    @rule()
    def crash(self) -> None:
        """The server dies and another begins; what is committed is all that is left."""
        now(self.storage.close())
        self.live()

    # ... and subscribing.

    def subscribe(self, subscriber: Subscriber) -> None:
        wish = decode_subscribe(subscriber.place.begin())
        after = Position(wish.epoch, wish.offset) if wish.after is After.POSITION else None
        subscriber.down, subscriber.page = deque(), None
        subscriber.feed = Feed(wish.pattern, self.board.head if wish.after is After.NOW else after)
        if subscriber.feed.cursor == self.board.head:
            subscriber.feed.go_live()
        self.board.subscribe(subscriber.feed, subscriber.selects, lambda: None)

    @rule(who=ANY)
    def break_subscription(self, who: int) -> None:
        """What was under way in it is lost."""
        self.board.unsubscribe(self.subscribers[who].feed)
        self.subscribe(self.subscribers[who])

    @rule(who=ANY, limit=st.integers(1, 4))
    def read(self, who: int, limit: int) -> None:
        """A page of the log is read; it arrives later."""
        subscriber = self.subscribers[who]
        if subscriber.feed.wants_page:
            subscriber.feed.read()
            subscriber.page = now(
                self.storage.read(subscriber.selects.text, subscriber.feed.cursor, limit=limit)
            )

    @rule(who=ANY)
    def page(self, who: int) -> None:
        subscriber = self.subscribers[who]
        if subscriber.page is not None:
            page, subscriber.page = subscriber.page, None
            subscriber.feed.page(page.publications, page.gaps, page.end, more=page.more)

    @rule(who=ANY, number=FEW)
    def send(self, who: int, number: int) -> None:
        subscriber = self.subscribers[who]
        for _ in range(number):
            if subscriber.feed.has_something:
                subscriber.down.append(frame_of(subscriber.feed.next_part(), 1)[HEADER.size :])

    @rule(who=ANY, number=FEW)
    def hear(self, who: int, number: int) -> None:
        subscriber = self.subscribers[who]
        for _ in range(min(number, len(subscriber.down))):
            subscriber.hear(self.committed)

    # Peace...

    def teardown(self) -> None:
        """Peace: everything is answered, and everybody told."""
        try:
            if sys.exc_info()[0] is None and hasattr(self, "clients"):
                self.calm_down()
        finally:
            for patch in getattr(self, "patches", ()):
                patch.stop()

    def calm_down(self) -> None:
        if self.is_broken:
            self.crash()
        for _ in range(500):
            for who in range(2):
                self.say(who, 3)
                self.arrive(who, 3)
                self.answer(who, 3)
            self.write()
            self.tell()
            for who in range(len(PATTERNS)):
                self.read(who, 3)
                self.page(who)
                self.send(who, 5)
                self.hear(who, 5)
            if self.is_at_rest():
                break
        else:
            raise AssertionError("it never comes to rest")
        for client in self.clients:
            assert sorted(client.outcomes) == list(range(1, len(client.published) + 1)), "not answered"
        for subscriber in self.subscribers:
            subscriber.check(self.committed)

    def is_at_rest(self) -> bool:
        return not (
            any(client.publisher.unanswered for client in self.clients)
            or any(client.up or client.down for client in self.clients)
            or any(each.feed.has_something or each.feed.wants_page or each.down for each in self.subscribers)
        )


Topics.TestCase.settings = hypothesis.settings(max_examples=25, stateful_step_count=50)


TestTopics = Topics.TestCase
"""No loss, no double, no reorder, every missing one within a gap, whatever breaks and whenever a server dies."""


def walk(seed: int, steps: int) -> None:
    """The same steps drawn by chance alone: many more of them in the same time, and a seed to play them again."""
    chance = random.Random(seed)
    topics = Topics()
    topics.begin(chance.randint(1, 4))
    try:
        for _ in range(steps):
            name = chance.choice(STEPS) if chance.random() > 0.03 else chance.choice(FAULTS)
            who = chance.randrange(2)
            reader = chance.randrange(len(PATTERNS))
            few = chance.randint(1, 5)
            if name == "publish":
                topics.publish(who, chance.choices(sorted(TOPICS), k=few), chance.randrange(200))
            elif name in ("say", "arrive", "answer"):
                getattr(topics, name)(who, few)
            elif name in ("send", "hear", "read"):
                getattr(topics, name)(reader, few)
            elif name in ("page", "break_subscription"):
                getattr(topics, name)(reader)
            elif name == "break_publishes":
                topics.break_publishes(who)
            elif name == "fail":
                topics.fail(chance.choice(("full", "broken", "broken after all")))
            else:
                getattr(topics, name)()
        topics.calm_down()
    finally:
        topics.teardown()


STEPS = ("publish", "say", "arrive", "answer", "write", "tell", "read", "page", "send", "hear")
FAULTS = ("break_publishes", "break_subscription", "fail", "crash")


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.long
def test_long_walks_lose_nothing(seed: int) -> None:
    """As the machine does, and longer: the log is read while it is written, and queues overflow."""
    walk(seed, 3000)
