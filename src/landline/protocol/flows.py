"""All flows of one session: who may open another, how each end says that it is through with it, and when it is forgotten.

The client opens odd numbers, the server even ones; numbers rise and are never used again. An end is through with a flow when it has ended
its own direction (END) and has handled all of the other (DONE), or when it has abandoned both (RESET). What both are through with is
forgotten. All of these are counted frames: they are replayed like data, so both ends forget the same.
"""

from __future__ import annotations

from typing import Final, Protocol

from ..errors import Full, ProtocolError
from ..limits import Limits
from .flow import DONE, ENDED, RESET, UNKNOWN, Flow, is_finished
from .frames import FIRST_CREDIT, FrameType, ResetCode, encode_frame
from .handshake import Open, Reset, clean_reason, decode_payload, encode_payload
from .states import Role

MESSAGES: Final = 0
"""The flow of a session's messages."""

LAST_NUMBER: Final = (1 << 32) - 1


class Queue(Protocol):
    """Where what is said about flows goes."""

    def write_about(self, number: int, frame: bytes) -> None:
        """Queue a counted frame about a flow, which waits for no credit and goes before all data."""

    def drop(self, flow: Flow) -> None:
        """Let go of everything that waits in a flow, sent or received."""


class Flows:
    """The flows of one session at one end.

    Args:
        others: where those besides the messages stand that are not over, by number; empty.
        queue: takes what is said about them.
        most_of_peer: how many the peer lets us have open at once.
    """

    __slots__ = (
        "_highest_of_peer", "_limits", "_most_of_peer", "_next", "_opened", "_opened_by_peer", "_queue",
        "others",
    )  # fmt: skip

    def __init__(
        self,
        others: dict[int, Flow],
        role: Role,
        limits: Limits,
        *,
        most_of_peer: int,
        queue: Queue,
    ) -> None:
        self.others = others
        self._limits = limits
        self._most_of_peer = most_of_peer
        self._queue = queue
        self._next = 1 if role is Role.CLIENT else 2
        self._highest_of_peer = 0 if role is Role.CLIENT else -1
        self._opened = self._opened_by_peer = 0

    # We open, end, finish, abandon...

    def begin(self, purpose: str, window: int) -> Flow:
        """Open a flow.

        Raises:
            Full: the peer lets us have no more at once, or the session has used up its numbers.
        """
        if self._opened >= self._most_of_peer:
            raise Full(f"{self._opened} flows are open, and the peer allows no more (its max_flows)")
        if self._next > LAST_NUMBER:
            raise Full("this session has no more numbers for flows")
        flow = self._add(Flow(self._next, window, FIRST_CREDIT, purpose=purpose))
        flow.opened_at = UNKNOWN
        self._next += 2
        self._opened += 1
        self._queue.write_about(
            flow.number, encode_payload(FrameType.OPEN, Open(purpose=purpose, window=window), flow.number)
        )
        return flow

    def ended(self, flow: Flow) -> bytes:
        """Our direction of the flow is written to its end; return the END to write now."""
        flow.is_ending = False
        flow.ours |= ENDED
        self._forget_if_over(flow)
        return encode_frame(FrameType.END, flow.number)

    def finish(self, flow: Flow) -> None:
        """Everything of the peer's, the end included, is handled: say so, once."""
        if not flow.ours & (DONE | RESET):
            flow.ours |= DONE
            self._queue.write_about(flow.number, encode_frame(FrameType.DONE, flow.number))
            self._forget_if_over(flow)

    def abandon(self, flow: Flow, code: ResetCode, reason: str) -> None:
        """Neither send nor take anything more of the flow; what waits of it, in either direction, is dropped."""
        if is_finished(flow.ours):
            return
        reset = Reset(code=code, handled=flow.handled, taken=flow.taken, reason=clean_reason(reason))
        flow.ours |= RESET
        self._queue.drop(flow)
        self._queue.write_about(flow.number, encode_payload(FrameType.RESET, reset, flow.number))
        self._forget_if_over(flow)

    # The peer does...

    def begun(self, number: int, payload: bytes) -> Flow:
        """The peer opens a flow.

        Raises:
            ProtocolError: it may not, or not with this number.
        """
        if number <= self._highest_of_peer or (number - self._highest_of_peer) % 2:
            raise ProtocolError(f"flow {number} cannot be opened by the peer now")
        if self._opened_by_peer >= self._limits.max_flows:
            raise ProtocolError(
                f"more than {self._limits.max_flows} flows were opened at once", limit="max_flows"
            )
        opening = decode_payload(Open, payload)
        flow = self._add(Flow(number, FIRST_CREDIT, opening.window, purpose=opening.purpose))
        self._highest_of_peer = number
        self._opened_by_peer += 1
        return flow

    def was_ended(self, flow: Flow) -> None:
        """The peer's direction of the flow ends."""
        self._hear(flow, ENDED)

    def was_finished(self, flow: Flow) -> None:
        """The peer has handled everything of ours.

        Raises:
            ProtocolError: our end of it was not even written.
        """
        if not flow.ours & ENDED:
            raise ProtocolError(f"flow {flow.number} is called handled before its end")
        self._hear(flow, DONE)
        flow.handled_by_peer = flow.sent

    def was_abandoned(self, flow: Flow, payload: bytes) -> Reset:
        """The peer abandons the flow; so do we, if we are not through with it."""
        reset = decode_payload(Reset, payload)
        flow.was_reset(reset)
        self._hear(flow, RESET)
        self.abandon(flow, reset.code, "")
        return reset

    def _hear(self, flow: Flow, what: int) -> None:
        if is_finished(flow.theirs) or flow.theirs & what:
            raise ProtocolError(f"the peer is through with flow {flow.number}, and says more about it")
        flow.theirs |= what
        self._forget_if_over(flow)

    # Which flow is it...

    def get(self, number: int) -> Flow:
        """Return the flow that a counted frame is about.

        Raises:
            ProtocolError: it is not open.
        """
        flow = self.others.get(number)
        if flow is None:
            raise ProtocolError(f"flow {number} is not open")
        return flow

    def find(self, number: int) -> Flow | None:
        """Return the flow of that number, or None if it is over.

        Raises:
            ProtocolError: it was never open.
        """
        flow = self.others.get(number)
        if flow is None and not self._was_open(number):
            raise ProtocolError(f"flow {number} is not open")
        return flow

    def _add(self, flow: Flow) -> Flow:
        self.others[flow.number] = flow
        return flow

    def _was_open(self, number: int) -> bool:
        is_ours = number % 2 == self._next % 2
        return number < self._next if is_ours else number <= self._highest_of_peer

    def _forget_if_over(self, flow: Flow) -> None:
        if flow.is_over and self.others.pop(flow.number, None) is not None:
            if flow.number % 2 == self._next % 2:
                self._opened -= 1
            else:
                self._opened_by_peer -= 1
