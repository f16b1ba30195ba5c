"""Serving streams: what a method may do in one, and what becomes of it."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

import landline
from landline.patterns.messages import Messages
from landline.protocol.calls import STREAM_PURPOSE, encode_opening

from .shop import LIMITS, Shop, opened, turns

VIRTUAL_TIME = True
pytestmark = pytest.mark.timeout(30)


async def test_whoever_may_not_reads_no_stream() -> None:
    """``authorize`` is asked as for calls."""
    asked: list[tuple[str, str, str]] = []

    def authorize(principal: str, verb: str, method: str) -> bool:
        asked.append((principal, verb, method))
        return verb == "enter"

    shop = Shop()

    @shop.methods.method
    async def ticks() -> AsyncIterator[int]:
        yield 1

    async with opened(shop, authorize=authorize, authenticate=lambda _: "ana") as (_, client, _):
        with pytest.raises(landline.CallNotAllowed):
            await client.stream("ticks").receive()
    assert asked[1:] == [("ana", "call", "ticks")]


async def test_a_method_is_given_the_session_besides_the_stream() -> None:
    """And what the caller gave, in order and by name."""
    shop = Shop()

    @shop.methods.method
    async def tell(stream: landline.Stream, number: int, session: landline.Session, *, word: str) -> None:
        await stream.send([number, word, session.id])

    async with opened(shop) as (_, client, server):
        assert [item async for item in client.stream("tell", 7, word="x")] == [[7, "x", server.id]]


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (KeyError("a secret"), "internal error", "m failed"),
        (landline.CallFailed("words", data=object()), "internal error", ""),
        (landline.NotAllowed("words"), "not allowed", "words"),
        (TimeoutError("a secret"), "internal error", "m failed"),
        (asyncio.CancelledError(), "internal error", "m failed"),
        (landline.SessionLost("of another session", received=0, unacked=0), "internal error", "m failed"),
        (landline.FlowEnded("of another stream"), "internal error", "m failed"),
    ],
)
async def test_whatever_a_method_raises_its_caller_is_told(
    raised: BaseException, kind: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After what it had sent; nothing of its own words where it did not mean to tell, and the session goes on."""
    caplog.set_level(logging.CRITICAL)
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream) -> None:
        await stream.send(1)
        raise raised

    async with opened(shop) as (_, client, _):
        stream = client.stream("m")
        assert await stream.receive() == 1
        with pytest.raises(landline.CallFailed) as failed:
            await stream.receive()
        assert (failed.value.type, failed.value.message) == (kind, message)
        assert await client.call("add", 1) == 3


async def test_a_stream_that_fails_again_and_again_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a method that is called: the first is there in full."""
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream, has_words: bool) -> None:
        raise landline.CallFailed("words", data=object()) if has_words else KeyError("a secret")

    async with opened(shop) as (_, client, _):
        for number in range(40):
            with pytest.raises(landline.CallFailed):
                await client.stream("m", number % 2 == 0).receive()

    records = [record for record in caplog.records if record.name == "landline.calls"]
    assert [record.getMessage() for record in records if record.exc_info] == [
        "what m says of its failure cannot be sent",
        "the method m failed",
    ]
    assert len(records) == 4


async def test_a_failure_after_the_end_abandons_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    """A method that has said that it sends no more has no other way to tell."""
    caplog.set_level(logging.CRITICAL)
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream) -> None:
        stream.end()
        await stream.receive()
        raise KeyError

    async with opened(shop) as (_, client, _):
        stream = client.stream("m")
        await stream.send(1)
        await turns()
        with pytest.raises(landline.CallFailed) as failed:
            await stream.send(2)
        assert failed.value.type == "internal error"


async def test_a_method_may_close_its_stream_and_go_on() -> None:
    """It sends no more then; its caller reads all that was sent, and the method comes to its end."""
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream) -> None:
        async with stream:
            await stream.send(1)
        await asyncio.sleep(5)
        shop.book.append("to its end")

    async with opened(shop) as (_, client, _):
        async with client.stream("m") as stream:
            assert [item async for item in stream] == [1]
            await asyncio.sleep(6)
    assert shop.book == ["to its end"]


async def test_a_method_that_wants_no_more_lets_its_caller_send_in_vain() -> None:
    """What comes after its return is dropped, until the caller ends too: neither waits for the other."""
    shop = Shop()

    @shop.methods.method
    async def first(stream: landline.Stream) -> None:
        await stream.send(await stream.receive())

    async with opened(shop) as (_, client, server):
        async with client.stream("first") as stream:
            for number in range(20_000):
                await stream.send(number)
            stream.end()
            assert [item async for item in stream] == [0]
        await asyncio.sleep(1)
        assert len(server._bare.core.flows) == 1


async def test_a_method_is_cancelled_once_and_may_clean_up() -> None:
    """Waiting while it does so; its failure then is nobody's."""
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            shop.book.append("cleaned up")
            with pytest.raises(landline.FlowReset):
                await stream.send(1)
            raise KeyError from None

    async with opened(shop) as (_, client, server):
        async with client.stream("m"):
            await turns()
        await asyncio.sleep(2)
        assert shop.book == ["cleaned up"]
        assert len(server._bare.core.flows) == 1
        assert await client.call("add", 1) == 3


async def test_a_stream_whose_method_cancels_its_task_has_failed() -> None:
    """Its caller, who has all the time in the world, is not left waiting."""
    shop = Shop()

    @shop.methods.method
    async def odd(stream: landline.Stream) -> None:
        await stream.send(1)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async with opened(shop) as (_, client, server):
        async with client.stream("odd") as stream:
            assert await stream.receive() == 1
            with pytest.raises(landline.CallFailed, match="odd was cancelled"):
                await stream.receive()
        await turns()
        assert server._bare.core.flows.keys() == {0}


