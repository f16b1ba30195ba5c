"""The ``picows`` library: callbacks at both ends, which is the only way it has, and no pings; what cannot be written waits in its transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from .halls import COUNTS, Line
from .load import talking, web
from .peer import MESSAGE, Peer, Play


@asynccontextmanager
async def serve_messages() -> AsyncIterator[str]:
    from picows import WSListener, WSMsgType, ws_create_server

    everybody: set[Any] = set()

    class Answering(WSListener):  # type: ignore[misc, unused-ignore]
        def on_ws_connected(self, transport: Any) -> None:
            everybody.add(transport)

        def on_ws_disconnected(self, transport: Any) -> None:
            everybody.discard(transport)

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
                transport.disconnect()
                return
            data = frame.get_payload_as_bytes()
            for _ in range(COUNTS.get(data, 0)):
                for each in everybody:
                    each.send(WSMsgType.BINARY, MESSAGE)
            if data not in COUNTS:
                transport.send(WSMsgType.BINARY, data)

    server = await ws_create_server(lambda request: Answering(), "127.0.0.1", 0, backlog=4096)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    from picows import WSListener, WSMsgType, ws_connect

    class Listening(WSListener):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self.line: _PicowsLine | None = None

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            assert self.line is not None
            self.line.arrived(frame.get_payload_as_bytes())

        def pause_writing(self) -> None:
            assert self.line is not None
            self.line.can_write.clear()

        def resume_writing(self) -> None:
            assert self.line is not None
            self.line.can_write.set()

    transport, listener = await ws_connect(Listening, place)
    line = listener.line = _PicowsLine(transport, WSMsgType.BINARY)
    try:
        yield line
    finally:
        transport.disconnect(graceful=False)


class _PicowsLine:
    def __init__(self, transport: Any, kind: Any) -> None:
        self._transport = transport
        self._kind = kind
        self._inbox: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self.can_write = asyncio.Event()
        self.can_write.set()

    async def send(self, data: bytes) -> None:
        self._transport.send(self._kind, data)
        await self.can_write.wait()

    def arrived(self, data: bytes) -> None:
        self._inbox.append(data)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> bytes:
        while not self._inbox:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._inbox.popleft()


_LOADED = Play(serve_messages, talking(lambda place: web(urlsplit(place).port or 0)))
PEER = Peer(
    "picows",
    {
        "messages": Play(serve_messages, connect_messages),
        "trips": _LOADED,
        "crowds": _LOADED,
        "fan-out": _LOADED,
    },
    modules=("picows",),
)
