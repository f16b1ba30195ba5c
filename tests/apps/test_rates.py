"""How fast something goes and how much it is, as people read it."""

from __future__ import annotations

import pytest

from landline.apps.limits import RATES
from landline.apps.rates import Meter, size_text, time_text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_and_the_time_that_is_left() -> None:
    """Unknown at first; from what was done since."""
    clock = Clock()
    meter = Meter(clock)
    assert (meter.rate, meter.left(1000)) == (0.0, None)
    meter.mark(0)
    assert meter.rate == 0.0
    clock.now += 2
    meter.mark(200)

    assert (meter.rate, meter.left(1000)) == (100.0, 8.0)


@pytest.mark.limit("rate.over")
def test_a_rate_is_of_the_last_seconds() -> None:
    """What was slow before them counts no more; just within them it does."""
    clock = Clock()
    meter = Meter(clock)
    meter.mark(0)
    clock.now += 100
    meter.mark(100)
    clock.now += RATES.over / 2
    meter.mark(600)
    assert meter.rate < 10

    clock.now += RATES.over / 2
    meter.mark(1100)
    assert meter.rate == 1000 / RATES.over


def test_a_transfer_that_begins_anew_has_no_rate_from_before() -> None:
    """Else it would run backwards."""
    clock = Clock()
    meter = Meter(clock)
    meter.mark(500)
    clock.now += 1
    meter.mark(0)

    assert meter.rate == 0.0


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (123_456, "123 kB"), (5e6, "5.0 MB"), (2.5e12, "2.5 TB"), (5e15, "5,000.0 TB")],
)  # fmt: skip
def test_sizes_as_people_read_them(size: float, text: str) -> None:
    """In steps of a thousand."""
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "1 s"), (59, "59 s"), (60, "1:00 min"), (3599, "59:59 min"), (3660, "1:01 h")]
)
def test_times_as_people_read_them(seconds: float, text: str) -> None:
    """Rounded up: nothing is left only when nothing is."""
    assert time_text(seconds) == text
