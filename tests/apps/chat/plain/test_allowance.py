"""How much is carried out: at the pace, and of a caller that is gone a little more."""

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


@pytest.mark.limit("chat.plain.last_lines")
def test_who_is_gone_has_a_few_lines_left() -> None:
    """However much waits; to hear of it again gives it no more."""
    allowance = Allowance(ChatLimits(burst=1000.0), 0.0)
    assert allowance.step(0.0)
    allowance.caller_gone()

    assert [allowance.step(0.0) for _ in range(PLAIN.last_lines)] == [True] * PLAIN.last_lines
    allowance.caller_gone()
    assert not allowance.step(0.0)
    assert allowance.is_used_up
    assert allowance.hits == ["chat.plain.last_lines"]
