"""The sending half of a session: what waits, what was written and may have to be written again, and whose turn it is.

Counted frames have one order per direction. ``sent`` counts them over the whole life of the session; what the peer is not known to have
received stays in the replay, and is written again, first, on the next transport.
"""

from __future__ import annotations

from typing import Final, Protocol

from ..errors import ProtocolError
from ..limits import Limits
from .credit import Pressure
from .empty import EMPTY_DICT, EMPTY_LIST, NOBODY
from .flow import Flow
from .flows import MESSAGES, Flows
from .frames import (
    FIRST_CREDIT,
    LARGE,
    LAST_DATA,
    DataFrame,
    LargeFrame,
    Queued,
    SharedFrames,
    each_of,
    encode_data_frame,
    kind_of,
)
from .stall import CALM, Stall
from .states import Role

_TURN: Final = 16 << 10
"""About how many bytes a flow writes before the next one has its turn."""


class Writer(Protocol):
    """Who writes what a session has to write; not a function of it, of which each session would keep one."""

    def schedule(self) -> None:
        """There is something to write."""


class Waiter(Protocol):
    """Who waits for room."""

    def room_made(self) -> None:
        """There may be some again."""


class Outbox:
    """What one end of a session sends. ``Inbox`` adds what it receives, ``Session`` what it tells the peer.

    Attributes:
        writer: told when there is something to write; the driver is it, and writes once per tick of its loop.
        waiter: told when room was made otherwise than by the peer, whom our connection reports.
        sent: how many counted frames were written at least once.
        received_by_peer: how many of them the peer is known to have; the others are in the replay.
        outbox_bytes, outbox_frames: what was sent and not yet received by the peer; of flows besides the messages only what was written.
        max_flows: how many flows besides the messages the peer let us have open at once, at first.
        others: those that are not over, by number.
        filled: the flows besides the messages that have something to write, by number.
        stall: who waits for whose credit.
        lacks_room: somebody found no room, and was not told of any since.
        made_room: the outbox became shorter since then, and nobody was told yet.
        is_cut_short: ``data_to_send`` stopped at its budget.
    """

    __slots__ = (
        "_about", "_about_unreceived", "_ending", "_is_woken", "_made_flows", "_replay", "_replaying", "_role", "_turn",
        "filled", "is_cut_short", "lacks_room", "limits", "made_room", "max_flows", "messages", "others", "outbox_bytes",
        "outbox_frames", "pressure", "received_by_peer", "sent", "stall", "waiter", "writer",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, pressure: Pressure, messages: Flow, *, role: Role, peer_max_flows: int
    ) -> None:
        self.limits = limits
        self.pressure = pressure
        self.writer: Writer = NOBODY
        self.waiter: Waiter = NOBODY
        self.messages = messages
        self._role = role
        self.max_flows = peer_max_flows
        self._made_flows: Flows | None = None
        self.others: dict[int, Flow] = EMPTY_DICT
        self.sent = 0
        self.outbox_bytes = 0
        self.outbox_frames = 0
        self.lacks_room = False
        self.made_room = False
        self.is_cut_short = False
        self.received_by_peer = 0
        self._replay: list[Queued] = EMPTY_LIST
        self._replaying: list[DataFrame] = EMPTY_LIST  # the last is written first
        self._about: list[tuple[int, bytes]] = EMPTY_LIST
        self._about_unreceived = 0
        self.filled: dict[int, Flow] = EMPTY_DICT
        self._ending: dict[int, Flow] = EMPTY_DICT
        self.stall = CALM
        self._turn = 0
        self._is_woken = False

    @property
    def _flows(self) -> Flows:
        """Those besides the messages; made with the first, as most sessions have none, and then ``others`` is theirs and ours."""
        if self._made_flows is None:
            self.others = {}
            self._made_flows = Flows(
                self.others, self._role, self.limits, most_of_peer=self.max_flows, queue=self
            )
        return self._made_flows

    @property
    def _written(self) -> int:
        """How many counted frames this transport has carried, and those before it that the peer has: anything new comes after the replay."""
        return self.sent - len(self._replaying)

    @property
    def flows(self) -> dict[int, Flow]:
        """All flows that are not over by now, the messages first."""
        return {MESSAGES: self.messages, **self.others}

    # The program sends...

    def has_room_in(self, flow: Flow, more: int = 0) -> bool:
        """Whether a flow takes another message; one whose peer does not read fills itself and no other. Who finds no room is told of some.

        Under pressure it takes little, and ``waiter`` is told when that is over.

        Args:
            flow: which.
            more: the bytes of messages that it is given before that one; of flows besides the messages.
        """
        limits, pressure = self.limits, self.pressure
        if flow is self.messages:
            held = self.outbox_bytes
            if (
                held < limits.outbox_bytes
                and self.outbox_frames < limits.outbox_messages
                and (
                    held < FIRST_CREDIT
                    or (pressure.used < pressure.limit and not pressure.is_on)
                    or not pressure.holds_back(self)
                )
            ):
                return True
        else:
            held = flow.pending_bytes + more
            if (
                held < limits.flow_outbox
                and self.outbox_bytes - self.messages.pending_bytes < limits.outbox_bytes
                and self.outbox_frames - len(self.messages.pending) < limits.outbox_messages
                and (
                    held < FIRST_CREDIT
                    or (pressure.used + more < pressure.limit and not pressure.is_on)
                    or not (more or pressure.holds_back(self))  # of several, each is asked about then
                )
            ):
                return True
        self.lacks_room = True
        return False

    def full_limit(self, flow: Flow) -> str:
        """Return the name of the limit that keeps a flow from taking another message."""
        limits = self.limits
        if flow is not self.messages and flow.pending_bytes >= limits.flow_outbox:
            return "flow_outbox"
        if self.outbox_bytes >= limits.outbox_bytes:
            return "outbox_bytes"
        return "outbox_messages" if self.outbox_frames >= limits.outbox_messages else "memory"

    def send(self, flow: Flow, kind: int, payload: bytes) -> int:
        """Queue one frame; return its index within the flow. The caller has seen to ``has_room_in``."""
        return self.send_frame(flow, encode_data_frame(kind, flow.number, payload))

    def send_frame(self, flow: Flow, frame: DataFrame) -> int:
        """Queue one whole data frame of a flow, which others may share, as ``send`` does."""
        size = len(frame)
        if flow.pending is EMPTY_LIST:
            flow.pending = []
        flow.pending.append(frame)
        flow.pending_bytes += size
        flow.queued += 1
        if size >= LARGE:
            flow.has_large = True
        self.pressure.used += size
        if flow is self.messages:
            self.outbox_bytes += size
            self.outbox_frames += 1
        else:
            if self.filled is EMPTY_DICT:
                self.filled = {}
            self.filled[flow.number] = flow
        if not self._is_woken:
            self._is_woken = True
            self.writer.schedule()
        return flow.queued - 1

    def send_frames(self, flow: Flow, frames: SharedFrames) -> None:
        """Queue whole data frames of a flow besides the messages, which others share."""
        count, size = frames.count, len(frames.together)
        if flow.pending is EMPTY_LIST:
            flow.pending = []
        if self.filled is EMPTY_DICT:
            self.filled = {}
        self.filled[flow.number] = flow
        if count == 1 and size < LARGE:
            flow.pending.append(frames.together)
        else:
            flow.pending.append(frames)
            flow.has_large = True
        flow.pending_bytes += size
        flow.queued += count
        self.pressure.used += size
        if not self._is_woken:
            self._is_woken = True
            self.writer.schedule()

    # Bytes go out...

    @property
    def can_write_more(self) -> bool:
        """Whether ``data_to_send`` would have more, its budget aside."""
        if self._replaying or self._about:
            return True
        messages = self.messages
        return (bool(messages.pending) and messages.sent_cost < messages.credit) or any(
            flow.sent_cost < flow.credit for flow in self.filled.values()
        )

    def _add_in_turns(self, out: list[bytes], budget: int) -> int:
        """Add what was never written, where it is of several flows; return what is left of ``budget``."""
        if self._about:
            budget = self._add_about(out, budget)
            if self._about:
                return budget  # an OPEN may be among them, and nothing of its flow goes before it
        return self._add_turns(out, budget)

    def _add_replay(self, out: list[bytes], budget: int) -> int:
        replaying = self._replaying
        while replaying and budget > 0:
            frame = replaying.pop()
            _add(out, frame)
            budget -= len(frame)
        return budget

    def _add_about(self, out: list[bytes], budget: int) -> int:
        while self._about and budget > 0:
            number, frame = self._about.pop(0)
            flow = self.others.get(number)
            if flow is not None and flow.opened_at > self.sent:
                flow.opened_at = self.sent
            self._write_one(out, frame)
            budget -= len(frame)
        return budget

    def _add_turns(self, out: list[bytes], budget: int) -> int:
        """Have several flows write in turns, so that none waits for another's end."""
        ready = []
        for flow in (self.messages, *self.filled.values()):
            if flow.pending:
                if flow.sent_cost < flow.credit:
                    ready.append(flow)
                else:
                    self._stalling.wait(flow)
        if len(ready) == 1:  # the usual case
            budget -= self._add_frames(out, ready.pop(), budget)
        elif ready:
            self._turn += 1
            first = self._turn % len(ready)
            ready = ready[first:] + ready[:first]
        while ready and budget > 0:
            for flow in ready:
                turn = min(budget, _TURN)
                budget -= self._add_frames(out, flow, turn)
                if budget <= 0:
                    break
            ready = [flow for flow in ready if flow.pending and flow.sent_cost < flow.credit]
        for flow in [flow for flow in self._ending.values() if not flow.pending] if self._ending else ():
            del self._ending[flow.number]
            end = self._flows.ended(flow)
            self.pressure.used += len(end)
            self._write_one(out, end)
        return budget

    def _add_frames(self, out: list[bytes], flow: Flow, budget: int) -> int:
        """Add what a flow may write now; return how many bytes that is."""
        waiting, before = flow.pending_bytes, flow.sent
        frames = flow.pop(budget)
        if not frames:
            if flow.is_waiting:
                self._stalling.wait(flow)
            return 0
        count, size = flow.sent - before, waiting - flow.pending_bytes
        if self._replay is EMPTY_LIST:
            self._replay = frames
        else:
            self._replay += frames
        if not flow.has_large:
            out += frames  # type: ignore[arg-type]  # none of them is a large one
        else:
            flow.has_large = bool(flow.pending)
            for frame in frames:
                _add(out, frame)
        self.sent += count
        if flow is not self.messages:
            self.outbox_frames += count
            self.outbox_bytes += size
            self.made_room = self.lacks_room
            if not flow.pending:
                del self.filled[flow.number]
        if flow.pending and flow.is_waiting:
            self._stalling.wait(flow)
        return size

    def _write_one(self, out: list[bytes], frame: bytes) -> None:
        if self._replay is EMPTY_LIST:
            self._replay = []
        self._replay.append(frame)
        self._about_unreceived += 1
        out.append(frame)
        self.sent += 1
        self.outbox_frames += 1
        self.outbox_bytes += len(frame)

    # A transport comes and goes...

    def _rewind(self, received: int) -> None:
        """Begin on a new transport: what the peer has not received is written again before anything new."""
        self._forget(received, self.sent)
        frames = each_of(self._replay)
        self._replay = frames or EMPTY_LIST  # type: ignore[assignment]  # it is nobody else's: others may be added
        self._replaying = frames[::-1] or EMPTY_LIST

    # Letting go...

    def relieved(self) -> None:
        """The pressure that held us back is over: senders may go on."""
        self.waiter.room_made()

    def _forget(self, received: int, at_most: int) -> None:
        """Let go of what the peer has received."""
        before = self.received_by_peer
        if not before <= received <= at_most:
            raise ProtocolError(
                f"the peer has received {received} frames, which cannot be: {before} to {at_most}", "miscount"
            )
        count = received - before
        if not count:
            return
        gone = self._received(count)
        self.received_by_peer = received
        size = sum(map(len, gone))
        if self._about_unreceived:
            self._about_unreceived -= sum(
                not isinstance(frame, SharedFrames) and kind_of(frame) > LAST_DATA for frame in gone
            )
        self.outbox_frames -= count
        self.outbox_bytes -= size
        self.made_room = self.lacks_room
        self.pressure.used -= size
        if self.pressure.is_on:
            self.pressure.eased()

    def _received(self, count: int) -> list[Queued]:
        """Remove so many frames from the beginning of the replay, and return them."""
        replay, places, left = self._replay, count, 0
        unreceived = self.sent - self.received_by_peer
        if count == unreceived:
            self._replay = EMPTY_LIST
            return replay
        if unreceived != len(replay):  # some of them are kept as one
            places, left = 0, count
            for queued in replay:
                frames = queued.count if type(queued) is SharedFrames else 1
                if frames > left:
                    break
                places += 1
                left -= frames
            if left:
                replay[places : places + 1] = each_of(replay[places : places + 1])
        places += left
        gone = replay[:places]
        del replay[:places]
        return gone

    def drop(self, flow: Flow) -> None:
        """Let go of what waits in a flow that was abandoned."""
        self.pressure.used -= flow.pending_bytes
        if flow.number in self.filled:
            del self.filled[flow.number]
        flow.pending = EMPTY_LIST
        flow.pending_bytes = 0
        flow.is_ending = False
        self._ending.pop(flow.number, None)
        self.stall.go_on(flow)
        self.pressure.eased()
        self.waiter.room_made()  # who waits to send in it is told that nothing can be

    def write_about(self, number: int, frame: bytes) -> None:
        """Queue a counted frame about a flow."""
        if self._about is EMPTY_LIST:
            self._about = []
        self._about.append((number, frame))
        self.pressure.used += len(frame)
        self._wake()

    @property
    def _stalling(self) -> Stall:
        """Who waits, where somebody is about to."""
        if self.stall is CALM:
            self.stall = Stall(self.limits.stalled_after)
        return self.stall

    @property
    def held(self) -> int:
        """Bytes of what this end sends that count as pressure."""
        waiting = sum(flow.pending_bytes for flow in self.filled.values())
        return self.outbox_bytes + waiting + sum(len(frame) for _, frame in self._about)

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self.writer.schedule()


def _add(out: list[bytes], frame: Queued) -> None:
    if isinstance(frame, LargeFrame):
        out += (frame.header, frame.payload)
    elif isinstance(frame, SharedFrames):
        out.append(frame.together)
    else:
        out.append(frame)
