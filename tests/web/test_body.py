"""Bodies: as far and as fast as the application reads, within bounds of bytes, of framing and of time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import WEB
from landline.web.answers import answer

if TYPE_CHECKING:
    from .conftest import Apps, Line, Place

VIRTUAL_TIME = True

CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def now() -> float:
    return asyncio.get_running_loop().time()


def sized(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


async def say_all(line: Line, data: bytes) -> None:
    """Say much, as fast as it is taken."""
    for at in range(0, len(data), 65536):
        line.say(data[at : at + 65536])
        await line.room()


async def test_chunks_are_put_together(place: Place, apps: Apps, get: bytes) -> None:
    """Extensions and trailers are read and dropped; what follows is the next request."""
    await place.serve(apps.echo)
    line = await place.line()
    found = await line.ask(
        CHUNKED + chunk(b"hello ", b";a=b") + chunk(b"world") + b"0\r\nX-Trailer: 1\r\n\r\n" + get
    )

    assert found.body == b"hello world"
    assert (await line.answer()).status == 200


@pytest.mark.limit("web.body_bytes")
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_body_has_a_size(place: Place, apps: Apps, is_chunked: bool) -> None:
    """The largest is taken; one byte more is refused, before the application is asked where it is announced."""
    await place.serve(apps.echo)
    data = bytes(WEB.body_bytes)
    for body, status in ((data, 200), (data + b"x", 413)):
        apps.scopes.clear()
        line = await place.line()
        saying = asyncio.ensure_future(
            say_all(line, CHUNKED + chunk(body) + b"0\r\n\r\n" if is_chunked else sized(len(body)) + body)
        )
        found = await line.answer()
        await saying

        assert (found.status, len(found.body) == len(body)) == (status, status == 200)
        assert bool(apps.scopes) == (is_chunked or status == 200)

    assert place.hits == ["web.body_bytes"]
    assert bool(place.charged) == is_chunked  # who announces it has not sent it


@pytest.mark.limit("web.framing")
async def test_framing_may_not_outweigh_what_it_frames(place: Place, apps: Apps) -> None:
    """Extensions up to the limit pass; a byte more is refused; a large body may have an eighth of its size."""
    await place.serve(apps.echo)
    frame = len(chunk(b"")) + len(b"0\r\n\r\n")
    for body, size, status in (
        (b"x", WEB.framing, 200),
        (b"x", WEB.framing + 1, 400),
        (b"x" * 8000, WEB.framing + 1000, 200),
        (b"x" * 8000, WEB.framing + 1001, 400),
    ):
        padding = size - frame - len(b"%x" % len(body)) + 1
        line = await place.line()
        found = await line.ask(CHUNKED + chunk(body, b";" + b"x" * (padding - 1)) + b"0\r\n\r\n")

        assert found.status == status

    assert place.hits == ["web.framing"] * 2


async def test_trailers_count_as_framing(place: Place, apps: Apps) -> None:
    """They are read by nobody."""
    await place.serve(apps.echo)
    line = await place.line()
    await say_all(line, CHUNKED + chunk(b"x") + b"0\r\n" + b"X: y\r\n" * (WEB.framing // 6) + b"\r\n")

    assert (await line.answer()).status == 400


@pytest.mark.parametrize(
    "bad", [b"x\r\nabc\r\n", b"-1\r\n", b"3\r\nabcd\r\n", b"3\nabc\n", b"3" * 30 + b"\r\n", b"0x3\r\nabc\r\n"]
)
async def test_chunks_that_are_none_are_refused(place: Place, apps: Apps, bad: bytes) -> None:
    """The application hears that the caller went; the caller hears what is wrong."""
    await place.serve(apps.echo)
    line = await place.line()
    found = await line.ask(CHUNKED + bad + b"0\r\n\r\n")

    assert found.status == 400
    assert apps.told[-1] == {"type": "http.disconnect"}
    assert len(place.charged) == 1

    await line.over()


@pytest.mark.limit("web.body_timeout")
async def test_a_body_has_its_time(place: Place, apps: Apps) -> None:
    """Ten seconds, and one more for each KiB; what comes within it is taken."""
    await place.serve(apps.echo)
    line = await place.line()
    line.say(sized(2049))
    await asyncio.sleep(WEB.body_timeout - 0.01)
    line.say(b"x" * 2048)
    await asyncio.sleep(2.0)

    assert (await line.ask(b"x")).status == 200

    began = now()
    line.say(sized(2049) + b"x" * 2048)
    found = await line.answer()

    assert found.status == 408
    assert now() - began == pytest.approx(WEB.body_timeout + 2.0)
    assert place.hits == ["web.body_timeout"] and len(place.charged) == 1


async def test_a_body_in_drops_has_no_more_time(place: Place, apps: Apps) -> None:
    """What was waited before counts: a byte buys a thousandth of a second."""
    await place.serve(apps.echo)
    line = await place.line()
    line.say(sized(100))
    await asyncio.sleep(0.6 * WEB.body_timeout)
    line.say(b"x")
    found = await line.answer()

    assert found.status == 408
    assert now() == pytest.approx(WEB.body_timeout + 1 / 1024)


async def test_a_slow_application_is_not_the_callers_fault(place: Place) -> None:
    """Only the time counts in which the application waits."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(100.0)
        size, is_more = 0, True
        while is_more:
            message = await receive()
            size += len(message["body"])
            is_more = message["more_body"]
            await asyncio.sleep(100.0)
        await answer(send, 200, str(size))

    await place.serve(app)
    line = await place.line()
    line.say(sized(8))
    for _ in range(8):
        await asyncio.sleep(50.0)
        line.say(b"x")

    assert (await line.answer()).body == b"8\n"


@pytest.mark.limit("web.ahead")
async def test_nothing_is_read_far_ahead_of_the_application(place: Place) -> None:
    """As much as the limit waits here, and no more than another read; the rest waits at the caller."""
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        is_more = True
        while is_more:
            message = await receive()
            sizes.append(len(message["body"]))
            is_more = message["more_body"]
        await answer(send, 200, "x")

    await place.serve(app)
    line = await place.line()
    line.say(sized(3 * WEB.ahead))
    await asyncio.sleep(1.0)
    line.say(b"x" * WEB.ahead)
    await asyncio.sleep(1.0)

    assert line.transport.backlog == 0  # at the limit it still reads

    line.say(b"x")
    await asyncio.sleep(1.0)
    line.say(b"x" * (2 * WEB.ahead - 1))
    await asyncio.sleep(1.0)

    assert line.transport.backlog == 2 * WEB.ahead - 1

    go_on.set()

    assert (await line.answer()).status == 200
    assert sum(sizes) == 3 * WEB.ahead and max(sizes) <= WEB.ahead


async def test_who_asks_whether_to_send_is_told_when_the_application_wants_it(
    place: Place, apps: Apps
) -> None:
    """``Expect: 100-continue``, answered at the first look at the body."""
    await place.serve(apps.echo)
    line = await place.line()
    line.say(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    heard = await line.until(b"\r\n\r\n")

    assert heard.startswith(b"HTTP/1.1 100 ")

    line.raw.clear()

    assert (await line.ask(b"abc")).body == b"abc"


async def test_who_need_not_send_is_answered_at_once(place: Place, apps: Apps) -> None:
    """And its connection ends, since nobody knows whether it sends after all."""
    await place.serve(apps.hello)
    line = await place.line()
    found = await line.ask(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    )

    assert (found.status, found.fields[b"connection"]) == (200, b"close")
