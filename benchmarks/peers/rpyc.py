"""RPyC: its ``ThreadedServer``, and an exposed method that is looked up once; many at once by ``async_``, as its documentation has it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .peer import MESSAGE, Caller, Peer, Play


@asynccontextmanager
async def serve_calls() -> AsyncIterator[str]:
    import rpyc

    class Echo(rpyc.Service):  # type: ignore[misc, unused-ignore]
        def exposed_echo(self, data: bytes) -> bytes:
            return data

    server = rpyc.ThreadedServer(Echo, hostname="127.0.0.1", port=0)
    thread = threading.Thread(target=server.start, name="rpyc", daemon=True)
    thread.start()
    try:
        yield str(server.port)
    finally:
        await asyncio.to_thread(server.close)


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    import rpyc

    connection = rpyc.connect("127.0.0.1", int(place))
    try:
        yield _Calls(rpyc, connection.root.echo)
    finally:
        connection.close()


class _Calls:
    """It has no coroutines: it blocks its process, in which there is nobody else."""

    def __init__(self, rpyc: Any, echo: Any) -> None:
        self._echo = echo
        self._begin = rpyc.async_(echo)

    async def run(self, count: int, at_once: int) -> None:
        if at_once == 1:
            for _ in range(count):
                self._check(self._echo(MESSAGE))
            return
        begun: deque[Any] = deque()
        for _ in range(count):
            if len(begun) == at_once:
                self._check(begun.popleft().value)
            begun.append(self._begin(MESSAGE))
        for result in begun:
            self._check(result.value)

    def _check(self, result: bytes) -> None:
        if result != MESSAGE:
            raise ValueError("a call must return its argument")


PEER = Peer("rpyc", {"calls": Play(serve_calls, connect_calls)}, modules=("rpyc",))
