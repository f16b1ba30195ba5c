"""ØMQ: a ``ROUTER`` and a ``DEALER`` without asyncio, which is several times as fast; its high-water marks are lifted, since past them it drops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .halls import Line
from .peer import Peer, Play


@asynccontextmanager
async def serve_messages() -> AsyncIterator[str]:
    import zmq

    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.set_hwm(0)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    def echo() -> None:
        while True:
            try:
                router.send_multipart(router.recv_multipart(copy=True), copy=True)
            except zmq.ContextTerminated:
                router.close(linger=0)
                return

    thread = threading.Thread(target=echo, name="echo")
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        context.term()
        await asyncio.to_thread(thread.join)


@asynccontextmanager
async def connect_messages(place: str) -> AsyncIterator[Line]:
    import zmq

    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.set_hwm(0)
    dealer.connect(place)
    try:
        yield _ZmqLine(dealer)
    finally:
        dealer.close(linger=0)
        context.term()


class _ZmqLine:
    """It blocks its process, in which there is nobody else."""

    def __init__(self, dealer: Any) -> None:
        self._send = dealer.send
        self._receive = dealer.recv
        self._on_their_way = 0

    async def send(self, data: bytes) -> None:
        self._send(data)
        self._on_their_way += 1

    async def receive(self) -> bytes:
        if not self._on_their_way:
            await asyncio.sleep(0)  # who sends has its turn first, and sends all
        data: bytes = self._receive()
        self._on_their_way -= 1
        return data


PEER = Peer("pyzmq", {"messages": Play(serve_messages, connect_messages)}, modules=("zmq",))
