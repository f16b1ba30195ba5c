"""A stream as whoever opens it has it: items both ways, its ends, what stops it, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from msgspec.msgpack import Ext

import landline
from landline.limits import LONGEST
from landline.patterns.messages import Messages
from landline.protocol.calls import FAILURE
from landline.protocol.codec import Packed
from landline.protocol.frames import ResetCode
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from tests.disk import Disk

from .shop import LIMITS, Shop, opened, turns

VIRTUAL_TIME = True
pytestmark = pytest.mark.timeout(30)


class Streams(Shop):
    """Methods that are streams."""

    def __init__(self) -> None:
        super().__init__()
        for method in (self.ticks, self.forever, self.fail_after, self.large):
            self.methods.method(method)
        for both in (self.echo, self.total, self.header, self.drop_all):
            self.methods.method(both)

    async def ticks(self, count: int) -> AsyncIterator[int]:
        """Count."""
        try:
            for number in range(count):
                yield number
        finally:
            self.book.append("closed")

    async def forever(self) -> AsyncIterator[int]:
        self.running += 1
        try:
            while True:
                yield self.running
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(0)
            self.running -= 1

    async def fail_after(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number
        raise landline.CallFailed("no more", type="empty", data=[count])

    async def large(self, count: int, size: int) -> AsyncIterator[bytes]:
        for number in range(count):
            self.book.append(number)
            yield bytes(size)

    async def echo(self, stream: landline.Stream) -> None:
        async for item in stream:
            await stream.send(item)

    async def total(self, stream: landline.Stream, start: int = 0) -> None:
        async for item in stream:
            start += item
        await stream.send(start)

    async def header(self, stream: landline.Stream) -> None:
        """End first, and read then."""
        await stream.send("header")
        stream.end()
        self.book.extend([item async for item in stream])

    async def drop_all(self, stream: landline.Stream) -> None:
        assert await stream.receive() == 1
        raise landline.CallFailed("enough", type="full")


async def read_into(seen: list[Any], stream: landline.Stream) -> None:
    async for item in stream:
        seen.append(item)  # noqa: PERF401 - what came before a failure is seen


async def send_on(stream: landline.Stream) -> None:
    for _ in range(20_000):
        await stream.send(1)
        await asyncio.sleep(0)


def take_over(session: landline.Session) -> list[BareFlow]:
    """Have flows be taken by the test."""
    taken: list[BareFlow] = []

    def takes(_: BareSession, flow: BareFlow) -> bool:
        taken.append(flow)
        return True

    session._bare.takers = (takes, *session._bare.takers)
    return taken


def flows(session: landline.Session) -> list[str]:
    return [flow.purpose for flow in session._bare.core.flows.values() if flow.number]


@pytest.mark.parametrize("count", [0, 1, 5, 5000])
async def test_a_generator_is_read_to_its_end(count: int) -> None:
    """In order; its own end runs, and nothing is left of it."""
    async with opened(Streams()) as (shop, client, server):
        assert [item async for item in client.stream("ticks", count)] == list(range(count))
        await asyncio.sleep(1)

        assert shop.book == ["closed"]
        assert flows(client) == flows(server) == []


async def test_items_go_both_ways() -> None:
    """Bytes, text and objects, one by one; ``end`` ends the other end's iteration."""
    items = [b"bytes", "text", {"a": [1, None]}, 7, None, b""]
    async with opened(Streams()) as (_, client, _), client.stream("echo") as echo:
        for item in items:
            await echo.send(item)
            assert await echo.receive() == item
        echo.end()

        with pytest.raises(landline.FlowEnded):
            await echo.receive()
        with pytest.raises(landline.FlowEnded, match="this end has said"):
            await echo.send(1)


async def test_an_upload_is_answered_when_it_ends() -> None:
    """Half-closed: one end sends no more, and is still told something. Also the other way round."""
    async with opened(Streams()) as (shop, client, server):
        async with client.stream("total", start=5) as total:
            for number in range(2000):
                await total.send(number)
            total.end()
            assert [item async for item in total] == [5 + sum(range(2000))]
        async with client.stream("header") as header:
            assert [item async for item in header] == ["header"]
            for number in range(3):
                await header.send(number)
            header.end()
            await turns()
        assert shop.book == [0, 1, 2]
        await asyncio.sleep(1)
        assert flows(client) == flows(server) == []


