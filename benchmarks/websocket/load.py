"""A client that costs little and is the same for every server: masked frames made beforehand, and answers that are counted by their bytes."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from typing import Any

from landline.transports.websocket.frames import BINARY, encode_frame


class Load(asyncio.Protocol):
    """Keeps ``in_flight`` messages of ``size`` bytes on their way until ``count`` were echoed."""

    def __init__(self, size: int, in_flight: int, count: int) -> None:
        payload = os.urandom(size)
        self._sent = encode_frame(BINARY, payload, os.urandom(4))
        self._answer = len(encode_frame(BINARY, payload))
        self._burst = in_flight
        self._left = count
        self._arrived = 0
        self._is_open = False
        self._head = b""
        self.seconds: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self._is_open:
            self._arrived += len(data)
            if self._arrived >= self._answer * self._burst:
                self._next()
            return
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            assert self._head.startswith(b"HTTP/1.1 101"), self._head
            self._is_open = True
            self._started = time.perf_counter()
            self._transport.write(self._sent * self._burst)

    def _next(self) -> None:
        self._arrived -= self._answer * self._burst
        self._left -= self._burst
        if self._left > 0:
            self._transport.write(self._sent * self._burst)
        elif not self.seconds.done():
            self.seconds.set_result(time.perf_counter() - self._started)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.seconds.done():
            self.seconds.set_exception(exc or ConnectionError("the server closed the line"))


async def echo(port: int, size: int, in_flight: int, count: int) -> float:
    """Return how many messages of ``size`` bytes the server at ``port`` echoes a second."""
    loop = asyncio.get_running_loop()
    _, load = await loop.create_connection(lambda: Load(size, in_flight, count), "127.0.0.1", port)
    return count / await load.seconds