async def test_a_generator_ends_where_it_ran() -> None:
    """Also where it is left while nobody reads it: in its task and its context, before the stream is over."""
    shop = Shop()

    @shop.methods.method
    async def m() -> AsyncIterator[bytes]:
        task = asyncio.current_task()
        try:
            while True:
                yield bytes(10_000)
        finally:
            shop.book.append(asyncio.current_task() is task)

    async with opened(shop) as (_, client, _):
        async with client.stream("m") as stream:
            await stream.receive()
            await asyncio.sleep(1)
        await asyncio.sleep(1)
    assert shop.book == [True]


@pytest.mark.parametrize("said", [b"rubbish", "text", encode_opening(-1.0, "ticks", [], {}, 1000)])
async def test_a_stream_that_does_not_begin_as_one_is_refused(said: Any) -> None:
    """It ends with a reason, and the session goes on."""
    async with opened() as (_, client, _):
        flow = client._bare.open_flow(STREAM_PURPOSE)
        messages = Messages(client._bare, flow)
        _ = await messages.send(said)

        with pytest.raises(landline.FlowReset) as refused:
            await messages.receive()
        assert refused.value.code == "bad data"
        assert await client.call("add", 1) == 3


async def test_a_server_that_ends_cancels_its_streams() -> None:
    """And waits for that."""
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            shop.book.append("over")

    server = landline.Server(methods=shop.methods)
    async with server.listen("memory://streaming"):
        session = await landline.connect("memory://streaming")
        stream = session.stream("m")
        await turns()
    assert shop.book == ["over"]
    await session.close()
    with pytest.raises(landline.SessionEnded):
        await stream.receive()


async def test_a_method_that_is_stopped_by_several_at_once_cleans_up_in_peace() -> None:
    """Its deadline, its caller's, and the end of the session: one of them cancels it."""
    shop = Shop()

    @shop.methods.method
    async def m(stream: landline.Stream) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            shop.book.append("cleaned up")

    async with opened(shop) as (_, client, server):
        with pytest.raises(landline.CallTimeout):
            await client.stream("m", timeout=5.0).receive()
        with pytest.raises(landline.CallTimeout):
            await client.call("wait", timeout=5.0)
        await turns()
        assert shop.book[-1] == ("cancelled", 0)
        async with client.stream("m", timeout=5.0):
            await asyncio.sleep(4.5)
        await asyncio.sleep(0.2)
        await server.close()
        await asyncio.sleep(2)
    assert shop.book.count("cleaned up") == 2


async def test_an_end_is_an_end_also_where_the_session_is_closed_right_behind_it() -> None:
    """What was said to its end is not told as broken off."""
    shop = Shop()
    collected: list[Any] = []

    @shop.methods.method
    async def collect(stream: landline.Stream) -> None:
        collected.append([item async for item in stream])

    async with opened(shop) as (_, client, _):
        stream = client.stream("collect")
        await stream.send(1)
        stream.end()
        await client.close()
    assert collected == [[1]]


@pytest.mark.parametrize("closes", ["client", "server"])
@pytest.mark.parametrize("name", ["collect", "ticks", "has_ended"])
async def test_a_stream_that_ends_with_its_session_has_not_failed(
    name: str, closes: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether its method reads, yields or waits for something else when the session is closed: nothing is logged."""
    shop = Shop()
    over: list[str] = []

    @shop.methods.method
    async def collect(stream: landline.Stream) -> None:
        try:
            await stream.send("begun")
            async for _ in stream:
                pass
        finally:
            over.append(name)

    @shop.methods.method
    async def ticks() -> AsyncIterator[int]:
        try:
            for number in itertools.count():
                yield number
                await asyncio.sleep(0.01)
        finally:
            over.append(name)

    @shop.methods.method
    async def has_ended(stream: landline.Stream) -> None:
        await stream.send("begun")
        stream.end()
        try:
            await asyncio.Event().wait()
        finally:
            over.append(name)

    async with opened(shop) as (_, client, server):
        await client.stream(name).receive()
        await (client if closes == "client" else server).close()
        await turns()
    assert over == [name]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.limit("max_flows")
async def test_streams_that_are_left_do_not_heap_up_behind_methods_that_clean_up() -> None:
    """Who leaves a stream may open another at once; so many run at the most, and others wait until one of them is done, if they are not left too."""
    shop = Shop()
    running = most = 0

    @shop.methods.method
    async def slow_to_go(stream: landline.Stream) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.Event().wait()
        finally:
            await shop.may_go_on.wait()
            running -= 1

    @shop.methods.method
    async def ticks() -> AsyncIterator[int]:
        yield 1

    async with opened(shop, limits=dataclasses.replace(LIMITS, max_flows=4)) as (_, client, _):
        for _ in range(100):
            stream = client.stream("slow_to_go")
            await turns(10)
            await stream.close()
            await turns(10)
        assert most == running == 4
        waiting = [asyncio.create_task(client.stream("ticks").receive()) for _ in range(3)]
        await turns()
        assert not any(task.done() for task in waiting)
        shop.may_go_on.set()

        assert await asyncio.gather(*waiting) == [1, 1, 1]
        assert (most, running) == (4, 0)


async def test_a_server_that_ends_lets_go_of_streams_that_wait() -> None:
    """They were never begun."""
    shop = Shop()

    @shop.methods.method
    async def slow_to_go(stream: landline.Stream) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(9)

    async with opened(shop, limits=dataclasses.replace(LIMITS, max_flows=1)) as (_, client, _):
        stream = client.stream("slow_to_go")
        await turns()
        await stream.close()
        await asyncio.sleep(1)
        _waiting = client.stream("slow_to_go")
        await turns()
