"""Queueing: many wait for something of which there is little, and as many go on as there is enough for, in the order in which they came."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable


class Queueing:
    """Those who wait. One of them watches, and lets in as many as there is enough for when it goes on.

    A signal would wake all of them whenever there is some, and all but a few would wait again: of thousands, that takes the square of their number.
    For as long as anybody waits, somebody watches or was just let in: whoever leaves, cancelled or not, sees to that.

    Args:
        enough_for: returns for how many there is enough now who want as much as whoever came last; each asks again when it is let in, so a guess
            will do where it is more than none.
        watch: returns what to await before it is worth to ask again.

    Attributes:
        wanted: how much of it whoever came last wants.
    """

    __slots__ = (
        "_enough_for",
        "_given_up",
        "_is_watched",
        "_let_in",
        "_loop",
        "_place",
        "_waiting",
        "_watch",
        "wanted",
    )

    def __init__(self, enough_for: Callable[[int], int], watch: Callable[[], asyncio.Future[None]]) -> None:
        self._enough_for = enough_for
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._place = 0
        self._let_in = 0
        self._given_up = 0
        self._is_watched = False
        self.wanted = 1

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits, and nobody was let in who has not gone on yet."""
        return not (self._waiting or self._let_in or self._is_watched)

    def has_some_left_of(self, enough: int) -> bool:
        """Whether who does not queue takes nothing from those who do: all of them were let in, and there is enough for more than those."""
        return not (self._waiting or self._is_watched) and self._let_in < enough

    async def take(self, wanted: int) -> None:
        """Return when it is our turn and there is enough."""
        self.wanted = wanted
        self._place += 1
        place = self._place
        try:
            if self._is_watched or self._let_in:  # they came before us
                await self._wait(place)
            while not self._enough_for(self.wanted):
                if self._is_watched:
                    await self._wait(place)
                    continue
                self._is_watched = True
                try:
                    await self._watch()
                finally:
                    self._is_watched = False
        finally:
            if self._waiting and not self._is_watched and not self._let_in:
                self._let_in_more(
                    max(1, self._enough_for(self.wanted))
                )  # we among them: so the last finds nothing, and watches

    async def _wait(self, place: int) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (place, waiter))
        try:
            await waiter
        finally:
            if waiter.done() and not waiter.cancelled():
                self._let_in -= 1
            else:
                waiter.cancel()  # where nobody did: who closes a coroutine that waits
                self._forget()

    def _let_in_more(self, count: int) -> None:
        while self._waiting and self._let_in < count:
            waiter = heapq.heappop(self._waiting)[1]
            if not waiter.done():
                waiter.set_result(None)
                self._let_in += 1

    def _forget(self) -> None:
        """One gave up: those are taken out seldom enough to cost each of them little."""
        self._given_up += 1
        if 2 * self._given_up > len(self._waiting):
            self._waiting = [(place, waiter) for place, waiter in self._waiting if not waiter.done()]
            heapq.heapify(self._waiting)
            self._given_up = 0
