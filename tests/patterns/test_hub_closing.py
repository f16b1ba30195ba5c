"""How the topics of a server are let go of when it cannot open, or has no time to close."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

import landline
from landline.errors import StorageDamaged
from landline.history import Position
from landline.patterns.origins import Origins, key_of
from landline.storage import Change, MemoryStorage, Value


class Held(MemoryStorage):
    """Writes wait until they are let go of; how many wait at once is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.asked.set()
        await self.let_go.wait()
        self.at_once -= 1
        return await super().write(changes, expect=expect)


class Unreadable(MemoryStorage):
    """Its values are damaged."""

    async def scan(self, prefix: str, *, after: str = "", limit: int = 300) -> list[Value]:
        raise StorageDamaged("a value is damaged")


async def test_a_server_that_cannot_read_its_sessions_leaves_nothing_at_work() -> None:
    """It does not listen, and says why."""
    before = asyncio.all_tasks()

    with pytest.raises(StorageDamaged):
        async with landline.Server(storage=Unreadable()).listen("memory://unreadable"):
            pytest.fail("it listens")

    assert asyncio.all_tasks() == before


async def test_whoever_publishes_is_told_also_by_a_server_without_time_to_close() -> None:
    """It is cancelled a second time while it waits for the disk; then nothing of it is at work any more."""
    storage = Held()
    server = landline.Server(storage=storage)
    server.topic("t")
    before = asyncio.all_tasks()
    listens = asyncio.Event()

    async def serve() -> None:
        async with server.listen("memory://hurried"):
            listens.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(30):
        serving = asyncio.ensure_future(serve())
        await listens.wait()
        publishing = asyncio.ensure_future(server.publish("t", 1))
        await storage.asked.wait()
        serving.cancel()
        for _ in range(50):  # until it waits
            await asyncio.sleep(0)
        assert not serving.done()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        storage.let_go.set()

        with pytest.raises((landline.PublishFailed, landline.PublishUnknown)):
            await publishing
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


async def test_outboxes_that_come_together_are_made_known_together() -> None:
    """None waits for another's turn at the disk; of one outbox there is one all the same."""
    async with Held() as storage:
        origins = Origins(storage, lambda: 0.0)
        keys = [key_of("ana", bytes([number]) * 16) for number in (1, 2, 3, 3)]
        getting = asyncio.gather(*(origins.get(key) for key in keys))
        await storage.asked.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        storage.let_go.set()
        found = await getting

    assert storage.most_at_once == 3
    assert [is_known for _, is_known in found] == [False, False, False, True]
    assert found[2][0] is found[3][0]
