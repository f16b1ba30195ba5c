"""A receiver that writes down what it is told, and listeners over every kind of transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from landline.transports import Listener, Transport, open_listener, open_transport, parse_address

BOUND = 10.0
"""Seconds that anything here may take before a test counts as failed."""


class Recorder:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.chunks: list[bytes] = []
        self.told: list[str] = []
        self.error: Exception | None = None
        self._news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.chunks.append(data)
        self._tell("data")

    def data_ended(self) -> None:
        self._tell("ended")

    def writable(self) -> None:
        self._tell("writable")

    def lost(self, error: Exception | None) -> None:
        self.error = error
        self._tell("lost")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something told makes it so."""
        async with asyncio.timeout(BOUND):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_told(self, what: str) -> None:
        await self.until(lambda: what in self.told)


@dataclass
class Line:
    """Both ends of a transport, and the listener that accepted one of them."""

    listener: Listener
    ours: Transport
    theirs: Transport
    hears: Recorder
    """What the accepted end is told; the dialled end is not started."""


@pytest.fixture(params=["tcp", "unix", "memory"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def address(scheme: str, tmp_path: Path) -> str:
    """Where to listen; its port or name is free."""
    return {"tcp": "tcp://127.0.0.1:0", "unix": f"unix://{tmp_path}/line.sock", "memory": "memory://line"}[
        scheme
    ]


@pytest.fixture
async def line(address: str) -> AsyncIterator[Line]:
    accepted = asyncio.Event()
    gone: dict[Transport, asyncio.Event] = {}
    hears = Recorder()

    def count(transport: Transport) -> None:
        gone[transport] = asyncio.Event()
        transport.on_lost = gone[transport].set

    def accept(transport: Transport) -> None:
        count(transport)
        transport.start(hears if not accepted.is_set() else Recorder())
        accepted.set()

    listener = await open_listener(parse_address(address), accept, backlog=16)
    ours = await open_transport(parse_address(listener.addresses[0]))
    async with asyncio.timeout(BOUND):
        await accepted.wait()
    theirs = next(iter(gone))
    count(ours)
    yield Line(listener, ours, theirs, hears)
    listener.close()
    for transport, event in gone.items():
        transport.abort()
        if transport.on_lost == event.set:
            async with asyncio.timeout(BOUND):
                await event.wait()


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder
