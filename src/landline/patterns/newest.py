"""The newest publication of each topic: what a subscription that asks for the last begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from ..history import DAMAGED, NOT_ALL, Gap, Position, Publication
from ..limits import STORAGE
from ..protocol.subscription import After
from ..sessions.bare import BareSession
from ..storage.base import Storage
from ..storage.names import Pattern

T = TypeVar("T")


class Searches:
    """Who searches for the newest of many topics may have to go through all of the history: a session does so once at a time.

    Else one with many flows would keep everybody's readings waiting, and their publishes.
    """

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[BareSession, asyncio.Lock] = WeakKeyDictionary()

    async def in_turn(
        self, bare: BareSession, after: Position | After, search: Callable[[Position | After], Awaitable[T]]
    ) -> T:
        """Search where a subscription begins: for the newest when those that this session asked for before are found."""
        if after is not After.LAST:
            return await search(after)
        async with self._turns.setdefault(bare, asyncio.Lock()):
            return await search(after)


async def newest_of_each(
    storage: Storage, selects: Pattern, to: Position
) -> tuple[list[Publication], list[Gap]]:
    """Return the newest publication of each topic up to a position, oldest first, and what is missing among them.

    After ``storage.page`` topics, or ``storage.newest_bytes``, there is a gap in place of those that were published to longest ago.
    """
    newest: dict[str, Publication] = {}
    gaps: list[Gap] = []
    size, more = 0, True
    while more and not (newest and selects.is_exact):
        if len(newest) >= STORAGE.page:
            gaps.append(Gap(selects.text, Position(to.epoch, 0), to, NOT_ALL))
            break
        page = await storage.last(selects.text, 1 if selects.is_exact else STORAGE.page, to=to)
        for publication in reversed(page.publications):
            if publication.topic in newest:
                continue
            size += len(publication.data)
            if newest and size > STORAGE.newest_bytes:
                end = publication.position
                gaps.append(Gap(selects.text, Position(end.epoch, 0), end, NOT_ALL))
                return _in_order(newest), gaps
            newest[publication.topic] = publication
        gaps += [gap for gap in page.gaps if gap.reason == DAMAGED]
        more, to = page.more, page.after
    return _in_order(newest), gaps


def _in_order(newest: dict[str, Publication]) -> list[Publication]:
    return sorted(newest.values(), key=lambda publication: publication.position.offset)
