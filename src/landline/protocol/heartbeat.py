"""Is the peer alive? Any byte received proves it; after silence comes a ping, after more silence the verdict. And do our bytes leave?

A loop that was itself blocked (or a machine that slept) notices that its own timer came late, and probes before it judges.
"""

from __future__ import annotations

import enum
from typing import Final

from ..limits import PROTOCOL

MIN_BEAT: Final = PROTOCOL.beat

LATE: Final = 1.0
"""A timer this many seconds late means that our own loop stood still."""


class Verdict(enum.Enum):
    """What a heartbeat's timer found."""

    QUIET = enum.auto()
    PING = enum.auto()
    SUSPECT = enum.auto()
    DEAD = enum.auto()
    BLOCKED = enum.auto()


class Heartbeat:
    """The clock of one connection's silence.

    Args:
        interval: silence before a ping, in seconds, jitter already taken off.
        dead_after: silence after that ping before the peer counts as dead, in seconds.
        now: the time of the start.

    Attributes:
        heard_at: when bytes arrived last; whoever knows that no ping is out may write it here instead of calling ``heard``.
        pinged_at: when a ping went out that nothing has been heard after, or None.
    """

    __slots__ = ("_dead_after", "_interval", "_suspected", "heard_at", "pinged_at")

    def __init__(self, interval: float, dead_after: float, now: float) -> None:
        self._interval = interval
        self._dead_after = dead_after
        self.heard_at = now
        self.pinged_at: float | None = None
        self._suspected = False

    def heard(self, now: float) -> bool:
        """Note that bytes arrived; return whether the line had been suspected."""
        self.heard_at = now
        self.pinged_at = None
        was, self._suspected = self._suspected, False
        return was

    def timeout_at(self) -> float:
        """When ``check`` should be called next."""
        if self.pinged_at is None:
            return self.heard_at + self._interval
        return self.pinged_at + (self._dead_after if self._suspected else self._dead_after / 2)

    def check(self, now: float) -> Verdict:
        """Return what the silence means by now; the caller does it (writes the ping, ends the connection)."""
        due = self.timeout_at()
        if now < due:
            return Verdict.QUIET
        if now - due > LATE:
            self.pinged_at = now  # a suspicion stays one: only bytes lift it
            return Verdict.BLOCKED
        if self.pinged_at is None:
            self.pinged_at = now
            return Verdict.PING
        if not self._suspected:
            self._suspected = True
            return Verdict.SUSPECT
        return Verdict.DEAD


class Progress:
    """The clock of what we write: the time without progress, looked at four times in the time-out, in seconds, which is the same in each call.

    Attributes:
        written: bytes given to the transport so far, which whoever writes them adds; after ``begin`` where ``look_at`` is None.
        look_at: when ``check`` should be called next, or None while nothing waits.
    """

    __slots__ = ("_at", "_left", "look_at", "written")

    def __init__(self) -> None:
        self._left = 0
        self._at: float | None = None  # when bytes were last seen to have left, since it began to look
        self.written = 0
        self.look_at: float | None = None

    def begin(self, now: float, timeout: float) -> None:
        """Look at what is written from now on: all that was written before had left."""
        self.look_at = now + timeout / 4

    def check(self, now: float, timeout: float, backlog: int, wrapping: int = 0) -> bool:
        """Return whether bytes left in time; ``backlog`` have not left this process, of those and of ``wrapping`` put around them so far."""
        if self.look_at is None or now < self.look_at:
            return True
        at, left = self._at, self.written + wrapping - backlog
        if left > self._left or now - self.look_at > LATE:  # when late, we ourselves did not write
            self._left, at = left, now
        elif at is None:
            at = self.look_at - timeout / 4
        if not backlog:
            self._at = self.look_at = None
            return True
        self._at, self.look_at = at, now + timeout / 4
        return now - at < timeout
