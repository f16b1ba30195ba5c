"""How fast a caller goes on: at the pace, and not for ever at the top of it."""

from __future__ import annotations

import pytest

from landline.apps.chat.limits import PLAIN, ChatLimits
from landline.apps.chat.plain.allowance import Allowance


def test_the_pace_is_the_chats() -> None:
    """The burst at once, then two a second; one that has to wait says until when, and is counted once."""
    allowance = Allowance(ChatLimits(), 0.0)

    assert [allowance.step(0.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert allowance.slowed_until == 0.5
    assert allowance.hits == ["chat.rate"]
    assert allowance.step(0.5)
    assert allowance.slowed_until is None


def flood(allowance: Allowance, begun: float, until: float) -> float:
    """Have a line ready at every moment; return when it was used up, or the end."""
    now = begun
    while now < until:
        if not allowance.step(now):
            if allowance.is_used_up:
                return now
            assert allowance.slowed_until is not None
            now = allowance.slowed_until
    return now


@pytest.mark.limit("chat.plain.slowed_for")
def test_who_never_pauses_is_done_after_a_minute() -> None:
    """A long paste passes; a flood ends, and is counted."""
    allowance = Allowance(ChatLimits(), 0.0)

    assert flood(allowance, 0.0, until=PLAIN.slowed_for) == PLAIN.slowed_for
    assert "chat.plain.slowed_for" not in allowance.hits
    assert flood(allowance, PLAIN.slowed_for, until=1000.0) == PLAIN.slowed_for
    assert allowance.hits[-2:] == ["chat.plain.slowed_for", "chat.rate"]


def test_who_is_slowed_for_long_is_to_be_told_once_each_time() -> None:
    """Not for a short paste; after a pause it begins anew."""
    allowance = Allowance(ChatLimits(), 0.0)

    def told(begun: float, until: float) -> list[float]:
        found, now = [], begun
        while now < until:
            if not allowance.step(now):
                assert allowance.slowed_until is not None
                if allowance.is_to_be_told:
                    found.append(now)
                now = allowance.slowed_until
        return found

    assert told(0.0, 4.9) == []
    assert told(5.0, 30.0) == [5.0]
    assert told(100.0, 104.0) == []
    assert told(200.0, 210.0) == [205.0]


def test_a_pause_begins_the_minute_anew() -> None:
    """However short: somebody who listens for a moment is no flood."""
    allowance = Allowance(ChatLimits(), 0.0)
    flood(allowance, 0.0, until=50.0)
    if allowance.slowed_until is not None:
        assert allowance.step(allowance.slowed_until)

    assert flood(allowance, 51.0, until=1000.0) >= 51.0 + PLAIN.slowed_for
