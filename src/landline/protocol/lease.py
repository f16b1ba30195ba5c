"""Whether a member of a group counts as here: as long as its session has a line, and for a grace after it lost one; and when it is over."""

from __future__ import annotations

from typing import Final

from .states import State

LOST: Final = "the line was lost"
"""Why somebody left whose session was lost."""

REVOKED: Final = "access was revoked"
"""Why, where the server ended the session because it may no longer be."""

_HAS_LINE: Final = {State.CONNECTED, State.SUSPECT}


class Lease:
    """What a session's memberships stand on.

    Args:
        grace: seconds.

    Attributes:
        is_here: whether others see its line as up.
        is_over: whether its memberships end, with ``reason``.
        timeout_at: when ``handle_timeout`` is due, or None.
    """

    def __init__(self, grace: float) -> None:
        self.is_here = True
        self.is_over = False
        self.reason = ""
        self.timeout_at: float | None = None
        self._grace = grace

    def look(
        self, state: State, now: float, *, since: float | None = None, was_revoked: bool = False
    ) -> None:
        """The session is in this state, perhaps another one than before.

        Args:
            state: which.
            now: the moment.
            since: when it came into it; by default just now.
            was_revoked: it was lost because it may no longer be.
        """
        if state is State.RECONNECTING:
            if self.is_here and self.timeout_at is None:
                self.timeout_at = (now if since is None else since) + self._grace
                if self.timeout_at <= now:  # who joins has been away for longer already
                    self.handle_timeout()
        elif state in _HAS_LINE:
            self.is_here, self.timeout_at = True, None
        elif state is not State.CONNECTING:
            self.is_over, self.timeout_at = True, None
            if state is State.LOST:
                self.reason = REVOKED if was_revoked else LOST

    def handle_timeout(self) -> None:
        """The moment of ``timeout_at`` has come: it is shown as reconnecting."""
        self.is_here, self.timeout_at = False, None
