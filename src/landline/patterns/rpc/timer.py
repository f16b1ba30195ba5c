"""One timer of the loop for the deadlines of many calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...protocol.deadlines import Deadlines, Living


class DeadlineTimer:
    """Rings for each call that waits and has had its time.

    Args:
        living: the numbers of those that wait, as for ``Deadlines``.
        ring: called with the number of each that is late.
    """

    __slots__ = ("_at", "_deadlines", "_loop", "_ring", "_timer")

    def __init__(self, living: Living, ring: Callable[[int], None]) -> None:
        self._deadlines = Deadlines(living)
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def add(self, at: float, number: int) -> None:
        """It may take until then, on the loop's clock; it stands among the living already."""
        self._deadlines.add(at, number)
        if self._timer is None or at < self._at:
            self._set(at)

    def stop(self) -> None:
        """Ring no more, until another is added."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, at: float) -> None:
        self.stop()
        self._timer, self._at = self._loop.call_at(at, self._on_timer), at

    def _on_timer(self) -> None:
        self._timer = None
        for number in self._deadlines.due(max(self._at, self._loop.time())):  # some loops fire a little early
            self._ring(number)
        next_at = self._deadlines.next_at()
        if next_at is not None:
            self._set(next_at)
