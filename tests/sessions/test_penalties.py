"""What sources answer for: a price for each fault, refused at the edge and not before it, and all of it passes. Time is an argument."""

from __future__ import annotations

import pytest

from landline.limits import Limits
from landline.protocol.events import ConnectionEnded
from landline.protocol.frames import CloseCode
from landline.sessions.penalties import Fault, Penalties, fault_of

SOURCE = "192.0.2.1"
EDGE = Limits().penalty_from


def charged(*charges: tuple[Fault, float], **limits: float) -> Penalties:
    penalties = Penalties(Limits(**limits))  # type: ignore[arg-type]
    for fault, now in charges:
        penalties.charge(SOURCE, fault, now)
    return penalties


@pytest.mark.limit("penalty_left", "penalty_unauthorized", "penalty_slow", "penalty_rule", "penalty_crash")
@pytest.mark.parametrize(
    ("fault", "limit", "seconds"),
    [
        (Fault.LEFT, "penalty_left", 1),
        (Fault.UNAUTHORIZED, "penalty_unauthorized", 5),
        (Fault.SLOW, "penalty_slow", 10),
        (Fault.RULE, "penalty_rule", 10),
        (Fault.CRASH, "penalty_crash", 90),
    ],
)
def test_each_fault_has_its_price(fault: Fault, limit: str, seconds: float) -> None:
    """With an edge at the price it is refused for exactly that long; with one just above, not at all."""
    assert getattr(Limits(), limit) == seconds
    at, over = charged(penalty_from=seconds), charged(penalty_from=seconds + 0.001)

    assert at.charge(SOURCE, fault, 100) == seconds
    assert over.charge(SOURCE, fault, 100) is None
    assert at.is_refused(SOURCE, 100) and at.is_refused(SOURCE, 100 + seconds - 0.001)
    assert not at.is_refused(SOURCE, 100 + seconds)
    assert not over.is_refused(SOURCE, 100)


@pytest.mark.limit("penalty_from")
def test_a_source_is_refused_from_fifteen_seconds_on() -> None:
    """Fourteen are borne, fifteen are not, and the answer says for how long."""
    penalties = Penalties(Limits())

    assert [penalties.charge(SOURCE, Fault.LEFT, 0) for _ in range(14)] == [None] * 14
    assert not penalties.is_refused(SOURCE, 0)
    assert penalties.charge(SOURCE, Fault.LEFT, 0) == EDGE
    assert penalties.is_refused(SOURCE, 0)
    assert penalties.charge(SOURCE, Fault.LEFT, 0) is None, "it is refused already"


def test_what_is_charged_passes() -> None:
    """A caller that leaves once a second is borne for ever."""
    penalties = charged(*((Fault.LEFT, float(now)) for now in range(10_000)))
    assert not penalties.is_refused(SOURCE, 10_000)

    penalties.charge(SOURCE, Fault.SLOW, 10_000)
    penalties.charge(SOURCE, Fault.SLOW, 10_005.001)
    assert not penalties.is_refused(SOURCE, 10_005.001), "five of the first ten had passed"


def test_who_is_refused_stays_so_until_all_has_passed() -> None:
    """Not only until it is below the edge again: else it would be let in after a moment."""
    penalties = charged((Fault.SLOW, 0), (Fault.SLOW, 0))

    assert penalties.is_refused(SOURCE, 19.999)
    assert not penalties.is_refused(SOURCE, 20)
    assert penalties.charge(SOURCE, Fault.SLOW, 20) is None, "and then it begins anew"
    assert not penalties.is_refused(SOURCE, 20)


@pytest.mark.limit("penalty_max")
def test_there_is_an_end_to_it() -> None:
    """Ten minutes at the most, whatever was done."""
    penalties = charged(*[(Fault.CRASH, 0)] * 50)

    assert penalties.is_refused(SOURCE, 599.999)
    assert not penalties.is_refused(SOURCE, 600)


def test_an_edge_beyond_the_most_refuses_nobody() -> None:
    """How somebody whose callers all come from one address does without penalties."""
    assert not charged(*[(Fault.CRASH, 0)] * 50, penalty_from=601).is_refused(SOURCE, 0)


