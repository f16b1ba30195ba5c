"""How what a client does with topics ends: with its session, by cancellation, and in the middle of keeping something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.errors import PublishFailed, StorageError, StorageFailed, StorageFull
from landline.history import Position
from landline.storage.base import Append, Change, Put
from landline.storage.memory import MemoryStorage

HASTY = landline.Limits(close_timeout=0.01, redial_min=0.005, redial_max=0.02)


class HeldStorage(MemoryStorage):
    """Writes of what ``holds`` says wait until they are let go of, and then fail."""

    def __init__(self, holds: type[Append | Put], error: StorageError | None = None) -> None:
        super().__init__()
        self._holds = holds
        self._error = error or StorageFull("no room")
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        if not any(isinstance(change, self._holds) and b"held" in change.data for change in changes):
            return await super().write(changes, expect=expect)
        self.asked.set()
        await self.let_go.wait()
        raise self._error


class SlowToClose(MemoryStorage):
    """Takes its time to close."""

    is_closed = False

    async def close(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        await super().close()
        self.is_closed = True


@asynccontextmanager
async def serving(name: str, storage: Any = None) -> AsyncIterator[str]:
    server = landline.Server(storage=storage, limits=HASTY)
    server.topic("t")
    async with asyncio.timeout(30), server.listen(f"memory://{name}"):
        yield f"memory://{name}"


async def test_a_session_that_is_closed_has_let_go_of_its_outbox() -> None:
    """Whoever comes next may open the file at once."""
    storage = SlowToClose()
    async with serving("outbox") as address, landline.connect(address, storage=storage) as session:
        await session.publish("t", 1)

    assert storage.is_closed


async def test_what_could_not_be_kept_is_not_called_kept() -> None:
    """The session ends while the disk is at work on a publish, and then the disk has no room."""
    storage = HeldStorage(Put)
    async with serving("kept") as address:
        session = await landline.connect(address, storage=storage, limits=HASTY)
        publishing = asyncio.ensure_future(session.publish("t", "held"))
        await storage.asked.wait()
        closing = asyncio.ensure_future(session.close())
        await session.wait_closed()
        storage.let_go.set()

        with pytest.raises(PublishFailed, match="no room"):
            await publishing
        await closing


async def test_what_a_failing_disk_may_have_kept_all_the_same_is_unknown() -> None:
    """It goes out when the process is started again, if it is there; nobody says before that it certainly does not."""
    storage = HeldStorage(Put, StorageFailed("it failed"))
    storage.let_go.set()
    async with serving("doubt") as address:
        session = await landline.connect(address, storage=storage, limits=HASTY)
        with pytest.raises(landline.PublishUnknown, match="it failed"):
            await session.publish("t", "held")
        await session.close()


async def test_a_close_that_is_cancelled_ends_the_session() -> None:
    """It was waiting for an answer that does not come."""
    storage = HeldStorage(Append)
    async with serving("cancelled", storage) as address:
        session = await landline.connect(address)
        publishing = asyncio.ensure_future(session.publish("t", "held"))
        await storage.asked.wait()
        closing = asyncio.ensure_future(session.close())
        await asyncio.sleep(0)  # it has begun
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        storage.let_go.set()

        assert session.is_closed
        with pytest.raises(landline.PublishUnknown):
            await publishing


async def test_a_subscription_that_was_closed_does_not_go_on_with_another_life_of_the_server(
    tmp_path: Path,
) -> None:
    """It is closed when its flow has ended with the server's life already, and nobody has looked at it since."""
    address = f"unix://{tmp_path}/socket"

    def server() -> landline.Server:
        made = landline.Server(storage=tmp_path / "store.db", limits=HASTY, retry_in=0.01)
        made.topic("t")
        return made

    async with asyncio.timeout(30):
        async with server().listen(address):
            session = await landline.connect(address, limits=HASTY)
            subscription = session.subscribe("t", "start")
            await session.publish("t", 1)
            assert await anext(subscription, None) is not None
        async with server().listen(address):
            await session.publish("t", 2)  # so the session is in that life
            await subscription.close()

            assert await anext(subscription, None) is None
            await session.close()
