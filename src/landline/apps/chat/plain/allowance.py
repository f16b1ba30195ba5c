"""How much of what a plain caller says is carried out, and how fast: at the chat's pace, and only a little more once it is gone."""

from __future__ import annotations

from typing import Final

from landline.apps.chat.limits import PLAIN, ChatLimits
from landline.apps.chat.pace import Pace

LAST_LINES: Final = PLAIN.last_lines


class Allowance:
    """One caller's.

    Attributes:
        slowed_until: when the next line may be carried out, if one had to wait; its bytes wait too, first here and then in its socket.
        hits: names of the limits that were hit; whoever counts them takes them out.
    """

    def __init__(self, limits: ChatLimits, now: float) -> None:
        self.slowed_until: float | None = None
        self.hits: list[str] = []
        self._pace = Pace(limits.rate, limits.burst, now)
        self._left: int | None = None

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more is carried out, ever."""
        return self._left == 0

    def caller_gone(self) -> None:
        """It cannot stop what it said: a little of what waits is carried out, and the rest is not."""
        if self._left is None:
            self._left = LAST_LINES

    def step(self, now: float) -> bool:
        """Take one line's worth of it, or arrange for later."""
        if self._left == 0:
            self.hits.append("chat.plain.last_lines")
            return False
        wait = self._pace.wait(now)
        if (
            wait > 1e-9
        ):  # a deadline that was computed as a sum is met although the sum of its parts is a hair less
            if self.slowed_until is None:
                self.hits.append("chat.rate")
            self.slowed_until = now + wait
            return False
        self._pace.step(now)
        self.slowed_until = None
        if self._left is not None:
            self._left -= 1
        return True
