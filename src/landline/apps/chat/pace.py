"""How fast one person may go on: a bucket of tokens that fills with time, and time comes in as a parameter."""

from __future__ import annotations


class Pace:
    """Lets ``burst`` steps pass at once and then ``rate`` a second.

    Args:
        rate: steps a second.
        burst: steps at once.
        now: this moment, in seconds of any steady clock.
    """

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._since = now

    def wait(self, now: float) -> float:
        """Return how many seconds remain until there is a token for a step; no step is taken."""
        return max(0.0, 1 - self._filled(now)) / self._rate

    def is_idle(self, now: float) -> bool:
        """Say whether the bucket is full again, as that of somebody new."""
        return self._filled(now) >= self._burst

    def step(self, now: float) -> float:
        """Take one step and return how many seconds to wait before taking the next."""
        self._tokens = self._filled(now) - 1
        self._since = now
        return self.wait(now)

    def _filled(self, now: float) -> float:
        return min(self._burst, self._tokens + (now - self._since) * self._rate)
