"""Who is in a group, end to end over real sockets and processes: cut lines, killed clients and a killed server leave no ghost and lose nobody."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import landline
from landline import Joined, Left, Updated
from landline.testing.network import Faults, bad_network

pytestmark = pytest.mark.timeout(50)

QUICK = landline.Limits(redial_min=0.001, redial_max=0.01, presence_grace=0.1)

SERVER = """
import asyncio, sys, landline

async def main():
    limits = landline.Limits(resume_window=float(sys.argv[3]), presence_grace=0.1)
    server = landline.Server(storage=sys.argv[2], authenticate=str, limits=limits)
    server.presence("rooms.*")
    async with server.listen(sys.argv[1]) as listening:
        print(listening.addresses[0], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

CLIENT = """
import asyncio, sys, landline

async def main():
    limits = landline.Limits(redial_min=0.001, redial_max=0.01)
    async with landline.connect(sys.argv[1], credentials=sys.argv[2], limits=limits) as session:
        async with session.presence("rooms.a", state="in"):
            print("in", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def running(program: str, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process that runs this, and the line that it says first; it is killed at the end if it was not before."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *words, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(watching: Any, kind: Any, who: str) -> Any:
    while True:
        change: Any = await anext(watching)
        if isinstance(change, kind) and change.member.principal == who:
            return change


def principals(here: landline.Presence) -> dict[str, bool]:
    return {member.principal: member.is_here for member in here.members.values()}


async def test_a_killed_client_is_gone_after_the_window() -> None:
    """First it is reconnecting, as any line that drops; never a ghost."""
    limits = landline.Limits(resume_window=0.5, presence_grace=0.01)
    server = landline.Server(authenticate=str, limits=limits)
    server.presence("rooms.*")
    async with server.listen("tcp://127.0.0.1:0") as listening:
        address = listening.addresses[0]
        async with landline.connect(address, credentials="ana") as ana, ana.presence("rooms.a", 1) as here:
            async with running(CLIENT, address, "ben") as (ben, _):
                await until(here, Joined, "ben")
                ben.send_signal(signal.SIGKILL)
                away = await until(here, Updated, "ben")
                left = await until(here, Left, "ben")

            assert (away.member.state, away.member.is_here) == ("in", False)
            assert left.reason == "the line was lost"
            assert principals(here) == {"ana": True}
            assert [member.principal for member in server.members("rooms.a").values()] == ["ana"]


async def test_a_killed_server_is_found_again_by_those_who_live(tmp_path: Path) -> None:
    """With storage: they join again by themselves under the same ids; who was killed together with it is not said to be here by its next life."""
    storage, window = str(tmp_path / "server.db"), "60"
    async with AsyncExitStack() as servers, AsyncExitStack() as stack:
        first, address = await servers.enter_async_context(
            running(SERVER, "tcp://127.0.0.1:0", storage, window)
        )
        sessions = [
            await stack.enter_async_context(landline.connect(address, credentials=name, limits=QUICK))
            for name in ("ana", "ben")
        ]
        here = await stack.enter_async_context(sessions[0].presence("rooms.a", "a"))
        other = await stack.enter_async_context(sessions[1].presence("rooms.a", "b"))
        cleo, _ = await stack.enter_async_context(running(CLIENT, address, "cleo"))
        await until(here, Joined, "cleo")
        await until(other, Joined, "cleo")
        ids = set(here.members)
        cleo.send_signal(signal.SIGKILL)
        first.send_signal(signal.SIGKILL)
        await cleo.wait()
        await first.wait()
        _, again = await servers.enter_async_context(running(SERVER, address, storage, window))
        assert again == address
        newcomer = await stack.enter_async_context(landline.connect(address, credentials="dan"))
        async with newcomer.presence("rooms.a") as watching:
            while len(watching.members) < 2:
                await anext(watching)
            assert principals(watching) == {"ana": True, "ben": True}
            assert set(watching.members) < ids
            for each in (here, other):  # until the window has passed
                while principals(each) != {"ana": True, "ben": True, "cleo": False}:
                    await anext(each)
            await here.update("still heard")
            assert (await until(other, Updated, "ana")).member.state == "still heard"


async def test_cut_lines_lose_nobody_and_show_nobody_as_gone() -> None:
    """However often: everybody ends up with the newest of everybody, and nobody was said to leave."""
    server = landline.Server(authenticate=str)
    server.presence("rooms.*")
    async with AsyncExitStack() as stack:
        listening = await stack.enter_async_context(server.listen("tcp://127.0.0.1:0"))
        network = await stack.enter_async_context(
            bad_network(listening.addresses[0], Faults(cut_every=2000, slice_to=100), seed=7)
        )
        everybody = []
        for name in ("ana", "ben", "cleo"):
            session = await stack.enter_async_context(
                landline.connect(network.address, credentials=name, limits=QUICK)
            )
            everybody.append(await stack.enter_async_context(session.presence("rooms.a", 0)))

        async def say(here: landline.Presence) -> None:
            for number in range(1, 101):
                await here.update(number)

        await asyncio.gather(*map(say, everybody))
        assert network.cuts > 5
        for here in everybody:
            while [member.state for member in here.members.values()] != [100, 100, 100]:
                assert not isinstance(await anext(here), Left)
            assert set(principals(here)) == {"ana", "ben", "cleo"}


@pytest.mark.long
async def test_a_crowd_joins_at_once_and_everybody_knows_everybody() -> None:
    """Two hundred over real sockets: what each is told of the others comes in few messages."""
    number = 200
    server = landline.Server(authenticate=str)
    server.presence("rooms.*")
    async with AsyncExitStack() as stack:
        listening = await stack.enter_async_context(server.listen("tcp://127.0.0.1:0"))

        async def join(name: str) -> landline.Presence:
            session = await landline.connect(listening.addresses[0], credentials=name, connect_timeout=40.0)
            sessions.append(session)
            return await session.presence("rooms.a", name).__aenter__()

        sessions: list[landline.Session] = []
        everybody = await asyncio.gather(*(join(str(each)) for each in range(number)))
        for here in everybody:
            while len(here.members) < number:
                await anext(here)
        messages = sum(here._flow.core.received for here in everybody)
        await asyncio.gather(*(here.__aexit__(None, None, None) for here in everybody))
        await asyncio.gather(*(session.close() for session in sessions))

    assert messages < number * number / 4
