"""One flow of a bare session on the loop: who waits for its messages and its outcomes, and how it ends before its session does."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Final

from ..errors import FlowEnded, FlowReset
from ..limits import SESSION
from ..protocol.empty import EMPTY_LIST
from ..protocol.flow import ENDED, RESET, Flow
from ..protocol.frames import DataFrame, ResetCode, SharedFrames
from ..protocol.handshake import Reset
from ..protocol.session import Session
from .signal import Signal

PENDING: Final = SESSION.pending

RENEWED: Final = "renewed"
"""The code of flows that ended because another life of the server goes on with the session."""

RESTARTED: Final = "the server was restarted"


class BareFlow:
    """One end of a flow.

    Attributes:
        core: the protocol's state of it.
        arrived: woken when there may be something to take, or never will be.
    """

    __slots__ = ("_given_up", "_loop", "_reset", "_session", "_ties", "_waiting", "arrived", "core")

    def __init__(self, session: Session, core: Flow) -> None:
        self.core = core
        self.arrived = Signal()
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = EMPTY_LIST
        self._ties = 0
        self._given_up = 0
        self._reset: FlowReset | None = None

    @property
    def purpose(self) -> str:
        """What it was opened for."""
        return self.core.purpose

    @property
    def is_over(self) -> bool:
        """Whether both ends are through with it."""
        return self.core.is_over

    # The program leaves it...

    def end(self) -> None:
        """Send no more; the peer sees the end after everything that was sent."""
        self._session.end_flow(self.core)

    def reset(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """Neither send nor take anything more; what waits is dropped at both ends."""
        if self._reset is None and not self.core.is_over:
            self._reset = FlowReset(reason or "it was abandoned here", code.text)
            self._session.abandon_flow(self.core, code, reason)
            self.arrived.wake()

    def why_unreadable(self) -> FlowEnded | None:
        """Return why no more can be taken, or None when something may come."""
        if self._reset is not None:
            return self._reset
        if self.core.theirs and self.core.is_read_out:
            return FlowEnded("the other end has sent everything")
        return None

    def why_unwritable(self) -> FlowEnded | None:
        """Return why no more can be sent, or None."""
        if self._reset is not None:
            return self._reset
        if self.core.is_ending or self.core.ours & (ENDED | RESET):
            return FlowEnded("this end has said that it sends no more")
        return None

    # Who fills it by itself...

    @property
    def takes_more(self) -> bool:
        """Whether little of it waits to be written: who has much to send keeps that to itself, and may still change its mind."""
        return self.why_unwritable() is None and self._session.takes(self.core, PENDING)

    def put(self, frame: DataFrame) -> None:
        """Queue a whole data frame of this flow; nothing happens when it takes none any more. The caller has seen to the room."""
        if self.why_unwritable() is None:
            self._session.send_frame(self.core, frame)

    def offer(self, count: int, before_last: int, frames: Callable[[int], SharedFrames]) -> bool:
        """Queue whole data frames of this flow if it takes all of them (``Session.takes``); return whether it did.

        Args:
            count: how many they are.
            before_last: the bytes of all of them but the last one.
            frames: makes them for the flow of a number; only asked for those that are taken.
        """
        core = self.core
        if (
            self._reset is None
            and not (core.is_ending or core.ours)
            and self._session.takes(core, PENDING, count, before_last)
        ):
            self._session.send_frames(core, frames(core.number))
            return True
        return False

    # The session tells...

    def was_handled(self, handled: int) -> None:
        """The peer is done with this many; wake those who waited for that."""
        waiting = self._waiting
        while waiting and waiting[0][0] < handled:
            future = heapq.heappop(waiting)[2]
            if not future.done():
                future.set_result(None)

    def was_reset(self, code: ResetCode, reason: str) -> None:
        """The peer abandoned the flow."""
        if self._reset is None:
            self._reset = FlowReset(reason, code.text)
        self.settle()

    def was_renewed(self) -> None:
        """Another life of the server goes on with the session, which knows nothing of this flow."""
        core = self.core
        if self._reset is None:
            self._reset = FlowReset(RESTARTED, RENEWED)
        if core.reset is None:
            core.reset = Reset(
                code=ResetCode.FAILED, handled=core.handled_by_peer, taken=core.reach, reason=RESTARTED
            )
        self.settle()

    def settle(self) -> None:
        """Every outcome is known: wake everybody."""
        waiting, self._waiting = self._waiting, EMPTY_LIST
        for _, _, future in waiting:
            if not future.done():
                future.set_result(None)
        self.arrived.wake()

    # Waiting for outcomes...

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will be heard of what was sent: the peer has said its last word about it."""
        return self.core.reset is not None

    async def wait_handled(self, index: int) -> None:
        """Wait until the peer handled the message of that index, or everything is settled."""
        if self.core.handled_by_peer > index or self.is_settled:
            return
        self._session.ask(self.core)
        future: asyncio.Future[None] = self._loop.create_future()
        if self._waiting is EMPTY_LIST:
            self._waiting = []
        self._ties += 1
        heapq.heappush(self._waiting, (index, self._ties, future))
        try:
            await future
        except asyncio.CancelledError:
            self._given_up += 1
            if 2 * self._given_up > len(self._waiting):  # seldom enough to cost each of them little
                self._waiting = [waiting for waiting in self._waiting if not waiting[2].done()]
                heapq.heapify(self._waiting)
                self._given_up = 0
            raise


class EarlyFlows:
    """Flows that the peer opened before anybody here looks at flows.

    A flow that the peer abandons is over at once, and may be followed by another one: those are not held, however many come meanwhile.

    Args:
        most: how many flows the peer may have open at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._flows: list[BareFlow] = []

    def __len__(self) -> int:
        return len(self._flows)

    def keep(self, flow: BareFlow) -> None:
        """Another one has come."""
        if len(self._flows) >= 2 * self._most:  # of which half are over, at the least
            self._flows = [each for each in self._flows if not each.is_over]
        self._flows.append(flow)

    def take(self) -> list[BareFlow]:
        """Hand them over, oldest first."""
        flows, self._flows = self._flows, []
        return flows
