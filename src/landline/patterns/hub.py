"""The topics of a server: a ``protocol.board`` over a storage, for its own program and for what clients' flows ask of it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from ..errors import (
    NotAllowed,
    ProtocolError,
    PublishFailed,
    StorageClosed,
    StorageDamaged,
    StorageError,
    StorageFailed,
)
from ..history import Gap, Position, Publication
from ..limits import PROTOCOL, STORAGE, Limits
from ..protocol.board import Board
from ..protocol.feed import Bundle, Entry, Feed, fitting, frame_of, most_data
from ..protocol.handshake import clean_reason
from ..protocol.intake import SEND_PURPOSE
from ..protocol.publish import (
    PUBLISH_PURPOSE,
    Answer,
    Code,
    Opened,
    Opening,
    Origin,
    Publish,
    decode_publish,
    encode,
)
from ..protocol.subscription import SUBSCRIBE_PURPOSE, After, decode_subscribe
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..sessions.signal import Signal
from ..storage.base import Append, Change, Page, Put, Storage
from ..storage.names import Pattern
from .failures import clause, is_cancelled, is_certain, refusal
from .intake import Found, Intakes
from .messages import Messages
from .middleware import Call, Middleware, through
from .newest import Searches, newest_of_each
from .origins import Origins
from .publications import (
    decode_stored,
    decoded_page,
    encode_stored,
    heard,
    lenient,
    position_of,
    say,
)
from .readers import Readers
from .rules import Authorize, Rules, TopicRule, vetted_by
from .serving import Serving, while_open

log = logging.getLogger("landline.topics")

_TRIM_INTERVAL: Final = STORAGE.trim_interval
_PAGE: Final = STORAGE.feed_page
_PAGE_BYTES: Final = STORAGE.feed_page_bytes


class Hub:
    """The topics of one life of a server.

    Args:
        storage: an open one; its retention is set already.
        rules: which topics there are; the last one that selects a topic counts.
        authorize: who may publish and subscribe to what.
        middlewares: stand around what clients publish, the first one outermost.
        outlives: whether the storage outlives the server; else nobody may rely on what is sent durably.
        clock: the wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        storage: Storage,
        rules: list[TopicRule],
        limits: Limits,
        *,
        authorize: Authorize,
        middlewares: Sequence[Middleware] = (),
        outlives: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._rules = Rules(rules, authorize)
        self._readers = Readers(authorize)
        self._there = self._rules.of_these
        self._limits = limits
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._serving = Serving()
        self._writer: asyncio.Task[None] | None = None
        self._has_batch = asyncio.Event()
        self._stored = Signal()
        self._is_closing = False
        self._is_over = False
        self._has_failed = False
        self._own: set[Signal] = set()
        self._searches = Searches()
        self._origins = Origins(storage, clock)
        self._outlives = outlives
        self._middlewares = middlewares
        self._intakes = Intakes(self._find_sender, clock)
        self._board: Board

    async def open(self) -> None:
        """Begin where the history ends."""
        self._board = Board(await self._storage.head(), self._rules.behind, self._has_batch.set)
        self._writer = self._loop.create_task(self._write(), name="landline topics")
        trimming = self._loop.create_task(self._trim_now_and_then(), name="landline trimming")
        self._serving.keep(trimming)

    async def close(self) -> None:
        """Wait until everything published is stored or has failed; take no more.

        Cancelled, it leaves that to the storage, whose close ends it: whoever published is told in any case.
        """
        self._is_closing = True
        self._has_batch.set()
        try:
            if self._writer is not None:
                await asyncio.shield(self._writer)
        finally:
            self._is_over = True
            for subscriber in self._own:
                subscriber.wake()
            await self._serving.cancel()

    # The one who writes...

    async def _write(self) -> None:
        board = self._board
        while board.has_batch or not self._is_closing:
            if not board.has_batch:
                self._has_batch.clear()
                await self._has_batch.wait()
                continue
            batch = board.next_batch(self._clock())
            changes: list[Change] = [Append(topic, data) for topic, data in batch.publications]
            changes += [Put(key, value) for key, value in batch.records]
            try:
                positions = await self._storage.write(changes)
            except Exception as error:  # noqa: BLE001 - whoever published is told
                self._failed(error)
            else:
                board.stored(positions)
            self._stored.wake()

    def _failed(self, error: Exception) -> None:
        is_doubtful = not self._has_failed and not is_certain(error)
        if is_doubtful:
            self._origins.doubt()
        # One that failed stays so: it is said once.
        level = logging.DEBUG if self._has_failed else logging.ERROR
        self._has_failed |= isinstance(error, StorageFailed | StorageDamaged)
        log.log(level, "publications could not be stored: %s", error)
        self._board.failed(Code.UNKNOWN if is_doubtful else Code.FULL, clause(error))

    # The server's own program...

    async def publish(self, topic: str, data: Any) -> Position:
        """Publish, and return the position once it is stored; see ``Server.publish``."""
        self._rules.of(topic)
        stored = encode_stored(data, self._limits.max_message)
        while self._board.size >= PROTOCOL.board:
            await self._stored.wait()
        if self._is_closing:
            raise PublishFailed("the server is going away")
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._board.publish(topic, stored, partial(_answered, future))
        return position_of(await future)

    async def subscribe(
        self, pattern: str, after: Position | After
    ) -> AsyncGenerator[Publication | Gap, None]:
        """Yield what a pattern selects, history first; see ``Server.subscribe``."""
        selects = self._rules.selects(pattern)
        pushed = Signal()
        feed = await self._feed(selects, after)
        self._tell(feed, selects, pushed.wake)
        self._own.add(pushed)
        epoch = self._board.head.epoch
        try:
            while True:
                while feed.has_something:
                    part = feed.next_part()
                    if isinstance(part, Entry):
                        yield Publication(part.topic, Position(epoch, part.offset), lenient(part.data))
                    elif isinstance(part, Publication):
                        yield Publication(part.topic, part.position, lenient(part.data))
                    elif isinstance(part, Gap):
                        yield part
                if self._is_over:
                    return
                if feed.wants_page:
                    await self._read(feed)
                else:
                    await pushed.wait()
        except StorageClosed:
            if not self._is_over:
                raise
        finally:
            self._own.discard(pushed)
            self._board.unsubscribe(feed)

    async def read(self, pattern: str, after: Position | None, limit: int, to: Position | None) -> Page:
        """Return a page of what a pattern selects; see ``Server.read``."""
        return decoded_page(await self._storage.read(pattern, after, limit=limit, to=to))

    async def last(self, pattern: str, limit: int, to: Position | None) -> Page:
        """Return the newest that a pattern selects; see ``Server.last``."""
        return decoded_page(await self._storage.last(pattern, limit, to=to))

    # A client's flow...

    def takes(self, bare: BareSession, session: Any, flow: BareFlow) -> bool:
        """Serve a flow that a client opened, if it is for topics; return whether it is.

        Args:
            bare: the session.
            session: the same, as rules' ``vet`` is given it.
            flow: what the client opened.
        """
        if flow.purpose == PUBLISH_PURPOSE:
            self._serving.run(bare, flow, self._serve_publisher(bare, session, flow))
        elif flow.purpose == SUBSCRIBE_PURPOSE:
            self._serving.run(bare, flow, self._serve_subscriber(bare, flow))
        elif flow.purpose == SEND_PURPOSE:
            self._serving.run(bare, flow, self._serve_sender(bare, flow))
        else:
            return False
        return True

    # ... of publishes ...

    async def _serve_publisher(self, bare: BareSession, session: Any, flow: BareFlow) -> None:
        messages = Messages(bare, flow)
        said = decode_publish(heard(await messages.receive()))
        if not isinstance(said, Opening):
            raise ProtocolError("publishes begin with their outbox", "bad-data")
        key, origin, is_known = await while_open(bare, flow, self._origins.of(bare, said.id))

        def answer(said: Opened | Answer) -> None:
            say(flow, encode(said))

        answer(Opened(is_known))
        bare.on_room[flow] = flow.arrived.wake
        try:
            await self._take_publishes(
                bare, flow, messages, origin, key, answer, partial(self._vet, bare, session)
            )
        finally:
            del bare.on_room[flow]

    async def _take_publishes(
        self,
        bare: BareSession,
        flow: BareFlow,
        messages: Messages,
        origin: Origin,
        key: str,
        answer: Callable[[Answer], None],
        vet: Callable[[Publish], bytes | str | Coroutine[Any, Any, bytes | str]],
    ) -> None:
        while True:
            await _has_room(bare, flow)
            publish = decode_publish(heard(await messages.receive()))
            if not isinstance(publish, Publish):
                raise ProtocolError("an outbox that was opened twice", "bad-data")
            while self._board.size >= PROTOCOL.board:
                await self._stored.wait()
            verdict: bytes | str = ""
            if origin.is_new(publish.number):  # else the answer is known, or on its way
                vetted = vet(publish)
                verdict = vetted if isinstance(vetted, (bytes, str)) else await while_open(bare, flow, vetted)
            self._board.receive(origin, key, publish, answer, partial(_as_found, verdict))

    def _vet(
        self, bare: BareSession, session: Any, publish: Publish
    ) -> bytes | str | Coroutine[Any, Any, bytes | str]:
        """Return what to store of a client's publish, or why it may not be published; at once, or what to wait for."""
        topic = publish.topic
        try:
            rule = self._rules.of(topic)
            data = decode_stored(publish.data)
            if self._is_closing:
                return "the server is going away"
            if not self._rules.may(bare.principal, "publish", topic):
                return clean_reason(f"you may not publish to {topic!r}")
            vetted: Any
            if self._middlewares:
                call = Call(session, "publish", topic, data)
                vetted = through(self._middlewares, partial(vetted_by, rule))(call)
            elif rule.vet is None:
                return publish.data
            else:
                vetted = rule.vet(session, topic, data)
            if inspect.isawaitable(vetted):
                return self._vet_later(bare, vetted)
            return encode_stored(vetted, self._limits.max_message)
        except (Exception, asyncio.CancelledError) as error:
            # The program's own code: its bug refuses this publish and no other.
            if is_cancelled(error):
                raise
            return refusal(error, bare.keeper.failed)

    async def _vet_later(self, bare: BareSession, vetting: Awaitable[Any]) -> bytes | str:
        try:
            return encode_stored(await vetting, self._limits.max_message)
        except (Exception, asyncio.CancelledError) as error:  # as above
            if is_cancelled(error):
                raise
            return refusal(error, bare.keeper.failed)

    # ... of durable sends, which the session's program receives ...

    async def _serve_sender(self, bare: BareSession, flow: BareFlow) -> None:
        if not self._outlives:
            raise NotAllowed("durable sends need a server with storage")
        await self._intakes.serve(bare, flow)

    async def _find_sender(self, bare: BareSession, outbox: bytes) -> Found:
        key, origin, is_known = await self._origins.of(bare, outbox)
        return Found(key, origin, is_known, partial(self._storage.put, key))

    # ... and of a subscription.

    async def _serve_subscriber(self, bare: BareSession, flow: BareFlow) -> None:
        messages = Messages(bare, flow)
        wish = decode_subscribe(heard(await messages.receive()))
        selects = self._rules.selects(wish.pattern)
        after = Position(wish.epoch, wish.offset) if wish.after is After.POSITION else wish.after
        with self._readers.admitted(bare.principal, wish.pattern, flow):
            # Who opens flows and resets them leaves no readings behind, for which others would wait.
            feed = await while_open(
                bare, flow, self._searches.in_turn(bare, after, partial(self._feed, selects))
            )
            fill = partial(self._fill, bare, flow, feed)
            feed.take = partial(_take, flow, most_data(bare.core.max_message))
            self._tell(feed, selects, fill)
            try:
                fill()
                await messages.receive()
                raise ProtocolError("a subscription says nothing more", "bad-data")
            finally:
                self._board.unsubscribe(feed)
                bare.on_room.pop(flow, None)

    def _fill(self, bare: BareSession, flow: BareFlow, feed: Feed) -> None:
        """Send a subscriber what it takes now."""
        number, most = flow.core.number, bare.core.max_message
        while feed.has_something and flow.takes_more:
            part = fitting(feed.next_part(), most, self._board.head.epoch)
            flow.put(frame_of(part, number))
        if feed.wants_page and flow.takes_more and not self._is_closing:
            feed.read()
            self._serving.run_more(bare, flow, self._read_and_fill(bare, flow, feed))
        # Who was told everything waits for no room: a session may have many subscriptions, and room is made with every ack.
        if (feed.has_something or feed.wants_page) and flow.why_unwritable() is None:
            bare.on_room[flow] = partial(self._fill, bare, flow, feed)
        else:
            bare.on_room.pop(flow, None)

    async def _read_and_fill(self, bare: BareSession, flow: BareFlow, feed: Feed) -> None:
        await while_open(bare, flow, self._read(feed))
        self._fill(bare, flow, feed)

    def reauthorize(self, principal: str) -> None:
        """End what a client may no longer read; see ``Server.reauthorize``."""
        self._readers.ask_again(principal)

    # Reading...

    async def _feed(self, selects: Pattern, after: Position | After) -> Feed:
        head = self._board.head
        if after is After.START:
            return Feed(selects.text, None)
        last, gaps = await newest_of_each(self._storage, selects, head) if after is After.LAST else ([], [])
        cursor = after if isinstance(after, Position) else head
        return Feed(selects.text, cursor, self._there(last), self._there(gaps))

    def _tell(self, feed: Feed, selects: Pattern, on_push: Callable[[], None]) -> None:
        """Tell it what is published from now on; where it begins earlier, it reads first."""
        if feed.cursor == self._board.head:
            feed.go_live()
        self._board.subscribe(feed, selects, on_push)

    async def _read(self, feed: Feed) -> None:
        feed.read()
        page = await self._storage.read(feed.pattern, feed.cursor, limit=_PAGE, max_bytes=_PAGE_BYTES)
        feed.page(self._there(page.publications), self._there(page.gaps), page.end, more=page.more)

    # What is old goes...

    async def trim(self) -> None:
        """Remove what retention does not keep, and forget outboxes that nobody has used for long."""
        await self._storage.trim()
        await self._origins.trim()

    async def _trim_now_and_then(self) -> None:
        while True:
            try:
                await self.trim()
            except StorageError as error:
                log.warning("old publications could not be removed: %s", error)
            await self._origins.wait_crowded(_TRIM_INTERVAL)


def _as_found(verdict: bytes | str, publish: Publish) -> bytes | str:
    del publish
    return verdict


def _answered(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _take(flow: BareFlow, most: int, bundle: Bundle) -> bool:
    """Tell a subscriber what was just published, if it takes all of it now, and data that is so large."""
    return bundle.largest <= most and flow.offer(len(bundle.entries), bundle.before_last, bundle.frames)


async def _has_room(bare: BareSession, flow: BareFlow) -> None:
    """Take nothing more from who does not take our answers: they would gather here."""
    while not flow.takes_more:
        error = bare.ended or flow.why_unwritable()
        if error is not None:
            raise error
        await flow.arrived.wait()
