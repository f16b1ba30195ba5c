"""Do both ends wait for each other? Each tells the other, once, of a flow that has waited long for credit.

When both have been told, neither program takes what the other sent: the session is stalled. Nothing is ended by that.
"""

from __future__ import annotations

from typing import Final

from .empty import EMPTY_DICT, EMPTY_LIST
from .flow import Flow
from .frames import COUNT, FrameType, encode_frame


class Stall:
    """Who waits for whose credit at one end of a session.

    Args:
        after: seconds that a flow waits before the peer is told.

    Attributes:
        is_on: both have waited for too long.
        is_waiting: something of ours waits for credit.
        is_told: the program was told that the session is stalled, and it still is.
    """

    __slots__ = ("_after", "_due", "_peer", "_since", "_told", "_waiting", "is_on", "is_told", "is_waiting")

    def __init__(self, after: float) -> None:
        self._after = after
        self._waiting: dict[int, Flow] = EMPTY_DICT
        self._since: dict[int, float] = EMPTY_DICT
        self._due: list[Flow] = EMPTY_LIST
        self._told: dict[int, None] = EMPTY_DICT
        self._peer: dict[int, None] = EMPTY_DICT
        self.is_on = self.is_waiting = self.is_told = False

    def begin_anew(self) -> None:
        """On a new transport both tell each other again."""
        self._waiting = self._since = self._told = self._peer = EMPTY_DICT
        self._due = EMPTY_LIST
        self.is_on = self.is_waiting = False

    # We wait...

    def wait(self, flow: Flow) -> None:
        """A flow has something to write, and no credit for it."""
        if self._waiting is EMPTY_DICT:
            self._waiting, self._since, self._told, self._due = {}, {}, {}, []
        self._waiting[flow.number] = flow
        self.is_waiting = True

    def go_on(self, flow: Flow) -> None:
        """It has credit again, or nothing to write any more."""
        if self._waiting.pop(flow.number, None) is not None:
            self.is_waiting = bool(self._waiting)
            self._since.pop(flow.number, None)
            self._told.pop(flow.number, None)
            self._settle()

    def timeout_at(self) -> float | None:
        """When ``handle_timeout`` has something to do."""
        times = [since for number, since in self._since.items() if number not in self._told]
        return min(times) + self._after if times else None

    def handle_timeout(self, now: float) -> None:
        """Have the peer told of the flows that have waited for too long."""
        for number, since in self._since.items():
            if number not in self._told and now >= since + self._after:
                self._told[number] = None
                self._due.append(self._waiting[number])
                self.is_on = bool(self._peer)

    def data_to_send(self, now: float) -> list[bytes]:
        """Return what to tell the peer now; what waits since now is noted."""
        for number in self._waiting:
            self._since.setdefault(number, now)
        due, self._due = self._due, []
        return [
            encode_frame(FrameType.WAITING, flow.number, COUNT.pack(flow.credit))
            for flow in due
            if flow.number in self._told
        ]

    # The peer waits...

    def peer_waits(self, flow: Flow, credit: int) -> None:
        """It has told us so, of more than this total."""
        if credit >= flow.granted:  # otherwise more is under way to it
            if self._peer is EMPTY_DICT:
                self._peer = {}
            self._peer[flow.number] = None
            self.is_on = bool(self._told)

    def peer_goes_on(self, flow: Flow) -> None:
        """It was granted more, or the flow is over."""
        if self._peer:
            self._peer.pop(flow.number, None)
            self._settle()

    def _settle(self) -> None:
        self.is_on = bool(self._told) and bool(self._peer)
        if not self.is_on:
            self.is_told = False


CALM: Final = Stall(0.0)
"""Nobody waits. Never changed: whoever is the first to wait has one made for its session."""
