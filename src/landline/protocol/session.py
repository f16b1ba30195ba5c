"""The session's own state, which outlives connections: counts, the replay buffer, the flows.

Counted frames have one order per direction. ``sent`` and ``received`` count them over the whole life of the session; what the peer is not
known to have received stays in ``replay`` and is written again, first, on the next transport. Whatever a count says that cannot be is a
``miscount`` and ends the session: never a guess.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..errors import ProtocolError
from ..limits import Limits
from .codec import Packed, decode_data
from .flow import Flow
from .frames import COUNT, COUNTS, FRAME_COST, FrameType, encode_frame

MESSAGES = 0
"""The flow of a session's messages."""


def _nothing() -> None:
    pass


class Session:
    """What both ends keep of a session.

    Args:
        limits: ours.
        peer_window: the credit that the peer's HELLO or WELCOME granted to our messages.
        peer_max_message: the largest payload the peer takes, in bytes.

    Attributes:
        wake: called when there is something to write; the driver sets it and writes once per tick of its loop.
        sent: how many counted frames were written at least once.
        received: how many of the peer's counted frames are in our inboxes, or were.
    """

    def __init__(self, limits: Limits, *, peer_window: int, peer_max_message: int) -> None:
        self.limits = limits
        self.max_message = peer_max_message
        self.wake: Callable[[], None] = _nothing
        self.messages = Flow(MESSAGES, limits.window, peer_window)
        self.flows: dict[int, Flow] = {MESSAGES: self.messages}
        self.sent = 0
        self.received = 0
        self.outbox_bytes = 0
        self.outbox_frames = 0
        self._replay: deque[tuple[int, bytes]] = deque()
        self._replaying: deque[bytes] = deque()
        self._written = 0
        self._received_told = 0
        self._received_cost = 0
        self._ack_due_at: float | None = None
        self._is_ack_wanted = False
        self._is_ack_late = False
        self._is_woken = False
        self.arrived: set[int] = set()
        self.handled: set[int] = set()
        self.made_room = False
        self._asks: set[int] = set()

    # The program sends...

    @property
    def has_room(self) -> bool:
        """Whether the outbox takes another message."""
        return (
            self.outbox_bytes < self.limits.outbox_bytes and self.outbox_frames < self.limits.outbox_messages
        )

    @property
    def full_limit(self) -> str:
        """The name of the limit that keeps the outbox from taking another message."""
        return "outbox_bytes" if self.outbox_bytes >= self.limits.outbox_bytes else "outbox_messages"

    def send(self, flow: Flow, kind: int, payload: bytes) -> int:
        """Queue one frame; return its index within the flow. The caller has seen to ``has_room``."""
        self.outbox_bytes += flow.push(kind, payload)
        self.outbox_frames += 1
        if not self._is_woken:
            self._is_woken = True
            self.wake()
        return flow.queued - 1

    def ask(self, flow: Flow) -> None:
        """Have the peer told that we wait for everything queued so far to be handled."""
        if flow.wanted < flow.queued:
            flow.wanted = flow.queued
            self._asks.add(flow.number)
            self._wake()

    # The program receives...

    def take(self, flow: Flow) -> Any:
        """Return the oldest value of a flow that has one.

        Raises:
            ProtocolError: it is not what its type says; the session must end.
        """
        value = flow.take()
        self.took(flow)
        return value.unpack() if type(value) is Packed else value

    def took(self, flow: Flow) -> None:
        """See that what was taken and handled is told to the peer in time."""
        if self._ack_due_at is None or flow.is_news_urgent:
            self._is_ack_wanted = True
            if not self._is_woken:
                self._is_woken = True
                self.wake()

    def handle_taken(self, flow: Flow) -> None:
        """Everything the program has taken of a flow is handled."""
        if flow.handled != flow.taken:
            flow.handled = flow.taken
            self.took(flow)

    # A transport comes and goes...

    def attach(self, peer_received: int) -> None:
        """Begin on a new transport: drop what the peer has, write the rest again before anything new.

        Raises:
            ProtocolError: the peer claims a count that cannot be (``miscount``).
        """
        self._forget(peer_received, self.sent)
        self._replaying = deque(frame for _, frame in self._replay)
        self._written = self.sent - len(self._replay)
        for flow in self.flows.values():
            flow.handled_told = -1  # totals are repeated after a resume
            flow.asked = 0
            if flow.wanted > flow.handled_by_peer:
                self._asks.add(flow.number)
        self._received_told = -1
        self._ack_due_at = None
        self._is_ack_wanted = True
        self._wake()

    def end(self, peer_received: int | None = None, peer_handled: int | None = None) -> None:
        """Settle what may have reached the peer, now that nothing more will be heard."""
        if peer_received is not None and self.sent - len(self._replay) <= peer_received <= self.sent:
            self._forget(peer_received, self.sent)
            for number, _ in self._replay:
                self.flows[number].reach -= 1
        if peer_handled is not None and self.messages.handled_by_peer < peer_handled <= self.messages.reach:
            self.messages.handled_by_peer = peer_handled

    # Writing...

    def data_to_send(self, now: float, budget: int) -> list[bytes]:
        """Return the bytes to write now: what is due of control first, then at most about ``budget`` bytes of frames."""
        self._is_woken = False
        out: list[bytes] = []
        if self._is_ack_wanted or self._ack_due_at is not None:
            self._add_acks(out, now)
        if self._asks:
            out += [
                encode_frame(FrameType.ASK, number, COUNT.pack(self.flows[number].wanted))
                for number in sorted(self._asks)
            ]
            self._asks.clear()
        if self._replaying:
            budget = self._add_replay(out, budget)
        if budget > 0:
            for flow in self.flows.values():
                if flow.pending:
                    budget = self._add_frames(out, flow, budget)
        return out

    def last_words(self) -> list[bytes]:
        """Return the acks that should stand before our CLOSE."""
        out: list[bytes] = []
        self._add_acks_now(out)
        return out

    def timeout_at(self) -> float | None:
        """When an ack is due that nothing else has taken along."""
        return self._ack_due_at

    def handle_timeout(self, now: float) -> None:
        """Have an ack that is due written as soon as the transport takes it; until then there is no time to wait for."""
        if self._ack_due_at is not None and now >= self._ack_due_at:
            self._ack_due_at = None
            self._is_ack_wanted = self._is_ack_late = True

    @property
    def has_unsent(self) -> bool:
        """Whether something was sent by the program that this transport has not carried yet."""
        return bool(self._replaying) or any(flow.pending for flow in self.flows.values())

    @property
    def is_everything_handled(self) -> bool:
        """Whether the program is done with all that arrived."""
        return all(flow.handled == flow.received for flow in self.flows.values())

    @property
    def can_write_more(self) -> bool:
        """Whether ``data_to_send`` would have more, its budget aside."""
        if self._replaying:
            return True
        return any(flow.pending and flow.sent_cost < flow.credit for flow in self.flows.values())

    def _add_acks(self, out: list[bytes], now: float) -> None:
        is_urgent = (
            self._is_ack_late or self._received_told < 0 or self._received_cost >= self.limits.window >> 1
        )
        for flow in self.flows.values():
            if flow.is_news_urgent or flow.handled_told < 0:
                is_urgent = True
        if not is_urgent and (self._ack_due_at is None or now < self._ack_due_at):
            if self._ack_due_at is None:
                self._ack_due_at = now + self.limits.ack_delay
            self._is_ack_wanted = False
            return
        self._add_acks_now(out)

    def _add_acks_now(self, out: list[bytes]) -> None:
        self._is_ack_wanted = self._is_ack_late = False
        self._ack_due_at = None
        self._received_cost = 0
        if self.received != self._received_told:
            self._received_told = self.received
            out.append(encode_frame(FrameType.ACK, 0, COUNTS.pack(self.received, self._written)))
        for flow in self.flows.values():
            if flow.handled != flow.handled_told:
                is_repeat = flow.handled_told < 0
                flow.handled_told = flow.handled
                out.append(encode_frame(FrameType.HANDLED, flow.number, COUNT.pack(flow.handled)))
                if is_repeat:
                    flow.granted = flow.grantable
                    out.append(encode_frame(FrameType.CREDIT, flow.number, COUNT.pack(flow.granted)))
            if flow.grantable != flow.granted:
                flow.granted = flow.grantable
                out.append(encode_frame(FrameType.CREDIT, flow.number, COUNT.pack(flow.granted)))

    def _add_replay(self, out: list[bytes], budget: int) -> int:
        replaying = self._replaying
        while replaying and budget > 0:
            frame = replaying.popleft()
            out.append(frame)
            self._written += 1
            budget -= len(frame)
        return budget

    def _add_frames(self, out: list[bytes], flow: Flow, budget: int) -> int:
        replay, number = self._replay, flow.number
        count = 0
        while budget > 0:
            frame = flow.pop()
            if frame is None:
                break
            replay.append((number, frame))
            out.append(frame)
            count += 1
            budget -= len(frame)
        self.sent += count
        self._written += count
        return budget

    # Reading...

    def receive(self, kind: int, number: int, payload: bytes) -> None:
        """Take one counted frame into its flow's inbox.

        Raises:
            ProtocolError: no such flow, no credit, or a payload that is not what its type says.
        """
        flow = self.flows.get(number)
        if flow is None:
            raise ProtocolError(f"a frame of flow {number}, which is not open")
        size = len(payload)
        flow.accept(decode_data(kind, payload), size)
        self.received += 1
        self._received_cost += size + FRAME_COST
        self.arrived.add(number)
        if self._ack_due_at is None:
            self._is_ack_wanted = True

    def receive_ack(self, received: int, sent: int) -> None:
        """The peer has ``received`` of ours, and had written ``sent`` of its own before saying so."""
        if sent != self.received:
            raise ProtocolError(f"the peer had sent {sent} frames, {self.received} arrived", "miscount")
        self._forget(received, self._written)

    def receive_handled(self, number: int, count: int) -> None:
        """The peer's program is done with ``count`` of a flow."""
        if self._flow(number).was_handled(count):
            self.handled.add(number)

    def receive_credit(self, number: int, credit: int) -> None:
        """The peer grants a flow this total."""
        self._flow(number).was_granted(credit)

    def receive_ask(self, number: int, count: int) -> None:
        """The peer wants to hear at once when ``count`` of a flow are handled."""
        flow = self._flow(number)
        flow.asked = max(flow.asked, count)
        if flow.is_news_urgent:
            self._is_ack_wanted = True

    def _flow(self, number: int) -> Flow:
        flow = self.flows.get(number)
        if flow is None:
            raise ProtocolError(f"flow {number} is not open")
        return flow

    def _forget(self, received: int, at_most: int) -> None:
        """Let go of what the peer has received."""
        base = self.sent - len(self._replay)
        if not base <= received <= at_most:
            raise ProtocolError(
                f"the peer has received {received} frames, which cannot be: {base} to {at_most}", "miscount"
            )
        for _ in range(received - base):
            self.outbox_bytes -= len(self._replay.popleft()[1])
            self.outbox_frames -= 1
            self.made_room = True

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self.wake()
