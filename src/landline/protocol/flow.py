"""One independent order within a session, both directions of it: what waits, what was handled, and the credit that bounds both.

Credit is an absolute total of cost (payload plus ``FRAME_COST`` a frame). A sender may send while its total so far is below the credit, so
one message always fits; the receiver grants ``window`` more than its program has taken. Flow 0 is the messages, and lives as long as its
session; how any other begins and ends is in ``flows``.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from ..errors import ProtocolError
from .empty import EMPTY_DEQUE, EMPTY_LIST
from .frames import FRAME_COST, HEADER, Queued, SharedFrames
from .handshake import Reset

ENDED: Final = 1
"""Said of a direction: no more of it comes (END)."""

DONE: Final = 2
"""Said of the other direction: all of it, its end included, is handled (DONE)."""

RESET: Final = 4
"""Said of both: whoever says it abandons the flow (RESET)."""

_MORE: Final = FRAME_COST - HEADER.size
"""What a frame costs besides its bytes on the wire."""

UNKNOWN: Final = 1 << 63
"""The place of an OPEN that was not written yet."""


class Flow:
    """The state of one flow at one end; it outlives transports.

    Attributes:
        number: its own, 0 for the messages.
        purpose: what it was opened for.
        opened_at: the place of our OPEN among the counted frames; -1 where the peer knows of the flow without one.
        ours, theirs: what each end has said about the flow, as bits of ``ENDED``, ``DONE`` and ``RESET``.
        reset: what the peer said when it abandoned the flow.
        pending, pending_bytes: whole frames that were never written to any transport, those that many share as one item.
        queued, sent: how many frames the program gave, and how many of them were written.
        has_large: not all of the pending may be bytes: a large frame is among them, or frames that many share.
        is_ending: END follows what is pending.
        handled_by_peer: how many of ours the peer's program is done with.
        unreached: how many of those that were written certainly never came into the peer's hands, as an ended session or a reset knows.
        inbox: ``(value, cost)`` received and not yet taken by the program.
        received, taken, handled: how many of the peer's arrived, were returned to the program, and are done with.
        window: how far beyond ``taken_cost`` the peer is granted now.
        asked: the peer wants to hear at once when this many are handled.
        is_news: there is something to tell the peer of what was taken and handled.
    """

    __slots__ = (
        "asked", "credit", "granted", "handled", "handled_by_peer", "handled_told", "has_large", "inbox", "is_ending", "is_news",
        "number", "opened_at", "ours", "pending", "pending_bytes", "purpose", "queued",
        "received", "received_cost", "reset", "sent", "sent_cost", "taken", "taken_cost", "theirs", "unreached", "wanted", "window",
    )  # fmt: skip

    def __init__(self, number: int, window: int, credit: int, *, purpose: str = "") -> None:
        self.number = number
        self.purpose = purpose
        self.window = window
        self.opened_at = -1
        self.ours = 0
        self.theirs = 0
        self.reset: Reset | None = None
        # Sending...
        self.pending: list[Queued] = EMPTY_LIST
        self.pending_bytes = 0
        self.queued = 0
        self.sent = 0
        self.sent_cost = 0
        self.credit = credit
        self.has_large = False
        self.is_ending = False
        self.handled_by_peer = 0
        self.unreached = 0
        self.wanted = 0
        # Receiving...
        self.inbox: deque[tuple[Any, int]] = EMPTY_DEQUE
        self.received = 0
        self.received_cost = 0
        self.taken = 0
        self.taken_cost = 0
        self.handled = 0
        self.handled_told = 0
        self.granted = window
        self.asked = 0
        self.is_news = False

    # The program sends...

    def covers(self, count: int, before_last: int) -> bool:
        """Whether its credit is enough to write so many frames now, all but the last of which have so many bytes."""
        return self.sent_cost + before_last + (count - 1) * _MORE < self.credit

    def pop(self, budget: int) -> list[Queued]:
        """Return the frames to write now, as far as credit and ``budget`` bytes allow: the last one may exceed both.

        What many share is only cut where credit ends in it: as the first of them it may exceed the budget as a whole.
        """
        pending, room = self.pending, self.credit - self.sent_cost
        size, count = self.pending_bytes, self.queued - self.sent
        cost = size + count * _MORE
        if size <= budget and cost <= room and pending:
            popped, self.pending = pending, EMPTY_LIST  # all of it: the usual case
        else:
            size = cost = places = count = 0
            has_large = self.has_large
            while size < budget and cost < room and places < len(pending):
                frames = pending[places]
                length = len(frames)
                if has_large and isinstance(frames, SharedFrames):
                    more, before = frames.count - 1, length - frames.last
                    if (places and size + before >= budget) or cost + before + more * _MORE >= room:
                        # Their last one has to wait.
                        pending[places : places + 1] = frames.each()
                        continue
                    count += more
                    cost += more * _MORE
                size += length
                cost += length + _MORE
                places += 1
            count += places
            popped = pending[:places]
            del pending[:places]
            if not pending:
                self.pending = EMPTY_LIST
        self.pending_bytes -= size
        self.sent += count
        self.sent_cost += cost
        return popped

    @property
    def reach(self) -> int:
        """How many of ours may have come into the peer's hands."""
        return self.sent - self.unreached

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for the peer's credit."""
        return bool(self.pending) and self.sent_cost >= self.credit

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

    def was_granted(self, credit: int) -> bool:
        """Note the peer's CREDIT; return whether it is more. Totals never fall."""
        if credit < self.credit:
            raise ProtocolError(f"credit of flow {self.number} fell from {self.credit} to {credit}")
        is_more = credit > self.credit
        self.credit = credit
        return is_more

    def was_reset(self, reset: Reset) -> None:
        """Note the peer's RESET: what its program was not given by now it never will be."""
        if not self.handled_by_peer <= reset.handled <= reset.taken <= self.sent:
            raise ProtocolError(
                f"flow {self.number} was reset with {reset.handled} handled of {reset.taken} taken, {self.sent} were sent",
                "miscount",
            )
        self.reset = reset
        self.handled_by_peer = reset.handled
        self.unreached = self.sent - reset.taken

    # The peer sends...

    @property
    def grantable(self) -> int:
        """The credit that could be granted by now."""
        return self.taken_cost + self.window

    @property
    def committed(self) -> int:
        """What the inbox may come to hold by what was granted, in bytes; one message more may begin within it."""
        return max(self.granted, self.received_cost) - self.taken_cost

    @property
    def is_news_urgent(self) -> bool:
        """Whether the peer may be waiting for what we could tell."""
        return (
            self.taken_cost + self.window - self.granted >= self.window >> 1
            or self.handled_told < self.asked <= self.handled
        )

    @property
    def is_read_out(self) -> bool:
        """Whether the peer sends no more and the program was given everything."""
        return self.theirs & ENDED != 0 and not self.inbox

    # Both have said what they had to say...

    @property
    def is_over(self) -> bool:
        """Whether neither end will say anything more about it."""
        return is_finished(self.ours) and is_finished(self.theirs)


def is_finished(said: int) -> bool:
    """Whether who has said this about a flow says no more about it."""
    return said & RESET != 0 or said == ENDED | DONE
