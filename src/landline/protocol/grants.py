"""Until when sessions are granted, without I/O: a server ends what was granted too long ago, a client shows new credentials before that.

A session without a line is not ended for it: whoever comes back to one shows credentials anyway, and hears nothing before.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from .frames import CloseCode
from .handshake import Seconds
from .kept import Kept

CREDENTIALS_PURPOSE: Final = "landline.credentials"
"""What a client opens flows for to show new credentials."""

RAN_OUT: Final = "the credentials ran out"

_EARLIEST: Final = 0.6
_SPREAD: Final = 0.2
"""New credentials are shown after 60 to 80 % of the time: early enough for a line to come back, and not all clients in one instant."""

_LEAST: Final = 0.5
"""Seconds that must be left for another try to make sense."""

_SLACK: Final = 64


class Granted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is answered to new credentials, as a map."""

    expires_in: Seconds | None = None
    """They are good for so many seconds from now on; missing: for good."""


def refresh_in(expires_in: float, chance: Callable[[], float]) -> float:
    """Return after how many seconds new credentials are to be shown."""
    return expires_in * (_EARLIEST + _SPREAD * chance())


def retry_in(left: float, chance: Callable[[], float]) -> float | None:
    """Return after how many seconds it is tried again, when so many are left; None when there is no time for that."""
    return left * (1 + chance()) / 4 if left > _LEAST else None


class Grants:
    """The ends of the grants of one life of a server.

    Args:
        kept: the sessions that live, by their id.
        wake: called when ``timeout_at`` may be earlier than it was.
    """

    def __init__(self, kept: Mapping[bytes, Kept[Any, Any]], wake: Callable[[], None]) -> None:
        self._kept = kept
        self._wake = wake
        self._ends: dict[bytes, float] = {}
        self._heap: list[tuple[float, bytes]] = []
        """Each end, and some that do not hold any more: fewer than those that do, and ``_SLACK``."""

    def set(self, session_id: bytes, ends_at: float | None) -> None:
        """From now on a session is granted until this moment; None: for good."""
        self._ends.pop(session_id, None)
        if ends_at is not None:
            self._ends[session_id] = ends_at
            heapq.heappush(self._heap, (ends_at, session_id))
            self._wake()
        if len(self._heap) > 2 * len(self._ends) + _SLACK:
            self._heap = [(at, each) for each, at in self._ends.items()]
            heapq.heapify(self._heap)

    def timeout_at(self) -> float | None:
        """When the next one ends."""
        while self._heap and self._ends.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def handle_timeout(self, now: float) -> None:
        """End the sessions on a line whose time is over."""
        while (at := self.timeout_at()) is not None and at <= now:
            session_id = heapq.heappop(self._heap)[1]
            del self._ends[session_id]
            kept = self._kept[session_id]
            if kept.carrier is not None:
                kept.end.lose(CloseCode.EXPIRED, RAN_OUT)
