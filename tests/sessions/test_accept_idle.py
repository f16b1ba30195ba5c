"""What an idle session takes of a server's memory: a server holds thousands, so that nothing may be made for each that few need."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import AsyncExitStack

import landline
from landline.protocol.frames import FrameType
from landline.transports import open_transport, parse_address
from tests.sessions.conftest import Wire, ack

SESSIONS = 50

MOST = 4400
"""Bytes; on some versions of Python it is a few hundred less."""

MADE_BY_THE_LOOP = ("transports/listener", "transports/tcp")
"""Where the loop is asked for its end of a line, the server's and the client's: another loop makes something else."""

SHARED = "sessions/alarms"
"""Alarms are of all who are due within a 64th of a second: of how many that is, the machine's pace decides."""


async def echo(session: landline.Session) -> None:
    async for message in session:
        _ = await session.send(message)


async def test_an_idle_session_takes_little() -> None:
    """One that was used once, as everybody's is who connects; its messages are acked, and all is quiet."""
    async with (
        landline.serve(echo, "tcp://127.0.0.1:0", limits=landline.Limits(ack_delay=0.001)) as listening,
        AsyncExitStack() as lines,
    ):
        address = listening.addresses[0]
        await enter(lines, address)
        tracemalloc.start()
        try:
            before = taken()
            for _ in range(SESSIONS):
                await enter(lines, address)
            each = (taken() - before) / SESSIONS
        finally:
            tracemalloc.stop()

    assert each < MOST


async def enter(lines: AsyncExitStack, address: str) -> None:
    """Begin a session, have a message come back, and be told that the server knows that."""
    wire = Wire(await open_transport(parse_address(address)))
    lines.callback(wire.transport.abort)
    wire.hello()
    wire.confirm(await wire.welcome())
    wire.frame(FrameType.BYTES, 0, b"hello")
    assert await wire.expect(FrameType.BYTES) == b"hello"
    wire.say(ack(1, 1))
    wire.frame(FrameType.PING)
    await wire.expect(FrameType.PONG)


def taken() -> int:
    """Return how many bytes the code of the library has taken and not given back."""
    gc.collect()
    filters = [tracemalloc.Filter(True, "*/landline/*")]
    filters += [tracemalloc.Filter(False, f"*/landline/{name}.py") for name in (*MADE_BY_THE_LOOP, SHARED)]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(filters).traces)
