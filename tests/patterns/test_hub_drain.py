"""What a drain means for the flows of topics: it ends none of them for the next life of the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import landline

CLIENT = landline.Limits(redial_min=0.005, redial_max=0.02)
SERVER = landline.Limits(close_timeout=0.2)


async def say_more_than_is_taken(session: landline.Session) -> None:
    """What waits for credit keeps the server's last word waiting, so that whatever ends meanwhile is told before it."""
    try:
        while True:
            _ = session.send_nowait(b"x" * 60_000)
    except landline.Full:
        await session.wait_closed()


async def test_publishes_and_subscriptions_go_on_after_a_drain(tmp_path: Path) -> None:
    """The server is drained while its clients are behind, and started again: they hear of no end of their flows."""
    address = f"unix://{tmp_path}/socket"

    def server() -> landline.Server:
        made = landline.Server(
            say_more_than_is_taken, storage=tmp_path / "store.db", limits=SERVER, retry_in=0.01
        )
        made.topic("prices.*")
        return made

    async with asyncio.timeout(30):
        async with server().listen(address):
            session = await landline.connect(address, limits=CLIENT)
            subscription = session.subscribe("prices.*", "start")
            await session.publish("prices.acme", 1)
            heard = [await anext(subscription)]
            waiting = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(0)  # it waits
        async with server().listen(address):
            await session.publish("prices.acme", 2)
            heard.append(await waiting)
            session.drop()
            await session.close()

    assert [said.data for said in heard if isinstance(said, landline.Publication)] == [1, 2]
