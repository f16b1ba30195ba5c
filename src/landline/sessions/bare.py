"""The bare session: what outlives transports, with waiting and waking. Both ends hold one; patterns and the public session stand on it.

A session ends exactly once, with the error that everybody who waits for it (or comes later) is given. What arrived before is still handed
out first, unless this end closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..errors import SessionClosed, SessionEnded, SessionLost
from ..limits import SESSION, Limits
from ..protocol import session as core
from ..protocol.empty import EMPTY_DICT, NOBODY
from ..protocol.events import (
    ConnectionEnded,
    Event,
    FlowAbandoned,
    FlowOpened,
    Heard,
    LoopBlocked,
    MessagesReceived,
    OutcomesKnown,
    PeerClosed,
    RoomMade,
    Stalled,
    Suspected,
)
from ..protocol.frames import CloseCode, ResetCode
from ..protocol.greeting import Back
from ..protocol.states import State
from .changes import StateChange, Stateful
from .driver import Driver, log
from .flow import BareFlow, EarlyFlows
from .intake import Intake
from .keeper import ALONE, Keeper
from .signal import Signal

FAREWELL = SESSION.farewell

STALLED: Final = (
    "stalled: both programs wait for each other to receive; one that sends a lot must also receive meanwhile"
)


Taker = Callable[["BareSession", BareFlow], bool]
"""Takes a flow that the peer of a session opened, if it is one of its own; returns whether it did."""


class BareSession(Stateful):
    """One end of a session on the loop.

    Attributes:
        core: the protocol's state of it.
        driver: the connection that carries it now, if any.
        keeper, principal: who is told of what it does not deal with itself; who its client is.
        source: whom it counts for in limits per source; empty for who is not counted.
        messages: the flow of its messages.
        on_flow: called with each flow that the peer opens; the default takes none. A server's program that sets it before it first awaits anything
            misses none, see ``hold_flows``.
        takers: each takes a flow that the peer opens if it is one of its own, and says whether it did; asked in turn, before ``on_flow``. They are
            told whose it is, so that all sessions of a server have the same ones.
        front: the session that programs hold, if there is one; for takers.
        on_renewed: called when it begins again with another life of the server.
        intake: gives whoever receives more than the messages, once there is something.
    """

    __slots__ = (
        "__weakref__", "_back", "_close_code", "_close_reason", "_flows", "_last_driver", "_on_room", "_over", "_room", "core", "driver",
        "end_code", "front", "intake", "is_closing", "is_peer_closed", "keeper", "limits", "messages", "on_flow", "on_renewed", "peer",
        "principal", "source", "takers",
    )  # fmt: skip

    def __init__(
        self,
        state: core.Session,
        *,
        session_id: bytes,
        principal: str,
        limits: Limits,
        keeper: Keeper[BareSession] = ALONE,
        source: str = "",
    ) -> None:
        super().__init__(session_id)
        self.core = state
        self.keeper = keeper
        self.principal, self.source = principal, source
        self.limits = limits
        self.peer = ""
        self.driver: Driver | None = None
        self.end_code = CloseCode.NORMAL
        self.is_closing = self.is_peer_closed = False
        self.messages = BareFlow(state, state.messages)
        self.takers: tuple[Taker, ...] = ()
        self.front: Any = None
        self.on_flow: Callable[[BareFlow], None] = _refuse_flow
        self.on_renewed: Sequence[Callable[[], None]] = ()
        self.intake: Intake | None = None
        self._on_room: dict[BareFlow, Callable[[], None]] | None = None
        self._room: Signal | None = None
        self._over: Signal | None = None
        self._flows: dict[int, BareFlow] = EMPTY_DICT
        self._close_reason = ""
        self._close_code = CloseCode.NORMAL
        self._back: Back = (None, None)
        self._last_driver: Driver | None = None
        state.waiter = self

    # A connection comes and goes...

    def attach(self, driver: Driver) -> None:
        """Go on over this connection, which has begun to carry our ``core``."""
        self.driver = self._last_driver = driver
        driver.carried = self
        driver.transport.widen(driver)
        self.peer = driver.transport.peer
        self.core.writer = driver
        driver.schedule()
        if self.is_closing:
            driver.connection.close(self._close_code, self._close_reason, self._loop.time(), *self._back)
        elif not self.is_peer_closed:
            self.set_state(State.CONNECTED)

    def renew(self, state: core.Session) -> None:
        """Another life of the server goes on with the session: in both directions it begins again, and what was not handled is in doubt."""
        old, self.core = self.core, state
        state.waiter = self
        old.writer = old.waiter = NOBODY
        old.release()
        flows = self._all_flows
        self.messages, self._flows = BareFlow(state, state.messages), EMPTY_DICT
        for flow in flows:
            flow.was_renewed()
        for renewed in self.on_renewed:
            renewed()
        self.room_made()

    def detach(self, reason: str, retry_in: float | None = None) -> None:
        """The line is gone, the session is not; nothing happens where there was none."""
        if self.driver is None:
            return
        self.driver.carried = None
        self.driver = None
        self.core.writer = NOBODY
        if not self.is_closing and not self.is_peer_closed:
            self.set_state(State.RECONNECTING, reason, retry_in)

    def deliver(self, event: Event) -> None:
        """Take what the connection that carries us reports."""
        if self.ended is not None:
            return
        if type(event) is MessagesReceived:  # the commonest first
            flow = self._flows.get(event.flow) if event.flow else self.messages
            if flow is not None:
                flow.arrived.wake()
        elif type(event) is RoomMade:
            self.room_made()
        elif isinstance(event, OutcomesKnown):
            flow = self._flows.get(event.flow) if event.flow else self.messages
            if flow is not None:
                flow.was_handled(event.handled)
        elif isinstance(event, FlowOpened):
            self._flow_opened(event.flow)
        elif isinstance(event, FlowAbandoned):
            if event.flow in self._flows:
                self._flows[event.flow].was_reset(event.code, event.reason)
        elif isinstance(event, Stalled):
            log.warning("session %s: %s", self.id.hex()[:8], STALLED)
            self.on_limit("stalled_after", "both ends wait for each other")
            self.tell(StateChange(self.state, self.state, STALLED))
        elif isinstance(event, Suspected):
            if self.state is State.CONNECTED:
                self.set_state(State.SUSPECT, "nothing was heard for a while")
        elif isinstance(event, Heard):
            if self.state is State.SUSPECT:
                self.set_state(State.CONNECTED)
        elif isinstance(event, LoopBlocked):
            log.warning("the event loop stood still for %.1f s", event.seconds)
        elif isinstance(event, PeerClosed) and event.code is CloseCode.NORMAL:
            self._peer_closed(event.reason)

    def _flow_opened(self, number: int) -> None:
        if number in self.core.others:  # the peer may have abandoned it in the same breath
            self.take_flow(self._hold(BareFlow(self.core, self.core.others[number])))

    def room_made(self) -> None:
        """There may be room again in the outbox."""
        self._wake_room()
        if self._on_room:
            for fill in tuple(self._on_room.values()):
                fill()

    @property
    def room(self) -> Signal:
        """Woken when there may be room again in the outbox, or never will be."""
        if self._room is None:  # most sessions have nobody who waits for that
            self._room = Signal()
        return self._room

    @property
    def over(self) -> Signal:
        """Woken when the session is over."""
        if self._over is None:
            self._over = Signal()
        return self._over

    def _wake_room(self) -> None:
        if self._room is not None:
            self._room.wake()

    @property
    def on_room(self) -> dict[BareFlow, Callable[[], None]]:
        """What is called when there may be room again in a flow's outbox, of who fills it by itself."""
        if self._on_room is None:  # most sessions have nobody who does
            self._on_room = {}
        return self._on_room

    def on_limit(self, limit: str, what: str) -> None:
        """It hit the limit of that name, and that was done about it."""
        self.keeper.hit(self, limit, what)

    def _peer_closed(self, reason: str) -> None:
        self.is_peer_closed = True
        self._close_reason = self._close_reason or reason
        if not self.is_closing:
            self.set_state(State.CLOSING, reason)
        if self.is_closing or self.core.is_everything_handled:
            self.end(SessionClosed(self._close_reason))
        self._wake_all()

    def connection_ended(self, event: ConnectionEnded) -> bool:
        """End where the end of our connection means that; return whether it does, or we may go on over another one."""
        if (
            event.code is CloseCode.NORMAL
            or self.is_peer_closed
            or (self.is_closing and event.code is self._close_code)
        ):
            self.end(SessionClosed(self._close_reason or event.reason))
            return True
        if event.code.resumable:
            return False
        self.end_code = event.code
        self.end(self.loss(f"{event.code.text}: {event.reason}" if event.reason else event.code.text))
        return True

    # The session ends...

    async def close(
        self,
        reason: str = "",
        code: CloseCode = CloseCode.NORMAL,
        *,
        retry_in: float | None = None,
        redirect: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """End it in an orderly way: what was sent is delivered first, within ``timeout`` seconds (by default ``close_timeout``)."""
        if self.ended is not None:
            await self._see_line_gone()
            return
        timeout = self.limits.close_timeout if timeout is None else timeout
        if self.driver is None and not self._is_undelivered:
            timeout = min(timeout, FAREWELL)
        if not self.is_closing:
            self.is_closing = True
            self._close_reason, self._close_code = reason, code
            self._back = retry_in, redirect
            self.set_state(State.CLOSING, reason)
            self._wake_all()
            if self.driver is not None:
                self.driver.connection.close(code, reason, self._loop.time(), retry_in, redirect)
                self.driver.schedule()
        try:
            async with asyncio.timeout(timeout):
                while self.ended is None:
                    await self.over.wait()
        except TimeoutError:
            pass
        finally:
            if self._is_undelivered and self.ended is None:
                self.on_limit("close_timeout", "a session was closed before everything was delivered")
                # Who is to come back is told just that: what the session kept on disk may be waiting for it there.
                code = self._close_code if self._close_code.resumable else CloseCode.EXPIRED
                self.lose(code, "closed before everything was delivered")
            if self.ended is None:
                self.end(SessionClosed(reason))
        await self._see_line_gone()

    @property
    def _is_undelivered(self) -> bool:
        """Whether something was sent that the peer is not known to have, in any flow."""
        return self.core.outbox_frames > 0 or self.core.has_unsent

    async def _see_line_gone(self) -> None:
        """Wait a moment for the last socket to be closed, so that a loop which ends now leaves none behind; a server waits for all of them at its end."""
        if self._last_driver is not None and not self.keeper.waits_for_lines:
            await asyncio.wait([self._last_driver.gone], timeout=FAREWELL)

    def closing(self) -> SessionClosed:
        """Return the error for who uses a session that is being closed."""
        return SessionClosed(self._close_reason)

    def loss(self, reason: str) -> SessionLost:
        """Return the error that says what is missing when the session is lost now."""
        flow = self.core.messages
        return SessionLost(reason, received=flow.reach, unacked=flow.queued - flow.handled_by_peer)

    def lose(
        self,
        code: CloseCode,
        reason: str,
        *,
        peer_received: int | None = None,
        peer_handled: int | None = None,
    ) -> None:
        """The session cannot go on; the counts are what the peer last said of it, where it said so."""
        if self.ended is None:
            self.core.end(peer_received, peer_handled)
            self.end_code = code
            if self.driver is not None:
                self.driver.connection.break_off(code, reason, *self._back)
            self.end(self.loss(reason))

    def end(self, error: SessionEnded) -> None:
        """The session is over."""
        if self.ended is not None:
            return
        self.ended = error
        self.core.writer = self.core.waiter = NOBODY
        driver, self.driver = self.driver, None
        if driver is not None:
            driver.carried = None
            driver.connection.close(CloseCode.NORMAL, "", self._loop.time())
            driver.schedule()
        self.set_state(
            State.CLOSED if isinstance(error, SessionClosed) else State.LOST, getattr(error, "reason", "")
        )
        self.core.release()
        for flow in self._all_flows:
            flow.settle()
        self._wake_room()
        if self._over is not None:
            self._over.wake()
        self.keeper.ended(self)

    def drained(self) -> None:
        """The program has handled all of a flow: if that is all that came before the peer's close, say so, and end."""
        if self.is_peer_closed and self.core.is_everything_handled:
            self.end(SessionClosed(self._close_reason))

    # Flows besides the messages...

    def open_flow(self, purpose: str) -> BareFlow:
        """Open another flow.

        Raises:
            Full: the peer allows no more now.
            SessionClosed, SessionLost: the session is over.
        """
        if self.ended is not None:
            raise self.ended
        if self.is_closing or self.is_peer_closed:
            raise self.closing()
        return self._hold(BareFlow(self.core, self.core.open_flow(purpose)))

    def take_flow(self, flow: BareFlow) -> None:
        """Have a flow that the peer opened taken; nothing happens where it is over by now."""
        if self.ended is not None or flow.core.number not in self.core.others:
            return
        if not any(takes(self, flow) for takes in self.takers):
            self.on_flow(flow)

    def hold_flows(self) -> None:
        """Keep the flows that the peer opens until a task that was just made has had its first turn: it could not set ``on_flow`` before.

        A client may open some in its first breath, together with what begins the session.
        """
        early = EarlyFlows(self.limits.max_flows)
        self.on_flow = take = early.keep
        self._loop.call_soon(self._hand_over, early, take)

    def _hand_over(self, early: EarlyFlows, take: Callable[[BareFlow], None]) -> None:
        if self.on_flow is take:
            self.on_flow = _refuse_flow
        for flow in early.take():
            if self.ended is None and flow.core.number in self.core.others:
                self.on_flow(flow)

    def _hold(self, flow: BareFlow) -> BareFlow:
        if self._flows is EMPTY_DICT:
            self._flows = {}
        over = [number for number in self._flows if number not in self.core.others]
        for number in over:
            del self._flows[number]
        self._flows[flow.core.number] = flow
        return flow

    @property
    def _all_flows(self) -> list[BareFlow]:
        return [self.messages, *self._flows.values()]

    def _wake_all(self) -> None:
        for flow in self._all_flows:
            flow.arrived.wake()
        self._wake_room()


def _refuse_flow(flow: BareFlow) -> None:
    flow.reset(ResetCode.UNWANTED, "nobody here takes flows of this kind")
