"""The receiver's half of durable sends, step by step."""

from __future__ import annotations

import pytest

from landline.errors import ProtocolError
from landline.history import Position
from landline.protocol.intake import Intake
from landline.protocol.publish import (
    Code,
    Opening,
    Origin,
    Publish,
    Published,
    Unpublished,
    decode_record,
    encode,
)

EPOCH_END = Position("epoch", 9)


def sent(number: int, answered: int = 0) -> bytes:
    return encode(Publish(number, answered, "", b"data"))


def given(intake: Intake, number: int, answered: int = 0) -> None:
    """It is given this one."""
    said = intake.receive(sent(number, answered))
    assert isinstance(said, Publish)
    assert said.number == intake.in_hand == number


def after_a_crash(record: bytes) -> Intake:
    return Intake(decode_record(record, EPOCH_END)[0])


def handled(intake: Intake, number: int) -> bytes:
    """Have one given, handled and stored; return the record."""
    given(intake, number)
    intake.handle()
    intake.store()
    record = intake.record(0.0)
    assert intake.stored() == [Published(number, "", 0)]
    return record


def test_it_is_free_when_what_was_given_is_answered() -> None:
    """Not while a program has it, not before it is stored, not while that is under way."""
    intake = Intake(Origin())
    states: list[tuple[bool, bool]] = []

    def see() -> None:
        states.append((intake.is_free, intake.has_news))

    see()
    given(intake, 1)
    see()
    intake.handle()
    see()
    intake.store()
    see()
    _ = intake.stored()
    see()

    assert states == [(True, False), (False, False), (False, True), (False, False), (True, False)]


def test_what_was_stored_is_answered_in_every_life_until_the_answer_is_there() -> None:
    """And not given."""
    intake = Intake(Origin())
    handled(intake, 1)
    record = handled(intake, 2)
    for life in (intake, after_a_crash(record)):
        assert [life.receive(sent(number)) for number in (1, 2)] == [
            Published(1, "", 0),
            Published(2, "", 0),
        ] or ([type(life.receive(sent(number))) for number in (1, 2)] == [Published, Published])
    given(intake, 3, answered=2)
    answer = after_a_crash(intake.record(0.0)).receive(sent(1))
    assert isinstance(answer, Unpublished)


def test_what_was_in_hand_at_a_crash_is_given_again() -> None:
    """Also where the record was written while it was in hand."""
    intake = Intake(Origin())
    record = handled(intake, 1)
    given(intake, 2)
    given(after_a_crash(record), 2)
    given(after_a_crash(intake.record(0.0)), 2)


def test_what_was_handled_and_not_stored_is_given_again_after_a_crash() -> None:
    """Nobody knows of it."""
    intake = Intake(Origin())
    record = handled(intake, 1)
    given(intake, 2)
    intake.handle()
    given(after_a_crash(record), 2)


def test_what_a_program_failed_over_is_in_doubt_for_ever() -> None:
    """In this life and in the next, which the record tells of it."""
    intake = Intake(Origin())
    given(intake, 1)
    answer = intake.fail("why")
    assert isinstance(answer, Unpublished)
    assert (answer.code, answer.reason) == (Code.UNKNOWN, "why")
    assert intake.has_news
    intake.store()
    for life in (intake, after_a_crash(intake.record(0.0))):
        again = life.receive(sent(1))
        assert isinstance(again, Unpublished)
        assert again.code is Code.UNKNOWN
    assert intake.stored() == []
    given(intake, 2)


def test_what_cannot_be_given_is_refused_and_the_next_is_given_at_once() -> None:
    """Nothing of it need be stored."""
    intake = Intake(Origin())
    given(intake, 1)
    answer = intake.refuse("why")

    assert isinstance(answer, Unpublished)
    assert answer.code is Code.REFUSED
    assert intake.is_free
    given(intake, 2)


def test_what_a_program_was_interrupted_over_is_given_again() -> None:
    """In the same life."""
    intake = Intake(Origin())
    given(intake, 1)
    intake.release()
    given(intake, 1)


def test_what_cannot_be_stored_is_tried_again_and_nothing_given_meanwhile() -> None:
    """Then it is answered as if nothing had been."""
    intake = Intake(Origin())
    given(intake, 1)
    intake.handle()
    intake.store()
    intake.failed()
    assert intake.has_news
    assert not intake.is_free
    intake.store()
    assert intake.stored() == [Published(1, "", 0)]
    assert intake.is_free


@pytest.mark.parametrize("payload", [b"", b"\xc1", encode(Opening(b"o" * 16))])
def test_what_is_no_send_is_a_broken_rule(payload: bytes) -> None:
    """Nothing is in hand then."""
    intake = Intake(Origin())
    with pytest.raises(ProtocolError):
        intake.receive(payload)
    assert intake.is_free
