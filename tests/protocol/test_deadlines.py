"""Many deadlines under one timer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from landline.protocol.deadlines import Deadlines


def test_the_earliest_of_those_that_wait_is_next() -> None:
    """Whoever is done does not count."""
    living = {1: "", 2: "", 3: ""}
    deadlines = Deadlines(living)
    for number, at in ((1, 30.0), (2, 10.0), (3, 20.0)):
        deadlines.add(at, number)
    assert deadlines.next_at() == 10.0

    del living[2]

    assert deadlines.next_at() == 20.0
    assert deadlines.due(19.9) == []
    assert deadlines.due(30.0) == [3, 1]


def test_nothing_waits_and_nothing_is_next() -> None:
    """Also where all are done."""
    deadlines = Deadlines({})
    deadlines.add(1.0, 7)

    assert deadlines.next_at() is None
    assert deadlines.due(2.0) == []


def test_what_is_done_is_forgotten() -> None:
    """However many there are in turn: as many are kept as wait, twice, and a few."""
    living: dict[int, str] = {}
    deadlines = Deadlines(living)
    for number in range(100_000):
        living[number] = ""
        deadlines.add(30.0 + number, number)
        del living[number]

    assert len(deadlines) <= 100


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=300), st.floats(0, 100))
def test_those_are_due_whose_time_is_over_and_that_still_wait(
    made: list[tuple[float, bool]], now: float
) -> None:
    """And no others, earliest first; and each once."""
    living: dict[int, float] = {}
    deadlines = Deadlines(living)
    for number, (at, _) in enumerate(made):
        living[number] = at
        deadlines.add(at, number)
    for number, (_, is_done) in enumerate(made):
        if is_done:
            del living[number]

    due = deadlines.due(now)

    assert sorted(due) == [number for number, at in living.items() if at <= now]
    assert [living[number] for number in due] == sorted(living[number] for number in due)
    assert deadlines.due(now) == []
