"""A thousand sessions at one server in a process of its own: each talks both ways, and an idle one costs little memory.

Run as a program, this file is that server: it prints its address, and answers the line ``memory`` with its resident bytes.
"""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import landline
from landline.testing.ledger import Ledger

pytestmark = pytest.mark.long

SESSIONS = 1000
COUNT = 20
AT_ONCE = 32
"""Dials at a time: on a busy machine more would be silent for so long that they count as callers with nothing to say."""
AT_MOST = 200_000
"""Bytes that an idle session may cost: a sane bound, ten times what it is."""


def numbered(who: int) -> list[object]:
    return [f"{who}/{number}" for number in range(COUNT)]


async def talk(session: landline.Session, sends: Ledger, hears: Ledger, messages: list[object]) -> None:
    """Send and receive at once."""

    async def speak() -> None:
        for message in messages:
            sends.sent.append(message)
            await session.send(message)
        await session.flush()
        sends.acked = len(messages)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(speak())
        for _ in messages:
            hears.delivered.append(await session.receive())
        session.ack()


async def serve() -> None:
    """The other process: every session hears who it is, and then both sides talk."""

    async def program(session: landline.Session) -> None:
        who = await session.receive()
        if who == "idle":
            session.ack()
            await session.wait_closed()
            return
        up, down = Ledger(), Ledger()
        await talk(session, down, up, numbered(who + SESSIONS))
        await session.send({"sent": down.sent, "acked": down.acked, "delivered": up.delivered})
        await session.wait_closed()

    async with landline.serve(program, "tcp://127.0.0.1:0") as listening:
        print(listening.addresses[0], flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line == "memory\n":
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                print(json.dumps({"rss": pages * 4096, "sessions": listening.sessions}), flush=True)


class Other:
    """The server's process, as the tests see it."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process, self.address = process, address

    async def memory(self) -> tuple[int, int]:
        """Its resident bytes, and how many sessions it holds."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(b"memory\n")
        found = json.loads(await self.process.stdout.readline())
        return found["rss"], found["sessions"]


@asynccontextmanager
async def other() -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield Other(process, (await process.stdout.readline()).decode().strip())
    finally:
        process.stdin.close()
        await process.wait()
    assert process.returncode == 0


async def test_a_thousand_sessions_talk_at_once() -> None:
    """Each sends and receives twenty numbered messages; the books of all two thousand directions agree."""
    books: list[tuple[Ledger, Ledger]] = []

    dialling = asyncio.Semaphore(AT_ONCE)
    are_in = asyncio.Barrier(SESSIONS)

    async def one(address: str, who: int) -> None:
        up, down = Ledger(), Ledger()
        async with dialling:
            session = await landline.connect(address, connect_timeout=50)
        async with session:
            await are_in.wait()
            await session.send(who)
            await talk(session, up, down, numbered(who))
            theirs = await session.receive()
        down.sent, down.acked = theirs["sent"], theirs["acked"]
        up.delivered = theirs["delivered"]
        books.append((up, down))

    async with asyncio.timeout(55), other() as server:
        async with asyncio.TaskGroup() as tasks:
            for who in range(SESSIONS):
                tasks.create_task(one(server.address, who))
        _, left = await server.memory()

    assert len(books) == SESSIONS
    assert all(up.is_clean and down.is_clean for up, down in books)
    assert all(len(up.delivered) == len(down.delivered) == COUNT for up, down in books)
    assert left == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process as Linux tells it")
async def test_what_an_idle_session_costs() -> None:
    """Resident memory of the server with a thousand idle sessions, less that without them."""
    async with asyncio.timeout(55), other() as server:
        warm = await landline.connect(server.address)
        await warm.send("idle")
        await warm.flush()
        before, _ = await server.memory()
        sessions: list[landline.Session] = []
        dialling = asyncio.Semaphore(AT_ONCE)

        async def hold() -> None:
            async with dialling:
                session = await landline.connect(server.address, connect_timeout=50)
            sessions.append(session)
            await session.send("idle")
            await session.flush()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(SESSIONS):
                tasks.create_task(hold())
        after, held = await server.memory()
        each = (after - before) / SESSIONS
        print(f"\nan idle session costs its server {each / 1000:.1f} kB")
        await asyncio.gather(*(session.close() for session in [*sessions, warm]))
    assert held == SESSIONS + 1
    assert each < AT_MOST


if __name__ == "__main__":
    asyncio.run(serve())
