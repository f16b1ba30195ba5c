"""The session's own state, which outlives connections: what is told to the peer, over what is sent (``outbox``) and received (``inbox``).

Whatever a count says that cannot be is a ``miscount`` and ends the session: never a guess.
"""

from __future__ import annotations

from ..errors import ProtocolError
from ..limits import Limits
from .credit import Pressure, window_for
from .empty import EMPTY_DEQUE, EMPTY_DICT, EMPTY_LIST
from .flow import ENDED, RESET, Flow, is_finished
from .flows import MESSAGES
from .frames import (
    COUNT,
    COUNTS,
    FIRST_CREDIT,
    LAST_DATA,
    FrameType,
    ResetCode,
    each_of,
    encode_frame,
    kind_of,
    number_of,
)
from .inbox import Inbox
from .stall import CALM
from .states import Role


class Session(Inbox):
    """What both ends keep of a session.

    Args:
        limits: ours.
        peer_window: the credit that the peer's HELLO or WELCOME granted to our messages.
        peer_max_message: the largest payload the peer takes, in bytes.
        peer_max_flows: how many flows besides the messages the peer lets us have open at once.
        role: which end we are.
        pressure: shared with the sessions whose memory is bounded together with ours; by default we are alone.

    Attributes:
        peer_window, max_message: as the peer granted them at first.
    """

    __slots__ = (
        "_asks", "_received_told", "max_message", "peer_window",
    )  # fmt: skip

    def __init__(
        self,
        limits: Limits,
        *,
        peer_window: int,
        peer_max_message: int,
        peer_max_flows: int = 0,
        role: Role = Role.CLIENT,
        pressure: Pressure | None = None,
    ) -> None:
        if peer_window == limits.window:
            peer_window = limits.window  # one number for all sessions, where each would keep its own
        super().__init__(
            limits,
            Pressure(limits.memory) if pressure is None else pressure,
            Flow(MESSAGES, limits.window, peer_window),
            role=role,
            peer_max_flows=peer_max_flows,
        )
        self.peer_window = peer_window
        self.max_message = peer_max_message
        self._received_told = 0
        self._asks: dict[int, Flow] = EMPTY_DICT
        if self.pressure.holds_back(self):
            self.messages.window = self.messages.granted = min(FIRST_CREDIT, limits.window)

    # The program sends...

    def ask(self, flow: Flow) -> None:
        """Have the peer told that we wait for everything queued so far to be handled."""
        if flow.wanted < flow.queued:
            flow.wanted = flow.queued
            self._ask(flow)
            self._wake()

    def _ask(self, flow: Flow) -> None:
        if self._asks is EMPTY_DICT:
            self._asks = {}
        self._asks[flow.number] = flow

    # The program opens and leaves flows...

    def open_flow(self, purpose: str) -> Flow:
        """Open a flow besides the messages; it may be sent to at once.

        Raises:
            Full: the peer allows no more now.
        """
        others = sum(flow.committed for flow in self.flows.values())
        return self._flows.begin(purpose, window_for(others, self.limits, is_pressed=False))

    def end_flow(self, flow: Flow) -> None:
        """Send no more: the peer is told after what is queued."""
        if not flow.ours & (ENDED | RESET):
            flow.is_ending = True
            if self._ending is EMPTY_DICT:
                self._ending = {}
            self._ending[flow.number] = flow
            self._wake()

    def abandon_flow(self, flow: Flow, code: ResetCode, reason: str = "") -> None:
        """Send and take no more; what waits in the flow is dropped at both ends."""
        self._flows.abandon(flow, code, reason)
        self._wake()

    # A transport comes and goes...

    def attach(self, peer_received: int) -> None:
        """Begin on a new transport: drop what the peer has, write the rest again before anything new.

        Raises:
            ProtocolError: the peer claims a count that cannot be (``miscount``).
        """
        self._rewind(peer_received)
        self._news = list(self.flows.values())
        for flow in self._news:
            flow.is_news = True
            flow.handled_told = -1  # totals are repeated after a resume
            flow.asked = 0
            if flow.wanted > flow.handled_by_peer:
                self._ask(flow)
        if self.stall is not CALM:
            self.stall.begin_anew()
        self._received_told = -1
        self.ack_due_at = None
        self.tell_now()

    def end(self, peer_received: int | None = None, peer_handled: int | None = None) -> None:
        """Settle what may have reached the peer, now that nothing more will be heard."""
        if peer_received is not None and self.received_by_peer <= peer_received <= self.sent:
            self._forget(peer_received, self.sent)
            flows = self.flows
            for frame in each_of(self._replay):
                if kind_of(frame) <= LAST_DATA and number_of(frame) in flows:
                    flows[number_of(frame)].unreached += 1
        if peer_handled is not None and self.messages.handled_by_peer < peer_handled <= self.messages.reach:
            self.messages.handled_by_peer = peer_handled

    def release(self) -> None:
        """The session is over: what it holds counts as pressure no longer."""
        pressure, self.pressure = self.pressure, Pressure(self.limits.memory)
        pressure.unfinished -= self.unfinished
        pressure.leave(self, self.memory)

    def relieved(self) -> None:
        """The pressure that held us back is over: grant what was withheld, and let senders go on."""
        for flow in self.flows.values():
            self.took(flow)
        self.tell_now()
        super().relieved()

    # Writing...

    def takes(self, flow: Flow, most: int, count: int = 1, before_last: int = 0) -> bool:
        """Whether a flow takes so many frames more; who has much to send keeps that to itself, and may still change its mind.

        Several it takes where it would take one after the other, and where nothing waits in it and its credit has all of them written now:
        they may be many flows' that share them.

        Args:
            flow: one besides the messages.
            most: bytes that may wait in it to be written.
            count: how many frames.
            before_last: the bytes of all of them but the last one.
        """
        waiting = flow.pending_bytes
        if waiting + before_last < most or (not waiting and flow.covers(count, before_last)):
            return self.has_room_in(flow, before_last)
        self.lacks_room = True
        return False

    def data_to_send(self, now: float, budget: int) -> list[bytes]:
        """Return the bytes to write now: what is due of control first, then at most about ``budget`` bytes of frames."""
        self._is_woken = False
        out: list[bytes] = []
        if self._is_ack_late or (self.ack_due_at is not None and now >= self.ack_due_at):
            self._add_acks(out)
        elif self._is_ack_wanted and self.ack_due_at is None:
            self.ack_due_at = now + self.limits.ack_delay
        if self._asks:
            self._add_asks(out)
        if self._replaying:
            budget = self._add_replay(out, budget)
            if not self._replaying and (self._news or self._asks):
                self.tell_now()  # about flows whose OPEN was only now written here
        if budget > 0:
            if self._about or self._ending:
                budget = self._add_in_turns(out, budget)
            elif not self.filled:
                if self.messages.pending:
                    budget -= self._add_frames(out, self.messages, budget)
            elif self.messages.pending or len(self.filled) > 1:
                budget = self._add_in_turns(out, budget)
            else:
                (flow,) = self.filled.values()
                budget -= self._add_frames(out, flow, budget)
        self.is_cut_short = budget <= 0 and self.can_write_more
        if self.stall.is_waiting:
            out += self.stall.data_to_send(now)
        return out

    def last_words(self) -> list[bytes]:
        """Return the acks that should stand before our CLOSE."""
        out: list[bytes] = []
        self._add_acks(out)
        return out

    def timeout_at(self) -> float | None:
        """When an ack is due that nothing else has taken along, or a flow has waited for so long that the peer should know."""
        if not self.stall.is_waiting:
            return self.ack_due_at
        return min((at for at in (self.ack_due_at, self.stall.timeout_at()) if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Have what is due written as soon as the transport takes it; until then there is no time to wait for."""
        if self.ack_due_at is not None and now >= self.ack_due_at:
            self.ack_due_at = None
            self._is_ack_wanted = self._is_ack_late = True
        self.stall.handle_timeout(now)

    @property
    def has_unsent(self) -> bool:
        """Whether something was sent by the program that this transport has not carried yet."""
        return bool(self._replaying or self._about or self._ending or self.messages.pending or self.filled)

    @property
    def is_everything_handled(self) -> bool:
        """Whether the program is done with all that arrived."""
        messages = self.messages
        return messages.handled == messages.received and all(
            flow.handled == flow.received for flow in self.others.values()
        )

    def _add_acks(self, out: list[bytes]) -> None:
        self._is_ack_wanted = self._is_ack_late = False
        self.ack_due_at = None
        self._received_cost = 0
        if self.received != self._received_told:
            self._received_told = self.received
            out.append(encode_frame(FrameType.ACK, 0, COUNTS.pack(self.received, self._written)))
        news, self._news = self._news, EMPTY_LIST
        is_alone = not self.others
        committed = 0 if is_alone else sum(flow.committed for flow in self.flows.values())
        for flow in news:
            if flow.opened_at >= self._written:
                # The peer has yet to hear of it: its OPEN is still to be written here.
                if self._news is EMPTY_LIST:
                    self._news = []
                self._news.append(flow)
                continue
            flow.is_news = False
            if not flow.inbox:
                flow.inbox = EMPTY_DEQUE  # here, and not with each message that is taken
            if not is_finished(flow.ours):
                committed -= flow.committed
                self._add_totals(out, flow, None if is_alone else committed)
                committed += flow.committed

    def _add_totals(self, out: list[bytes], flow: Flow, others: int | None) -> None:
        is_repeat = flow.handled_told < 0
        if flow.handled != flow.handled_told:
            flow.handled_told = flow.handled
            out.append(encode_frame(FrameType.HANDLED, flow.number, COUNT.pack(flow.handled)))
        flow.window = window_for(others, self.limits, is_pressed=self.pressure.holds_back(self))
        if flow.grantable > flow.granted or is_repeat:
            flow.granted = max(flow.grantable, flow.granted)
            self.stall.peer_goes_on(flow)
            out.append(encode_frame(FrameType.CREDIT, flow.number, COUNT.pack(flow.granted)))

    def _add_asks(self, out: list[bytes]) -> None:
        asks, self._asks = self._asks, EMPTY_DICT
        for number, flow in sorted(asks.items()):
            if flow.opened_at >= self._written:
                self._ask(flow)  # as for its acks
            elif not is_finished(flow.theirs):
                out.append(encode_frame(FrameType.ASK, number, COUNT.pack(flow.wanted)))

    # Reading...

    def receive_ack(self, received: int, sent: int) -> None:
        """The peer has ``received`` of ours, and had written ``sent`` of its own before saying so."""
        if sent != self.received:
            raise ProtocolError(f"the peer had sent {sent} frames, {self.received} arrived", "miscount")
        self._forget(received, self._written)

    def _find(self, number: int) -> Flow | None:
        """Return the flow that a control frame is about, or None for one that is over: such frames may cross its end."""
        return self.messages if number == MESSAGES else self._flows.find(number)

    def receive_handled(self, number: int, count: int) -> None:
        """The peer's program is done with ``count`` of a flow."""
        flow = self._find(number)
        if flow is not None and flow.was_handled(count):
            self._was_handled(flow)

    def receive_credit(self, number: int, credit: int) -> None:
        """The peer grants a flow this total."""
        flow = self._find(number)
        if flow is not None and flow.was_granted(credit):
            self._wake()
            self.stall.go_on(flow)
            if flow.is_waiting:
                self._stalling.wait(
                    flow
                )  # one frame may cost more than was granted: from now on it waits anew

    def receive_ask(self, number: int, count: int) -> None:
        """The peer wants to hear at once when ``count`` of a flow are handled."""
        flow = self._find(number)
        if flow is not None:
            flow.asked = max(flow.asked, count)
            if flow.is_news_urgent:
                self.took(flow)

    def receive_waiting(self, number: int, credit: int) -> None:
        """The peer has waited long for more than this total of a flow's credit."""
        flow = self._find(number)
        if flow is not None and not flow.ours & RESET:  # what we abandoned, it need not wait for
            self._stalling.peer_waits(flow, credit)
