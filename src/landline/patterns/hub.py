"""The topics of a server: a ``protocol.board`` over a storage, for its own program and for what clients' flows ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec

from ..errors import (
    FlowEnded,
    LandlineError,
    NotAllowed,
    ProtocolError,
    PublishFailed,
    SessionEnded,
    StorageDamaged,
    StorageError,
    StorageFailed,
    StorageFull,
    TopicError,
)
from ..history import TOO_LARGE, Gap, Position, Publication
from ..limits import PROTOCOL, STORAGE, Limits
from ..protocol.board import Board
from ..protocol.feed import Behind, Entry, Feed, Part, frame_of
from ..protocol.frames import ResetCode
from ..protocol.handshake import clean_reason
from ..protocol.publish import (
    PUBLISH_PURPOSE,
    Answer,
    Code,
    Opened,
    Origin,
    Outbox,
    Publish,
    decode_publish,
    decode_record,
    encode,
    encode_record,
)
from ..protocol.subscription import SUBSCRIBE_PURPOSE, After, decode_subscribe
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from ..sessions.signal import Signal
from ..storage.base import Append, Change, Delete, Page, Put, Retention, Storage
from ..storage.names import Pattern, check_topic
from .messages import Messages
from .publications import (
    decode_stored,
    decoded_page,
    encode_stored,
    heard,
    lenient,
    position_of,
    say,
    while_open,
)

log = logging.getLogger("landline.topics")

_OUTBOXES: Final = "landline.outbox."
_PAGE: Final = STORAGE.feed_page
_PAGE_BYTES: Final = STORAGE.feed_page_bytes

Authorize = Callable[[str, str, str], bool]
"""Takes a principal, ``"publish"`` or ``"subscribe"``, and the topic or pattern; returns whether they may."""


class TopicRule(msgspec.Struct, frozen=True):
    """What a server says of the topics that a pattern selects."""

    pattern: Pattern
    kept: Retention
    behind: Behind
    vet: Callable[[Any, str, Any], Any] | None = None
    """Takes the session, the topic and the data of a client's publish; returns the data to store, at once or awaited, or raises."""


def allow_all(principal: str, verb: str, topic: str) -> bool:
    """Let everybody publish and subscribe: the default."""
    del principal, verb, topic
    return True


