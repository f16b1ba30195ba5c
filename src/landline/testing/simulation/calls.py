"""Calls between simulated programs: the real table and messages over flows, as ``patterns.rpc`` runs them on the loop.

``Caller`` does what ``calling`` does, ``Callee`` what ``answering`` does; where those change, this follows. A run takes until the schedule
says that it is done, and is cancelled as a task would be.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol

from ...protocol.calls import (
    CALLS_PURPOSE,
    Asked,
    CallTable,
    Cancel,
    Fate,
    Offered,
    Request,
    Result,
    ask_again,
    decode_asked,
    decode_told,
    decode_value,
    encode,
    encode_failure,
    encode_request,
    encode_result,
)
from ...protocol.deadlines import Deadlines
from ...protocol.flow import Flow
from ...protocol.frames import ResetCode
from .call_books import CANCELLED, FAILURE, NEVER, RESULT, TIMEOUT, CallBooks
from .ends import End
from .flows import abandon, is_writable, open_flow, say
from .line import Timer, Violation

ONCE: Final = "once"
TWICE: Final = "twice"
"""The methods; the second may run twice."""

_SOONEST: Final = 0.001


class Place(Protocol):
    """Where calls are made and taken (``booth.Booth``)."""

    end: End
    books: CallBooks

    def drained(self) -> None:
        """Everything of a flow is handled."""
        ...


class Caller:
    """What one end calls; it outlives the lives of a server, and no session."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._flow: Flow | None = None
        self._table = CallTable()
        self._deadlines = Deadlines(self._table.unanswered)
        self._most = place.end.limits.max_calls
        self._timer: Timer = []
        self._timer_at = 0.0
        self._written: set[int] = set()

    @property
    def waiting(self) -> int:
        """How many calls are not answered."""
        return len(self._table.unanswered)

    def call(self, method: str, seconds: float, size: int) -> None:
        """Ask for a call, where there is a place and room for it."""
        place, end = self._place, self._place.end
        if self.waiting >= self._most:
            return
        flow = self._opened()
        if flow is None or not end.core.has_room_in(flow):
            return
        until = end.node.now + seconds
        ticket = place.books.ask(is_idempotent=method == TWICE, until=until)
        id = self._table.next_id()
        payload = encode_request(id, seconds, method, [ticket, "." * size], {}, end.core.max_message)
        asked = Asked(id, method, payload, until, ticket)
        self._table.asked(asked, self._send(end, flow, payload))
        self._deadlines.add(until, id)
        if not self._timer or self._timer[2] is None or until < self._timer_at:
            self._set_timer(until)

    def cancel(self, which: int) -> None:
        """Wait no more for one."""
        waiting = list(self._table.unanswered.values())
        if waiting:
            asked = waiting[which % len(waiting)]
            self._table.answered(asked.id)
            self._tell(asked, CANCELLED)
            self._tell_cancelled(asked)

    def close(self) -> None:
        """Leave the flow; nothing waits in it."""
        flow, self._flow = self._flow, None
        if flow is not None:
            abandon(self._place.end, flow, ResetCode.CANCELLED)

    def _opened(self) -> Flow | None:
        """Return the flow of our calls, if there can be one."""
        end = self._place.end
        if end.ended or end.is_closing or end.is_peer_closed:
            return None
        if self._flow is None:
            flow = self._flow = open_flow(end, CALLS_PURPOSE)
            if flow is not None:
                end.serving[flow.number] = partial(self.arrived, end)
        return self._flow

    @staticmethod
    def _send(end: End, flow: Flow, payload: bytes) -> int:
        say(end, flow, payload)
        return flow.queued - 1

    # It hears...

    def arrived(self, end: End) -> None:
        """There may be answers, or there never will be; ``end`` is where the flow is, or was before the server's last life."""
        flow = self._flow
        if flow is None:
            return
        while flow.inbox:
            told = decode_told(end.core.take(flow))
            if isinstance(told, Offered):
                self._table.idempotent = frozenset(told.idempotent)
                self._most = min(told.at_once, end.limits.max_calls)
                continue
            asked = self._table.answered(told.id)
            if asked is None:
                continue
            if isinstance(told, Result) and decode_value(told.value) != asked.waiter:
                raise Violation(f"call {asked.waiter} was told the result of another")
            self._tell(asked, RESULT if isinstance(told, Result) else FAILURE)
        if not end.ended:
            end.core.handle_taken(flow)
            self._place.drained()
        if end.ended or flow.reset is not None or end.is_peer_closed:
            self._over(end, flow)

    def _over(self, end: End, flow: Flow) -> None:
        """Nothing more is answered in this flow."""
        self._flow = None
        is_renewed = end.ended == "renewed"
        self._written |= {
            asked.waiter for asked in self._table.unanswered.values() if asked.index < flow.sent
        }
        was_lost = is_renewed or flow.reset is None
        for asked, fate in self._table.settle(flow.reach, is_renewed=is_renewed):
            if fate is Fate.AGAIN:
                self._again(asked)
            else:
                self._left(asked, was_lost=was_lost)

    def _left(self, asked: Asked, *, was_lost: bool) -> None:
        """Nobody answers it any more."""
        if not asked.may_have_run:
            self._tell(asked, NEVER)
            return
        self._place.books.doubt(
            asked.waiter,
            self._place.end.node.now,
            was_written=asked.waiter in self._written,
            was_lost=was_lost,
            patience=self._patience(asked),
        )

    def _again(self, asked: Asked) -> None:
        end, flow = self._place.end, self._opened()
        if flow is None:
            self._left(asked, was_lost=True)
            return
        asked.payload = ask_again(asked.payload, max(asked.until - end.node.now, _SOONEST))
        self._table.asked(asked, self._send(end, flow, asked.payload))

    def _tell(self, asked: Asked, outcome: str) -> None:
        now = self._place.end.node.now
        self._place.books.tell(asked.waiter, outcome, now, patience=self._patience(asked))

    def _patience(self, asked: Asked) -> float:
        return max(self._place.end.node.late_at - asked.until, 0.0)

    def _tell_cancelled(self, asked: Asked) -> None:
        end = self._place.end
        if self._flow is not None and not end.ended and not end.is_closing:
            say(end, self._flow, encode(Cancel(asked.id)))

    # ... and time passes.

    def _set_timer(self, at: float) -> None:
        if self._timer:
            self._timer[2] = None
        node = self._place.end.node
        self._timer, self._timer_at = node.after(at - node.now, self._on_timer), at

    def _on_timer(self) -> None:
        self._timer = []
        for id in self._deadlines.due(max(self._timer_at, self._place.end.node.now)):
            asked = self._table.answered(id)
            if asked is not None:
                self._tell(asked, TIMEOUT)
                self._tell_cancelled(asked)
        next_at = self._deadlines.next_at()
        if next_at is not None:
            self._set_timer(next_at)


