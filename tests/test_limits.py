"""The table of limits: each is finite, and what cannot be one is refused where it is set."""

from __future__ import annotations

import dataclasses
import math

import pytest

from landline.limits import LIMITS, LONGEST, Limit, Limits

TIMES = [limit.name for limit in LIMITS if limit.unit == "seconds"]
COUNTS = [limit.name for limit in LIMITS if limit.unit != "seconds"]


def limits(name: str, value: object) -> Limits:
    return dataclasses.replace(Limits(), **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_every_limit_is_finite_and_says_why(limit: Limit) -> None:
    """Nothing is unlimited, and the table can be read by a person."""
    assert 0 < limit.default < math.inf
    assert limit.unit
    assert len(limit.reason.split()) > 3


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, LONGEST + 1, None, "10"])
def test_a_time_that_is_none_is_refused(name: str, value: object) -> None:
    """By its name, before anything waits for it."""
    with pytest.raises(ValueError, match=name):
        limits(name, value)
    assert getattr(limits(name, LONGEST), name) == LONGEST


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1, 1.5, 1 << 63, None, "10"])
def test_a_count_that_is_none_is_refused(name: str, value: object) -> None:
    """A window of 0 would wait for ever."""
    with pytest.raises(ValueError, match=name):
        limits(name, value)
    assert getattr(limits(name, 1), name) == 1
