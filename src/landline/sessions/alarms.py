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

    Args:
        alarms: those that it is one of.
        number: its own among them.

    Attributes:
        begins_at: the first moment that it is for.
        timer: rings it.
    """

    __slots__ = ("_alarms", "_due", "begins_at", "number", "timer")

    timer: asyncio.TimerHandle

    def __init__(self, alarms: Alarms, number: int) -> None:
        self._alarms = alarms
        self.number = number
        self.begins_at = (number - 1) / PER_SECOND
        self._due: dict[Due, None] = {}

    def add(self, who: Due) -> None:
        """Tell ``who`` then, too."""
        self._due[who] = None

    def clear(self, who: Due) -> None:
        """Tell ``who`` nothing then; where nobody else is to be told, it is set no more."""
        self._due.pop(who, None)
        if not self._due:
            self._alarms.forget(self)

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
                    except BaseException:
                        self._due[who] = None  # it has not done what was due
                        raise


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
            alarm = self._alarms[number] = Alarm(self, number)
            alarm.timer = self._loop.call_at(number / PER_SECOND + _EARLY, self._ring, alarm)
        alarm.add(who)
        return alarm

    def forget(self, alarm: Alarm) -> None:
        """Nobody is to be told by it any more."""
        if self._alarms.get(alarm.number) is alarm:
            del self._alarms[alarm.number]
            alarm.timer.cancel()

    def _ring(self, alarm: Alarm) -> None:
        try:
            alarm.ring()
        except BaseException:  # the process is interrupted, and may go on all the same
            self._loop.call_soon(self._ring, alarm)
            raise
        self.forget(alarm)


alarms = per_loop(Alarms)
"""Return those of the running loop."""
