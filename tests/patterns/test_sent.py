"""A server's outboxes of durable sends: there as long as their session is, and not longer."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from landline.errors import StorageFailed
from landline.patterns.sent import Sent
from landline.sessions.bare import BareSession
from tests.disk import Disk

LIVING, OVER = b"l" * 16, b"o" * 16


class Named:
    """As much of a session as is asked for."""

    def __init__(self, session_id: bytes) -> None:
        self.id = session_id


def named(session_id: bytes) -> BareSession:
    return cast("BareSession", Named(session_id))


async def keys(disk: Disk) -> list[str]:
    return [value.key for value in await disk.scan("")]


def key(session_id: bytes, number: int = 1) -> str:
    return f"landline.sent.{session_id.hex()}.00000000.{bytes(16).hex()}.{number:020}"


async def test_those_of_sessions_that_are_over_are_forgotten_at_the_opening() -> None:
    """A crash came between. What cannot be read as one is left where it is."""
    async with Disk() as disk:
        for name in (
            key(LIVING),
            key(OVER),
            *(key(OVER, number) for number in range(2, 600)),
            "landline.sent.?",
        ):
            await disk.put(name, b"")
        sent = Sent(disk)
        await sent.open({LIVING: b""})

        assert await keys(disk) == [key(LIVING), "landline.sent.?"]
        assert sent.has(named(LIVING))
        assert not sent.has(named(OVER))


async def test_the_end_of_a_session_forgets_its_own() -> None:
    """All of it; of a session that has none, nothing is asked of the disk."""
    async with Disk() as disk:
        for number in range(1, 600):
            await disk.put(key(LIVING, number), b"")
        await disk.put(key(OVER), b"")
        sent = Sent(disk)
        await sent.open({LIVING: b"", OVER: b""})
        sent.forget(b"n" * 16)
        assert not sent._forgetting
        sent.forget(LIVING)
        await sent.close()

        assert await keys(disk) == [key(OVER)]
        assert not sent.has(named(LIVING))


async def test_what_cannot_be_forgotten_now_is_at_the_next_opening(caplog: pytest.LogCaptureFixture) -> None:
    """The server goes on."""
    async with Disk() as disk:
        await disk.put(key(OVER), b"")
        sent = Sent(disk)
        await sent.open({OVER: b""})
        disk.error = StorageFailed("broken")
        sent.forget(OVER)
        await asyncio.wait_for(sent.close(), 5)
        assert "could not be removed" in caplog.text
        disk.error = None
        await Sent(disk).open({})

        assert await keys(disk) == []
