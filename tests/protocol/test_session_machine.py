"""Two programs that talk, lines that drop, stall, deliver late and in pieces, and a client that redials: a state machine for hypothesis.

The model is two lists and what was taken of them. The books of both directions must agree after every step, and when the faults stop
everything must arrive, be acked, and come to rest. What fails is shrunk by hypothesis to the fewest steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from landline.limits import Limits
from landline.protocol.frames import FRAME_COST, CloseCode
from landline.protocol.session import Session
from landline.protocol.states import Phase
from landline.testing.ledger import Ledger
from tests.protocol.lines import Guest, Host, Line, say

LONGEST = 120
"""Characters of the longest message."""

BYTES = st.one_of(st.integers(0, 300), st.just(1 << 20))
"""How many bytes of what is under way arrive."""

DIRECTIONS = st.sampled_from(("up", "down"))


class Direction:
    """What one program says to the other, and its books."""

    def __init__(self, sender: Session, receiver: Session) -> None:
        self.sender = sender
        self.receiver = receiver
        self.books = Ledger()

    def send(self, size: int) -> None:
        if self.sender.has_room_in(self.sender.messages):
            message = f"{len(self.books.sent)}".ljust(size, ".")
            self.books.sent.append(message)
            say(self.sender, message)

    def take(self) -> None:
        if self.receiver.messages.inbox:
            message: Any = self.receiver.take(self.receiver.messages)
            assert message == self.books.sent[len(self.books.delivered)]
            self.books.delivered.append(message)
        else:
            self.receiver.handle_taken(self.receiver.messages)

    def check(self) -> None:
        """What must be true after every step."""
        sending, receiving = self.sender.messages, self.receiver.messages
        assert sending.handled_by_peer <= receiving.handled <= len(self.books.delivered)
        assert receiving.received <= sending.sent <= len(self.books.sent)
        assert self.sender.outbox_frames <= self.sender.limits.outbox_messages
        held = receiving.received_cost - receiving.taken_cost
        assert held < receiving.window + LONGEST + FRAME_COST

    def is_at_rest(self) -> bool:
        sending, count = self.sender.messages, len(self.books.sent)
        return (
            len(self.books.delivered) == sending.handled_by_peer == count
            and self.sender.outbox_frames == self.sender.outbox_bytes == 0
        )


class SessionMachine(RuleBasedStateMachine):
    """A guest, a host, and all the lines that there ever were between them."""

    @initialize(window=st.sampled_from((1, 150, 1000, 1 << 18)), outbox_messages=st.sampled_from((1, 5, 100)))
    def begin(self, window: int, outbox_messages: int) -> None:
        limits = Limits(window=window, outbox_messages=outbox_messages, close_timeout=30.0, resume_window=1e6)
        self.now = 0.0
        self.guest, self.host = Guest(limits), Host(limits)
        self.lines: list[Line] = []
        self.books: dict[str, Direction] = {}
        self.redial()
        self.calm_down(lambda: self.guest.session is not None and bool(self.host.carriers))
        session = self.host.record.session
        self.books = {
            "up": Direction(self.guest.core, session),
            "down": Direction(session, self.guest.core),
        }

    # What programs do, and what befalls them...

    @rule(direction=DIRECTIONS, size=st.integers(0, LONGEST))
    def send(self, direction: str, size: int) -> None:
        self.books[direction].send(size)

    @rule(direction=DIRECTIONS)
    def take(self, direction: str) -> None:
        self.books[direction].take()

    @rule(up=BYTES, down=BYTES)
    def move(self, up: int, down: int) -> None:
        self.move_on(self.lines[-1], up, down)

    @rule(number=st.integers(0, 3), up=BYTES)
    def move_late(self, number: int, up: int) -> None:
        """Something arrives on any line, perhaps one that was replaced long ago."""
        self.move_on(self.lines[number % len(self.lines)], up, 0)

    @rule()
    def redial(self) -> None:
        """The client gives its line up, if it has one; what it wrote there is still under way."""
        self.lines.append(Line(self.guest.dial(self.now), self.host.answer(self.now)))
        del self.lines[:-4]

    @rule(up=BYTES, down=BYTES)
    def cut(self, up: int, down: int) -> None:
        """The line drops, and each direction keeps its own prefix."""
        line = self.lines[-1]
        line.move(self.now, up=up, down=down)
        line.cut()
        self.read(line)

    @rule(seconds=st.sampled_from((0.01, 0.06, 1.0, 9.0, 26.0, 40.0)))
    def pass_time(self, seconds: float) -> None:
        """Perhaps for longer than a heart beats."""
        until = self.now + seconds
        ends = [(line, end) for line in self.lines for end in (line.client, line.server)]
        while self.now < until:
            due = [at for _, end in ends if (at := end.timeout_at()) is not None]
            self.now = max(self.now, min([until, *due]))
            for line, end in ends:
                end.handle_timeout(self.now)
                line.write(self.now)
                self.read(line)
            if not due or min(due) > until:
                break
        self.now = until

    def move_on(self, line: Line, up: int, down: int) -> None:
        line.write(self.now)
        line.move(self.now, up=up, down=down)
        self.read(line)

    def read(self, line: Line) -> None:
        self.host.read(line.server, self.now)
        self.guest.read(line.client, self.now)

    # What must be true...

    @invariant()
    def books_agree(self) -> None:
        """After every step."""
        for direction in self.books.values():
            direction.check()
        assert self.guest.refusal is None or self.guest.refusal.code is CloseCode.STALE
        assert len(self.host.table) == 1

    def teardown(self) -> None:
        """Peace, then the end."""
        if sys.exc_info()[0] is None and hasattr(self, "books"):
            self.calm_down(lambda: all(direction.is_at_rest() for direction in self.books.values()))
            for direction in self.books.values():
                direction.books.acked = direction.sender.messages.handled_by_peer
                assert direction.books.is_clean
                assert direction.sender.timeout_at() is None
            assert self.lines[-1].up == self.lines[-1].down == b""
            self.part()

    def calm_down(self, is_done: Callable[[], bool]) -> None:
        """No more faults: the client redials when it must, everything moves, everybody listens."""
        for _ in range(3000):
            if self.guest.connection is None:
                self.redial()
            self.move(1 << 20, 1 << 20)
            for direction in self.books.values():
                direction.take()
            if is_done():
                self.pass_time(0.1)
                self.move(1 << 20, 1 << 20)
                return
            self.pass_time(0.06)
        raise AssertionError("it never comes to rest")

    def part(self) -> None:
        """Both close, at once or one after the other."""
        line = self.lines[-1]
        ends = [line.client, line.server]
        for end in ends if self.now % 2 < 1 else reversed(ends):
            end.close(CloseCode.NORMAL, "", self.now)
            if self.now % 1 < 0.5:
                self.move(1 << 20, 1 << 20)
        for _ in range(4):
            self.move(1 << 20, 1 << 20)

        assert Phase.CLOSED is line.client.phase is line.server.phase
        assert self.guest.end is not None
        assert self.guest.end.code is CloseCode.NORMAL
        assert len(self.host.table) == 0


SessionMachine.TestCase.settings = hypothesis.settings(max_examples=60, stateful_step_count=50)


TestSession = SessionMachine.TestCase
"""Nothing is lost, doubled or reordered through any mix of faults, in both directions; and when they stop, all is acked and rests."""
