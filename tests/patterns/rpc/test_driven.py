"""Running a coroutine within a task that others use too."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from landline.patterns.rpc.driven import Driven

here = contextvars.ContextVar("here", default="nothing")


async def test_what_is_done_at_once_is_told_from_what_waits() -> None:
    """The one who drives is told when it begins to wait, once."""
    told: list[str] = []

    async def work(steps: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        return steps

    assert await Driven(work(0), lambda: told.append("0")) == 0
    assert await Driven(work(3), lambda: told.append("3")) == 3
    assert told == ["3"]


async def test_it_has_a_context_of_its_own() -> None:
    """Nobody after it in the task finds what it left in a variable."""

    async def work(*, waits: bool) -> str:
        before = here.get()
        here.set("mine")
        if waits:
            await asyncio.sleep(0)
        assert here.get() == "mine"
        return before

    assert [await Driven(work(waits=waits), print) for waits in (False, True, False)] == ["nothing"] * 3
    assert here.get() == "nothing"


async def test_timeouts_and_cancels_reach_it() -> None:
    """``asyncio.timeout`` inside, a cancel of the task from outside, and what it raises."""

    async def work() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError("as it likes") from None
        return ""

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(0.01, task.cancel)

    with pytest.raises(KeyError):
        await Driven(work(), int)
    task.uncancel()
