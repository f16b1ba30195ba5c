"""The pace: a burst at once, then a rate; time is what the test says it is."""

from __future__ import annotations

import pytest

from landline.apps.chat.pace import Pace


@pytest.mark.limit("chat.burst")
def test_a_burst_passes_at_once_and_the_next_step_waits() -> None:
    """Five steps at once are free of waiting but for the last, after which half a second is due."""
    pace = Pace(rate=2, burst=5, now=10.0)

    assert [pace.step(10.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]


@pytest.mark.limit("chat.rate")
def test_steps_at_the_rate_never_wait_longer_than_the_rate() -> None:
    """Whoever waits as told goes on at the rate for ever."""
    pace = Pace(rate=2, burst=5, now=0.0)
    now, taken = 0.0, 0
    while now < 100.0:
        now += pace.step(now)
        taken += 1

    assert taken == pytest.approx(5 + 2 * 100, abs=1)


def test_a_pause_fills_the_burst_and_no_more() -> None:
    """An hour of silence is worth one burst."""
    pace = Pace(rate=2, burst=3, now=0.0)
    waits = [pace.step(3600.0) for _ in range(4)]

    assert waits == [0, 0, 0.5, 1.0]


def test_who_does_not_wait_owes_all_the_more() -> None:
    """Going on at once adds up; nothing is forgotten."""
    pace = Pace(rate=1, burst=1, now=0.0)

    assert [pace.step(0.0) for _ in range(3)] == [1, 2, 3]


def test_whether_a_step_may_be_taken_can_be_asked_without_taking_it() -> None:
    """Asking changes nothing; a bucket that is full again is as good as new."""
    pace = Pace(rate=0.5, burst=2, now=0.0)
    assert [pace.wait(0.0), pace.wait(0.0), pace.is_idle(0.0)] == [0, 0, True]
    pace.step(0.0)
    assert [pace.wait(0.0), pace.is_idle(0.0)] == [0, False]
    pace.step(0.0)

    assert [pace.wait(0.0), pace.wait(1.5), pace.wait(2.0)] == [2, 0.5, 0]
    assert [pace.is_idle(3.9), pace.is_idle(4.0)] == [False, True]
