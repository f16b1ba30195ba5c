"""A function that has its first argument already."""

from __future__ import annotations

import functools
import sys

from landline.sessions.bound import Bound


def said(who: str, what: str, *, how: str = "") -> str:
    return f"{who} said {what}{how}"


def test_it_is_given_the_others_later() -> None:
    """In order and by name; what the function returns comes back."""
    bound = Bound(said, "ana")

    assert bound("hello") == "ana said hello"
    assert bound("hello", how=" twice") == "ana said hello twice"


def test_it_is_small() -> None:
    """A server has one for each transport."""
    partial, bound = functools.partial(said, "ana"), Bound(said, "ana")
    held = sum(map(sys.getsizeof, (partial, partial.args, partial.keywords)))

    assert not hasattr(bound, "__dict__")
    assert sys.getsizeof(bound) <= held / 3
