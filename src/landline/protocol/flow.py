"""One independent order within a session, both directions of it: what waits, what was handled, and the credit that bounds both.

Credit is an absolute total of cost (payload plus ``FRAME_COST`` a frame). A sender may send while its total so far is below the credit, so
one message always fits; the receiver grants ``window`` more than its program has taken.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ..errors import ProtocolError
from .frames import FRAME_COST, HEADER


class Flow:
    """The state of one flow at one end; it outlives transports.

    Attributes:
        pending: whole frames that were never written to any transport.
        queued, sent: how many frames the program gave, and how many of them were written.
        handled_by_peer: how many of ours the peer's program is done with.
        reach: how many of ours may have come into the peer's hands; the same as ``sent`` until an ended session knows better.
        inbox: ``(value, cost)`` received and not yet taken by the program.
        received, taken, handled: how many of the peer's arrived, were returned to the program, and are done with.
        asked: the peer wants to hear at once when this many are handled.
    """

    __slots__ = (
        "asked", "credit", "granted", "handled", "handled_by_peer", "handled_told", "inbox", "number", "pending", "queued",
        "reach", "received", "received_cost", "sent", "sent_cost", "taken", "taken_cost", "wanted", "window",
    )  # fmt: skip

    def __init__(self, number: int, window: int, credit: int) -> None:
        self.number = number
        self.window = window
        # Sending...
        self.pending: deque[bytes] = deque()
        self.queued = 0
        self.sent = 0
        self.sent_cost = 0
        self.credit = credit
        self.handled_by_peer = 0
        self.reach = 0
        self.wanted = 0
        # Receiving...
        self.inbox: deque[tuple[Any, int]] = deque()
        self.received = 0
        self.received_cost = 0
        self.taken = 0
        self.taken_cost = 0
        self.handled = 0
        self.handled_told = 0
        self.granted = window
        self.asked = 0

    # The program sends...

    def push(self, kind: int, payload: bytes) -> int:
        """Queue one frame; return its size on the wire, in bytes."""
        frame = HEADER.pack(len(payload), kind, self.number) + payload
        self.pending.append(frame)
        self.queued += 1
        return len(frame)

    def pop(self) -> bytes | None:
        """Return the next frame that credit allows to be written."""
        if self.pending and self.sent_cost < self.credit:
            frame = self.pending.popleft()
            self.sent += 1
            self.reach += 1
            self.sent_cost += len(frame) - HEADER.size + FRAME_COST
            return frame
        return None

    def was_handled(self, count: int) -> bool:
        """Note the peer's HANDLED; return whether it says something new."""
        if count < self.handled_by_peer or count > self.sent:
            raise ProtocolError(
                f"{count} frames of flow {self.number} handled: {self.sent} were sent", "miscount"
            )
        if count == self.handled_by_peer:
            return False
        self.handled_by_peer = count
        return True

    def was_granted(self, credit: int) -> None:
        """Note the peer's CREDIT; totals never fall."""
        if credit < self.credit:
            raise ProtocolError(f"credit of flow {self.number} fell from {self.credit} to {credit}")
        self.credit = credit

    # The peer sends...

    def accept(self, value: Any, size: int) -> None:
        """Take one arrived value of ``size`` payload bytes into the inbox.

        Raises:
            ProtocolError: the peer had no credit for it.
        """
        if self.received_cost >= self.granted:
            raise ProtocolError(f"flow {self.number} was sent beyond its credit", limit="window")
        cost = size + FRAME_COST
        self.inbox.append((value, cost))
        self.received += 1
        self.received_cost += cost

    def take(self) -> Any:
        """Return the oldest value of the inbox; everything taken before it is handled now."""
        self.handled = self.taken
        value, cost = self.inbox.popleft()
        self.taken += 1
        self.taken_cost += cost
        return value

    @property
    def grantable(self) -> int:
        """The credit that could be granted by now."""
        return self.taken_cost + self.window

    @property
    def is_news_urgent(self) -> bool:
        """Whether the peer may be waiting for what we could tell."""
        return (
            self.grantable - self.granted >= self.window >> 1
            or self.handled_told < self.asked <= self.handled
        )
