"""Ways to break the product on purpose, in a harness's process alone: each must be found, or the harness proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import landline
from landline.patterns.outbox import KeptOutbox
from landline.protocol import board
from landline.protocol.feed import Entry, Feed
from landline.protocol.publish import Publisher
from landline.sessions import flow as flows
from landline.storage import Append, Change, SQLiteStorage
from landline.storage.base import Delete, Put

from . import breaks_of_sends


class _Hasty(SQLiteStorage):
    """Says that publications are stored a little before they are."""

    _head = -1

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[landline.Position]:
        count = sum(isinstance(change, Append) for change in changes)
        if not count:
            return await super().write(changes, expect=expect)
        if self._head < 0:
            self._head = (await self.head()).offset
        first, self._head = self._head + 1, self._head + count
        task = asyncio.get_running_loop().create_task(super().write(changes, expect=expect))
        _kept.add(task)
        return [landline.Position(self.epoch, offset) for offset in range(first, first + count)]


_kept: set[asyncio.Task[Any]] = set()


class _Forgetful(SQLiteStorage):
    """Does not store values whose keys begin so, where they come with publications or alone."""

    prefix = ""
    with_publications = False

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[landline.Position]:
        if not self.with_publications or any(isinstance(change, Append) for change in changes):
            changes = [
                change
                for change in changes
                if not (isinstance(change, Put | Delete) and change.key.startswith(self.prefix))
            ]
        return await super().write(changes, expect=expect)


class _NoOutboxes(_Forgetful):
    prefix, with_publications = "landline.outbox.", True


class _NoSessions(_Forgetful):
    prefix = "landline.session."


def _no_floor() -> None:
    """What a page of the log had is told again, where it was told or queued meanwhile.

    To break only what comes after the page is not found: SQLite's answers come in the order in which it was asked, so whatever a page has
    was told before the page is taken.
    """
    page = Feed.page

    def forgets(feed: Feed, *args: Any, **options: Any) -> None:
        page(feed, *args, **options)
        feed._floor = 0

    Feed.page = forgets  # type: ignore[method-assign, assignment]
    Feed._forget_queued = lambda feed, offset: None  # type: ignore[method-assign, assignment]


def _answer_first() -> None:
    """What is told goes out before its commit: a batch is told when it is gathered."""
    gather = board.Board.next_batch

    def told(self: board.Board, now: float) -> board.Batch:
        batch = gather(self, now)
        offset = self.head.offset
        self._tell(
            [
                Entry(topic, offset + number, data, self._behind(topic))
                for number, (topic, data) in enumerate(batch.publications, 1)
            ]
        )
        return batch

    tell = board.Board._tell

    def stored(self: board.Board, positions: Sequence[landline.Position]) -> None:
        self._tell = lambda entries: None  # type: ignore[method-assign]
        try:
            done(self, positions)
        finally:
            self._tell = tell.__get__(self)  # type: ignore[method-assign]

    done = board.Board.stored
    board.Board.next_batch = told  # type: ignore[method-assign]
    board.Board.stored = stored  # type: ignore[method-assign]


def _never_kept() -> None:
    """A client says a publish before it is on its disk, and says it again under a new number."""

    async def keep(self: KeptOutbox, number: int) -> None:
        self.publisher.kept(number)

    KeptOutbox.keep = keep  # type: ignore[method-assign]


def _new_numbers() -> None:
    """A client says again what was not answered, as if it were new."""
    begin = Publisher.begin

    def renumbered(self: Publisher) -> bytes:
        for number in list(self.unanswered):
            if number <= self.said:
                self._last += 1
                self.unanswered[self._last] = self.unanswered.pop(number)
        return begin(self)

    Publisher.begin = renumbered  # type: ignore[method-assign]


def _hopeful() -> None:
    """A client takes what was on its way at the server's death for handled."""
    renew = flows.BareFlow.was_renewed

    def handled(self: flows.BareFlow) -> None:
        self.core.handled_by_peer = self.core.reach
        renew(self)

    flows.BareFlow.was_renewed = handled  # type: ignore[method-assign]


def _cursor_first() -> None:
    """A subscription goes on one publication too far."""
    begin = landline.Subscription._begin

    def ahead(self: landline.Subscription) -> None:
        place = self._place.position
        if place is not None:
            self._place.position = landline.Position(place.epoch, place.offset + 1)
        begin(self)

    landline.Subscription._begin = ahead  # type: ignore[method-assign]


STORAGES: Final[dict[str, type[SQLiteStorage]]] = {
    "ack before commit": _Hasty,
    "forget the outbox's record": _NoOutboxes,
    "no session records": _NoSessions,
}
"""Breaks of the server's storage."""

SERVER: Final[dict[str, Callable[[], None]]] = {
    "feed floor": _no_floor,
    "tell before commit": _answer_first,
    **breaks_of_sends.SERVER,
}

CLIENT: Final[dict[str, Callable[[], None]]] = {
    "say before it is kept": _never_kept,
    "unanswered as new": _new_numbers,
    "in flight as handled": _hopeful,
    "cursor one too far": _cursor_first,
    **breaks_of_sends.CLIENT,
}

NAMES: Final = (*STORAGES, *SERVER, *CLIENT)


def install(name: str, *, at_server: bool) -> None:
    """Break this process so, if that is where this break belongs."""
    breaks = SERVER if at_server else CLIENT
    if name in breaks:
        breaks[name]()


def storage(name: str) -> type[SQLiteStorage]:
    """Return what the server keeps its topics in."""
    return STORAGES.get(name, SQLiteStorage)
