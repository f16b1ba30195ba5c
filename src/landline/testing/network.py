"""A bad network on real sockets: a proxy that cuts, freezes and slices what passes over TCP or a Unix socket, by a seed; TLS and WebSocket
pass through it unread.

Point clients at ``proxy.address`` instead of at the server. Cutting takes each direction's bytes up to a random place, which may be inside
a frame, and resets both ends; freezing lets bytes pile up unseen, as a dead line does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from ..transports import Address, parse_address

_RESET = struct.pack("ii", 1, 0)


@dataclass
class Faults:
    """What befalls the lines; everything is off by default.

    Attributes:
        cut_every: bytes after which a line is cut, on average, counted per line and direction; 0 never.
        freeze_every: bytes after which a line freezes for ``freeze_for`` seconds, on average; 0 never.
        freeze_for: seconds.
        slice_to: largest piece that is passed on at once, in bytes; 0 for any size.
        cut_up_at, cut_down_at: cut the first line exactly after so many bytes to the server, or from it; None never.
    """

    cut_every: int = 0
    freeze_every: int = 0
    freeze_for: float = 0.05
    slice_to: int = 0
    cut_up_at: int | None = None
    cut_down_at: int | None = None


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        target: where the server is; another may take its place, at an address of the same kind.
        address: where clients dial.
        cuts, freezes: how often it did that so far.
        passed_up, passed_down: bytes that passed to the server, and from it, on all lines.
    """

    target: str
    faults: Faults
    chance: random.Random
    address: str = ""
    cuts: int = 0
    freezes: int = 0
    passed_up: int = 0
    passed_down: int = 0
    is_refusing: bool = False
    is_frozen: bool = False
    _lines: set[_Line] = field(default_factory=set)
    _has_begun: bool = False

    def cut(self) -> None:
        """Cut every line now."""
        for line in list(self._lines):
            line.cut()

    def freeze(self) -> None:
        """Let nothing pass on any line, old or new, until ``thaw``: nobody is told."""
        self.is_frozen = True
        for line in self._lines:
            line.thawed.clear()

    def thaw(self) -> None:
        """Let what piled up pass."""
        self.is_frozen = False
        for line in self._lines:
            line.thawed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = parse_address(self.target)
        if self.is_refusing:
            writer.transport.abort()
            return
        try:
            back_reader, back_writer = await _open(target)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(self, writer, back_writer)
        self._lines.add(line)
        faults = self.faults
        places = (None, None) if self._has_begun else (faults.cut_up_at, faults.cut_down_at)
        self._has_begun = True
        try:
            await asyncio.gather(
                line.carry(reader, back_writer, places[0], is_up=True),
                line.carry(back_reader, writer, places[1], is_up=False),
                return_exceptions=True,
            )
        finally:
            self._lines.discard(line)
            writer.close()
            back_writer.close()  # before anything is waited for, which may be cancelled
            for end in (writer, back_writer):
                with contextlib.suppress(OSError):
                    await end.wait_closed()


@asynccontextmanager
async def bad_network(target: str, faults: Faults | None = None, *, seed: int = 0) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the server at ``target`` until the block is left: its own address is of the same kind, with another port.

    In front of a Unix socket it is another one in the same folder.
    """
    proxy = Proxy(target, faults or Faults(), random.Random(seed))
    tasks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(proxy._serve(reader, writer))
        tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            writer.close()  # also where it was cancelled before it had begun, or while the server was dialled

        task.add_done_callback(ended)

    address = parse_address(target)
    if address.scheme == "unix":
        address = replace(address, path=f"{address.path}-{_next_name():x}")
        server = await asyncio.start_unix_server(serve, address.path)
    else:
        server = await asyncio.start_server(serve, address.host, 0)
        address = replace(address, port=server.sockets[0].getsockname()[1])
    proxy.address = str(address)
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if address.scheme == "unix":
            with contextlib.suppress(FileNotFoundError):  # asyncio removes it itself since Python 3.13
                os.unlink(address.path)  # noqa: PTH108 - as a string, which is what an address has


_next_name = itertools.count(1).__next__


async def _open(target: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.scheme == "unix":
        return await asyncio.open_unix_connection(target.path)
    return await asyncio.open_connection(target.host, target.port)


class _Line:
    """One proxied connection."""

    def __init__(self, proxy: Proxy, *writers: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._writers = writers
        self.thawed = asyncio.Event()
        if not proxy.is_frozen:
            self.thawed.set()

    async def carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut_at: int | None, *, is_up: bool
    ) -> None:
        """Pass one direction on until it ends, or a fault ends it; a line that one end resets is reset at the other."""
        try:
            await self._carry(reader, writer, cut_at, is_up=is_up)
        except OSError:
            self.cut()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut_at: int | None, *, is_up: bool
    ) -> None:
        faults, chance = self._proxy.faults, self._proxy.chance
        until_cut: float = _draw(chance, faults.cut_every) if cut_at is None else cut_at
        until_freeze = _draw(chance, faults.freeze_every)
        while True:
            data = await reader.read(64 << 10)
            await self.thawed.wait()
            if writer.transport.is_closing():
                return
            if not data:
                writer.write_eof()  # the other direction may go on
                return
            until_cut -= len(data)  # below zero: how many bytes of the end are not to pass
            until_freeze -= len(data)
            if is_up:
                self._proxy.passed_up += len(data)
            else:
                self._proxy.passed_down += len(data)
            if until_cut < 0 or (until_cut == 0 and cut_at is not None):
                writer.write(data[: len(data) + int(until_cut)])
                self._proxy.cuts += 1
                await writer.drain()
                self.cut()
                return
            if until_freeze < 0:
                self._proxy.freezes += 1
                until_freeze = _draw(chance, faults.freeze_every)
                await asyncio.sleep(faults.freeze_for)
            step = faults.slice_to or len(data)
            for at in range(0, len(data), step):
                writer.write(data[at : at + step])
                if faults.slice_to:
                    await asyncio.sleep(0)
                if writer.transport.is_closing():
                    return
            await writer.drain()

    def cut(self) -> None:
        """Reset both ends."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            if sock is not None:
                # Gone already; uvloop's socket then has no number.
                with contextlib.suppress(OSError, ValueError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


def _draw(chance: random.Random, mean: int) -> float:
    return chance.expovariate(1 / mean) if mean else float("inf")
