"""How fast what a plain caller says is carried out: at the chat's pace, and not for ever to somebody who never stops."""

from __future__ import annotations

from typing import Final

from landline.apps.chat.limits import PLAIN, ChatLimits
from landline.apps.chat.pace import Pace

SLOWED_FOR: Final = PLAIN.slowed_for

TOLD_AFTER: Final = 5.0
"""Seconds: a short paste is through before that."""


class Allowance:
    """One caller's.

    Attributes:
        slowed_until: when the next line may be carried out, if one had to wait; its bytes wait too, first here and then in its socket.
        is_to_be_told: it has had to wait, line after line, for so long that it should know; set once each time.
        hits: names of the limits that were hit; whoever counts them takes them out.
        is_used_up: it has had to wait, line after line, for so long that it is no person and no script that says what it has to say.
    """

    def __init__(self, limits: ChatLimits, now: float) -> None:
        self.slowed_until: float | None = None
        self.is_to_be_told = False
        self.hits: list[str] = []
        self.is_used_up = False
        self._pace = Pace(limits.rate, limits.burst, now)
        self._slowed_since: float | None = None
        self._was_told = False

    def step(self, now: float) -> bool:
        """Take one line's worth of it, or arrange for later."""
        self.is_to_be_told = False
        wait = self._pace.wait(now)
        # A deadline that was computed as a sum is met although the sum of its parts is a hair less.
        if wait > 1e-9:
            if self._slowed_since is None:
                self._slowed_since, self._was_told = now, False
            elif not self._was_told and now >= self._slowed_since + TOLD_AFTER:
                self.is_to_be_told = self._was_told = True
            if now >= self._slowed_since + SLOWED_FOR:
                self.hits.append("chat.plain.slowed_for")
                self.is_used_up = True
            if self.slowed_until is None:
                self.hits.append("chat.rate")
            self.slowed_until = now + wait
            return False
        if self.slowed_until is None:
            self._slowed_since = None
        self._pace.step(now)
        self.slowed_until = None
        return True
