"""The side that is called, before and without a caller. What it does with one runs as processes in cli/test_listen.py."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

import landline
from landline import transports
from landline.apps.pipe import listen
from landline.apps.pipe.limits import PIPE
from landline.apps.pipe.line import END, OPEN
from landline.apps.pipe.meeting import Pipe

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(autouse=True)
def output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "standard_output", lambda: 1)


@pytest.mark.parametrize("is_plain", [False, True])
async def test_it_says_how_to_call_and_stops_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_plain: bool
) -> None:
    """Without a caller nothing is to be drained; the socket file is gone."""
    stop = asyncio.Event()
    stop.set()

    assert await listen.run(Pipe(address=f"unix://{tmp_path}/s", is_plain=is_plain), stop) == 0

    assert f"connect {'--plain ' * is_plain}unix://{tmp_path}/s" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("is_plain", [False, True])
async def test_an_address_that_cannot_be_served_is_the_librarys_error(tmp_path: Path, is_plain: bool) -> None:
    """With and without a session."""
    (tmp_path / "file").touch()

    with pytest.raises(landline.ListenError, match="it is not a socket"):
        await listen.run(Pipe(address=f"unix://{tmp_path}/file", is_plain=is_plain), asyncio.Event())


@pytest.mark.limit("pipe.backlog")
async def test_so_many_callers_of_a_bare_socket_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is told the table's figure; that it holds to it is the transport's to show."""
    told: list[int] = []

    async def bind_listener(address: Any, *, backlog: int, passed: Any) -> Any:
        told.append(backlog)
        return await transports.bind_listener(address, backlog=backlog, passed=passed)

    monkeypatch.setattr(listen, "bind_listener", bind_listener)
    stop = asyncio.Event()
    stop.set()
    await listen.run(Pipe(address=f"unix://{tmp_path}/s", is_plain=True), stop)

    assert told == [PIPE.backlog]


def held(path: Path) -> landline.ListeningSocket:
    """A listening socket that somebody made for us."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return landline.ListeningSocket(sock)


@pytest.mark.parametrize("is_plain", [False, True])
async def test_a_socket_that_was_passed_is_listened_on(
    tmp_path: Path, is_plain: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its file stays; one that is not the address's is an error."""
    stop = asyncio.Event()
    stop.set()
    sockets = (held(tmp_path / "s"),)
    assert (
        await listen.run(Pipe(address=f"unix://{tmp_path}/s", is_plain=is_plain, sockets=sockets), stop) == 0
    )
    assert (tmp_path / "s").exists()
    assert f"Listening at unix://{tmp_path}/s." in capsys.readouterr().err

    other = held(tmp_path / "t")
    with pytest.raises(landline.ListenError, match="no address asks for it"):
        await listen.run(Pipe(address="memory://s", is_plain=is_plain, sockets=(other,)), stop)
    other.close()


async def test_a_caller_that_goes_before_our_first_word_leaves_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It asked, and closed in the same breath: nothing was piped, and the next caller is served."""
    source, sink = os.pipe(), os.pipe()
    os.close(source[1])
    monkeypatch.setattr(listen, "standard_input", lambda: source[0])
    monkeypatch.setattr(listen, "standard_output", lambda: sink[1])
    running = asyncio.create_task(listen.run(Pipe(address="memory://pipe"), asyncio.Event()))
    await asyncio.sleep(0)
    for _ in range(2):
        hasty = await landline.connect("memory://pipe")
        _ = hasty.send_nowait(OPEN)
        await hasty.close("never mind")
    async with landline.connect("memory://pipe") as session:
        for word in (OPEN, b"piped", END):
            _ = session.send_nowait(word)
        heard = [message async for message in session]

    assert heard == [OPEN, END]
    assert await running == 0
    assert os.read(sink[0], 100) == b"piped"
    for descriptor in (source[0], *sink):
        os.close(descriptor)


async def test_a_caller_that_goes_as_we_are_told_to_stop_keeps_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its place was taken when we were told, and is free without anything having been piped."""
    stop = asyncio.Event()
    send = landline.Session.send

    async def send_late(session: landline.Session, value: object) -> object:
        stop.set()
        await session.wait_closed()
        return await send(session, value)

    hasty = landline.Limits(close_timeout=0.1)
    running = asyncio.create_task(listen.run(Pipe(address="memory://pipe", limits=hasty), stop))
    await asyncio.sleep(0)
    session = await landline.connect("memory://pipe")
    _ = session.send_nowait(OPEN)
    monkeypatch.setattr(landline.Session, "send", send_late)
    await session.close("never mind")

    async with asyncio.timeout(10):
        assert await running == 0