async def test_a_server_reads_a_client_s_stream() -> None:
    """As a client reads a server's."""
    methods = landline.Methods()
    methods.method(Streams().ticks)
    async with opened(client={"methods": methods}) as (_, _, server):
        assert [item async for item in server.stream("ticks", 3)] == [0, 1, 2]


@pytest.mark.parametrize("how", ["left", "closed", "dropped", "cancelled"])
async def test_whoever_leaves_a_stream_ends_it_at_the_other_end(how: str) -> None:
    """By leaving the block, by closing it, by holding it no more, or by being cancelled while reading."""
    async with opened(Streams()) as (shop, client, server):

        async def read() -> None:
            if how == "dropped":
                async for item in client.stream("forever"):
                    if item:
                        break
                return
            async with client.stream("forever") as stream:
                await stream.receive()
                if how == "cancelled":
                    await asyncio.Event().wait()
                elif how == "closed":
                    await stream.close()
                    with pytest.raises(landline.FlowReset):
                        await stream.receive()

        reading = asyncio.create_task(read())
        await turns()
        if how == "cancelled":
            assert shop.running == 1
            reading.cancel()
        await asyncio.wait([reading])
        await asyncio.sleep(1)

        assert shop.running == 0
        assert flows(client) == flows(server) == []


async def test_a_failure_comes_after_the_items_before_it() -> None:
    """With its type, message and data; a slow reader reads everything before."""
    async with opened(Streams()) as (_, client, server):
        seen: list[Any] = []
        async with client.stream("fail_after", 3) as stream:
            await asyncio.sleep(1)
            with pytest.raises(landline.CallFailed, match="no more") as failed:
                await read_into(seen, stream)

        assert seen == [0, 1, 2]
        assert (failed.value.type, failed.value.data) == ("empty", [3])
        await asyncio.sleep(1)
        assert flows(client) == flows(server) == []


async def test_whoever_sends_to_a_method_that_has_failed_is_told() -> None:
    """It need not come to read for that; what it sent meanwhile is dropped."""
    async with opened(Streams()) as (_, client, server):
        async with client.stream("drop_all") as stream:
            with pytest.raises(landline.CallFailed, match="enough"):
                await send_on(stream)
        await asyncio.sleep(1)
        assert flows(client) == flows(server) == []


