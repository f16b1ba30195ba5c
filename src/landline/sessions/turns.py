"""Everybody who wants its turn at the end of this tick of the loop, in one callback of it: a publication has a thousand connections write."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from .per_loop import per_loop

log = logging.getLogger("landline.sessions")


class Advancing(Protocol):
    """Whoever wants a turn."""

    def advance(self) -> None:
        """It is your turn."""
        ...


class Turns:
    """Who wants a turn at the end of the present tick of one loop.

    Attributes:
        loop: whose ticks they are.
    """

    __slots__ = ("__weakref__", "_is_called", "_waiting", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: list[Advancing] = []
        self._is_called = False

    def want(self, who: Advancing) -> None:
        """Give ``who`` a turn at the end of this tick, after those who wanted one before."""
        if not self._is_called:
            self.call_again()
        self._waiting.append(who)

    def call(self) -> None:
        """Give turns right after what was just woken has run, to who wants one by then, in the same tick.

        Who is woken after another one in a tick, and wants a turn, has it in the next: turns are given once a tick.
        """
        if not self._is_called:
            self.call_again()

    def call_again(self) -> None:
        """Give turns although that was said: an interrupt may have come between, which loops may survive."""
        self.loop.call_soon(self._give)
        # After it: an interrupt in between has them given twice. The other way round nobody would be given one any more.
        self._is_called = True

    def _give(self) -> None:
        self._is_called = False
        waiting, self._waiting = iter(self._waiting), []
        try:
            for who in waiting:
                try:
                    who.advance()
                except Exception:  # one's bug must not be another's
                    log.exception("a connection failed")
        except BaseException:  # the process is interrupted, and may go on all the same
            for who in waiting:
                self.want(who)
            raise


turns = per_loop(Turns)
"""Return those of the running loop."""
