"""The floor: echo and fan-out in C on one epoll, with the frames of the bare protocol; see ``native/floor.c``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..native.compiled import compiled, find_compiler
from . import bare
from .load import Talk, framed, talking
from .peer import Peer, Play


@asynccontextmanager
async def serve() -> AsyncIterator[str]:
    server = await asyncio.create_subprocess_exec(
        str(compiled("floor")), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        yield f"{(await server.stdout.readline()).decode().strip()} {server.pid}"
    finally:
        server.stdin.close()
        await server.wait()


def talk(place: str) -> Talk:
    port, pid = place.split()
    return framed(int(port))._replace(pid=int(pid))


_LOADED = Play(serve, talking(talk))
PEER = Peer(
    "C epoll",
    {
        "messages": Play(serve, lambda place: bare.connect_messages(place.split()[0])),
        "trips": _LOADED,
        "crowds": _LOADED,
        "fan-out": _LOADED,
    },
    programs=() if find_compiler() else ("cc",),
    is_floor=True,
)
