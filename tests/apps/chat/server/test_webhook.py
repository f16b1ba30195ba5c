"""Webhooks: programs say lines in a room over HTTP, with a token, and are told in HTTP's words what cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import landline
from landline.apps.chat.server.doors import Doors
from landline.storage import MemoryStorage

VIRTUAL_TIME = True

TOKEN = {"Authorization": "Bearer secret"}
JSON = {"Content_Type": "application/json", **TOKEN}

Opening = Callable[..., Awaitable[Any]]


@pytest.fixture
async def chat(open_chat_with: Opening) -> Any:
    return await open_chat_with(doors=Doors(webhook_token="secret"))


async def test_a_line_is_said_to_everybody_in_the_room(chat: Any) -> None:
    """As kept as anybody's; the answer says how many were there."""
    ana = await chat.enter("ana")
    answered = await chat.request("POST", "/rooms/lobby", "grüße\nzwei".encode(), **TOKEN)
    said = await ana.hear()

    assert answered == (200, b'{"others":1}')
    assert (said.line.name, said.line.text) == ("webhook", "grüße\nzwei")


async def test_a_program_may_have_a_name(chat: Any) -> None:
    """In JSON; the name is nobody's."""
    ana = await chat.enter("ana")
    body = json.dumps({"text": "build 7 is green", "name": "builds"}).encode()

    assert (await chat.request("POST", "/rooms/lobby", body, **JSON))[0] == 200
    assert (await ana.hear()).line.name == "builds"


async def test_a_room_in_which_nobody_is_now_is_a_room(chat: Any) -> None:
    """Somebody was there, and reads it when they come back; its name is as people see it."""
    ana = await chat.enter("ana", "grün.raum")
    await ana.say("first", "grün.raum")
    await ana.close()

    assert await chat.request("POST", "/rooms/gr%C3%BCn.raum", b"second", **TOKEN) == (200, b'{"others":0}')


@pytest.mark.parametrize(
    ("path", "body", "fields", "status", "says"),
    [
        ("/rooms/lobby", b"hello", {}, 401, "Bearer TOKEN"),
        ("/rooms/lobby", b"hello", {"Authorization": "Bearer secre"}, 401, "Bearer TOKEN"),
        ("/rooms/lobby", b"hello", {"Authorization": "Basic secret"}, 401, "Bearer TOKEN"),
        ("/rooms/nowhere", b"hello", TOKEN, 404, "no room nowhere"),
        ("/rooms/", b"hello", TOKEN, 422, "room"),
        ("/rooms/a/b", b"hello", TOKEN, 422, "room"),
        ("/rooms/lobby", b"", TOKEN, 422, "nothing to say"),
        ("/rooms/lobby", b"\xff", TOKEN, 400, "cannot be read"),
        ("/rooms/lobby", b"{", JSON, 400, "cannot be read"),
        ("/rooms/lobby", b"[" * 5000, JSON, 400, "cannot be read"),
        ("/rooms/lobby", b'{"text": 7}', JSON, 400, "cannot be read"),
        ("/rooms/lobby", b'{"text": "\\ud800"}', JSON, 400, "cannot be read"),
        ("/rooms/lobby", b'{"text": "x", "name": "ana"}', JSON, 409, "may be called ana"),
        ("/rooms/lobby", b'{"text": "x", "name": "ANA"}', JSON, 409, "may be called ANA"),
        ("/rooms/lobby", b'{"text": "x", "name": "guest-9"}', JSON, 409, "may be called guest-9"),
        ("/rooms/lobby", b'{"text": "x", "name": "host"}', JSON, 422, "reserved"),
        (
            "/rooms/lobby",
            b"x=y",
            {"Content_Type": "application/x-www-form-urlencoded", **TOKEN},
            415,
            "text/plain",
        ),
    ],
)
async def test_what_cannot_be_said(
    path: str, body: bytes, fields: dict[str, str], status: int, says: str, chat: Any
) -> None:
    """A status for programs and a sentence for people; the next line is heard as if nothing had been."""
    ana = await chat.enter("ana")
    answered = await chat.request("POST", path, body, **fields)

    assert (answered[0], says in answered[1].decode()) == (status, True), answered
    assert (await chat.request("POST", "/rooms/lobby", b"after", **TOKEN))[0] == 200
    assert (await ana.hear()).line.text == "after"


async def test_what_is_read_there_is_nothing(chat: Any) -> None:
    """Lines are sent to rooms; to read them one is in the chat."""
    assert (await chat.request("GET", "/rooms/lobby", **TOKEN))[0] == 405


async def test_a_page_of_another_site_says_nothing(chat: Any) -> None:
    """Not even with the token, which it may have been told by mistake."""
    await chat.enter("ana")

    assert (await chat.request("POST", "/rooms/lobby", b"x", Origin="http://evil.example", **TOKEN))[0] == 403


async def test_without_a_token_nobody_may(open_one: Any) -> None:
    """The answer names the setting; an empty token opens nothing."""
    await open_one.enter("ana")
    for fields in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        status, said = await open_one.request("POST", "/rooms/lobby", b"x", **fields)
        assert (status, b"LANDLINE_SERVE_WEBHOOK_TOKEN" in said) == (403, True)


async def test_what_cannot_be_kept_is_not_said(open_chat_with: Opening) -> None:
    """The storage fails: the program is told so, and may try again."""
    storage = MemoryStorage()
    chat = await open_chat_with(storage, doors=Doors(webhook_token="secret"))
    await chat.enter("ana")
    await storage.close()

    assert (await chat.request("POST", "/rooms/lobby", b"x", **TOKEN))[0] == 503


@pytest.mark.limit("chat.webhook.body")
async def test_the_largest_body(chat: Any) -> None:
    """It is read to its end and refused for what it says; one byte more is not."""
    await chat.enter("ana")

    assert (await chat.request("POST", "/rooms/lobby", b"x" * (16 << 10), **TOKEN))[0] == 422
    assert (await chat.request("POST", "/rooms/lobby", b"x" * ((16 << 10) + 1), **TOKEN))[0] == 413


async def test_requests_that_wait_for_their_bodies_are_no_way_round(chat: Any) -> None:
    """A hundred that are begun at once and finished later are as many lines as any other hundred."""
    ana = await chat.enter("ana")
    callers = [await landline.dial(chat.address) for _ in range(30)]
    head = b"POST /rooms/lobby HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\nContent-Length: 1\r\n\r\n"
    for caller in callers:
        caller.send(head)
    await asyncio.sleep(0.1)
    for caller in callers:
        caller.send(b"x")
    answers = [(await caller.receive(10)).split()[1] for caller in callers]
    for caller in callers:
        await caller.close()

    assert (answers.count(b"200"), answers.count(b"429")) == (20, 10)
    assert (await ana.hear()).line.text == "x"


@pytest.mark.limit("chat.webhook.burst", "chat.webhook.rate")
async def test_how_fast_programs_may_go_on(chat: Any) -> None:
    """Twenty at once, then two a second; who is told to wait is told how long."""
    await chat.enter("ana")
    statuses = [(await chat.request("POST", "/rooms/lobby", b"x", **TOKEN))[0] for _ in range(21)]

    assert statuses == [200] * 20 + [429]
    assert chat.chat.hits.counts["chat.webhook.rate"] == 1
