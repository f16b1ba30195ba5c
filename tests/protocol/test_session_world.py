"""A little world from a seed: two programs that talk, lines that drop, stall, deliver late and in pieces, and a client that redials.

Each seed draws its own mix of faults, so that rare ones meet. The books of both directions must agree after every step, and when the
faults stop everything must arrive, be acked, and come to rest. A failing seed is its own report: run ``World(seed).run()``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from landline.limits import Limits
from landline.protocol.frames import FRAME_COST, CloseCode
from landline.protocol.session import Session
from landline.protocol.states import Phase
from landline.testing.ledger import Ledger
from tests.protocol.lines import Guest, Host, Line, say

STEPS = 80
RUNS = 120
"""Runs of one test; there are four, so that they can be spread over processes."""

LONGEST = 120
"""Characters of the longest message."""


class Direction:
    """What one program says to the other, and its books."""

    def __init__(self, sender: Session, receiver: Session) -> None:
        self.sender = sender
        self.receiver = receiver
        self.books = Ledger()

    def send(self, size: int) -> None:
        if self.sender.has_room:
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


class World:
    """One run: a guest, a host, and all the lines that there ever were between them."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        limits = Limits(
            window=chance.choice((1, 150, 1000, 1 << 18)),
            outbox_messages=chance.choice((1, 5, 100)),
            close_timeout=30.0,
        )
        self.now = 0.0
        self.guest, self.host = Guest(limits), Host(limits)
        self.lines: list[Line] = []
        self.redial()
        self.calm_down(lambda: self.guest.session is not None and bool(self.host.carriers))
        self.record = self.host.record
        self.up = Direction(self.guest.core, self.record.session)
        self.down = Direction(self.record.session, self.guest.core)

    # What programs do, and what befalls them...

    def send(self) -> None:
        self.chance.choice((self.up, self.down)).send(self.chance.randrange(LONGEST))

    def take(self) -> None:
        self.chance.choice((self.up, self.down)).take()

    def move_all(self) -> None:
        self.move(self.lines[-1], 1 << 20, 1 << 20)

    def move_some(self) -> None:
        chance = self.chance
        self.move(self.lines[-1], chance.randrange(200), chance.randrange(200))

    def move_late(self) -> None:
        """Something arrives on any line, perhaps one that was replaced long ago."""
        self.move(self.chance.choice(self.lines), self.chance.randrange(400), 0)

    def redial(self) -> None:
        """The client gives its line up, if it has one; what it wrote there is still under way."""
        self.lines.append(Line(self.guest.dial(self.now), self.host.answer(self.now)))
        del self.lines[:-4]

    def cut(self) -> None:
        line = self.lines[-1]
        if self.chance.random() < 0.5:
            line.move(self.now, up=self.chance.randrange(300), down=self.chance.randrange(300))
        line.cut()
        self.read(line)

    def wait(self) -> None:
        self.pass_time(self.chance.choice((0.01, 0.06, 1.0)))

    def stall(self) -> None:
        """Nothing moves for longer than a heart beats."""
        self.pass_time(self.chance.choice((9.0, 26.0, 40.0)))

    def move(self, line: Line, up: int, down: int) -> None:
        line.write(self.now)
        line.move(self.now, up=up, down=down)
        self.read(line)

    def read(self, line: Line) -> None:
        self.host.read(line.server, self.now)
        self.guest.read(line.client, self.now)

    def pass_time(self, seconds: float) -> None:
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

    # The run...

    def run(self) -> None:
        """Trouble, then peace, then the end."""
        chance = self.chance
        actions: list[Callable[[], None]] = [
            self.send, self.take, self.move_all, self.move_some, self.move_late,
            self.redial, self.cut, self.wait, self.stall,
        ]  # fmt: skip
        weights = [5, 4, 3, 3, *(chance.choice((0.0, 0.3, 1.0)) for _ in range(5))]
        for action in chance.choices(actions, weights, k=STEPS):
            if self.guest.connection is None and chance.random() < 0.5:
                self.redial()
            action()
            self.up.check()
            self.down.check()
            assert self.guest.refusal is None or self.guest.refusal.code is CloseCode.STALE
            assert len(self.host.table) == 1
        self.calm_down(lambda: self.up.is_at_rest() and self.down.is_at_rest())
        for direction in (self.up, self.down):
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
            self.move_all()
            if self.guest.session is not None and hasattr(self, "up"):
                self.up.take()
                self.down.take()
            if is_done():
                self.pass_time(0.1)
                self.move_all()
                return
            self.pass_time(0.06)
        raise AssertionError("it never comes to rest")

    def part(self) -> None:
        """Either or both close."""
        line = self.lines[-1]
        ends = [line.client, line.server]
        self.chance.shuffle(ends)
        for end in ends:
            end.close(CloseCode.NORMAL, "", self.now)
            if self.chance.random() < 0.5:
                self.move_all()
        for _ in range(4):
            self.move_all()

        assert Phase.CLOSED is line.client.phase is line.server.phase
        assert self.guest.end is not None
        assert self.guest.end.code is CloseCode.NORMAL
        assert len(self.host.table) == 0


@pytest.mark.parametrize("part", range(4))
def test_nothing_is_lost_doubled_or_reordered(part: int) -> None:
    """Through any mix of faults, in both directions; and when they stop, everything is acked and rests."""
    for seed in range(part * RUNS, (part + 1) * RUNS):
        try:
            World(seed).run()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


def test_a_seed_is_a_world() -> None:
    """The same seed is the same run, to the last number: what failed once can be seen again."""
    worlds = [World(11), World(11)]
    for world in worlds:
        world.run()

    assert worlds[0].guest.log == worlds[1].guest.log
    assert worlds[0].up.books == worlds[1].up.books
    assert worlds[0].now == worlds[1].now
