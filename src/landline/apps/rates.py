"""How fast something goes and how much it is, as people read it: for every program that moves files."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from landline.apps.limits import RATES


class Meter:
    """How fast something goes, over the last few seconds, and when it will be done.

    Args:
        now: a clock that never goes back, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, done: int) -> None:
        """So much is done now."""
        now = self._now()
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()  # it began anew
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] <= now - RATES.over:
            self._marks.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second; 0 while that is not known."""
        if len(self._marks) < 2:
            return 0.0
        (began, first), (ended, last) = self._marks[0], self._marks[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def left(self, size: int) -> float | None:
        """Seconds until all of it is done, or None while that is not known."""
        rate = self.rate
        return (size - self._marks[-1][1]) / rate if rate > 0 else None


def size_text(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def time_text(seconds: float) -> str:
    """Return a time as people read it."""
    whole = int(seconds + 0.999)
    if whole >= 3600:
        return f"{whole // 3600:,}:{whole % 3600 // 60:02d} h"
    return f"{whole // 60}:{whole % 60:02d} min" if whole >= 60 else f"{whole} s"
