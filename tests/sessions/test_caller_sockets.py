"""Callers without a session whom nobody reads, over real sockets: what waits of them is bounded, whatever one read could bring."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from landline.limits import TRANSPORT, WEB
from landline.sessions.caller import CHUNK_COST, HELD_ABOVE, Caller
from landline.transports import Transport, open_listener, parse_address
from landline.web.bytestream import ByteStream

BOUND = 20.0


class Holding:
    """Has a transport, and learns when it is held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.transport: Transport
        self.held: asyncio.Event = asyncio.Event()
        self._monkeypatch = monkeypatch

    def watch(self, transport: Transport) -> None:
        self.transport = transport
        hold = type(transport).hold

        def held(transport: Transport, is_held: bool) -> None:
            hold(transport, is_held)
            if is_held:
                self.held.set()

        self._monkeypatch.setattr(type(transport), "hold", held)


def plain(transport: Transport) -> Callable[[], int]:
    caller = Caller(transport)
    return lambda: caller._size


def web(transport: Transport) -> Callable[[], int]:
    stream = ByteStream(transport, b"")
    return lambda: len(stream.buffer)


@pytest.mark.limit("session.caller_bytes", "web.ahead")
@pytest.mark.parametrize(("read", "most"), [(plain, HELD_ABOVE + 2 * CHUNK_COST), (web, WEB.ahead)])
async def test_who_is_not_read_is_held_after_one_read_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Transport], Callable[[], int]], most: int
) -> None:
    """However much lies in the kernel already: a read of such a line is a small one."""
    holding, sizes = Holding(monkeypatch), []

    def accept(transport: Transport) -> None:
        holding.watch(transport)
        sizes.append(read(transport))

    listener = await open_listener(parse_address(f"unix://{tmp_path}/callers"), accept, backlog=1)
    with socket.socket(socket.AF_UNIX) as peer, contextlib.closing(listener):
        peer.connect(f"{tmp_path}/callers")
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):
                peer.send(bytes(16 << 10))
        async with asyncio.timeout(BOUND):
            await holding.held.wait()
        holding.transport.abort()

    assert most - 2 * CHUNK_COST < sizes[0]() <= most + TRANSPORT.read
