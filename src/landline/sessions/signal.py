"""Waking: something that many tasks can wait for at once."""

from __future__ import annotations

import asyncio
from typing import Final

_MANY: Final = 8

_NOBODY: Final = ()
"""One for all: each session has several signals, most of which nobody waits for, and hardly any more than one."""


class Signal:
    """Something that many can wait for; waking wakes all who wait now."""

    __slots__ = ("_first", "_loop", "_others", "_sweep_at")

    def __init__(self) -> None:
        self._first: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._others: list[asyncio.Future[None]] | tuple[()] = _NOBODY
        self._sweep_at = _MANY

    def wait(self) -> asyncio.Future[None]:
        """Return what to await to be woken once."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # not each time: up to Python 3.11 that is a system call
        waiter: asyncio.Future[None] = self._loop.create_future()
        others = self._others
        if not others and (self._first is None or self._first.done()):
            self._first = waiter
            return waiter
        if not others:
            self._others = others = []
            self._sweep_at = _MANY
        elif len(others) >= self._sweep_at:  # of those who gave up waiting nobody told us
            self._others = others = [other for other in others if not other.done()]
            self._sweep_at = max(_MANY, 2 * len(others))  # seldom enough to cost each who waits little
        others.append(waiter)
        return waiter

    def wake(self) -> None:
        """Wake all who wait."""
        first, self._first = self._first, None
        if first is not None and not first.done():
            first.set_result(None)
        if self._others:
            others, self._others = self._others, _NOBODY
            for waiter in others:
                if not waiter.done():
                    waiter.set_result(None)
