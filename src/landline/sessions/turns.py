"""Everybody who wants its turn at the end of this tick of the loop, in one callback of it: a publication has a thousand connections write."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol
from weakref import WeakKeyDictionary

log = logging.getLogger("landline.sessions")


class Advancing(Protocol):
    """Whoever wants a turn."""

    def advance(self) -> None:
        """It is your turn."""
        ...


class Turns:
    """Who wants a turn at the end of the present tick of one loop.

    Args:
        loop: the loop.
    """

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Advancing] = []

    def want(self, who: Advancing) -> None:
        """Give ``who`` a turn at the end of this tick, after those who wanted one before."""
        if not self._waiting:
            self._loop.call_soon(self._give)
        self._waiting.append(who)

    def _give(self) -> None:
        waiting, self._waiting = self._waiting, []
        given = 0
        try:
            for who in waiting:
                given += 1
                try:
                    who.advance()
                except Exception:  # one's bug must not be another's
                    log.exception("a connection failed")
        finally:
            if given < len(waiting):  # the process is interrupted, and may go on all the same
                for who in waiting[given:]:
                    self.want(who)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """Return those of the running loop."""
    loop = asyncio.get_running_loop()
    found = _turns.get(loop)
    if found is None:
        found = _turns[loop] = Turns(loop)
    return found
