"""Two ends of a session in one process."""

from __future__ import annotations

import asyncio

import pytest

import landline
from landline.testing.network import Faults
from landline.testing.pair import pair


async def test_both_ends_talk() -> None:
    """Unpacked as client and server."""
    async with pair() as (client, server):
        receipt = await client.send("to")
        assert await server.receive() == "to"
        server.ack()
        assert (await receipt).is_acked
        _ = await server.send("fro")
        assert await client.receive() == "fro"


async def test_a_drop_is_survived() -> None:
    """Over memory the client hangs up beneath its session."""
    async with pair(pause=lambda number: 0.0) as (client, server):
        client.drop()
        _ = await client.send("after the drop")
        assert await server.receive() == "after the drop"


async def test_over_tcp_a_network_lies_between() -> None:
    """Which cuts and freezes by a word, or by its faults."""
    async with pair("tcp", faults=Faults(slice_to=3), pause=lambda number: 0.0) as both:
        client, server = both
        assert both.network is not None
        both.network.cut()
        _ = await client.send("after the cut")
        assert await server.receive() == "after the cut"
        assert both.network.cuts == 0  # of its own accord


async def test_limits_are_of_both_ends_or_of_each() -> None:
    """As a program would set them."""
    small = landline.Limits(max_message=10)
    async with pair(limits=small) as (client, server):
        for session in (client, server):
            with pytest.raises(landline.DataError):
                _ = await session.send("more than ten")
    async with pair(server_limits=small) as (client, server):
        with pytest.raises(landline.DataError):
            _ = await client.send("more than ten")


async def test_nothing_stays_behind() -> None:
    """Two pairs at once do not meet; after the block both ends are over, whoever was waiting."""
    before = asyncio.all_tasks()
    async with pair() as (client, server), pair() as (other, _):
        waiting = asyncio.ensure_future(server.receive())
        _ = await other.send("elsewhere")
    with pytest.raises(landline.SessionClosed):
        await waiting

    assert client.is_closed
    assert server.is_closed
    assert asyncio.all_tasks() == before


async def test_faults_need_a_network() -> None:
    """It is said, rather than nothing happening."""
    with pytest.raises(ValueError, match="tcp"):
        async with pair(faults=Faults(cut_every=1)):
            pass
