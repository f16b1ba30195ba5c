"""Waiting, unless we are told to stop."""

from __future__ import annotations

import asyncio

import pytest

from landline.apps.standard import PipeError
from landline.apps.stopping import unless_stopped


async def test_what_comes_first_counts() -> None:
    """And the other one is not left behind."""
    stop = asyncio.Event()

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await unless_stopped(work(), stop) == 7
    stop.set()
    with pytest.raises(PipeError, match="interrupted before anybody had answered"):
        await unless_stopped(asyncio.sleep(3600), stop)
    assert len(asyncio.all_tasks()) == 1
