"""Who may enter by default, and what ``authenticate`` may answer."""

from __future__ import annotations

from typing import Any

import pytest

import landline
from landline.sessions.auth import admit_all, granted


@pytest.mark.parametrize("credentials", [None, "anything", {"name": "ana"}])
def test_by_default_everybody_is_nobody_in_particular(credentials: object) -> None:
    """An empty principal, which is somebody: None would refuse."""
    assert admit_all(credentials) == ""


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(None, None), (60, 60.0), (0.5, 0.5), (1e9, 2_678_400.0), (float("inf"), 2_678_400.0)],
)
def test_a_grant_is_for_31_days_at_most(seconds: float | None, kept: float | None) -> None:
    """Which is the longest time that the wire tells; then new credentials are shown, and a new grant begins."""
    grant = landline.Grant("ana", expires_in=seconds)

    assert (grant.expires_in, grant.is_over) == (kept, False)
    assert granted(grant) is grant


@pytest.mark.parametrize("seconds", [0, -1.0, float("-inf")])
def test_a_grant_that_is_over_is_none(seconds: float) -> None:
    """As of a token that ran out just now."""
    grant = landline.Grant("ana", expires_in=seconds)

    assert grant.is_over
    assert granted(grant) is None


@pytest.mark.parametrize(
    ("principal", "seconds", "error"),
    [
        ("ana", float("nan"), ValueError),
        (b"ana", 1.0, TypeError),
        (None, 1.0, TypeError),
        ("\ud800", 1.0, UnicodeEncodeError),
    ],
)
def test_a_grant_of_nonsense_is_told_where_it_is_made(
    principal: Any, seconds: float, error: type[Exception]
) -> None:
    """In the program that made it."""
    with pytest.raises(error):
        landline.Grant(principal, expires_in=seconds)


def test_a_name_is_a_grant_for_good() -> None:
    """Whatever else it may be is no answer."""
    assert granted("ana") == landline.Grant("ana")
    assert granted(None) is None
    for nonsense in (b"ana", 1, True, ("ana", 60)):
        with pytest.raises(TypeError, match="a principal is a str, or a Grant, or None"):
            granted(nonsense)
