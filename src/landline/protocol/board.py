"""Where a server's publications are put up: the order of storing, telling and answering, and who is told of what.

One batch is written at a time; what is published meanwhile gathers for the next. Only when a batch is stored are its publications told, in
the order of their offsets, and after that their publishers are answered. So nobody hears of what may still be lost, and nobody is told that
something is safe that is not. ``patterns.hub`` runs this over a storage, ``testing.simulation`` without one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from ..history import Position
from ..limits import PROTOCOL
from .feed import Behind, Bundle, Entry, Feed
from .frames import FRAME_COST
from .handshake import clean_reason
from .publish import Answer, Code, Origin, Publish, Published, Unpublished, encode_record

MOST_CHANGES: Final = PROTOCOL.batch
MOST_BYTES: Final = PROTOCOL.batch_bytes
_REMEMBERED: Final = PROTOCOL.patterns

Tell = Callable[[Answer], None]
"""Is told what became of a publish."""


Vet = Callable[[Publish], "bytes | str"]
"""Returns what to store of a publish, or why it may not be published."""

_Feeds = dict[Feed, Callable[[], None]]
"""Those of one pattern, and what to call when something waits in each."""


class Selects(Protocol):
    """A pattern that was checked."""

    text: str

    @property
    def is_exact(self) -> bool:
        """Whether it selects one topic only."""
        ...

    def matches(self, topic: str, /) -> bool:
        """Whether it selects this topic."""
        ...


class Batch(msgspec.Struct, frozen=True):
    """What to store now, all of it or nothing."""

    publications: list[tuple[str, bytes]]
    """Topic and data of each, in order."""
    records: list[tuple[str, bytes]]
    """Keys and values: what is known of the outboxes that these are of."""


class _Waiting:
    """A publish that is not stored yet."""

    __slots__ = ("data", "key", "number", "origin", "size", "tells", "topic")

    def __init__(
        self, topic: str, data: bytes, tell: Tell, origin: Origin | None, key: str, number: int
    ) -> None:
        self.topic = topic
        self.data = data
        self.tells = [tell]
        self.origin = origin
        self.key = key
        self.number = number
        self.size = len(topic) + len(data) + FRAME_COST

    def tell(self, answer: Answer) -> None:
        """Answer everybody who published it."""
        for tell in self.tells:
            tell(answer)


class Board:
    """The topics of one life of a server.

    Args:
        head: the last publication of the history so far, in this life's epoch.
        behind: tells what becomes of a topic's publications that a reader is too slow for.
        wake: called when ``next_batch`` may have one.

    Attributes:
        head: up to here everything is told.
        size: bytes that wait to be stored, each publication counting ``FRAME_COST`` more: many small ones cost more than their bytes.
    """

    def __init__(self, head: Position, behind: Callable[[str], Behind], wake: Callable[[], None]) -> None:
        self.head = head
        self.size = 0
        self._behind = behind
        self._wake = wake
        self._waiting: deque[_Waiting] = deque()
        self._storing: list[_Waiting] = []
        self._exact: dict[str, _Feeds] = {}
        self._wild: dict[str, tuple[Selects, _Feeds]] = {}
        self._selected: dict[str, list[_Feeds]] = {}

    # Something is published...

    def publish(self, topic: str, data: bytes, tell: Tell) -> None:
        """Add a publication of the server's own."""
        self._add(_Waiting(topic, data, tell, None, "", 0))

    def receive(self, origin: Origin, key: str, publish: Publish, tell: Tell, vet: Vet) -> None:
        """Take a client's publish; it is answered now, or when it is stored. ``vet`` is asked about what is new.

        Raises:
            ProtocolError: too many of its outbox wait.
        """
        verdict = origin.receive(publish)
        if verdict is True:
            data = vet(publish)
            if isinstance(data, str):
                tell(origin.failed(publish.number, Code.REFUSED, data))
            else:
                self._add(_Waiting(publish.topic, data, tell, origin, key, publish.number))
        elif verdict is False:
            self._tell_too(origin, publish.number, tell)
        else:
            tell(verdict)

    def _add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self.size += waiting.size
        self._wake()

    def _tell_too(self, origin: Origin, number: int, tell: Tell) -> None:
        """It is waiting already: who asks now gets the answer as well. Of two flows, nobody knows which one still has its client."""
        for waiting in (*self._storing, *self._waiting):
            if waiting.origin is origin and waiting.number == number and tell not in waiting.tells:
                waiting.tells.append(tell)

    # ... stored ...

    @property
    def has_batch(self) -> bool:
        """Whether ``next_batch`` has something."""
        return bool(self._waiting) and not self._storing

    def next_batch(self, now: float) -> Batch:
        """Return what to store now; ``stored`` or ``failed`` must follow.

        Args:
            now: the wall clock, in seconds since 1970; kept with what is known of outboxes.
        """
        batch = self._storing
        size = 0
        while self._waiting and len(batch) < MOST_CHANGES:
            waiting = self._waiting[0]
            size += len(waiting.data) + len(waiting.topic)
            if batch and size > MOST_BYTES:
                break
            batch.append(self._waiting.popleft())
        fresh: dict[str, tuple[Origin, list[tuple[int, int]]]] = {}
        for place, waiting in enumerate(batch):
            if waiting.origin is not None:
                _, numbers = fresh.setdefault(waiting.key, (waiting.origin, []))
                numbers.append((waiting.number, len(batch) - 1 - place))
        return Batch(
            [(waiting.topic, waiting.data) for waiting in batch],
            [(key, encode_record(origin, numbers, now)) for key, (origin, numbers) in fresh.items()],
        )

    def stored(self, positions: Sequence[Position]) -> None:
        """The batch is safe: tell its publications, then answer who published them."""
        batch, self._storing = self._storing, []
        entries = []
        for waiting, position in zip(batch, positions, strict=True):
            self.size -= waiting.size
            self.head = position
            entries.append(Entry(waiting.topic, position.offset, waiting.data, self._behind(waiting.topic)))
        self._tell(entries)
        for waiting, position in zip(batch, positions, strict=True):
            if waiting.origin is not None:
                waiting.tell(waiting.origin.stored(waiting.number, position))
            else:
                waiting.tell(Published(waiting.number, position.epoch, position.offset))
        if self._waiting:
            self._wake()

    def failed(self, code: Code, reason: str) -> None:
        """The batch is not stored, or nobody knows."""
        batch, self._storing = self._storing, []
        reason = clean_reason(reason)
        for waiting in batch:
            self.size -= waiting.size
            if waiting.origin is not None:
                waiting.tell(waiting.origin.failed(waiting.number, code, reason))
            else:
                waiting.tell(Unpublished(waiting.number, code, reason))
        if self._waiting:
            self._wake()

    # ... and told.

    def subscribe(self, feed: Feed, selects: Selects, on_push: Callable[[], None]) -> None:
        """Have a feed told what its pattern selects, from now on; ``on_push`` is called after each that waits in it."""
        feed.begin(self.head.epoch)
        if selects.is_exact:
            self._exact.setdefault(selects.text, {})[feed] = on_push
        elif selects.text in self._wild:
            self._wild[selects.text][1][feed] = on_push
        else:
            self._wild[selects.text] = (selects, {feed: on_push})
            self._selected.clear()

    def unsubscribe(self, feed: Feed) -> None:
        """Push it nothing more."""
        if feed.pattern in self._exact and feed in self._exact[feed.pattern]:
            del self._exact[feed.pattern][feed]
            if not self._exact[feed.pattern]:
                del self._exact[feed.pattern]
        elif feed.pattern in self._wild:
            feeds = self._wild[feed.pattern][1]
            feeds.pop(feed, None)
            if not feeds:
                del self._wild[feed.pattern]
                self._selected.clear()

    def _tell(self, entries: list[Entry]) -> None:
        """Tell what was stored together: whoever selects the same of it is given the same bundle."""
        by_topic: dict[str, list[Entry]] = {}
        for entry in entries:
            by_topic.setdefault(entry.topic, []).append(entry)
        for topic, found in by_topic.items():
            if topic in self._exact:
                _tell_all(self._exact[topic], Bundle(found))
        if not self._wild:
            return
        selected: dict[int, tuple[_Feeds, list[Entry]]] = {}
        for entry in entries:
            for feeds in self._selecting(entry.topic):
                selected.setdefault(id(feeds), (feeds, []))[1].append(entry)
        for feeds, found in selected.values():
            _tell_all(feeds, Bundle(found))

    def _selecting(self, topic: str) -> list[_Feeds]:
        selecting = self._selected.get(topic)
        if selecting is None:
            if len(self._selected) >= _REMEMBERED:
                self._selected.clear()
            selecting = self._selected[topic] = [
                feeds for selects, feeds in self._wild.values() if selects.matches(topic)
            ]
        return selecting


def _tell_all(feeds: _Feeds, bundle: Bundle) -> None:
    for feed, on_push in feeds.items():
        if not feed.takes(bundle) and feed.gathers:
            _tell_each(feed, on_push, bundle)


def _tell_each(feed: Feed, on_push: Callable[[], None], bundle: Bundle) -> None:
    for alone in bundle.alone():
        if not feed.gathers:
            return  # since just now: what it would gather is in the log as well
        if (alone is bundle or not feed.takes(alone)) and feed.push(alone.entries[0]):
            on_push()
