"""The contestants: each serves one job per port and plays the client of it, as its own documentation recommends for speed.

A server echoes what it is sent, until a message begins with ``b"fan"``: then it sends that many rounds of 64 messages to everybody
connected, each round after somebody says ``b"more"``.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import landline

MESSAGE = b"x" * 64
ROUND = 64
FAN = b"fan"
MORE = b"more"


class Line(Protocol):
    """One client's connection, whatever it is made of."""

    async def send(self, data: bytes) -> Any: ...
    async def receive(self) -> Any: ...


class Hall:
    """Everybody connected to a server, and what it does with a message."""

    def __init__(self, broadcast: Callable[[list[Any], bytes], Any]) -> None:
        self.everybody: list[Any] = []
        self._broadcast = broadcast

    async def answer(self, line: Any, data: bytes, reply: Callable[[bytes], Any]) -> None:
        """Echo, or send a round to everybody."""
        if data[:3] == FAN or data == MORE:
            for _ in range(ROUND):
                sent = self._broadcast(self.everybody, MESSAGE)
                if isinstance(sent, Awaitable):
                    await sent
        else:
            sent = reply(data)
            if isinstance(sent, Awaitable):
                await sent


class LandlinePeer:
    """This project, through its public door."""

    name = "landline"

    @asynccontextmanager
    async def serve(self) -> Any:
        """Serve; yield the port."""

        def broadcast(everybody: list[landline.Session], data: bytes) -> None:
            for session in everybody:
                _ = session.send_nowait(data)

        hall = Hall(broadcast)

        async def program(session: landline.Session) -> None:
            hall.everybody.append(session)
            try:
                async for message in session:
                    await hall.answer(session, message, session.send)
            finally:
                hall.everybody.remove(session)

        async with landline.serve(program, "tcp://127.0.0.1:0", limits=_roomy()) as listening:
            yield int(listening.addresses[0].rpartition(":")[2])

    def connect(self, port: int) -> AbstractAsyncContextManager[Line]:
        """Return a client's connection."""
        return landline.connect(f"tcp://127.0.0.1:{port}", limits=_roomy())


def _roomy() -> landline.Limits:
    return landline.Limits(max_connections=100_000, max_sessions=100_000)


class BarePeer:
    """The floor: four bytes of length, then the message, on a bare asyncio ``Protocol``: no acks, no resume, no limits."""

    name = "bare protocol"

    @asynccontextmanager
    async def serve(self) -> Any:
        """Serve; yield the port."""

        def broadcast(everybody: list[_Bare], data: bytes) -> None:
            for line in everybody:
                line.write(data)

        hall = Hall(broadcast)

        class ServerLine(_Bare):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                hall.everybody.append(self)

            def connection_lost(self, exc: Exception | None) -> None:
                hall.everybody.remove(self)

            def message(self, data: bytes) -> None:
                if data[:3] == FAN or data == MORE:
                    for _ in range(ROUND):
                        broadcast(hall.everybody, MESSAGE)
                else:
                    self.write(data)

        server = await asyncio.get_running_loop().create_server(ServerLine, "127.0.0.1", 0, backlog=4096)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    @asynccontextmanager
    async def connect(self, port: int) -> Any:
        """Yield a client's connection."""
        _, line = await asyncio.get_running_loop().create_connection(_Bare, "127.0.0.1", port)
        try:
            yield line
        finally:
            line.transport.close()


class _Bare(asyncio.Protocol):
    """Frames both ways; writes are joined once per tick, as ours are, so that like is compared with like."""

    def __init__(self) -> None:
        self._buffer = b""
        self._out: list[bytes] = []
        self._inbox: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        at, end = 0, len(data)
        while end - at >= 4:
            stop = at + 4 + struct.unpack_from("!I", data, at)[0]
            if stop > end:
                break
            self.message(data[at + 4 : stop])
            at = stop
        self._buffer = data[at:]

    def message(self, data: bytes) -> None:
        self._inbox.append(data)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def write(self, data: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(struct.pack("!I", len(data)) + data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        self.transport.write(b"".join(out))

    async def send(self, data: bytes) -> None:
        self.write(data)
        if len(self._out) > 4096:
            await asyncio.sleep(0)
        await self._can_write.wait()

    async def receive(self) -> bytes:
        while not self._inbox:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._inbox.popleft()


class WebsocketsPeer:
    """The `websockets` library, compression off, as its documentation recommends for small messages."""

    name = "websockets"

    @asynccontextmanager
    async def serve(self) -> Any:
        """Serve; yield the port."""
        from websockets.asyncio.server import broadcast, serve

        hall = Hall(broadcast)

        async def program(socket: Any) -> None:
            hall.everybody.append(socket)
            try:
                async for message in socket:
                    await hall.answer(socket, message, socket.send)
            finally:
                hall.everybody.remove(socket)

        async with serve(
            program, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096
        ) as server:
            yield server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def connect(self, port: int) -> Any:
        """Yield a client's connection."""
        from websockets.asyncio.client import connect

        async with connect(f"ws://127.0.0.1:{port}", compression=None, ping_interval=None) as socket:
            yield _WebsocketsLine(socket)


class _WebsocketsLine:
    def __init__(self, socket: Any) -> None:
        self.send = socket.send
        self.receive = socket.recv


PEERS: dict[str, Any] = {peer.name: peer for peer in (LandlinePeer(), BarePeer(), WebsocketsPeer())}
