"""The line to the server, as a person wants to know it: up, doubtful or down, since when, and when it is dialled again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Line:
    """How the line does."""

    state: str = "connecting"
    """``connecting``, ``connected``, ``suspect`` or ``reconnecting``."""
    redial_at: float | None = None
    """The moment of the next dial, if one is waited for."""
    down_since: float | None = None
    """Since when nothing can travel; None while it is up."""

    @property
    def is_down(self) -> bool:
        """Whether nothing can travel."""
        return self.down_since is not None

    def change(self, state: str, redial_at: float | None = None) -> None:
        """Be in another state; whether anything can travel is said apart."""
        self.state = state
        self.redial_at = redial_at

    def goes_down(self, now: float) -> bool:
        """Nothing travels from now on; return False when it did not before."""
        was_up = not self.is_down
        if was_up:
            self.down_since = now
        return was_up

    def comes_up(self, now: float) -> float | None:
        """It is back; return for how many seconds it was gone, or None when it was up all the time."""
        since, self.down_since = self.down_since, None
        return None if since is None else now - since
