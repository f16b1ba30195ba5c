"""The topics of a simulated server: the real board and feeds over the disk in virtual time, as ``patterns.hub`` runs them on the loop.

What that shell decides is repeated here as thinly as it can be; where it changes, this follows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from ...errors import StorageError, StorageFailed
from ...history import Position
from ...protocol import board as board_module
from ...protocol import feed as feed_module
from ...protocol import group as group_module
from ...protocol import publish as publish_module
from ...protocol.board import Board
from ...protocol.feed import Behind, Bundle, Feed, frame_of
from ...protocol.flow import Flow
from ...protocol.frames import FRAME_COST, ResetCode
from ...protocol.intake import SEND_PURPOSE
from ...protocol.publish import (
    PUBLISH_PURPOSE,
    Answer,
    Code,
    Opened,
    Opening,
    Origin,
    Publish,
    decode_publish,
    decode_record,
    encode,
    encode_record,
)
from ...protocol.subscription import After, decode_subscribe
from ...storage.base import Append, Change, Page, Put, Value
from ...storage.names import Pattern
from .disk import Disk, Outcome
from .ends import End
from .flows import abandon, is_writable, say, takes_more
from .line import Node
from .records import DiskBooks
from .sends import Receiver, Receiving
from .switched_off import Patch

RULES: Final = {"a.x": Behind.HISTORY, "a.y": Behind.DROP_OLDEST, "b.z": Behind.LATEST}
"""The topics, and what becomes of publications for which a reader is too slow."""

SMALL: Final[tuple[Patch, ...]] = (
    (feed_module, "MOST_QUEUED", 800),
    (feed_module, "_MOST_GAPS", 800 // FRAME_COST),
    (board_module, "MOST_CHANGES", 4),
    (publish_module, "MOST_UNANSWERED", 12),
    (group_module, "_DEPARTED", 2),
)
"""Limits that a run of a thousand steps would never reach are small while it runs."""

_PAGE: Final = 5
_OUTBOXES: Final = "landline.outbox."


class Hub:
    """The topics of one life of a server."""

    def __init__(self, disk: Disk, node: Node, books: DiskBooks) -> None:
        self.disk = disk
        self.node = node
        self.board = Board(disk.head, RULES.__getitem__, self._wake)
        self.received: dict[bytes, Receiving] = {}
        self._books = books
        self._is_writing = self._has_failed = False
        self._origins: WeakValueDictionary[str, Origin] = WeakValueDictionary()
        self._loading: dict[str, list[Callable[[Origin | None, bool], None]]] = {}

    def serve(self, end: End, flow: Flow) -> None:
        """Serve a flow that a client opened."""
        serving: _Publisher | _Subscriber | Receiver
        if flow.purpose == PUBLISH_PURPOSE:
            serving = _Publisher(self, end, flow)
        elif flow.purpose == SEND_PURPOSE:
            serving = Receiver(self, end, flow)
        else:
            serving = _Subscriber(self, end, flow)
        end.serving[flow.number] = serving.arrived
        self.node.ready.append(serving.arrived)  # what came together with it was reported before it

    # The one who writes...

    def _wake(self) -> None:
        self.node.ready.append(self._write)

    def _write(self) -> None:
        if self._is_writing or not self.board.has_batch:
            return
        self._is_writing = True
        batch = self.board.next_batch(self.node.now)
        changes: list[Change] = [Append(topic, data) for topic, data in batch.publications]
        changes += [Put(key, value) for key, value in batch.records]
        self.disk.write(changes, self._written)

    def _written(self, outcome: Outcome) -> None:
        self._is_writing = False
        if isinstance(outcome, StorageError):
            is_doubtful = isinstance(outcome, StorageFailed) and not self._has_failed
            self._has_failed |= isinstance(outcome, StorageFailed)
            self.board.failed(Code.UNKNOWN if is_doubtful else Code.FULL, str(outcome))
        else:
            self.board.stored(outcome)
        self._wake()

    # What is known of an outbox...

    def key_of(self, end: End, said: Opening) -> str:
        """Return the key of what is kept of it."""
        return f"{_OUTBOXES}{end.talk.principal}.{said.id.hex()}"

    def receiving(self, key: str, outbox: bytes, origin: Origin) -> Receiving:
        """Return what programs are given of it, in this life."""
        if outbox not in self.received:
            books = self._books.sends[outbox]
            self._books.told[key] = books.committed
            self.received[outbox] = Receiving(self, key, origin, books)
        return self.received[outbox]

    def origin(self, key: str, then: Callable[[Origin | None, bool], None]) -> None:
        """Call back with what is known of an outbox, and whether it was known before; None: the disk failed."""
        origin = self._origins.get(key)
        if origin is not None:
            then(origin, True)
        elif key in self._loading:
            self._loading[key].append(then)
        else:
            self._loading[key] = [then]
            self.disk.get(key, partial(self._found, key))

    def _found(self, key: str, value: Value | None) -> None:
        if value is not None:
            self._loaded(key, decode_record(value.data, value.position)[0], is_known=True)
            return
        origin = Origin()

        def registered(outcome: Outcome) -> None:
            self._loaded(key, None if isinstance(outcome, StorageError) else origin, is_known=False)

        self.disk.write([Put(key, encode_record(origin, [], self.node.now))], registered)

    def _loaded(self, key: str, origin: Origin | None, *, is_known: bool) -> None:
        if origin is not None:
            self._origins[key] = origin
        for then in self._loading.pop(key):
            then(origin, is_known)
            is_known = True


class _Publisher:
    """The flow of a client's publishes."""

    def __init__(self, hub: Hub, end: End, flow: Flow) -> None:
        self._hub = hub
        self._end = end
        self._flow = flow
        self._key = ""
        self._origin: Origin | None = None
        self._is_opening = False

    def arrived(self) -> None:
        """Take what is there."""
        core, flow = self._end.core, self._flow
        if not is_writable(flow) or self._end.ended:
            self._origin = None
            return
        while flow.inbox and not self._is_opening:
            said = decode_publish(core.take(flow))
            if isinstance(said, Opening):
                self._key = self._hub.key_of(self._end, said)
                self._is_opening = True
                self._hub.origin(self._key, self._opened)
            elif self._origin is not None:
                self._hub.board.receive(self._origin, self._key, said, self._answer, _as_it_is)
        if not flow.inbox:
            core.handle_taken(flow)

    def _opened(self, origin: Origin | None, is_known: bool) -> None:
        self._is_opening = False
        if origin is None:
            abandon(self._end, self._flow, ResetCode.FAILED)
            return
        self._origin = origin
        self._answer(Opened(is_known))
        self.arrived()

    def _answer(self, said: Opened | Answer) -> None:
        say(self._end, self._flow, encode(said))


