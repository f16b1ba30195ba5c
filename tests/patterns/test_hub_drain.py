"""What a drain means for the flows of topics: it ends none of them for the next life of the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import landline

LIMITS = landline.Limits(redial_min=0.005, redial_max=0.02)


async def test_publishes_and_subscriptions_go_on_after_a_drain(tmp_path: Path) -> None:
    """The server is drained in an orderly way and started again: its clients hear of no end of their flows."""
    address = f"unix://{tmp_path}/socket"

    def server() -> landline.Server:
        made = landline.Server(storage=tmp_path / "store.db", retry_in=0.01)
        made.topic("prices.*")
        return made

    async with asyncio.timeout(30):
        async with server().listen(address):
            session = await landline.connect(address, limits=LIMITS)
            subscription = session.subscribe("prices.*", "start")
            await session.publish("prices.acme", 1)
            heard = [await anext(subscription)]
        async with server().listen(address), session:
            await session.publish("prices.acme", 2)
            heard.append(await anext(subscription))

    assert [said.data for said in heard if isinstance(said, landline.Publication)] == [1, 2]
