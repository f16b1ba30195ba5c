"""How a client comes back to its session, without I/O: the token and the attempt that it shows, how long it waits, what a refusal means.

``sessions.reconnect`` runs this on the loop, ``testing.simulation`` in virtual time. It is the other side of ``resume``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from ..limits import Limits
from .frames import CloseCode
from .handshake import Refusal, Resume, Welcome

Pause = Callable[[int], float]
"""How long to wait, in seconds, before the dial of that number (1 is the first after a drop)."""


def full_jitter(limits: Limits, chance: Callable[[], float]) -> Pause:
    """Return the default pause: drawn evenly from 0 to ``redial_min`` doubled with every dial, up to ``redial_max``."""

    def pause(number: int) -> float:
        return chance() * min(limits.redial_max, limits.redial_min * 2.0 ** min(number - 1, 32))

    return pause


class Fate(enum.Enum):
    """What a refusal means for the session."""

    DIAL_AGAIN = "dial again"
    CLOSED = "closed"
    LOST = "lost"


class Redial:
    """One session of a client, as far as coming back to it goes.

    Args:
        pause: how long to wait before each dial.
        chance: from 0 to 1; spreads what a server asks us to wait.

    Attributes:
        dials: since the line was last good.
        attempt: the number of the last dial; rises with each.
        resume_window: how long the server keeps the session without a line, in seconds.
        gives_up_at: when that time is over; no dial makes sense from then on.
    """

    def __init__(self, limits: Limits, pause: Pause, chance: Callable[[], float]) -> None:
        self.dials = 0
        self.attempt = 1
        self.resume_window = 0.0
        self.gives_up_at = 0.0
        self._limits = limits
        self._pause = pause
        self._chance = chance
        self._session = b""
        self._token = b""
        self._life = b""
        self._hold = 0.0
        self._welcomed_at = 0.0

    # There is a line...

    def welcomed(self, welcome: Welcome, now: float) -> None:
        """The session is on a line (again)."""
        self._life = welcome.life
        self._session = welcome.session
        self._token = welcome.token
        self.resume_window = welcome.resume_window
        self._welcomed_at = now

    def stay_away(self, seconds: float) -> None:
        """Wait at least that long before the next dial: so we wish it."""
        self._hold = max(self._hold, seconds)

    def come_back_in(self, seconds: float) -> None:
        """Wait about that long before the next dial: so the server wishes it."""
        self._hold = self._spread(seconds)

    def is_new_life(self, welcome: Welcome) -> bool:
        """Whether another life of the server goes on with the session: what was sent in the last one and not handled is in doubt."""
        return bool(self._life) and welcome.life != self._life

    # ... and there is none.

    def line_ended(self, now: float) -> None:
        """The line is gone, the session is not: its window begins, and a line that held for long starts the pauses anew."""
        if now - self._welcomed_at >= self._limits.redial_reset:
            self.dials = 0
        self.gives_up_at = now + self.resume_window

    def next_pause(self) -> float:
        """Return how long to wait, in seconds, before the next dial."""
        self.dials += 1
        pause = max(self._hold, self._pause(self.dials))
        self._hold = 0.0
        return pause

    def greeting(self, received: int, credentials: Any) -> Resume:
        """Return what the next dial begins with: a new attempt, with the newest token."""
        self.attempt += 1
        return Resume(
            session=self._session,
            token=self._token,
            attempt=self.attempt,
            life=self._life,
            received=received,
            credentials=credentials,
        )

    def refused(self, refusal: Refusal) -> Fate:
        """The server refused the dial."""
        if refusal.code is CloseCode.STALE and refusal.attempt is not None:
            self.attempt = refusal.attempt  # the next one is above it
            return Fate.DIAL_AGAIN
        if refusal.code.resumable:
            self._hold = max(self._hold, self._spread(refusal.retry_in or 0.0))
            return Fate.DIAL_AGAIN
        return Fate.CLOSED if refusal.code is CloseCode.NORMAL else Fate.LOST

    def _spread(self, seconds: float) -> float:
        """Return half to one and a half of the time, so that those who were told the same do not come back together."""
        return seconds * (0.5 + self._chance())