class _Subscriber:
    """The flow of a subscription."""

    def __init__(self, hub: Hub, end: End, flow: Flow) -> None:
        self._hub = hub
        self._end = end
        self._flow = flow
        self._feed: Feed | None = None

    def arrived(self) -> None:
        """Take what the client wants; it wants it once, and then no more."""
        core, flow, board = self._end.core, self._flow, self._hub.board
        if self._feed is not None or not flow.inbox:
            self.fill()
            return
        wish = decode_subscribe(core.take(flow))
        core.handle_taken(flow)
        selects = Pattern(wish.pattern)
        if wish.after is After.START:
            feed = Feed(selects.text, None)
        else:
            is_now = wish.after is After.NOW
            feed = Feed(selects.text, board.head if is_now else Position(wish.epoch, wish.offset))
            if feed.cursor == board.head:
                feed.go_live()
        self._feed = feed
        feed.take = self._take
        board.subscribe(feed, selects, self.fill)
        self._end.on_room[flow.number] = self.fill
        self.fill()

    def _take(self, bundle: Bundle) -> bool:
        """Send what was just published, if the reader takes all of it now."""
        end, flow = self._end, self._flow
        takes = not end.ended and takes_more(end.core, flow, len(bundle.entries), bundle.before_last)
        if takes:
            end.core.send_frames(flow, bundle.frames(flow.number))
        return takes

    def fill(self) -> None:
        """Send what the reader takes now."""
        feed, end, flow = self._feed, self._end, self._flow
        if feed is None:
            return
        if end.ended or not is_writable(flow):
            self._feed = None
            self._end.on_room.pop(flow.number, None)
            # Not at once: whoever tells of a publication walks through the feeds right now.
            end.node.ready.append(partial(self._hub.board.unsubscribe, feed))
            return
        while feed.has_something and takes_more(end.core, flow):
            end.core.send_frame(flow, frame_of(feed.next_part(), flow.number))
        if feed.wants_page and takes_more(end.core, flow):
            feed.read()
            self._hub.disk.read(feed.pattern, feed.cursor, _PAGE, partial(self._page, feed))

    def _page(self, feed: Feed, page: Page) -> None:
        feed.page(page.publications, page.gaps, page.end, more=page.more)
        self.fill()


def _as_it_is(publish: Publish) -> bytes:
    """Everything may be published."""
    return publish.data
