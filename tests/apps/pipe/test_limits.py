"""The limits of the pipe are finite, explained, and one table."""

from __future__ import annotations

import math

import pytest

import landline
from landline.apps.pipe.limits import LIMITS, Fixed


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_every_limit_is_finite_and_says_what_it_is(limit: landline.Limit) -> None:
    """Number, unit and reason."""
    assert 0 < limit.default < math.inf
    assert limit.unit
    assert limit.reason
    assert limit.is_fixed


def test_a_chunk_is_a_message() -> None:
    """The pipe sends nothing that its session would not take."""
    assert Fixed().chunk <= landline.Limits().max_message
