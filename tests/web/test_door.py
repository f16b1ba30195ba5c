"""The way in for HTTP as a whole: who is served, and how it ends when the server goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import Limits
from landline.web.answers import answer

if TYPE_CHECKING:
    from .conftest import Apps, Place

VIRTUAL_TIME = True


def takes(seconds: float, told: list[str]) -> Any:
    """An application that takes its time."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append("asked")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise
        await answer(send, 200, "done")

    return app


async def test_who_is_idle_is_let_go_at_once(place: Place, apps: Apps, get: bytes) -> None:
    """When the server goes: nobody waits for a request that may never come."""
    await place.serve(apps.hello)
    idle, new = await place.line(), await place.line()
    await idle.ask(get)
    began = asyncio.get_running_loop().time()
    await place.door.close()

    assert await idle.over() == await new.over() == b""
    assert asyncio.get_running_loop().time() == began
    assert place.door.connections == 0


async def test_an_answer_under_way_is_the_last_of_its_connection(place: Place, get: bytes) -> None:
    """It is finished, and says so; what was sent behind it is not read."""
    told: list[str] = []
    await place.serve(takes(4.0, told))
    line = await place.line()
    line.say(get + get)
    await asyncio.sleep(1.0)
    await place.door.close()
    found = await line.answer()

    assert (found.body, found.fields[b"connection"]) == (b"done\n", b"close")
    assert await line.over() == b""
    assert told == ["asked"]


@pytest.mark.parametrize(("seconds", "expected"), [(4.99, ["asked"]), (5.01, ["asked", "cancelled"])])
async def test_an_answer_has_its_time_to_the_end(
    place: Place, get: bytes, seconds: float, expected: list[str]
) -> None:
    """``close_timeout``, and then it is cancelled."""
    told: list[str] = []
    await place.serve(takes(seconds, told), limits=Limits(close_timeout=5.0))
    line = await place.line()
    line.say(get)
    await asyncio.sleep(0.001)
    await place.door.close()
    await line.over()

    assert told == expected
    assert place.door.connections == 0


@pytest.mark.limit("max_web")
async def test_whoever_asked_for_something_the_longest_ago_goes_first(
    place: Place, apps: Apps, get: bytes
) -> None:
    """When there are more callers than may be: idle ones and slow ones alike, and never the newcomer."""
    await place.serve(apps.hello, limits=Limits(max_web=3))
    first, slow, third = [await place.line() for _ in range(3)]
    slow.say(get[:10])
    await third.ask(get)
    await first.ask(get)
    assert not place.hits

    fourth = await place.line()
    assert (await fourth.ask(get)).body
    assert await slow.over() == b""
    assert (await first.ask(get)).body
    fifth = await place.line()
    assert (await fifth.ask(get)).body
    assert await third.over() == b""
    assert (await fourth.ask(get)).body
    assert place.hits == ["max_web"] * 2
    assert place.door.connections == 3


@pytest.mark.limit("max_web")
async def test_who_has_to_go_is_not_answered_to_the_end(place: Place, get: bytes) -> None:
    """Its application is cancelled: what it held is free again."""
    told: list[str] = []
    await place.serve(takes(4.0, told), limits=Limits(max_web=1))
    line = await place.line()
    line.say(get)
    await asyncio.sleep(1.0)
    newcomer = await place.line()

    assert (await newcomer.ask(get)).body == b"done\n"
    assert await line.over() == b""
    assert sorted(told) == ["asked", "asked", "cancelled"]
    assert place.door.connections == 1


async def test_an_application_that_heeds_nothing_keeps_nobody(
    place: Place, get: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The server goes without it, its caller is hung up on."""
    released = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    await place.serve(app)
    line = await place.line()
    line.say(get)
    await asyncio.sleep(1.0)
    await place.door.close()
    await line.over()
    released.set()
    await place.empty()
    caplog.clear()


async def test_a_head_under_way_may_be_finished(place: Place, apps: Apps, get: bytes) -> None:
    """Whoever has begun to ask is answered; nobody who has not."""
    await place.serve(apps.hello)
    line = await place.line()
    line.say(get[:9])
    await asyncio.sleep(1.0)
    closing = asyncio.ensure_future(place.door.close())
    await asyncio.sleep(1.0)
    found = await line.ask(get[9:])
    await closing

    assert (found.status, found.fields[b"connection"]) == (200, b"close")


async def test_who_has_just_been_answered_is_let_go_too(place: Place, get: bytes) -> None:
    """Between an answer and the wait for more there is a moment, and the server may go in it."""
    closings: list[asyncio.Future[None]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 200, "x")
        closings.append(asyncio.ensure_future(place.door.close()))

    await place.serve(app)
    line = await place.line()
    found = await line.ask(get)
    await closings[0]

    assert (found.status, found.fields.get(b"connection")) == (200, None)
    assert asyncio.get_running_loop().time() == 0.0


async def test_an_abort_waits_for_nobody(place: Place, get: bytes) -> None:
    """There is no time left."""
    told: list[str] = []
    await place.serve(takes(100.0, told))
    line = await place.line()
    line.say(get)
    await asyncio.sleep(1.0)
    place.door.abort()
    await line.over()

    assert told == ["asked", "cancelled"]


async def test_our_own_mistake_costs_one_connection(
    place: Place, apps: Apps, get: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the others are served."""

    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    await place.serve(apps.hello)
    line = await place.line()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place.door.origins, "check", fails)
        line.say(get)

        assert await line.over() == b""

    other = await place.line()

    assert (await other.ask(get)).status == 200
    assert "ZeroDivisionError" in caplog.text
    caplog.clear()
