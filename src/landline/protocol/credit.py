"""How much a receiver lets its peer send: one budget for all flows of a session, and the pressure of all sessions together.

A flow is granted at most a window beyond what its program has taken, and all of it while it is alone; of several each takes half of what
the others leave free of the budget, and never less than ``FIRST_CREDIT``. Under pressure that is all. Nobody stops reading a socket: control frames go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeVar

from ..limits import Limits
from .frames import FIRST_CREDIT

_EASED: Final = 3 / 4
"""The part of the limit below which pressure ends: not at once, or it would come and go with every message."""

UNFINISHED: Final = 1 / 4
"""The part of the limit that unfinished frames may hold under pressure."""


Held = TypeVar("Held")


class Relieved(Protocol):
    """Who waits for pressure to end."""

    def relieved(self) -> None:
        """Pressure ended."""


class Pressure:
    """Counts what many sessions hold together, in bytes, against one limit.

    What the outboxes of many share counts for each of them: who held it last cannot be told when one lets go of it. Too much is the safe side: of
    what it wrote, or was acked, in part each has a copy of its own.

    Attributes:
        used: what they hold, in inboxes, outboxes and unfinished frames; whoever adds to it or takes from it writes it here.
        unfinished: the part of it that is in unfinished frames.
        is_on: there is too much of it.
        on_rise: called when pressure begins, and when too much of it is in unfinished frames.
    """

    __slots__ = ("_waiting", "is_on", "limit", "on_rise", "unfinished", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.unfinished = 0
        self.is_on = False
        self.on_rise: Callable[[], None] = _nothing
        self._waiting: dict[Relieved, None] = {}

    def holds_back(self, who: Relieved) -> bool:
        """Whether ``who`` should neither grant nor queue more; if so it is told when that is over."""
        if not self.is_on:
            if self.used < self.limit:
                return False
            self._begin()
        if self.is_on:
            self._waiting[who] = None
        return self.is_on

    def gather(self, more: int) -> None:
        """Unfinished frames hold so many bytes more, or fewer."""
        self.used += more
        self.unfinished += more
        if more < 0:
            self.eased()
        elif not self.is_on:
            if self.used >= self.limit:
                self._begin()
        elif self.has_too_much_unfinished:
            self.on_rise()

    @property
    def has_too_much_unfinished(self) -> bool:
        """Whether unfinished frames hold more than their part of the limit."""
        return self.unfinished > self.limit * UNFINISHED

    def _begin(self) -> None:
        self.is_on = True
        self.on_rise()
        self.eased()

    def eased(self) -> None:
        """Something was let go of: end the pressure if that was enough."""
        if self.is_on and self.used <= self.limit * _EASED:
            self.is_on = False
            waiting, self._waiting = self._waiting, {}
            for who in waiting:
                who.relieved()

    def leave(self, who: Relieved, held: int) -> None:
        """``who`` is over, and ``held`` bytes of its are gone with it."""
        self._waiting.pop(who, None)
        self.used -= held
        self.eased()


def heaviest(held: Iterable[tuple[Held, int, float]], surplus: float) -> Iterator[Held]:
    """Yield who must let go, the heaviest first, until what they hold makes up for a surplus.

    Args:
        held: who holds something, how many bytes, and how much that weighs.
        surplus: bytes.
    """
    for who, size, _ in sorted(held, key=lambda item: -item[2]):
        if surplus <= 0:
            return
        surplus -= size
        yield who


def window_for(others: int | None, limits: Limits, *, is_pressed: bool) -> int:
    """Return how far beyond what its program has taken a flow may be granted now.

    Args:
        others: what the inboxes of the session's other flows may come to hold, in bytes; None where there are none.
        limits: ours.
        is_pressed: all sessions together hold too much.
    """
    least = min(FIRST_CREDIT, limits.window)
    if is_pressed:
        return least
    if others is None:
        return limits.window
    return max(least, min(limits.window, (limits.credit - others) // 2))


def _nothing() -> None:
    pass
