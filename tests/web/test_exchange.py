"""One request: what an application is told, what becomes of its mistakes, and of a caller that goes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from landline.web.answers import answer
from landline.web.exchange import client_of

if TYPE_CHECKING:
    from .conftest import Apps, Place

VIRTUAL_TIME = True

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"


async def test_an_application_is_told_what_was_asked(place: Place, apps: Apps) -> None:
    """As ASGI has it: the path decoded, names in lower case, values as bytes."""
    await place.serve(apps.hello)
    line = await place.line()
    await line.ask(b"GET /a%20b/%C3%A4?x=%20&y HTTP/1.1\r\nHost: localhost:80\r\nX-Mine: Yes\r\n\r\n")
    scope = apps.scopes[0]

    assert scope["type"] == "http" and scope["asgi"]["version"] == "3.0"
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("GET", "http", "1.1")
    assert (scope["path"], scope["raw_path"]) == ("/a b/ä", b"/a%20b/%C3%A4")
    assert scope["query_string"] == b"x=%20&y"
    assert scope["headers"] == [(b"host", b"localhost:80"), (b"x-mine", b"Yes")]
    assert scope["client"] is None and scope["root_path"] == ""


def test_a_client_is_its_host_and_port_where_it_has_them() -> None:
    """Those of Unix sockets and of memory have none."""
    assert client_of("tcp://192.0.2.1:5") == ("192.0.2.1", 5)
    assert client_of("tcp://[2001:db8::1]:5") == ("2001:db8::1", 5)
    assert client_of("unix:///run/x.sock") is None
    assert client_of("") is None


async def test_who_came_by_tls_is_known(place: Place, apps: Apps, get: bytes) -> None:
    """Applications make addresses of it."""
    await place.serve(apps.hello, is_secure=True)
    line = await place.line()
    await line.ask(get)

    assert apps.scopes[0]["scheme"] == "https"


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("a secret of ours")


async def raises_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("a secret of ours")


async def says_nothing(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def says_no_http(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, "x", headers=[(b"x", b"a\r\nset-cookie: b")])


async def answers_without_a_beginning(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"x"})


async def says_too_much(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, "x", headers=[(b"content-length", b"1")])


async def sends_what_it_cannot(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.send", "text": "x"})


MISTAKES = [
    raises,
    raises_late,
    says_nothing,
    says_no_http,
    answers_without_a_beginning,
    says_too_much,
    sends_what_it_cannot,
]


@pytest.mark.parametrize("app", MISTAKES)
async def test_an_application_that_fails_is_answered_for(
    place: Place, app: Any, get: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """With 500 and no word of the reason, which the log has; the connection ends."""
    await place.serve(app)
    line = await place.line()
    found = await line.ask(get)

    assert (found.status, found.fields[b"connection"]) == (500, b"close")
    assert b"secret" not in found.body and b"Traceback" not in found.body
    assert place.charged == []

    await line.over()

    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    caplog.clear()


async def test_an_answer_that_breaks_off_is_not_whole(
    place: Place, get: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller can tell: the last chunk never comes."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise ValueError

    await place.serve(app)
    line = await place.line()
    found = await line.ask(get)

    assert (found.status, found.body, found.is_whole) == (200, b"some", False)
    assert "failed at GET /" in caplog.text
    caplog.clear()


async def test_what_goes_wrong_after_the_answer_is_only_logged(
    place: Place, get: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller has what it asked for, and may ask for more."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 200, "done")
        raise ValueError

    await place.serve(app)
    line = await place.line()

    assert (await line.ask(get)).status == 200
    assert (await line.ask(get)).status == 200
    await place.door.close()
    assert "the application failed: ValueError, 1 more" in caplog.text
    caplog.clear()


async def test_a_caller_that_goes_is_told_to_the_application(place: Place, get: bytes) -> None:
    """While it waits for what comes; what it sends then fails, and is no mistake of its."""
    told: list[Any] = []
    asked = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append(await receive())
        asked.set()
        told.append(await receive())
        await asyncio.sleep(1.0)
        try:
            await answer(send, 200, "anybody there?")
        except OSError as error:
            told.append(error)
            raise

    await place.serve(app)
    line = await place.line()
    line.say(get)
    await asked.wait()
    line.transport.abort()
    await place.empty()

    assert told[0] == {"type": "http.request", "body": b"", "more_body": False}
    assert told[1] == {"type": "http.disconnect"}
    assert isinstance(told[2], ConnectionResetError)


async def test_who_says_no_more_counts_as_gone_and_is_answered_all_the_same(place: Place, get: bytes) -> None:
    """Of most callers that is all that is ever heard when they go; the others still read."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        message = await receive()
        await answer(send, 200, message["type"])

    await place.serve(app)
    line = await place.line()
    line.say(get)
    line.transport.end()

    assert (await line.answer()).body == b"http.disconnect\n"


async def test_an_answer_that_is_over_ends_the_waiting_for_more(place: Place, get: bytes) -> None:
    """ASGI: after the answer, receive says that the caller has gone."""
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await answer(send, 200, "x")
        told.append(await receive())

    await place.serve(app)
    line = await place.line()

    assert (await line.ask(get)).status == 200
    assert (await line.ask(get)).status == 200
    assert told == [{"type": "http.disconnect"}] * 2


async def test_a_body_that_ends_early_is_told_as_a_caller_that_went(place: Place, apps: Apps) -> None:
    """The application gets no half as if it were all; whoever still reads is told."""
    await place.serve(apps.echo)
    line = await place.line()
    line.say(POST + b"half")
    line.transport.end()
    found = await line.answer()

    assert found.status == 400
    assert [message["type"] for message in apps.told] == ["http.request", "http.disconnect"]
    assert place.charged == []


async def test_a_body_that_nobody_asked_for_ends_the_connection(place: Place, apps: Apps) -> None:
    """The next request begins behind it, and nobody knows when; the answer says so."""
    await place.serve(apps.hello)
    line = await place.line()
    found = await line.ask(POST)

    assert (found.status, found.fields[b"connection"]) == (200, b"close")

    await line.over()


async def test_a_small_body_that_nobody_asked_for_is_passed_over(place: Place, apps: Apps) -> None:
    """Where it is here already, the connection lives on."""
    await place.serve(apps.hello)
    line = await place.line()

    assert b"connection" not in (await line.ask(POST + b"0123456789")).fields
    assert (await line.ask(POST + b"0123456789")).status == 200


@pytest.mark.limit("hits.interval")
async def test_an_application_that_a_caller_makes_fail_is_logged_once_and_counted(
    place: Place, get: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever asks for it again and again does not fill the log."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError(scope["path"])

    await place.serve(app)
    for _ in range(10):
        assert (await (await place.line()).ask(get)).status == 500
    await place.empty()
    assert caplog.messages == ["the application failed at GET /"]
    await place.door.close()

    assert caplog.messages[1:] == ["the application failed: KeyError, 9 more since the last such line"]
    caplog.clear()
