"""NATS: requests and replies by ``nats-py`` through ``nats-server``, which is a third process on the same core."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .peer import Caller, Calls, Peer, Play, find_program

BOUND = 20.0
"""Seconds that the server may take to come up."""


@asynccontextmanager
async def serve_calls() -> AsyncIterator[str]:
    import nats

    async def answer(message: Any) -> None:
        await message.respond(message.data)

    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            str(find_program("nats-server")),
            *("--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            place = await asyncio.wait_for(_place(Path(folder)), BOUND)
            responder = await nats.connect(place)
            await responder.subscribe("echo", cb=answer)
            await responder.flush()
            yield place
            await responder.close()
        finally:
            server.terminate()
            await server.wait()


async def _place(folder: Path) -> str:
    """Wait for the file in which the server tells its port."""
    while True:
        for file in folder.glob("*.ports"):
            if text := file.read_text():
                return str(json.loads(text)["nats"][0])
        await asyncio.sleep(0.02)


@asynccontextmanager
async def connect_calls(place: str) -> AsyncIterator[Caller]:
    import nats

    client = await nats.connect(place)

    async def call(data: bytes) -> bytes:
        reply: bytes = (await client.request("echo", data, timeout=30)).data
        return reply

    try:
        yield Calls(call)
    finally:
        await client.close()


PEER = Peer(
    "nats-py",
    {"calls": Play(serve_calls, connect_calls)},
    modules=("nats",),
    programs=("nats-server",),
)