def test_who_has_no_source_is_exempt() -> None:
    """Loopback and Unix sockets."""
    penalties = Penalties(Limits())

    assert penalties.charge("", Fault.CRASH, 0) is None
    assert not penalties.is_refused("", 0)
    assert not len(penalties)


def test_sources_do_not_answer_for_each_other() -> None:
    """One is refused, its neighbour is not."""
    assert not charged((Fault.CRASH, 0)).is_refused("192.0.2.2", 0)


def test_in_a_full_table_the_smallest_goes_first() -> None:
    """Also when it is the new one: a crowd of small sinners does not set a great one free."""
    penalties = Penalties(Limits(max_penalized=3))
    for source, fault in [("great", Fault.CRASH), ("small", Fault.LEFT), ("middle", Fault.SLOW)]:
        penalties.charge(source, fault, 0)
    penalties.charge("small", Fault.SLOW, 0)  # eleven by now, though it came as the smallest
    penalties.charge("new", Fault.SLOW, 0.5)  # in before the middle one's ten
    assert len(penalties) == 3
    assert penalties.charge("middle", Fault.UNAUTHORIZED, 0.5) is None, "it had been forgiven"

    for number in range(1000):
        penalties.charge(f"crowd {number}", Fault.LEFT, 0.5)
    assert len(penalties) == 3
    assert penalties.is_refused("great", 0.5)


@pytest.mark.limit("max_penalized")
def test_the_table_holds_as_many_as_it_may() -> None:
    """65,536, and one more takes the place of another."""
    penalties = Penalties(Limits())
    for number in range(65_536):
        penalties.charge(str(number), Fault.SLOW, number / 65_536)
    assert len(penalties) == 65_536

    penalties.charge("one more", Fault.SLOW, 1)
    assert len(penalties) == 65_536


def test_what_has_passed_is_not_kept() -> None:
    """The table is as large as the trouble that there is, and one source has one place in it."""
    penalties = charged(*[(Fault.SLOW, 0)] * 1000)
    for number in range(1000):
        penalties.charge(f"crowd {number}", Fault.LEFT, 0)
    assert len(penalties) == 1001
    assert len(penalties._order) == 1001

    penalties.charge("late", Fault.LEFT, 1)
    assert len(penalties) == 2, "those with more to answer for, and the new one"
    assert penalties.is_refused(SOURCE, 1)


@pytest.mark.parametrize(
    ("code", "local", "was_let_in", "fault"),
    [
        (CloseCode.PROTOCOL_ERROR, True, False, Fault.RULE),
        (CloseCode.PROTOCOL_ERROR, True, True, Fault.RULE),
        (CloseCode.TOO_LARGE, True, False, Fault.RULE),
        (CloseCode.BAD_DATA, True, True, Fault.RULE),
        (CloseCode.MISCOUNT, True, True, Fault.RULE),
        (CloseCode.PROTOCOL_ERROR, False, True, None),
        (CloseCode.UNAUTHORIZED, True, False, Fault.UNAUTHORIZED),
        (CloseCode.UNAUTHORIZED, True, True, Fault.UNAUTHORIZED),
        (CloseCode.UNAUTHORIZED, False, True, None),
        (CloseCode.TIMED_OUT, True, False, Fault.SLOW),
        (CloseCode.TIMED_OUT, True, True, None),
        (CloseCode.DEAD, False, False, Fault.LEFT),
        (CloseCode.DEAD, False, True, None),
        (CloseCode.DEAD, True, True, None),
        (CloseCode.VERSION, True, False, Fault.LEFT),
        *(
            (code, True, False, None)
            for code in (CloseCode.BUSY, CloseCode.GOING_AWAY, CloseCode.UNKNOWN_SESSION, CloseCode.EXPIRED)
        ),
        (CloseCode.FAILED, True, True, None),
        (CloseCode.NORMAL, True, True, None),
        (CloseCode.REPLACED, True, False, None),
    ],
)
def test_what_the_end_of_a_connection_is_charged_with(
    code: CloseCode, local: bool, was_let_in: bool, fault: Fault | None
) -> None:
    """Rules broken and credentials that are not good; before being let in also to leave, and to be slow; never what is our own doing."""
    assert fault_of(ConnectionEnded(code, "", local), was_let_in=was_let_in) is fault
