"""``landline bench persistent``: every way has its turns, and what comes out is printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import landline
from landline.apps.bench import own_server, persistent
from landline.apps.bench.own_server import Place, Places
from landline.apps.bench.persistent import Persistent
from landline.apps.bench.ways import ANEW, BARE, STAYS
from landline.apps.standard import PipeError

ADDRESS = "memory://bench"


async def test_a_server_of_ones_own_is_asked_in_two_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """With an address: for its list of methods, as often as was asked for, and its processor time is not known."""
    server = landline.Server()

    @server.method
    async def anything() -> None: ...

    async with server.listen(ADDRESS):
        code = await persistent.run(Persistent(address=ADDRESS, count=7, is_json=True), asyncio.Event())

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(row["carrier"], row["how"], row["count"]) for row in printed] == [
        ("MEMORY", STAYS, 7),
        ("MEMORY", ANEW, 7),
    ]
    assert all(row["server_processor_ms"] is None and row["client_processor_ms"] > 0 for row in printed)


async def test_without_an_address_every_way_is_measured_at_both_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Six of them, and a picture of it."""
    wanted = Persistent(host="127.0.0.1", count=2)

    assert await persistent.run(wanted, asyncio.Event()) == 0

    out = capsys.readouterr().out
    assert out.startswith(
        "A call of 64 bytes and its answer, with a server on this machine, 2 times in each way.\n"
    )
    assert "\nProcessor time of both ends for each, in ms\n" in out
    assert out.count(f"  {STAYS}  ") == out.count(f"  {ANEW}  ") == out.count(f"  {BARE}  ") == 4


async def test_where_there_is_no_tls_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a person is told what is missing."""

    async def echo(data: bytes) -> bytes:
        return data

    async def used() -> float:
        return 1.0

    @asynccontextmanager
    async def serving(host: str, folder: Path) -> AsyncIterator[Places]:
        server = landline.Server()
        server.method(echo)
        server.method(used)
        async with await asyncio.start_server(own_server._answer, host, 0) as bare, server.listen(ADDRESS):
            port = bare.sockets[0].getsockname()[1]
            yield Places(tcp=Place(ADDRESS, host, port), why_no_tls="there is no package for it")

    monkeypatch.setattr(persistent, "serving", serving)
    wanted = Persistent(host="127.0.0.1", count=1, is_json=True)
    assert await persistent.run(wanted, asyncio.Event()) == 0

    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [(row["carrier"], row["how"]) for row in rows] == [("TCP", STAYS), ("TCP", ANEW), ("TCP", BARE)]
    assert said.err == "TLS is left out: there is no package for it\n"


async def test_told_to_stop_it_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Half of a comparison is none."""
    stop = asyncio.Event()
    server = landline.Server()

    @server.method
    async def anything() -> None: ...

    @server.on_open
    async def ask(session: landline.Session) -> None:
        stop.set()

    async with server.listen(ADDRESS):
        with pytest.raises(PipeError, match="interrupted before all was measured"):
            await persistent.run(Persistent(address=ADDRESS, count=5000), stop)

    assert capsys.readouterr().out == ""
