"""A transport that is awaited: what waits in it, and who goes on when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from landline.limits import TRANSPORT, WEB
from landline.transports import Listener, Transport, open_listener, open_transport, parse_address
from landline.web.bytestream import ByteStream

VIRTUAL_TIME = True


class Pair:
    """A stream, and the transport at the other end."""

    def __init__(self, listener: Listener, stream: ByteStream, other: Transport) -> None:
        self.listener, self.stream, self.other = listener, stream, other
        self.heard = bytearray()
        other.start(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def data_ended(self) -> None: ...

    def writable(self) -> None: ...

    def lost(self, error: Exception | None) -> None: ...


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    accepted: list[ByteStream] = []
    listener = await open_listener(
        parse_address("memory://stream"), lambda each: accepted.append(ByteStream(each, b"first")), backlog=1
    )
    other = await open_transport(parse_address("memory://stream"))
    yield Pair(listener, accepted[0], other)
    listener.close()
    other.abort()


def at(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_was_read_before_comes_first(pair: Pair) -> None:
    """And what is put back comes before that."""
    pair.other.write(b" second")

    assert await pair.stream.more(at(1.0))

    pair.stream.put_back(b"zeroth ")

    assert pair.stream.take(12) == b"zeroth first"
    assert pair.stream.take(99) == b" second"


async def test_waiting_ends_at_its_time(pair: Pair) -> None:
    """Not before, and what comes until then is in time."""
    asyncio.get_running_loop().call_later(0.9, pair.other.write, b"x")

    assert await pair.stream.more(at(1.0))
    with pytest.raises(TimeoutError):
        await pair.stream.more(at(1.0))

    assert asyncio.get_running_loop().time() == pytest.approx(1.9)


@pytest.mark.parametrize("way", ["end", "close", "abort"])
async def test_an_end_is_told_once_and_ends_the_waiting(pair: Pair, way: str) -> None:
    """However the other end goes."""
    told: list[str] = []
    pair.stream.on_gone = lambda: told.append("gone")
    getattr(pair.other, way)()

    assert not await pair.stream.more(at(1.0))

    await asyncio.sleep(1.0)

    assert told == ["gone"]


async def test_a_full_stream_reads_on_when_half_of_it_was_taken(pair: Pair) -> None:
    """And not for each byte."""
    pair.stream.take(5)
    pair.other.write(b"x" * (WEB.ahead + 1))
    await pair.stream.more(at(1.0))
    pair.other.write(b"y")
    pair.stream.take(WEB.ahead // 2)
    await asyncio.sleep(1.0)

    assert len(pair.stream.buffer) == WEB.ahead // 2 + 1

    pair.stream.take(1)
    await asyncio.sleep(1.0)

    assert bytes(pair.stream.buffer[-1:]) == b"y"


async def test_a_flush_waits_for_the_last_byte(pair: Pair) -> None:
    """As long as some of it goes; a writer waits only for room."""
    pair.other.hold(True)
    await pair.stream.write(b"x" * TRANSPORT.backlog)
    asyncio.get_running_loop().call_later(WEB.write_timeout - 0.1, pair.other.hold, False)
    await pair.stream.flush()

    assert len(pair.heard) == TRANSPORT.backlog


async def test_a_flush_to_nobody_gives_up(pair: Pair) -> None:
    """When nothing went for so long."""
    pair.other.hold(True)
    await pair.stream.write(b"x")
    with pytest.raises(TimeoutError):
        await pair.stream.flush()

    assert asyncio.get_running_loop().time() == pytest.approx(WEB.write_timeout, abs=0.1)


async def test_writing_to_a_transport_that_is_gone_waits_for_nothing(pair: Pair) -> None:
    """Also for whoever waits already."""
    pair.other.hold(True)
    writing = asyncio.ensure_future(pair.stream.write(b"x" * (TRANSPORT.backlog + 1)))
    await asyncio.sleep(1.0)
    pair.stream.transport.abort()
    async with asyncio.timeout(1.0):
        await writing
        await pair.stream.write(b"x" * TRANSPORT.backlog)
        await pair.stream.flush()


async def test_what_is_handed_over_is_read_on(pair: Pair) -> None:
    """Somebody else goes on behind what was not taken, although the stream was full."""
    pair.other.write(b"x" * (WEB.ahead + 1))
    await pair.stream.more(at(1.0))
    pair.other.write(b"y")

    assert pair.stream.hand_over() == b"first" + b"x" * (WEB.ahead + 1)

    next_one = ByteStream(pair.stream.transport, b"")
    await next_one.more(at(1.0))

    assert next_one.buffer == b"y"


async def test_what_was_let_go_is_not_kept(pair: Pair) -> None:
    """Neither what waits nor what still comes while the transport lingers; whoever waits is told that it ended."""
    pair.stream.let_go()
    pair.other.write(b"more")
    await asyncio.sleep(0.1)

    assert pair.stream.buffer == b""
    assert not await pair.stream.more(at(1))
