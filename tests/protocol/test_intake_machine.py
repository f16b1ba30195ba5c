"""A sender, flows that break, programs that handle, fail and are interrupted, disks that fail, and crashes of either end at any step: a state machine for hypothesis.

The model is what programs were given. Each send is given in order; again only where the one before was not stored as handled, and then as the next
one given; what was acked was handled, and that outlives every crash; what is called certain to have failed was never given; and when all is well again,
everything is answered. What fails is shrunk by hypothesis to the fewest steps.
"""

from __future__ import annotations

import random
from collections import deque

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from landline.history import Position
from landline.protocol.intake import Intake
from landline.protocol.publish import (
    Answer,
    Code,
    Opened,
    Origin,
    Publish,
    Published,
    Publisher,
    decode_record,
    encode,
    encode_record,
)

ENDS = ("stored", "stored", "stored", "full", "broken after all")
"""What becomes of a write."""


class DurableSends(RuleBasedStateMachine):
    """A sender with a disk, and a receiver with one."""

    @initialize()
    def begin(self) -> None:
        self.publisher = Publisher(b"o" * 16, is_kept=True)
        self.disk: dict[int, bytes] = {}
        """The sender's: what it has kept."""
        self.was_opened = False
        self.record: bytes | None = None
        """The receiver's."""
        self.intake: Intake | None = None
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.is_open = False
        self.given: list[int] = []
        self.handled: set[int] = set()
        self.failed: set[int] = set()
        self.done: set[int] = set()
        """Handled or failed, and stored so."""
        self.outcomes: dict[int, Answer] = {}
        self.may_be_given_again: int | None = None

    # The sender...

    @rule()
    def send(self) -> None:
        if self.publisher.has_room:
            number = self.publisher.publish("", b"data")
            self.disk[number] = b"data"
            self.publisher.kept(number)

    @rule()
    def say(self) -> None:
        message = self.publisher.next_message()
        if self.is_open and message is not None:
            self.up.append(message)

    @rule()
    def hear(self) -> None:
        if self.down:
            for answer in self.publisher.receive(self.down.popleft()):
                self.answered(answer)
            self.was_opened |= self.publisher.is_open

    def answered(self, answer: Answer) -> None:
        number = answer.number
        assert number not in self.outcomes
        self.outcomes[number] = answer
        del self.disk[number]
        self.publisher.forgotten(number)
        if isinstance(answer, Published):
            assert number in self.handled, "acked, and was not handled"
            stored = decode_record(self.record or b"", Position("e", 0))[0]
            assert number in stored.kept or number <= stored.answered, (
                "acked, and a crash would give it again"
            )
        elif answer.code is not Code.UNKNOWN:
            assert number not in self.given, "called certain to have failed, and was given"

    @rule()
    def flow(self) -> None:
        """Another one, when all of the former that was given is answered; what was under way in that is lost."""
        self.intake = self.intake or self.known()
        if self.intake.is_free:
            self.up, self.down = deque(), deque()
            self.publisher.begin()
            self.down.append(encode(Opened(self.record is not None)))
            self.record = self.record or encode_record(Origin(), [], 0.0)
            self.is_open = True

    @rule()
    def line_goes(self) -> None:
        self.up, self.down, self.is_open = deque(), deque(), False

    @rule()
    def sender_dies(self) -> None:
        """Its next life finishes the outbox."""
        self.line_goes()
        self.publisher = Publisher(
            b"o" * 16,
            {number: ("", data) for number, data in self.disk.items()},
            max([0, *self.outcomes, *self.disk]),
            was_opened=self.was_opened,
            is_kept=True,
        )

    # ... the receiver ...

    def known(self) -> Intake:
        return Intake(Origin() if self.record is None else decode_record(self.record, Position("e", 0))[0])

    @rule()
    def take(self) -> None:
        intake = self.intake
        if intake is not None and intake.is_free and self.up:
            said = intake.receive(self.up.popleft())
            if isinstance(said, Publish):
                self.is_given(said.number)
            elif said is not None:
                self.down.append(encode(said))

    def is_given(self, number: int) -> None:
        assert number not in self.failed, "given after a program failed over it"
        if number in self.given:
            assert number == self.may_be_given_again == self.given[-1], "given again without need"
        else:
            assert number > max(self.given, default=0), "out of order"
        self.may_be_given_again = None
        self.given.append(number)

    @rule()
    def handle(self) -> None:
        if self.intake is not None and self.intake.in_hand is not None:
            self.handled.add(self.intake.in_hand)
            self.intake.handle()

    @rule()
    def program_fails(self) -> None:
        if self.intake is not None and self.intake.in_hand is not None:
            self.failed.add(self.intake.in_hand)
            self.down.append(encode(self.intake.fail("why")))

    @rule()
    def program_is_interrupted(self) -> None:
        if self.intake is not None and self.intake.in_hand is not None:
            self.may_be_given_again = self.intake.in_hand
            self.intake.release()

    @rule(ends=st.sampled_from(ENDS))
    def store(self, ends: str) -> None:
        intake = self.intake
        if intake is None or not intake.has_news:
            return
        intake.store()
        record = intake.record(0.0)
        if ends != "full":
            self.record = record
            self.done = self.handled | self.failed
        if ends == "stored":
            self.down.extend(encode(answer) for answer in intake.stored())
        else:
            intake.failed()

    @rule()
    def receiver_dies(self) -> None:
        """What nobody has stored is given again: at most one, the last."""
        if self.intake is None:
            return
        self.line_goes()
        self.intake = None
        if self.given and self.given[-1] not in self.done:
            self.may_be_given_again = self.given[-1]
        self.failed &= self.done

    def calm_down(self) -> None:
        """All is well again: everything is answered."""
        self.handle()
        self.store("stored")
        self.flow()
        for _ in range(1000):
            if not self.publisher.unanswered:
                return
            self.say()
            self.take()
            self.handle()
            self.store("stored")
            self.hear()
        raise AssertionError("it never comes to rest")


class CalmingDown(DurableSends):
    """Each run ends well."""

    def teardown(self) -> None:
        self.calm_down()


CalmingDown.TestCase.settings = hypothesis.settings(max_examples=40, stateful_step_count=50)

TestDurableSends = CalmingDown.TestCase
"""Once, in order, and told; whatever breaks and whenever either end dies."""

STEPS = ("send", "say", "hear", "take", "handle", "store", "flow")
FAULTS = ("line_goes", "sender_dies", "program_fails", "program_is_interrupted", "receiver_dies", "flow")


@pytest.mark.parametrize("seed", range(10))
def test_long_walks_lose_nothing(seed: int) -> None:
    """The same steps drawn by chance alone: many more of them in the same time, and a seed to play them again."""
    chance = random.Random(seed)
    sends = DurableSends()
    sends.begin()
    for _ in range(3000):
        name = chance.choice(STEPS) if chance.random() > 0.05 else chance.choice(FAULTS)
        if name == "store":
            sends.store(chance.choice(ENDS))
        else:
            getattr(sends, name)()
    sends.calm_down()

    assert len(sends.given) > 100
