"""One connection: request after request, in order, within its times, and what ends it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import WEB
from landline.web import connection as module
from landline.web.answers import answer

if TYPE_CHECKING:
    from .conftest import Apps, Place

VIRTUAL_TIME = True

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_request_is_answered_and_the_next_one_on_the_same_connection(
    place: Place, apps: Apps, get: bytes
) -> None:
    """A connection lives on after an answer, whatever the body was."""
    await place.serve(apps.echo)
    line = await place.line()

    assert (await line.ask(get)).body == b""
    assert (await line.ask(POST)).body == b"abc"
    assert (await line.ask(get)).status == 200
    assert not line.has_ended


async def test_the_first_bytes_may_have_been_read_by_somebody_else(
    place: Place, apps: Apps, get: bytes
) -> None:
    """Whoever decided that this is HTTP hands them over."""
    await place.serve(apps.hello, head=get)
    line = await place.line()

    assert (await line.answer()).body == b"hello\n"


async def test_requests_sent_at_once_are_answered_in_order_and_never_two_together(place: Place) -> None:
    """The second waits until the first is answered, however long that takes."""
    running: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        running.append(scope["path"])
        assert len(running) == 1
        await asyncio.sleep(10.0 if scope["path"] == "/first" else 0.0)
        await answer(send, 200, running.pop())

    await place.serve(app)
    line = await place.line()
    for name in (b"first", b"second", b"third"):
        line.say(b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % name)

    assert [(await line.answer()).body for _ in range(3)] == [b"/first\n", b"/second\n", b"/third\n"]


async def test_who_asks_much_at_once_keeps_nobody_waiting(place: Place, apps: Apps, get: bytes) -> None:
    """Somebody else has his turn between two requests."""
    await place.serve(apps.hello)
    greedy, modest = await place.line(), await place.line()
    greedy.say(get * 500)
    modest.say(get.replace(b"/", b"/modest", 1))
    await modest.answer()

    assert len(apps.scopes) < 20


async def test_a_request_byte_by_byte_is_one(place: Place, apps: Apps) -> None:
    """However it is cut."""
    await place.serve(apps.echo)
    line = await place.line()
    for at in range(len(POST)):
        line.say(POST[at : at + 1])

    assert (await line.answer()).body == b"abc"


async def test_who_says_close_is_closed(place: Place, apps: Apps) -> None:
    """And told so."""
    await place.serve(apps.hello)
    line = await place.line()
    found = await line.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await line.over()

    assert found.fields[b"connection"] == b"close"


async def test_http_1_0_gets_one_answer(place: Place, apps: Apps) -> None:
    """Its connections end with it."""
    await place.serve(apps.hello)
    line = await place.line()
    found = await line.ask(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    await line.over()

    assert (found.status, found.body) == (200, b"hello\n")


async def test_who_ends_its_direction_still_gets_its_answers(place: Place, apps: Apps, get: bytes) -> None:
    """As ``printf … | nc -N`` does."""
    await place.serve(apps.hello)
    line = await place.line()
    line.say(get + get)
    line.transport.end()

    assert [(await line.answer()).status for _ in range(2)] == [200, 200]

    await line.over()


async def test_a_head_that_is_cut_off_gets_no_answer(place: Place, apps: Apps, get: bytes) -> None:
    """There is nobody to tell it to."""
    await place.serve(apps.hello)
    line = await place.line()
    line.say(get[:-1])
    line.transport.end()

    assert await line.over() == b""
    assert apps.scopes == []


@pytest.mark.limit("web.head_timeout")
async def test_a_head_has_its_time(place: Place, apps: Apps, get: bytes) -> None:
    """From its first byte, however its bytes trickle in; until just before that it may come."""
    await place.serve(apps.hello)
    in_time, late = await place.line(), await place.line()
    in_time.say(get[:1])
    late.say(get[:1])
    await asyncio.sleep(WEB.head_timeout - 0.01)
    in_time.say(get[1:])
    late.say(get[1:-1])

    assert (await in_time.answer()).status == 200

    found = await late.answer()

    assert (found.status, now()) == (408, WEB.head_timeout)
    assert place.hits == ["web.head_timeout"] and len(place.charged) == 1

    await late.over()


async def test_the_next_head_has_its_own_time(place: Place, apps: Apps, get: bytes) -> None:
    """It begins with its first byte, and not with the connection."""
    await place.serve(apps.hello)
    line = await place.line()
    await line.ask(get)
    await asyncio.sleep(WEB.idle_timeout - 1.0)
    line.say(get[:9])
    await asyncio.sleep(WEB.head_timeout - 0.01)

    assert (await line.ask(get[9:])).status == 200


@pytest.mark.limit("web.idle_timeout")
async def test_an_idle_connection_is_closed_without_a_word(place: Place, apps: Apps, get: bytes) -> None:
    """A caller who asks just before that is answered; nobody is to blame."""
    await place.serve(apps.hello)
    line = await place.line()
    await line.ask(get)
    await asyncio.sleep(WEB.idle_timeout - 0.01)

    assert (await line.ask(get)).status == 200

    asked_at = now()

    assert await line.over() == b""
    assert now() == pytest.approx(asked_at + WEB.idle_timeout)
    assert place.hits == [] and place.charged == []


async def test_empty_lines_are_no_sign_of_life(place: Place, apps: Apps, get: bytes) -> None:
    """They are passed over before a request, and keep no connection open."""
    await place.serve(apps.hello)
    line = await place.line()
    await line.ask(get)
    asked_at = now()
    for _ in range(3):
        await asyncio.sleep(0.3 * WEB.idle_timeout)
        line.say(b"\r\n")
    await line.over()

    assert now() == pytest.approx(asked_at + WEB.idle_timeout)


@pytest.mark.limit("web.requests")
async def test_a_connection_takes_so_many_requests(
    place: Place, apps: Apps, get: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of them is told that it is, and what was sent behind it is not read."""
    monkeypatch.setattr(module, "REQUESTS", 3)
    await place.serve(apps.hello)
    line = await place.line()
    line.say(get * 4)
    found = [await line.answer() for _ in range(3)]

    assert [each.fields.get(b"connection") for each in found] == [None, None, b"close"]
    assert await line.over() == b""
    assert len(apps.scopes) == 3


async def test_a_mistake_is_the_last_of_its_connection(place: Place, apps: Apps, get: bytes) -> None:
    """What follows it may be anything."""
    await place.serve(apps.hello)
    line = await place.line()
    line.say(b"nonsense\r\n\r\n" + get)
    found = await line.answer()

    assert (found.status, found.fields[b"connection"]) == (400, b"close")
    assert await line.over() == b""
    assert apps.scopes == [] and len(place.charged) == 1


async def test_a_name_that_is_not_ours_is_refused(place: Place, apps: Apps) -> None:
    """A page of anybody's may have its name resolve to us; whoever was sent so is not to blame."""
    await place.serve(apps.hello)
    line = await place.line()
    found = await line.ask(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")

    assert found.status == 421
    assert apps.scopes == [] and place.charged == []


async def test_who_went_is_not_waited_for(place: Place, apps: Apps, get: bytes) -> None:
    """An abrupt end between requests ends the connection's task too."""
    await place.serve(apps.hello)
    line = await place.line()
    await line.ask(get)
    line.transport.abort()
    await place.empty()
