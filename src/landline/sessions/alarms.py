"""Many timers in few: whoever is due at about the same time is looked after together.

A connection's next time is now the ack that is due in a moment, now the heartbeat much later; a timer of the loop for each would be made and
cancelled with every few messages.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from .per_loop import per_loop

log = logging.getLogger("landline.sessions")

PER_SECOND: Final = 64
"""How many times a second there are to be due at: that much late, a 64th of a second, anybody may be looked after."""

_EARLY: Final = 0.001
"""Some loops count in milliseconds, and fire that much early."""


def begins_at(number: int) -> float:
    """Return the first moment that the time of this number is for."""
    return (number - 1) / PER_SECOND


class Due(Protocol):
    """Whoever wants to be told that it is time."""

    def ring(self, number: int) -> None:
        """It is the time of that number."""
        ...


class Alarms:
    """The times of one loop at which somebody is due, by number: the ``PER_SECOND``-th parts of a second of its clock.

    Args:
        loop: the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[int, dict[Due, None]] = {}

    def set(self, at: float, who: Due) -> int:
        """Have ``who`` told at that time or little later; return the number of it."""
        number = int(at * PER_SECOND) + 1
        if number in self._due:
            self._due[number][who] = None
        else:
            self._due[number] = {who: None}
            self._loop.call_at(number / PER_SECOND + _EARLY, self._ring, number)
        return number

    def clear(self, number: int, who: Due) -> None:
        """Tell ``who`` nothing at the time of that number."""
        self._due[number].pop(who, None)

    def _ring(self, number: int) -> None:
        due = self._due[number]
        while due:  # whoever is told may have others go
            who = next(iter(due))
            del due[who]
            try:
                who.ring(number)
            except Exception:  # one's bug must not be another's
                log.exception("what was due failed")
        del self._due[number]


alarms = per_loop(Alarms)
"""Return those of the running loop."""
