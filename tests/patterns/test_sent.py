"""A server's outboxes of durable sends: there as long as their session is, and not longer."""

from __future__ import annotations

import asyncio
import gc
from itertools import count
from typing import Any, cast

import pytest

import landline
from landline.errors import SessionClosed, SessionInterrupted, StorageFailed
from landline.patterns.sent import Sent
from landline.sessions.bare import BareSession
from tests.disk import Disk

_numbers = count(1)
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01, close_timeout=0.05)
LIVING, OVER = b"l" * 16, b"o" * 16


class Named:
    """As much of a session as is asked for."""

    def __init__(self, session_id: bytes, ended: Exception | None) -> None:
        self.id = session_id
        self.ended = ended


def named(session_id: bytes, ended: Exception | None = None) -> BareSession:
    return cast("BareSession", Named(session_id, ended))


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(100):
        await asyncio.sleep(0)


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


async def test_a_session_that_is_over_gets_no_outbox() -> None:
    """It would never be forgotten."""
    async with Disk() as disk:
        sent = Sent(disk)
        with pytest.raises(SessionClosed):
            await sent.outgoing(named(OVER, SessionClosed("as asked")))

        assert not sent.has(named(OVER))


async def test_what_is_under_way_to_the_disk_when_the_session_ends_is_forgotten_too() -> None:
    """It is there a moment after all the others were removed."""
    disk = Disk()
    sends = asyncio.Event()

    async def program(session: landline.Session) -> None:
        await sends.wait()
        _ = await session.send("x", durable=True)

    address = f"memory://sent-{next(_numbers)}"
    async with landline.Server(program, storage=disk, limits=QUICK).listen(address):
        session = await landline.connect(address, limits=QUICK)
        disk.held.clear()
        sends.set()
        await turns()
        await session.close()
        await turns()
        disk.held.set()
        await turns()

        assert disk.puts("landline.sent.")
        assert await disk.scan("landline.sent.") == []


async def test_an_outbox_that_cannot_be_read_after_a_restart_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The session goes on; what is in the outbox stays there for the next life."""
    disk = Disk()

    async def program(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message, durable=True)

    scan = disk.scan

    async def refuse(prefix: str, **options: Any) -> Any:
        if prefix.count(".") > 2:
            raise StorageFailed("broken")
        return await scan(prefix, **options)

    address = f"memory://sent-{next(_numbers)}"
    server = landline.Server(program, storage=disk, limits=QUICK)
    async with server.listen(address):
        session = await landline.connect(address, limits=QUICK)
        _ = await session.send("x")
        await turns()
    monkeypatch.setattr(disk, "scan", refuse)
    async with server.listen(address):
        assert await session.receive() == "x"
        with pytest.raises(SessionInterrupted):
            await session.receive()
        await turns()
        gc.collect()

        assert "cannot be read: broken" in caplog.text
        assert "never retrieved" not in caplog.text
        await session.close()
