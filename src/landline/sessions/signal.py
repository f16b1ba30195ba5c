"""Waking: something that many tasks can wait for at once."""

from __future__ import annotations

import asyncio
from typing import Final

_MANY: Final = 8

_NOBODY: Final = ()
"""One for all: each session has several signals, most of which nobody waits for."""


class Signal:
    """Something that many can wait for; waking wakes all who wait now."""

    __slots__ = ("_sweep_at", "_waiters")

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] | tuple[()] = _NOBODY
        self._sweep_at = _MANY

    def wait(self) -> asyncio.Future[None]:
        """Return what to await to be woken once."""
        waiters = self._waiters
        if not waiters:
            self._waiters = waiters = []
            self._sweep_at = _MANY
        elif len(waiters) >= self._sweep_at:  # of those who gave up waiting nobody told us
            self._waiters = waiters = [waiter for waiter in waiters if not waiter.done()]
            self._sweep_at = max(_MANY, 2 * len(waiters))  # seldom enough to cost each who waits little
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        return waiter

    def wake(self) -> None:
        """Wake all who wait."""
        if self._waiters:
            waiters, self._waiters = self._waiters, _NOBODY
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
