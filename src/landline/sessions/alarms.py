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


class Due(Protocol):
    """Whoever wants to be told that it is time."""

    def ring(self) -> None:
        """It is that time."""
        ...


class Alarm:
    """One of the times at which somebody is due. All who are share it, so that none keeps a time of its own.

    Attributes:
        begins_at: the first moment that it is for.
    """

    __slots__ = ("_due", "begins_at")

    def __init__(self, begins_at: float) -> None:
        self.begins_at = begins_at
        self._due: dict[Due, None] = {}

    def add(self, who: Due) -> None:
        """Tell ``who`` then, too."""
        self._due[who] = None

    def clear(self, who: Due) -> None:
        """Tell ``who`` nothing then."""
        self._due.pop(who, None)
        if not self._due:
            self._due = {}  # one that was filled stays as large as it was

    @property
    def is_over(self) -> bool:
        """Whether nobody is left to be told."""
        return not self._due

    def ring(self) -> None:
        """It is that time: tell everybody."""
        while self._due:
            for who in tuple(self._due):
                if who in self._due:  # whoever was told before may have had it go
                    del self._due[who]
                    try:
                        who.ring()
                    except Exception:  # one's bug must not be another's
                        log.exception("what was due failed")


class Alarms:
    """The times of one loop at which somebody is due, by number: the ``PER_SECOND``-th parts of a second of its clock.

    Args:
        loop: the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._alarms: dict[int, Alarm] = {}

    def set(self, at: float, who: Due) -> Alarm:
        """Have ``who`` told at that time or little later; return what tells it."""
        number = int(at * PER_SECOND) + 1
        alarm = self._alarms.get(number)
        if alarm is None:
            alarm = self._alarms[number] = Alarm((number - 1) / PER_SECOND)
            self._loop.call_at(number / PER_SECOND + _EARLY, self._ring, number)
        alarm.add(who)
        return alarm

    def _ring(self, number: int) -> None:
        alarm = self._alarms[number]
        try:
            alarm.ring()
        finally:
            if alarm.is_over:
                del self._alarms[number]
            else:  # the process is interrupted, and may go on all the same
                self._loop.call_soon(self._ring, number)


alarms = per_loop(Alarms)
"""Return those of the running loop."""
