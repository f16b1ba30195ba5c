"""Answers as bytes: their fields, their framing, and no more of them than the caller takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import TRANSPORT, WEB

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True


def sends(status: int, *parts: bytes, **fields: str) -> Any:
    """An application that sends these parts of a body."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts[:-1]:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": parts[-1]})

    return app


async def test_one_part_is_one_write_that_says_its_length(place: Place, get: bytes) -> None:
    """Small answers cost one system call, and no chunks."""
    await place.serve(sends(200, b"all of it"))
    line = await place.line()
    line.say(get)
    await line.until(b"all of it")

    assert b"content-length: 9\r\n" in line.raw.lower() and b"chunked" not in line.raw


async def test_several_parts_are_chunks(place: Place, get: bytes) -> None:
    """Each goes out as it comes."""
    await place.serve(sends(200, b"one", b"two", b""))
    line = await place.line()
    found = await line.ask(get)

    assert (found.body, found.fields[b"transfer-encoding"], found.is_whole) == (b"onetwo", b"chunked", True)


async def test_a_length_that_is_given_is_kept(place: Place, get: bytes) -> None:
    """And the parts go out as they are."""
    await place.serve(sends(200, b"one", b"two", content_length="6"))
    line = await place.line()
    found = await line.ask(get)

    assert (found.body, found.fields[b"content-length"]) == (b"onetwo", b"6")


@pytest.mark.parametrize("parts", [(b"body",), (b"bo", b"dy")])
async def test_head_has_no_body(place: Place, parts: tuple[bytes, ...], get: bytes) -> None:
    """Only its fields; the connection lives on."""
    await place.serve(sends(200, *parts))
    line = await place.line()
    found = await line.ask(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert (found.status, found.body) == (200, b"")
    assert (await line.ask(get)).body == b"body"


@pytest.mark.parametrize("status", [204, 304])
async def test_some_answers_have_no_body(place: Place, status: int, get: bytes) -> None:
    """Whatever the application says."""
    await place.serve(sends(status, b"body"))
    line = await place.line()

    assert [(await line.ask(get)).status for _ in range(2)] == [status, status]


async def test_every_answer_has_a_date_and_what_browsers_are_to_heed(place: Place, get: bytes) -> None:
    """An application may say each of it otherwise; nothing is said twice."""
    await place.serve(sends(200, b"x", content_security_policy="default-src 'self'", date="today"))
    line = await place.line()
    line.say(get)
    heard = (await line.until(b"\r\n\r\n")).lower()

    assert (
        heard.count(b"content-security-policy: default-src 'self'\r\n")
        == heard.count(b"content-security-policy")
        == 1
    )
    assert heard.count(b"date: today\r\n") == heard.count(b"date:") == 1
    assert b"x-content-type-options: nosniff\r\n" in heard


async def test_how_bytes_lie_on_the_connection_is_not_the_applications_business(
    place: Place, get: bytes
) -> None:
    """What it says about that is dropped."""
    await place.serve(sends(200, b"x", transfer_encoding="chunked", keep_alive="9", upgrade="x"))
    line = await place.line()
    found = await line.ask(get)

    assert found.body == b"x"
    assert not {b"transfer-encoding", b"keep-alive", b"upgrade"} & found.fields.keys()


async def test_a_status_without_a_name_is_taken(place: Place, get: bytes) -> None:
    """The table of names is not the standard's last word."""
    await place.serve(sends(299, b"x"))
    line = await place.line()

    assert (await line.ask(get)).status == 299


def endless(sent: list[int]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            sent.append(65536)

    return app


@pytest.mark.limit("web.write_timeout")
async def test_who_takes_nothing_is_let_go(place: Place, get: bytes) -> None:
    """What waits for it is bounded, its time too; up to the last moment it may read on. It has to answer for it."""
    sent: list[int] = []
    await place.serve(endless(sent))
    line = await place.line()
    line.transport.hold(True)
    line.say(get)
    await asyncio.sleep(WEB.write_timeout - 0.01)

    assert place.door.connections == 1
    assert sum(sent) <= TRANSPORT.backlog + 65536

    line.transport.hold(False)
    await line.until_size(4 * TRANSPORT.backlog)
    line.transport.hold(True)

    assert sum(sent) > 3 * TRANSPORT.backlog

    began = asyncio.get_running_loop().time()
    await place.empty()

    assert asyncio.get_running_loop().time() - began == pytest.approx(WEB.write_timeout, abs=0.05)
    assert (place.hits, place.charged) == (["web.write_timeout"], [])


async def test_an_answer_is_gone_before_the_connection_closes(place: Place) -> None:
    """A slow reader gets all of it, for longer than a close waits for the other end."""
    await place.serve(sends(200, bytes(4 * TRANSPORT.backlog)))
    line = await place.line()
    line.transport.hold(True)
    line.say(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await asyncio.sleep(WEB.write_timeout - 1.0)
    line.transport.hold(False)

    assert len((await line.answer()).body) == 4 * TRANSPORT.backlog
