"""The ways of one exchange: who dials how often."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any

import pytest

import landline
from landline.apps.bench import ways
from landline.apps.bench.ways import PAYLOAD, Way

ADDRESS = "memory://bench"


async def opens(way: Way, times: int) -> int:
    """Do it so often; return how many sessions the server saw begin."""
    count = 0
    server = landline.Server()

    @server.method
    async def anything() -> None: ...

    @server.on_open
    async def count_it(session: landline.Session) -> None:
        nonlocal count
        count += 1

    async with server.listen(ADDRESS), way.open() as once:
        for _ in range(times):
            await once()
    return count


async def test_one_session_stays_and_the_other_way_takes_a_new_one_each_time() -> None:
    """That is the whole difference."""
    stays, anew = ways.of_sessions("MEMORY", partial(landline.connect, ADDRESS), ways.listing)

    assert await opens(stays, 3) == 1
    assert await opens(anew, 3) == 3


async def test_a_bare_socket_is_dialled_each_time() -> None:
    """What comes back is as long as what was sent."""
    said: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readexactly(len(PAYLOAD)))
        writer.write(said[-1])
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with ways.of_bare_sockets("TCP", host, port).open() as once:
            await once()
            await once()

    assert said == [PAYLOAD, PAYLOAD]


async def test_who_is_interrupted_while_dialling_finishes_that_and_hangs_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else uvloop goes on with a handshake whose socket is closed, and there is a traceback."""
    may_open, hung_up, opened = asyncio.Event(), asyncio.Event(), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        hung_up.set()

    async def slowly(*place: Any, **more: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await may_open.wait()
        opened.append(await open_connection(*place, **more))
        return opened[0]

    open_connection = asyncio.open_connection
    monkeypatch.setattr(asyncio, "open_connection", slowly)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with ways.of_bare_sockets("TCP", host, port).open() as once:
            dialling = asyncio.ensure_future(once())
            await asyncio.sleep(0)
            dialling.cancel()
            may_open.set()

            with pytest.raises(asyncio.CancelledError):
                await dialling
            await hung_up.wait()
    assert [writer.transport.is_closing() for _, writer in opened] == [True]
