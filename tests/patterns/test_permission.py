"""Whether somebody may: the server's own rule decides, and its mistakes let nobody in."""

from __future__ import annotations

from typing import Any

import pytest

from landline.patterns.permission import allow_all, may


async def later() -> bool:
    return True


class Promise:
    """Something else that can be awaited."""

    def __await__(self) -> Any:
        return later().__await__()


@pytest.mark.parametrize(
    ("verdict", "is_allowed"), [(True, True), (False, False), (None, False), ("yes", True), (0, False)]
)
def test_the_verdict_is_asked_for_with_all_that_it_is_about(verdict: Any, is_allowed: bool) -> None:
    """Whatever it is is a yes or a no."""
    asked: list[tuple[str, ...]] = []

    def authorize(*asks: str) -> Any:
        asked.append(asks)
        return verdict

    assert may(authorize, "ana", "publish", "t") is is_allowed
    assert asked == [("ana", "publish", "t")]


def test_a_rule_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    """And says so to whoever runs the server."""

    def authorize(principal: str, verb: str, topic: str) -> bool:
        raise KeyError(principal)

    assert not may(authorize, "ana", "publish", "t")
    assert "authorize failed" in caplog.text
    assert "KeyError: 'ana'" in caplog.text


@pytest.mark.parametrize("make", [later, Promise])
def test_a_rule_that_would_say_later_lets_nobody_in(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine is always true; it is not left behind unrun either."""
    assert not may(lambda *asks: make(), "ana", "publish", "t")
    assert "at once" in caplog.text


def test_by_default_everybody_may() -> None:
    """A server that wants something else says so."""
    assert allow_all("", "subscribe", "**")
