"""A WebSocket in front of a server that speaks TCP, for the tests of the JavaScript client.

Prints its address as JSON when it listens. A message of the client's that holds anything but whole frames ends the line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import MAGIC


async def carry(caller: ServerConnection) -> None:
    """Carry bytes between a caller and the server, until either goes."""
    reader, writer = await asyncio.open_connection("localhost", int(sys.argv[1]))

    async def back() -> None:
        while data := await reader.read(1 << 16):
            await caller.send(data)  # cut anywhere: a client takes that, too
        await caller.close()

    task = asyncio.create_task(back())
    decoder, is_first = FrameDecoder(1 << 20), True
    with contextlib.suppress(ConnectionClosed):
        async for message in caller:
            assert isinstance(message, bytes)
            frames = message.removeprefix(MAGIC) if is_first else message
            assert list(decoder.feed(frames))
            assert not decoder.held, "part of a frame in a message"
            is_first = False
            writer.write(message)
            await writer.drain()
    writer.close()
    task.cancel()


async def main() -> None:
    """Serve until standard input ends."""
    async with serve(carry, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(json.dumps({"address": f"ws://127.0.0.1:{port}"}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


asyncio.run(main())
