"""Middlewares: the chain by itself, and around what clients publish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import landline
from landline.patterns.middleware import Call, Middleware, Proceed, through

VIRTUAL_TIME = True

HOME = "memory://middleware"

CALL = Call(None, "publish", "t", 1)


async def last(call: Call) -> Any:
    return [call.data]


def named(name: str, log: list[str]) -> Middleware:
    async def middleware(call: Call, proceed: Proceed) -> Any:
        log.append(f"{name} in")
        try:
            return await proceed(call)
        finally:
            log.append(f"{name} out")

    return middleware


# The chain...


async def test_without_any_the_last_is_asked() -> None:
    """Nothing stands between."""
    assert await through([], last)(CALL) == [1]


async def test_the_first_one_is_outermost() -> None:
    """As they were added, inwards; outwards the other way round."""
    log: list[str] = []
    assert await through([named("a", log), named("b", log)], last)(CALL) == [1]
    assert log == ["a in", "b in", "b out", "a out"]


async def test_each_may_hand_on_something_else_and_return_something_else() -> None:
    """What the next one sees, and what comes of it."""

    async def double(call: Call, proceed: Proceed) -> Any:
        return [*await proceed(call.replace(data=call.data * 2)), "doubled"]

    assert await through([double, double], last)(CALL) == [4, "doubled", "doubled"]
    assert CALL.data == 1


async def test_one_may_answer_by_itself_and_one_may_ask_twice() -> None:
    """Whether and how often it goes on is its own business."""
    log: list[str] = []

    async def cached(call: Call, proceed: Proceed) -> Any:
        return "cached"

    async def twice(call: Call, proceed: Proceed) -> Any:
        return await proceed(call) + await proceed(call)

    assert await through([cached, named("never", log)], last)(CALL) == "cached"
    assert log == []
    assert await through([twice, named("b", log)], last)(CALL) == [1, 1]
    assert log == ["b in", "b out"] * 2


async def test_what_is_raised_comes_out() -> None:
    """Through all that stand outside, which may make something else of it."""

    async def refuses(call: Call, proceed: Proceed) -> Any:
        raise landline.NotAllowed("no")

    async def softens(call: Call, proceed: Proceed) -> Any:
        try:
            return await proceed(call)
        except landline.NotAllowed as error:
            return f"told {error}"

    log: list[str] = []
    with pytest.raises(landline.NotAllowed):
        await through([named("a", log), refuses], last)(CALL)
    assert log == ["a in", "a out"]
    assert await through([softens, refuses], last)(CALL) == "told no"


# ... around publishes.


@asynccontextmanager
async def line(server: landline.Server) -> AsyncIterator[landline.Session]:
    async with server.listen(HOME), landline.connect(HOME, credentials="ana") as session:
        yield session


async def stored(server: landline.Server) -> list[Any]:
    return [item.data for item in (await server.read("**")).publications]


async def test_a_publish_goes_through_to_what_vets_it_and_what_comes_out_is_stored() -> None:
    """Each sees who, what and where to, after ``authorize`` has allowed it."""
    seen: list[Any] = []
    server = landline.Server(
        authenticate=str, authorize=lambda principal, verb, topic: topic != "t.forbidden"
    )

    def vet(session: landline.Session, topic: str, data: Any) -> Any:
        seen.append(("vet", session.principal, topic, data))
        return [*data, "vetted"]

    server.topic("t.*")
    server.topic("t.vetted", vet=vet)

    @server.middleware
    async def outer(call: landline.Call, proceed: landline.Proceed) -> Any:
        seen.append((call.verb, call.session.principal, call.object, call.data))
        return [*await proceed(call), "outer"]

    @server.middleware
    async def inner(call: landline.Call, proceed: landline.Proceed) -> Any:
        await asyncio.sleep(1)
        return await proceed(call.replace(data=[*call.data, "inner"]))

    async with line(server) as session:
        await session.publish("t.vetted", [1])
        await session.publish("t.free", [2])
        with pytest.raises(landline.PublishFailed, match="you may not publish"):
            await session.publish("t.forbidden", [3])
        assert await stored(server) == [[1, "inner", "vetted", "outer"], [2, "inner", "outer"]]

    assert seen == [
        ("publish", "ana", "t.vetted", [1]),
        ("vet", "ana", "t.vetted", [1, "inner"]),
        ("publish", "ana", "t.free", [2]),
    ]


async def test_what_one_raises_refuses_that_publish_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """In its words where they are for the client; a bug's are for the log."""
    server = landline.Server()
    server.topic("t")

    @server.middleware
    async def picky(call: landline.Call, proceed: landline.Proceed) -> Any:
        if call.data == "rude":
            raise landline.NotAllowed("mind your words")
        if call.data == "bug":
            raise KeyError
        return await proceed(call)

    async with line(server) as session:
        with pytest.raises(landline.PublishFailed, match="mind your words"):
            await session.publish("t", "rude")
        with pytest.raises(landline.PublishFailed, match="internal error"):
            await session.publish("t", "bug")
        await session.publish("t", "kind")
        assert await stored(server) == ["kind"]
    assert "KeyError" in caplog.text


