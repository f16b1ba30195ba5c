"""The books of the flows that a session has besides its messages, and what must be true of each after every step.

A strand is one such flow as both programs know it. Like the books of the messages (``talk``), it believes nothing that the protocol says
of itself: it is held against what was said and heard.
"""

from __future__ import annotations

from typing import Protocol

from ...protocol.flow import RESET, Flow
from ...protocol.frames import FIRST_CREDIT, FRAME_COST, ResetCode
from ...protocol.session import Session
from .line import Violation

STRAND = "strand"
"""What they are opened for."""

MOST = 6
"""Flows that the programs of one session have open at once, at most."""


class Sided(Protocol):
    """One end of a session, as its strands know it (``ends.End``)."""

    core: Session
    side: int
    ended: str
    is_closing: bool
    is_peer_closed: bool


class Strand:
    """One flow of a session.

    Attributes:
        said, heard, handled: per direction: what was sent, how much of it was handed over, and how much the receiver is done with.
        flows: what each side's protocol keeps of it, once it knows of it; kept here when it is forgotten there.
        left: sides whose program abandoned it.
    """

    __slots__ = ("ended", "flows", "handled", "heard", "left", "number", "said")

    def __init__(self, number: int) -> None:
        self.number = number
        self.said: tuple[list[str], list[str]] = ([], [])
        self.heard = [0, 0]
        self.handled = [0, 0]
        self.ended = [False, False]
        self.flows: list[Flow | None] = [None, None]
        self.left: set[int] = set()

    # What programs do...

    def say(self, end: Sided, size: int) -> None:
        """Send something, if that may be and there is room."""
        flow = self.flows[end.side]
        if (
            flow is not None
            and self._may_write(end, flow)
            and not end.is_closing
            and not end.is_peer_closed
            and end.core.has_room_in(flow)
        ):
            text = f"{self.number}/{end.side}/{len(self.said[end.side])}".ljust(size, ".")
            self.said[end.side].append(text)
            end.core.send(flow, 0x21, text.encode())

    def hear(self, end: Sided) -> bool:
        """Ask for the next one; return whether there was any."""
        flow = self.flows[end.side]
        if flow is None or self._is_left(flow):
            return False
        theirs = 1 - end.side
        self.handled[theirs] = self.heard[theirs]
        if not flow.inbox:
            end.core.handle_taken(flow)
            return False
        value = end.core.take(flow)
        place = self.heard[theirs]
        if place >= len(self.said[theirs]) or self.said[theirs][place] != value:
            raise Violation(f"flow {self.number}: message {place} was {value!r:.60}")
        self.heard[theirs] = place + 1
        return True

    def finish(self, end: Sided) -> None:
        """Send no more."""
        flow = self.flows[end.side]
        if flow is not None and self._may_write(end, flow):
            self.ended[end.side] = True
            end.core.end_flow(flow)

    def leave(self, end: Sided) -> None:
        """Abandon it."""
        flow = self.flows[end.side]
        if flow is not None and not flow.is_over and not self._is_left(flow):
            self.left.add(end.side)
            end.core.abandon_flow(flow, ResetCode.CANCELLED)

    def _may_write(self, end: Sided, flow: Flow) -> bool:
        return not self.ended[end.side] and not self._is_left(flow)

    def _is_left(self, flow: Flow) -> bool:
        return bool((flow.ours | flow.theirs) & RESET)

    # What must be true...

    @property
    def is_over(self) -> bool:
        """Whether both ends have forgotten it."""
        ours, theirs = self.flows
        return ours is not None and theirs is not None and ours.is_over and theirs.is_over

    def check(self) -> None:
        """What must be true of each direction."""
        ours, theirs = self.flows
        if ours is not None:
            self._check_direction(0, ours, theirs)
        if theirs is not None:
            self._check_direction(1, theirs, ours)

    def _check_direction(self, side: int, flow: Flow, other: Flow | None) -> None:
        said = len(self.said[side])
        acked = flow.handled_by_peer
        if flow.queued != said:
            raise self._violation(side, f"{said} were sent, {flow.queued} are counted")
        if acked > self.handled[side] and acked > self.handled[side] + (
            other is not None and other.is_read_out
        ):
            # Whoever comes back to find the end has handled the last message by that.
            raise self._violation(side, f"{acked} are acked, {self.handled[side]} were handled")
        if self.heard[side] > flow.reach:
            raise self._violation(side, f"{self.heard[side]} were heard, all after {flow.reach} had failed")
        if acked != said and not self.left and flow.is_over:
            raise self._violation(side, "it is over, and was not handled to its end")
        if other is not None:
            if other.received > flow.sent:
                raise self._violation(side, f"{other.received} were received, {flow.sent} were sent")
            if flow.credit > other.granted and flow.credit > FIRST_CREDIT:
                raise self._violation(
                    side, f"a credit of {flow.credit} is believed, {other.granted} were granted"
                )

    def _violation(self, side: int, what: str) -> Violation:
        return Violation(f"flow {self.number} from side {side}: {what}")


def check_memory(core: Session, longest: int) -> None:
    """A session's inboxes fit its budget, and its own account of them is right."""
    inboxes = granted = 0
    flows, limits = core.flows, core.limits
    for flow in flows.values():
        received, most = flow.received_cost, flow.granted
        inbox = received - flow.taken_cost
        inboxes += inbox
        granted += inbox if most <= received else inbox + most - received
    if inboxes != core.inbox_bytes:
        raise Violation(f"the inboxes hold {inboxes} bytes, {core.inbox_bytes} are counted")
    budget = max(limits.window, limits.credit) + len(flows) * (FIRST_CREDIT + longest + FRAME_COST)
    if granted > budget:
        raise Violation(f"{granted} bytes were granted, of a budget of {budget}")
