"""The safeguards of durable sends, each with the patch that switches it off; the rest are in ``safeguards``."""

from __future__ import annotations

from typing import Any

from ...history import Position
from ...protocol.intake import Intake
from ...protocol.publish import Answer, Code, Origin, Publish, Unpublished, encode_record
from .sends import Receiving
from .switched_off import Ablation, needing

_receive = Intake.receive
_put_down = Receiving.put_down


def _free_when_nothing_is_in_hand(intake: Intake) -> bool:
    """Give the next before it is stored that the one before is handled."""
    return intake.in_hand is None


def _free_always(intake: Intake) -> bool:
    """Give the next, and begin a flow, while a program has one."""
    return not intake.is_storing


def _answered_at_once(receiving: Any, end: Any, *, fails: bool) -> bool:
    """Answer before it is stored."""
    core = receiving._core
    number = core.in_hand
    had_one = _put_down(receiving, end, fails=fails)
    if number is not None and core.is_storing and not fails:
        receiving._say(core._origin.stored(number, Position("", 0)))
        core._handled.clear()
    return had_one


def _record_without_numbers(intake: Intake, now: float) -> bytes:
    """Store nothing of what is handled."""
    return encode_record(Origin(answered=intake._origin.answered), [], now)


def _record_with_what_is_in_hand(intake: Intake, now: float) -> bytes:
    """Store as dealt with what a program was given just now."""
    return encode_record(
        intake._origin, [(number, 0) for number in intake._handled], now, intake._origin.last
    )


def _stays_taken(origin: Origin, number: int) -> None:
    """Do not give again what a program was interrupted over."""
    origin.waiting.discard(number)


def _left_out_has_failed(intake: Intake, payload: bytes) -> Publish | Answer | None:
    """Say of what a program may have had that it was never given."""
    said = _receive(intake, payload)
    if isinstance(said, Unpublished) and said.code is Code.UNKNOWN:
        return Unpublished(said.number, Code.FULL, said.reason)
    return said


def _full_is_stored(intake: Intake) -> None:
    """Go on as if the disk had taken it."""
    intake.is_storing = False
    intake._is_news = False


SEND_ABLATIONS: tuple[Ablation, ...] = needing(
    "topics",
    Ablation(
        "the next is given before the one before is stored",
        ((Intake, "is_free", property(_free_when_nothing_is_in_hand)),),
    ),
    Ablation("the next is given while a program has one", ((Intake, "is_free", property(_free_always)),)),
    Ablation("acked before it is stored", ((Receiving, "put_down", _answered_at_once),)),
    Ablation("what is handled is not stored", ((Intake, "record", _record_without_numbers),)),
    Ablation("what was interrupted counts as given", ((Origin, "untaken", _stays_taken),)),
    Ablation(
        "what a program may have had is called not given",
        ((Intake, "receive", _left_out_has_failed),),
        "how rarely the answer about a send that a program failed over is lost",
        "tests/protocol/test_intake_machine.py",
    ),
    Ablation("a full disk counts as one that took it", ((Intake, "failed", _full_is_stored),)),
    Ablation(
        "what is in hand counts as dealt with",
        ((Intake, "record", _record_with_what_is_in_hand),),
        "that nothing is given while a record is written",
        "tests/protocol/test_intake.py",
    ),
)