class Callee:
    """What runs for one flow of calls, at the end that was called."""

    def __init__(self, place: Place, end: End, flow: Flow) -> None:
        self._place = place
        self._end = end
        self._flow = flow
        self._most = end.limits.max_calls
        self._held: tuple[Request, int] | None = None
        self._running: dict[int, int] = {}
        self._answers: list[tuple[int, bytes]] = []
        self.is_over = False
        say(end, flow, encode(Offered([TWICE], self._most)))

    @property
    def lacks(self) -> str:
        """What runs or waits here, if anything does."""
        count = len(self._running) + (self._held is not None)
        return f"{count} calls run" if count and not self.is_over else ""

    def arrived(self) -> None:
        """Take what may run now; what is no longer wanted is cancelled meanwhile."""
        end, flow = self._end, self._flow
        if self.is_over:
            return
        if flow.reset is None:
            self._take()
        if end.ended or flow.reset is not None or end.is_closing or end.is_peer_closed:
            self.stop()

    def _take(self) -> None:
        end, flow = self._end, self._flow
        while True:
            while self._held is None and flow.inbox:
                asked = decode_asked(end.core.take(flow))
                if isinstance(asked, Cancel):
                    self._running.pop(asked.id, None)
                    continue
                if asked.id in self._running:
                    raise Violation(f"call {asked.id} was made twice")
                ticket = decode_value(asked.args)[0]
                self._place.books.take(ticket)
                self._held = asked, ticket
            if self._held is None or len(self._running) >= self._most:
                break
            (asked, ticket), self._held = self._held, None
            self._run(asked, ticket)
        if self._held is None and not end.ended:
            end.core.handle_taken(flow)
            self._place.drained()

    def _run(self, request: Request, ticket: int) -> None:
        if self._end.side == 1 and not self._end.talk.is_confirmed:
            raise Violation("a call ran before the client was let in")
        self._place.books.run(ticket, self._place)
        self._running[request.id] = ticket
        self._end.node.after(request.seconds, partial(self._late, request.id, ticket))

    def _late(self, id: int, ticket: int) -> None:
        if self._running.get(id) == ticket:
            self._answer(id, ticket, fails=True)

    def finish(self, which: int, *, fails: bool) -> None:
        """One that runs is done, or failed."""
        if self._running:
            id = list(self._running)[which % len(self._running)]
            self._answer(id, self._running[id], fails=fails)

    def finish_all(self) -> None:
        """All that somebody waits for are done."""
        for id, ticket in list(self._running.items()):
            if self._place.books.is_awaited(ticket):
                self._answer(id, ticket, fails=False)

    def _answer(self, id: int, ticket: int, *, fails: bool) -> None:
        """Say what it came to; it takes its place until there is room for that."""
        end, flow = self._end, self._flow
        if self.is_over or any(each == id for each, _ in self._answers):
            return
        most = end.core.max_message
        self._place.books.finish(ticket, FAILURE if fails else RESULT)
        answer = (
            encode_failure(id, "drawn", "as drawn", None, most) if fails else encode_result(id, ticket, most)
        )
        self._answers.append((id, answer))
        end.on_room[flow.number] = self._fill
        self._fill()

    def _fill(self) -> None:
        end, flow = self._end, self._flow
        while self._answers and is_writable(flow) and not end.ended and end.core.has_room_in(flow):
            id, answer = self._answers.pop(0)
            say(end, flow, answer)
            self._running.pop(id, None)
        if not self._answers:
            end.on_room.pop(flow.number, None)
        self.arrived()

    def give_up(self) -> None:
        """The program that takes calls fails: its flow is abandoned."""
        abandon(self._end, self._flow, ResetCode.FAILED)
        self.stop()

    def stop(self) -> None:
        """Nothing runs any more."""
        self.is_over = True
        self._running.clear()
        self._answers.clear()
        self._held = None
        self._end.on_room.pop(self._flow.number, None)
