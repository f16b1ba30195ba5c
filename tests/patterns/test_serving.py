"""Serving flows that the peer opened."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

import landline
from landline.patterns.messages import Messages
from landline.patterns.serving import while_open
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from landline.sessions.signal import Signal
from landline.testing.pair import pair


async def test_who_is_cancelled_while_working_for_a_flow_leaves_no_task_behind() -> None:
    """Neither the work nor what watches the flow, which may never hear of anything again."""
    before = asyncio.all_tasks()
    flow = SimpleNamespace(arrived=Signal(), why_unreadable=lambda: None)
    bare = SimpleNamespace(ended=None, is_closing=False)
    working = asyncio.create_task(
        while_open(cast("BareSession", bare), cast("BareFlow", flow), asyncio.Event().wait())
    )
    for _ in range(5):
        await asyncio.sleep(0)
    working.cancel()
    for _ in range(5):
        await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("purpose", ["landline.nothing", "something else"])
async def test_a_flow_that_nobody_takes_is_refused(purpose: str) -> None:
    """One of the library's own kinds by the last taker, any other because no program asked for it."""
    async with pair() as (client, _):
        flow = client._bare.open_flow(purpose)

        with pytest.raises(landline.FlowReset) as refused:
            await Messages(client._bare, flow).receive()

    assert refused.value.code == "unwanted"