class Hub:
    """The topics of one life of a server.

    Args:
        storage: an open one; its retention is set already.
        rules: which topics there are; the last one that selects a topic counts.
        authorize: who may publish and subscribe to what.
        clock: the wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        storage: Storage,
        rules: list[TopicRule],
        limits: Limits,
        *,
        authorize: Authorize,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._rules = rules[::-1]
        self._limits = limits
        self._authorize = authorize
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None
        self._has_batch = asyncio.Event()
        self._stored = Signal()
        self._is_closing = False
        self._has_failed = False
        self._origins: WeakValueDictionary[str, Origin] = WeakValueDictionary()
        self._loading = asyncio.Lock()
        self._board: Board

    async def open(self) -> None:
        """Begin where the history ends."""
        self._board = Board(await self._storage.head(), self._behind, self._has_batch.set)
        self._writer = self._loop.create_task(self._write(), name="landline topics")

    async def close(self) -> None:
        """Wait until everything published is stored or has failed; take no more."""
        self._is_closing = True
        self._has_batch.set()
        if self._writer is not None:
            await self._writer
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

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
        is_doubtful = not self._has_failed and not _is_certain(error)
        self._has_failed |= isinstance(error, StorageFailed | StorageDamaged)
        log.error("publications could not be stored: %s", error)
        self._board.failed(Code.UNKNOWN if is_doubtful else Code.FULL, str(error))

    # The server's own program...

    async def publish(self, topic: str, data: Any) -> Position:
        """Publish, and return the position once it is stored; see ``Server.publish``."""
        self._check_topic(topic)
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
        selects = Pattern(pattern)
        pushed = Signal()
        feed = await self._feed(selects, after)
        self._board.subscribe(feed, selects, pushed.wake)
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
                if feed.wants_page:
                    await self._read(feed)
                elif not feed.has_something:
                    await pushed.wait()
        finally:
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
            self._run(bare, flow, self._serve_publisher(bare, session, flow))
        elif flow.purpose == SUBSCRIBE_PURPOSE:
            self._run(bare, flow, self._serve_subscriber(bare, flow))
        else:
            return False
        return True

    def _run(self, bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(self._watch(bare, flow, serving), name=f"landline {flow.purpose}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
        try:
            await serving
        except (FlowEnded, SessionEnded):
            flow.end()
        except (NotAllowed, TopicError) as error:
            flow.reset(ResetCode.UNWANTED, str(error))
        except ProtocolError as error:
            bare.on_limit(error.limit, error.reason)
            flow.reset(ResetCode.BAD_DATA, error.reason)
        except StorageError as error:
            log.exception("a flow of topics cannot be served")
            flow.reset(ResetCode.FAILED, str(error))

    # ... of publishes ...

    async def _serve_publisher(self, bare: BareSession, session: Any, flow: BareFlow) -> None:
        messages = Messages(bare, flow)
        said = decode_publish(heard(await messages.receive()))
        if not isinstance(said, Outbox):
            raise ProtocolError("publishes begin with their outbox", "bad-data")
        key = f"{_OUTBOXES}{bare.principal.encode().hex()[:200]}.{said.id.hex()}"
        origin, is_known = await self._origin(key)

        def answer(said: Opened | Answer) -> None:
            say(flow, encode(said))

        answer(Opened(is_known))
        while True:
            publish = decode_publish(heard(await messages.receive()))
            if not isinstance(publish, Publish):
                raise ProtocolError("an outbox that was opened twice", "bad-data")
            while self._board.size >= PROTOCOL.board:
                await self._stored.wait()
            verdict: bytes | str = ""
            if origin.is_new(publish.number):  # else the answer is known, or on its way
                verdict = await while_open(bare, flow, self._vet(bare, session, publish))
            self._board.receive(origin, key, publish, answer, partial(_as_found, verdict))

    async def _vet(self, bare: BareSession, session: Any, publish: Publish) -> bytes | str:
        """Return what to store of a client's publish, or why it may not be published."""
        topic = publish.topic
        try:
            rule = self._check_topic(topic)
            data = decode_stored(publish.data)
            if not self._authorize(bare.principal, "publish", topic):
                return f"you may not publish to {topic!r}"
            if rule.vet is None:
                return publish.data
            vetted = rule.vet(session, topic, data)
            if inspect.isawaitable(vetted):
                vetted = await vetted
            return encode_stored(vetted, self._limits.max_message)
        except (LandlineError, ValueError) as error:
            return clean_reason(str(error))
        except Exception:
            log.exception("a publication to %s could not be vetted", topic)
            return "internal error"

    async def _origin(self, key: str) -> tuple[Origin, bool]:
        """Return what is known of an outbox, and whether it was known before."""
        async with self._loading:
            origin = self._origins.get(key)
            if origin is not None:
                return origin, True
            value = await self._storage.get(key)
            if value is not None:
                try:
                    origin, _ = decode_record(value.data, value.position)
                except ValueError as error:
                    raise StorageDamaged(f"what is stored of an outbox cannot be read: {error}") from error
            else:
                # Before anything is published of it: then who comes again is known, and nothing of it is in doubt.
                origin = Origin()
                with contextlib.suppress(StorageFull):  # then nothing of it is stored, and it is told so
                    await self._storage.put(key, encode_record(origin, [], self._clock()))
            self._origins[key] = origin
            return origin, value is not None

    # ... and of a subscription.

    async def _serve_subscriber(self, bare: BareSession, flow: BareFlow) -> None:
        messages = Messages(bare, flow)
        wish = decode_subscribe(heard(await messages.receive()))
        selects = Pattern(wish.pattern)
        if not self._authorize(bare.principal, "subscribe", wish.pattern):
            raise NotAllowed(f"you may not subscribe to {wish.pattern!r}")
        is_position = wish.after is After.POSITION
        feed = await self._feed(selects, Position(wish.epoch, wish.offset) if is_position else wish.after)
        fill = partial(self._fill, bare, flow, feed)
        self._board.subscribe(feed, selects, fill)
        bare.on_room[flow] = fill
        try:
            fill()
            await messages.receive()
            raise ProtocolError("a subscription says nothing more", "bad-data")
        finally:
            self._board.unsubscribe(feed)
            del bare.on_room[flow]

    def _fill(self, bare: BareSession, flow: BareFlow, feed: Feed) -> None:
        """Send a subscriber what it takes now."""
        number, most = flow.core.number, bare.core.max_message
        while feed.has_something and flow.takes_more:
            part = feed.next_part()
            if _is_too_large(part, most):
                part = self._passed_over(part)
            flow.put(frame_of(part, number))
        if feed.wants_page and flow.takes_more and not self._is_closing:
            feed.read()
            self._run(bare, flow, self._read_and_fill(bare, flow, feed))

    async def _read_and_fill(self, bare: BareSession, flow: BareFlow, feed: Feed) -> None:
        await self._read(feed)
        self._fill(bare, flow, feed)

    def _passed_over(self, part: Part) -> Gap:
        """Return the gap in place of a publication that a reader cannot take."""
        if isinstance(part, Entry):
            end = Position(self._board.head.epoch, part.offset)
        else:
            assert isinstance(part, Publication)
            end = part.position
        return Gap(part.topic, Position(end.epoch, end.offset - 1), end, TOO_LARGE)

    # Reading...

    async def _feed(self, selects: Pattern, after: Position | After) -> Feed:
        head = self._board.head
        if after is After.START:
            return Feed(selects.text, None)
        last = await self._last(selects.text, head) if after is After.LAST else ()
        feed = Feed(selects.text, after if isinstance(after, Position) else head, last)
        if feed.cursor == self._board.head:
            feed.go_live()
        return feed

    async def _last(self, pattern: str, to: Position) -> list[Publication]:
        """Return the newest publication of each topic, oldest first."""
        newest: dict[str, Publication] = {}
        more = True
        while more:
            page = await self._storage.last(pattern, STORAGE.page, to=to)
            for publication in reversed(page.publications):
                newest.setdefault(publication.topic, publication)
            more, to = page.more and len(newest) < STORAGE.page, page.after
        return sorted(newest.values(), key=lambda publication: publication.position.offset)

    async def _read(self, feed: Feed) -> None:
        feed.read()
        page = await self._storage.read(feed.pattern, feed.cursor, limit=_PAGE, max_bytes=_PAGE_BYTES)
        feed.page(page.publications, page.gaps, page.end, more=page.more)

    # The rules...

    def _rule(self, topic: str) -> TopicRule | None:
        return next((rule for rule in self._rules if rule.pattern.matches(topic)), None)

    def _behind(self, topic: str) -> Behind:
        rule = self._rule(topic)
        return Behind.HISTORY if rule is None else rule.behind

    def _check_topic(self, topic: str) -> TopicRule:
        rule = self._rule(check_topic(topic))
        if rule is None:
            raise TopicError(f"this server has no topic {topic!r}")
        return rule

    async def trim(self) -> None:
        """Remove what retention does not keep, and forget outboxes that nobody has used for long."""
        await self._storage.trim()
        oldest = self._clock() - STORAGE.outbox_age
        after = ""
        while values := await self._storage.scan(_OUTBOXES, after=after):
            after = values[-1].key
            for value in values:
                if value.key not in self._origins and decode_record(value.data, value.position)[1] < oldest:
                    await self._storage.write([Delete(value.key)], expect={value.key: value.data})


def _as_found(verdict: bytes | str, publish: Publish) -> bytes | str:
    del publish
    return verdict


def _answered(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _is_certain(error: Exception) -> bool:
    """Whether nothing of a write that failed so was stored."""
    return isinstance(error, StorageError) and not isinstance(error, StorageFailed)


def _is_too_large(part: Part, most: int) -> bool:
    """Whether a publication does not fit a message of this reader's."""
    return isinstance(part, Entry | Publication) and len(part.data) + PROTOCOL.publish_overhead > most
