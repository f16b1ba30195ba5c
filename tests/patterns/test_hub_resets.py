"""Flows of topics that are abandoned while the disk is at work for them: nothing of them stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

import landline
from landline.history import Position
from landline.patterns.publications import say
from landline.protocol.publish import PUBLISH_PURPOSE, Opening, encode
from landline.protocol.subscription import SUBSCRIBE_PURPOSE, After, Subscribe
from landline.storage import MemoryStorage, Page, Value

pytestmark = pytest.mark.timeout(30)

_numbers = count(1)


class Slow(MemoryStorage):
    """Readings of it never end; ``begun`` has one for each, and ``waiting`` counts those that somebody waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: asyncio.Queue[None] = asyncio.Queue()
        self.waiting = 0

    async def read(self, *args: Any, **options: Any) -> Page:
        page: Page = await self._never()
        return page

    async def last(self, *args: Any, **options: Any) -> Page:
        page: Page = await self._never()
        return page

    async def get(self, key: str) -> Value | None:
        return await self._never() if key.startswith("landline.outbox.") else None

    async def head(self) -> Position:
        return (await super().last("**")).end

    async def _never(self) -> Any:
        self.waiting += 1
        self.begun.put_nowait(None)
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1


@asynccontextmanager
async def slow() -> AsyncIterator[tuple[Slow, landline.Session]]:
    storage = Slow()
    server = landline.Server(storage=storage)
    server.topic("t")
    address = f"memory://slow-{next(_numbers)}"
    quick = landline.Limits(close_timeout=0.05)
    async with (
        server.listen(address),
        landline.connect(address, limits=quick) as session,
        asyncio.timeout(20),
    ):
        await server.publish("t", "something to read")
        yield storage, session


@pytest.mark.parametrize(
    ("purpose", "said"),
    [
        (SUBSCRIBE_PURPOSE, Subscribe("**", After.START)),
        (SUBSCRIBE_PURPOSE, Subscribe("**", After.LAST)),
        (PUBLISH_PURPOSE, Opening(b"o" * 16)),
    ],
)
async def test_who_opens_flows_and_resets_them_leaves_no_readings_behind(purpose: str, said: Any) -> None:
    """Else others would wait for them: a session may have few flows at once, and thousands one after the other."""
    async with slow() as (storage, session):
        for _ in range(20):
            flow = session._bare.open_flow(purpose)
            say(flow, encode(said))
            await storage.begun.get()
            flow.reset()
            for _ in range(50):
                await asyncio.sleep(0)
            assert storage.waiting == 0


async def test_a_session_searches_for_the_newest_once_at_a_time() -> None:
    """It may have to go through all of the history: one with many flows would keep everybody's readings waiting."""
    async with slow() as (storage, session):
        flows = [session._bare.open_flow(SUBSCRIBE_PURPOSE) for _ in range(4)]
        for flow in flows:
            say(flow, encode(Subscribe("**", After.LAST)))
        for flow in flows:
            await storage.begun.get()
            for _ in range(50):
                await asyncio.sleep(0)
            assert (storage.waiting, storage.begun.qsize()) == (1, 0)
            flow.reset()

        for after in (After.LAST, After.START):  # which waits for no search
            say(session._bare.open_flow(SUBSCRIBE_PURPOSE), encode(Subscribe("**", after)))
            await storage.begun.get()
        assert storage.waiting == 2


async def test_a_session_that_closes_leaves_no_readings_behind() -> None:
    """They end with its flows."""
    async with slow() as (storage, session):
        for after in (After.START, After.LAST):
            say(session._bare.open_flow(SUBSCRIBE_PURPOSE), encode(Subscribe("**", after)))
            await storage.begun.get()
        await session.close()
        for _ in range(50):
            await asyncio.sleep(0)

        assert storage.waiting == 0