async def test_publishes_keep_their_order_through_slow_ones() -> None:
    """What a client publishes next waits."""
    server = landline.Server()
    server.topic("t")

    @server.middleware
    async def slow(call: landline.Call, proceed: landline.Proceed) -> Any:
        await asyncio.sleep(5 - call.data)
        return await proceed(call)

    async with line(server) as session:
        await asyncio.gather(*(session.publish("t", number) for number in range(5)))
        assert await stored(server) == list(range(5))


async def test_the_servers_own_publishes_go_past_them() -> None:
    """They are about what clients ask."""
    server = landline.Server()
    server.topic("t")
    log: list[str] = []
    server.middleware(named("never", log))
    async with server.listen(HOME):
        await server.publish("t", 1)
        assert await stored(server) == [1]

    assert log == []


# ... and around calls and streams.


async def test_calls_and_streams_go_through_with_their_arguments_by_name() -> None:
    """Read already, however they were given; what is handed on instead is what the method is given, and what comes out is the result."""
    seen: list[Any] = []
    server = landline.Server(authenticate=str)

    @server.method
    async def add(a: int, /, b: int, session: landline.Session, c: int = 0) -> str:
        return f"{session.principal}: {a + b + c}"

    @server.method
    async def count(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    @server.middleware
    async def outer(call: landline.Call, proceed: landline.Proceed) -> Any:
        seen.append((call.verb, call.session.principal, call.object, call.data))
        result = await proceed(call)
        return f"{result}!" if call.object == "add" else result

    @server.middleware
    async def inner(call: landline.Call, proceed: landline.Proceed) -> Any:
        return await proceed(call.replace(data={name: 10 * value for name, value in call.data.items()}))

    async with line(server) as session:
        assert await session.call("add", 1, 2) == "ana: 30!"
        assert await session.call("add", 1, b=2, c=3) == "ana: 60!"
        assert [item async for item in session.stream("count", 1)] == list(range(10))
    assert seen == [
        ("call", "ana", "add", {"a": 1, "b": 2}),
        ("call", "ana", "add", {"a": 1, "b": 2, "c": 3}),
        ("call", "ana", "count", {"to": 1}),
    ]


async def test_a_middleware_refuses_a_call_as_its_method_would() -> None:
    """The caller is told its words and type; the method does not run."""
    ran: list[int] = []
    server = landline.Server(authenticate=str)

    @server.method
    async def note(number: int) -> None:
        ran.append(number)

    @server.middleware
    async def odd_only(call: landline.Call, proceed: landline.Proceed) -> Any:
        if call.data["number"] % 2 == 0:
            raise landline.CallFailed("even", type="parity", data=call.data)
        return await proceed(call)

    async with line(server) as session:
        await session.call("note", 1)
        with pytest.raises(landline.CallFailed, match="even") as caught:
            await session.call("note", 2)
    assert (caught.value.type, caught.value.data, ran) == ("parity", {"number": 2}, [1])
