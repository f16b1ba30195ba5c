"""The receiving half of a session: what arrived and was not yet taken, and whether the peer is to be told.

What counts as received lies here, bounded by credit; the program may not have seen it. That it is done with it is told apart, as handled, for each flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from ..errors import ProtocolError
from ..limits import PROTOCOL, Limits
from .codec import BYTES, Packed, decode_data
from .credit import Pressure
from .empty import EMPTY_DEQUE, EMPTY_DICT, EMPTY_LIST
from .flow import ENDED, RESET, Flow
from .flows import MESSAGES
from .frames import FRAME_COST, LAST_DATA, FrameType
from .outbox import Outbox
from .states import Role

_SAYS_NO_MORE: Final = ENDED | RESET


class Inbox(Outbox):
    """What one end of a session receives, over the half that it sends.

    Attributes:
        received: how many of the peer's counted frames arrived, over the whole life of the session, as ``sent`` counts ours.
        inbox_bytes: the cost of what was received and not yet taken, in all flows.
        unfinished: the bytes that are here of a frame that is still arriving.
        ack_due_at: when the peer is told what arrived and was handled, at the latest.
        have_messages_arrived: there are some that the program was not told of.
        arrived: such other flows, by number.
        handled: flows of which the peer has handled something more, by number.
        opened, reset: flows that the peer opened or abandoned, and nobody was told of yet.
    """

    __slots__ = (
        "_is_ack_late", "_is_ack_wanted", "_news", "_received_cost", "ack_due_at", "arrived", "handled", "have_messages_arrived", "inbox_bytes", "opened", "received", "reset",
        "unfinished",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, pressure: Pressure, messages: Flow, *, role: Role, peer_max_flows: int
    ) -> None:
        super().__init__(limits, pressure, messages, role=role, peer_max_flows=peer_max_flows)
        self.received = 0
        self.inbox_bytes = 0
        self.unfinished = 0
        self._received_cost = 0
        self.ack_due_at: float | None = None
        self._is_ack_wanted = False
        self._is_ack_late = False
        self._news: list[Flow] = EMPTY_LIST
        self.have_messages_arrived = False
        self.arrived: dict[int, Flow] = EMPTY_DICT
        self.handled: dict[int, Flow] = EMPTY_DICT
        self.opened: list[Flow] = EMPTY_LIST
        self.reset: list[Flow] = EMPTY_LIST

    @property
    def memory(self) -> int:
        """Bytes that count as pressure: what arrives, what waits for our program, and for the peer."""
        return self.unfinished + self.inbox_bytes + self.held

    # Bytes come in...

    def gather(self, unfinished: int) -> None:
        """So many bytes are here now of a frame that is still arriving."""
        if more := unfinished - self.unfinished:
            self.unfinished = unfinished
            self.pressure.gather(more)

    def receive(self, kind: int, number: int, payloads: Sequence[bytes]) -> None:
        """Take counted frames, which differ in their payloads alone, into their flow's inbox: many at once for little more than one.

        Raises:
            ProtocolError: no such flow, no credit, or a payload that is not what its type says; those before it are taken.
        """
        count, before_last, cost = len(payloads), 0, len(payloads[-1]) + FRAME_COST
        if count > 1:
            before_last = sum(map(len, payloads)) + count * FRAME_COST - cost
            cost += before_last
        if kind > LAST_DATA:
            if count > 1:
                self._receive_each(kind, number, payloads)
                return
            self._receive_about(kind, number, payloads[0])
        else:
            flow = self.others.get(number) if number else self.messages
            if flow is None or flow.theirs & _SAYS_NO_MORE:
                raise ProtocolError(f"flow {number} {'is not open' if flow is None else 'had ended'}")
            if not flow.ours & RESET:  # what we abandoned is counted, and nothing else
                try:
                    if flow.received_cost + before_last >= flow.granted:
                        raise ProtocolError(f"flow {number} was sent beyond its credit", limit="window")
                    values = payloads if kind == BYTES else _decode_each(kind, payloads)
                except ProtocolError:
                    if count == 1:
                        raise
                    self._receive_each(kind, number, payloads)
                    return
                if flow.inbox is EMPTY_DEQUE:
                    flow.inbox = deque()
                if count == 1:
                    flow.inbox.append((values[0], cost))
                else:
                    flow.inbox += zip(
                        values, [len(payload) + FRAME_COST for payload in payloads], strict=True
                    )
                flow.received += count
                flow.received_cost += cost
                self.inbox_bytes += cost
                self.pressure.used += cost
                if flow is self.messages:
                    self.have_messages_arrived = True
                else:
                    self._has_arrived(flow)
        self.received += count
        self._received_cost += cost
        if self._received_cost >= self.limits.window >> 1:
            if not self._is_ack_late:
                self.tell_now()
        elif self.ack_due_at is None and not self._is_ack_wanted:
            self._is_ack_wanted = True
            self._wake()

    def _has_arrived(self, flow: Flow) -> None:
        if self.arrived is EMPTY_DICT:
            self.arrived = {}
        self.arrived[flow.number] = flow

    def _was_handled(self, flow: Flow) -> None:
        if self.handled is EMPTY_DICT:
            self.handled = {}
        self.handled[flow.number] = flow

    def _receive_each(self, kind: int, number: int, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            self.receive(kind, number, (payload,))

    def _receive_about(self, kind: int, number: int, payload: bytes) -> None:
        if number == MESSAGES:
            raise ProtocolError("the messages neither begin nor end apart from their session")
        if kind == FrameType.OPEN:
            if self._about_unreceived + len(self._about) > PROTOCOL.flow_frames:
                raise ProtocolError("the peer opens flows, and acks nothing", limit="protocol.flow_frames")
            flow = self._flows.begun(number, payload)
            flow.window = self.limits.window  # more than it begins with: that is news, and worked out then
            if self.opened is EMPTY_LIST:
                self.opened = []
            self.opened.append(flow)
            self.took(flow)
            return
        flow = self._flows.get(number)
        if kind == FrameType.RESET:
            self._flows.was_abandoned(flow, payload)
            if self.reset is EMPTY_LIST:
                self.reset = []
            self.reset.append(flow)
            self._wake()
        elif payload:
            raise ProtocolError("a frame about a flow that has more to say than its type")
        elif kind == FrameType.END:
            self._flows.was_ended(flow)
            self._has_arrived(flow)
        else:
            self._flows.was_finished(flow)
            self._was_handled(flow)

    # The program receives...

    def take(self, flow: Flow) -> Any:
        """Return the oldest value of a flow that has one.

        Raises:
            ProtocolError: it is not what its type says; the session must end.
        """
        value, cost = flow.inbox.popleft()
        flow.handled = flow.taken  # everything taken before it
        flow.taken += 1
        flow.taken_cost += cost
        self.inbox_bytes -= cost
        pressure = self.pressure
        pressure.used -= cost
        if pressure.is_on:
            pressure.eased()
        if not flow.is_news or (
            not self._is_ack_late
            and (
                flow.handled_told < flow.asked
                or flow.taken_cost + flow.window - flow.granted >= flow.window >> 1
            )
        ):
            self.took(flow)
        return value.unpack() if type(value) is Packed else value

    def took(self, flow: Flow) -> None:
        """See that what was taken and handled is told to the peer in time."""
        if not flow.is_news:
            flow.is_news = True
            if self._news is EMPTY_LIST:
                self._news = []
            self._news.append(flow)
        if flow.is_news_urgent:
            self._is_ack_late = True
        elif self.ack_due_at is not None:
            return
        self._is_ack_wanted = True
        if not self._is_woken:
            self._is_woken = True
            self.writer.schedule()

    def handle_taken(self, flow: Flow) -> None:
        """Everything the program has taken of a flow is handled; where that was the last of it, the peer is told that too."""
        if flow.handled != flow.taken:
            flow.handled = flow.taken
            if not flow.is_news or flow.handled_told < flow.asked:
                self.took(flow)
        if flow.theirs and flow.is_read_out:
            self._flows.finish(flow)
            self._wake()

    def tell_now(self) -> None:
        """The peer waits for what we have to tell: that waits for no company."""
        self._is_ack_wanted = self._is_ack_late = True
        self._wake()

    # Letting go...

    def drop(self, flow: Flow) -> None:
        """Let go of what waits in a flow that was abandoned, in both directions."""
        cost = sum(cost for _, cost in flow.inbox)
        flow.inbox = EMPTY_DEQUE
        flow.taken_cost = flow.received_cost
        flow.handled = flow.taken = flow.received
        self.inbox_bytes -= cost
        self.pressure.used -= cost
        self.stall.peer_goes_on(flow)
        super().drop(flow)


def _decode_each(kind: int, payloads: Sequence[bytes]) -> list[Any]:
    return [decode_data(kind, payload) for payload in payloads]