async def test_what_is_sent_to_a_method_is_not_read_for_each_of_its_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A large item that it never reads would take its server as long as making objects of it, again and again."""
    read: list[Packed] = []
    unpack = Packed.unpack

    def note(item: Packed) -> Any:
        read.append(item)
        return unpack(item)

    async with opened(Streams()) as (_, client, _):
        async with client.stream("ticks", 20) as stream:
            await stream.send([{}] * 10)
            stream.end()
            monkeypatch.setattr(Packed, "unpack", note)
            assert [item async for item in stream] == list(range(20))
    assert len([item for item in read if unpack(item) == [{}] * 10]) <= 1


@pytest.mark.parametrize(
    ("method", "args", "kind"),
    [
        ("nothing", (), "unknown method"),
        ("add", (1,), "unknown method"),
        ("ticks", ("x",), "invalid arguments"),
        ("ticks", (), "invalid arguments"),
    ],
)
async def test_what_is_no_such_stream_is_told_as_of_calls(method: str, args: Any, kind: str) -> None:
    """And a stream is no call."""
    async with opened(Streams()) as (_, client, _):
        with pytest.raises(landline.CallFailed) as failed:
            await client.stream(method, *args).receive()
        assert failed.value.type == kind
        with pytest.raises(landline.CallFailed, match=r"is read by session\.stream"):
            await client.call("ticks", 1)


async def test_what_cannot_be_sent_is_told_at_once() -> None:
    """Arguments before there is a flow; items without ending the stream; and what would look like a failure."""
    async with opened(Streams()) as (_, client, _):
        with pytest.raises(landline.DataError):
            client.stream("ticks", object())
        assert flows(client) == []
        async with client.stream("echo") as echo:
            for item in (object(), Ext(FAILURE, b"")):
                with pytest.raises(landline.DataError):
                    await echo.send(item)
            await echo.send(Ext(FAILURE + 1, b"mine"))
            assert await echo.receive() == Ext(FAILURE + 1, b"mine")


@pytest.mark.parametrize("timeout", [0, -1.0, LONGEST + 1, float("nan")])
async def test_a_deadline_is_a_time(timeout: float) -> None:
    """None, the default, is none."""
    async with opened(Streams()) as (_, client, _):
        with pytest.raises(ValueError, match="a timeout is above 0"):
            client.stream("ticks", 1, timeout=timeout)


async def test_a_stream_has_its_deadline_at_both_ends() -> None:
    """The one who reads is told, and the method is cancelled, also where the line is down."""
    async with opened(Streams()) as (shop, client, server):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(landline.CallTimeout):
            async for _ in client.stream("forever", timeout=5.5):
                pass
        assert loop.time() - begun == pytest.approx(5.5, abs=0.001)
        await asyncio.sleep(1)
        assert shop.running == 0

        stream = client.stream("forever", timeout=5.0)
        await stream.receive()
        client.drop(20.0)
        await asyncio.sleep(5.5)
        assert shop.running == 0
        with pytest.raises(landline.CallTimeout):
            await read_into([], stream)
        await asyncio.sleep(30)
        assert flows(client) == flows(server) == []
        assert [item async for item in client.stream("ticks", 2, timeout=3.0)] == [0, 1]


async def test_a_slow_reader_stops_its_writer_and_nobody_else() -> None:
    """After what fits the window; another stream, messages and calls go on."""
    limits = dataclasses.replace(LIMITS, window=100_000, credit=200_000, flow_outbox=20_000)
    async with opened(Streams(), limits=limits) as (shop, client, server):
        async with client.stream("large", 1000, 1000) as slow:
            await slow.receive()
            await asyncio.sleep(5)
            stopped_at = len(shop.book)
            assert stopped_at < 200

            assert [item async for item in client.stream("ticks", 5000)] == list(range(5000))
            assert await client.call("add", 1) == 3
            await asyncio.sleep(5)
            assert len(shop.book) == stopped_at + 1
            assert server._bare.core.memory < 200_000
            assert len([item async for item in slow]) == 999


async def test_streams_go_on_when_the_line_is_back() -> None:
    """Nothing is missing and nothing is doubled, in either direction."""
    async with opened(Streams()) as (_, client, _), client.stream("echo") as echo:
        back: list[int] = []

        async def read() -> None:
            back.extend([item async for item in echo])

        reading = asyncio.create_task(read())
        for number in range(2000):
            await echo.send(number)
            if number % 300 == 0:
                client.drop(0.5)
            await asyncio.sleep(0.001)
        echo.end()
        await reading
        assert back == list(range(2000))


@pytest.mark.parametrize("how", ["lost", "closed"])
async def test_the_end_of_the_session_is_not_the_end_of_the_stream(how: str) -> None:
    """Whoever iterates is told, and does not take what came for everything; what arrived is read first."""
    limits = dataclasses.replace(LIMITS, resume_window=5.0)
    async with opened(Streams(), limits=limits) as (shop, client, server):
        stream = client.stream("forever")
        assert await stream.receive() == 1
        if how == "lost":
            client.drop(10.0)
            await asyncio.sleep(8)
        else:
            await server.close()

        with pytest.raises(landline.SessionEnded):
            async for _ in stream:
                pass
        with pytest.raises(landline.SessionEnded):
            await stream.send(1)
        with pytest.raises(landline.SessionEnded):
            client.stream("forever")
        await asyncio.sleep(1)
        assert shop.running == 0


async def test_in_a_new_life_of_the_server_a_stream_is_over() -> None:
    """Nobody there knows how far it was; what arrived before is read first."""
    disk, shop = Disk(), Streams()

    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        limits = dataclasses.replace(LIMITS, close_timeout=0.05)
        server = landline.Server(methods=shop.methods, storage=disk, limits=limits, retry_in=0.001)
        async with server.listen("memory://stream-lives"):
            yield

    async with AsyncExitStack() as stack:
        async with life():
            client = await stack.enter_async_context(landline.connect("memory://stream-lives", limits=LIMITS))
            stream = client.stream("forever")
            sending = client.stream("echo")
            assert await stream.receive() == 1
            await asyncio.sleep(1.5)
        async with life():
            with pytest.raises(landline.CallUnknown, match="the server was restarted"):
                async for _ in stream:
                    pass
            with pytest.raises(landline.CallUnknown):
                await sending.send(1)
            assert [item async for item in client.stream("ticks", 2)] == [0, 1]


async def test_so_many_streams_are_open_at_once() -> None:
    """One more is told that there is no room, and has it when another is left."""
    limits = dataclasses.replace(LIMITS, max_flows=3)
    async with opened(Streams(), limits=limits) as (_, client, _):
        streams = [client.stream("forever") for _ in range(3)]
        with pytest.raises(landline.Full):
            client.stream("forever")
        await streams.pop().close()
        await asyncio.sleep(1)
        streams.append(client.stream("forever"))
        assert await streams[-1].receive() > 0


@pytest.mark.limit("max_flows")
async def test_the_calls_of_a_session_take_the_place_of_one_stream() -> None:
    """From the first one on, however many there are."""
    limits = dataclasses.replace(LIMITS, max_flows=3)
    async with opened(Streams(), limits=limits) as (_, client, _):
        for number in range(5):
            assert await client.call("add", number) == number + 2
        streams = [client.stream("forever") for _ in range(2)]
        with pytest.raises(landline.Full):
            client.stream("forever")
        assert [await stream.receive() > 0 for stream in streams] == [True, True]


# A peer that breaks the rules...


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ResetCode.UNWANTED, "not taken"),
        (ResetCode.BAD_DATA, "bad data"),
        (ResetCode.FAILED, "internal error"),
        (ResetCode.CANCELLED, "cancelled"),
    ],
)
async def test_a_stream_that_the_other_end_abandons_has_failed(code: ResetCode, kind: str) -> None:
    """It never looks as if it had ended."""
    async with opened() as (_, client, server):
        taken = take_over(server)
        stream = client.stream("ticks", 1)
        await turns()
        taken[0].reset(code, "as it likes")

        with pytest.raises(landline.CallFailed, match="as it likes") as failed:
            async for _ in stream:
                pass
        assert failed.value.type == kind


async def test_a_failure_that_cannot_be_read_is_one_all_the_same() -> None:
    """Whoever says it is at fault, and the stream has failed."""
    async with opened() as (_, client, server):
        taken = take_over(server)
        stream = client.stream("ticks", 1)
        await turns()
        _ = await Messages(server._bare, taken[0]).send(Ext(FAILURE, b"rubbish"))

        with pytest.raises(landline.CallFailed, match="cannot be read") as failed:
            await stream.receive()
        assert failed.value.type == "bad data"


async def test_a_deadline_goes_with_its_stream() -> None:
    """Also where that was read to its end, and not left by anybody."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    call_later = loop.call_later

    def note(seconds: float, *args: Any, **how: Any) -> asyncio.TimerHandle:
        handle = call_later(seconds, *args, **how)
        if seconds == 1000.0:
            timers.append(handle)
        return handle

    async with opened(Streams()) as (_, client, _):
        loop.call_later = note  # type: ignore[method-assign,assignment]
        for _ in range(3):
            stream = client.stream("ticks", 2, timeout=1000.0)
            stream.end()
            assert [item async for item in stream] == [0, 1]
            await asyncio.sleep(1)
            del stream
        loop.call_later = call_later  # type: ignore[method-assign]
        gc.collect()
        await turns()

    assert [timer.cancelled() for timer in timers] == [True] * 3


async def test_nothing_is_left_of_a_thousand_streams() -> None:
    """Whether they were read or left: neither tasks, nor flows, nor what they held."""
    before = asyncio.all_tasks()
    async with opened(Streams()) as (shop, client, server):
        for number in range(1000):
            async with client.stream(
                "forever" if number % 2 else "ticks", *(() if number % 2 else (3,))
            ) as stream:
                assert await stream.receive() >= 0
        await asyncio.sleep(5)
        gc.collect()

        assert (shop.running, flows(client), flows(server)) == (0, [], [])
        assert len(client._bare._flows) < 10
        assert len(server._bare._flows) < 10
        assert client._bare.core.memory + server._bare.core.memory < 2000
    await turns()
    assert asyncio.all_tasks() == before


def test_the_code_of_a_failure_is_that_of_the_wire() -> None:
    """As docs/protocol.md has it."""
    assert msgspec.msgpack.encode(Ext(FAILURE, b"abcd"))[:2] == b"\xd6\x4c"
