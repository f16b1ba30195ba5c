"""A bare line: chunks as they came, the end told again and again, and a reader that is slow."""

from __future__ import annotations

import asyncio

import pytest

from landline.sessions.caller import CHUNK_COST, HELD_ABOVE, Caller
from landline.transports import Transport, open_listener, open_transport, parse_address

VIRTUAL_TIME = True


async def two() -> tuple[Caller, Caller]:
    """Both ends of a line in memory."""
    accepted: list[Caller] = []

    def accept(transport: Transport) -> None:
        accepted.append(Caller(transport, b"head"))

    listener = await open_listener(parse_address("memory://caller"), accept, backlog=1)
    ours = Caller(await open_transport(parse_address("memory://caller")))
    listener.close()
    return ours, accepted[0]


async def test_chunks_come_as_they_arrived_and_the_end_stays() -> None:
    """What was read before is the first chunk; after the end there is nothing, ever."""
    ours, theirs = await two()
    ours.send(b"one")
    ours.send(b"two")
    closing = asyncio.ensure_future(ours.close())

    assert [await theirs.receive() for _ in range(5)] == [b"head", b"one", b"two", b"", b""]
    await closing
    assert ours.is_gone


async def test_a_time_out_loses_nothing() -> None:
    """Nor does a cancellation."""
    ours, theirs = await two()
    await theirs.receive()
    with pytest.raises(TimeoutError):
        await theirs.receive(timeout=3)
    waiting = asyncio.ensure_future(theirs.receive())
    await asyncio.sleep(1)
    waiting.cancel()
    ours.send(b"here")

    assert await theirs.receive(timeout=3) == b"here"


@pytest.mark.limit("session.caller_bytes")
async def test_a_slow_reader_holds_the_line() -> None:
    """What waits unread is bounded, and the writer's ``drain`` waits for the reader."""
    ours, theirs = await two()
    sent = 0

    async def speak() -> None:
        nonlocal sent
        for _ in range(100):
            ours.send(b"x" * 32768)
            sent += 1
            await ours.drain()

    speaking = asyncio.ensure_future(speak())
    await asyncio.sleep(1)
    assert theirs._size <= HELD_ABOVE + 32768 + CHUNK_COST  # the piece with which it was held is whole
    assert sent < 20

    size = -len(b"head")
    while size < 100 * 32768:
        size += len(await theirs.receive())
    await speaking
    assert size == 100 * 32768


async def test_a_slow_reader_holds_a_line_of_single_bytes() -> None:
    """Each chunk costs its object too: of bytes that come one by one fewer are taken."""
    _, theirs = await two()
    was_held = []
    for _ in range(HELD_ABOVE // CHUNK_COST):
        theirs.data_received(b"x")
        was_held.append(theirs._is_held)
    while theirs._chunks:
        await theirs.receive()

    assert was_held.index(True) == pytest.approx(HELD_ABOVE / (1 + CHUNK_COST), abs=2)
    assert not theirs._is_held
    assert theirs._size == 0


async def test_who_waits_is_told_that_the_line_is_gone() -> None:
    """Reading, draining and closing all end with it."""
    ours, theirs = await two()
    ours.send(b"x" * (1 << 20))  # the other end takes it, and no more
    await asyncio.sleep(1)
    ours.send(b"x" * (1 << 20))
    waits = [asyncio.ensure_future(wait) for wait in (ours.receive(), ours.drain())]
    await asyncio.sleep(1)
    assert not any(wait.done() for wait in waits)
    ours.abort()

    assert await waits[0] == b""
    await waits[1]
    await ours.close()
    ours.send(b"dropped")
    assert ours.backlog == 0
    assert len(await theirs.receive()) == len(b"head")
