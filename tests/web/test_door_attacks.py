"""Callers who mean harm, over real sockets: each costs a bounded amount, is answered or hung up on, and disturbs nobody else.

That nothing of it is logged as our own mistake, the ``place`` sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import TRANSPORT, WEB
from landline.web import bytestream
from landline.web.files import Files

if TYPE_CHECKING:
    from .conftest import Apps, Place

BOUND = 30.0
HOST = b"Host: localhost\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=["tcp", "unix"])
async def served(
    place: Place, apps: Apps, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Place]:
    """A door with an application that reads all, and that still serves afterwards."""
    address = "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/door.sock"
    await place.serve(apps.echo, address=address)
    honest = await place.line()
    assert (await honest.ask()).status == 200
    yield place
    assert (await honest.ask()).status == 200
    assert (await (await place.line()).ask()).status == 200


def endless(start: bytes, more: bytes) -> Iterator[bytes]:
    """A megabyte at a time, for ever."""
    yield start
    while True:
        yield more * ((64 << 10) // len(more))


async def pour(place: Place, pieces: Iterator[bytes]) -> tuple[bytes, int]:
    """Say all of it, until the server has heard enough; return what it said, and how much it took."""
    line = await place.line()
    said = 0
    for piece in pieces:
        if line.has_ended:
            break
        line.say(piece)
        said += len(piece)
        await line.room()
        await asyncio.sleep(0)
    return await line.over(), said - line.transport.backlog


FLOODS: dict[str, tuple[int, Callable[[], Iterator[bytes]]]] = {
    "an address without end": (414, lambda: endless(b"GET /", b"x")),
    "a field without end": (431, lambda: endless(b"GET / HTTP/1.1\r\nX: ", b"x")),
    "fields without end": (431, lambda: endless(b"GET / HTTP/1.1\r\n", b"X: y\r\n")),
    "fields of one byte": (431, lambda: endless(b"GET / HTTP/1.1\r\n", b"X:\r\n")),
    "names of fields without end": (431, lambda: endless(b"GET / HTTP/1.1\r\n" + HOST, b"xxxxxxxx")),
    "a method without end": (414, lambda: endless(b"", b"G")),
    "empty lines": (400, lambda: endless(b"", b"\r\n")),
    "a body without end": (413, lambda: endless(CHUNKED, b"fff0\r\n" + b"x" * 0xFFF0 + b"\r\n")),
    "a chunk's extension without end": (400, lambda: endless(CHUNKED + b"5;", b"x")),
    "extensions of every chunk": (400, lambda: endless(CHUNKED, b"1;" + b"x" * 1000 + b"\r\ny\r\n")),
    "chunks of one byte": (400, lambda: endless(CHUNKED, b"1\r\nx\r\n")),
    "a chunk's size without end": (400, lambda: endless(CHUNKED, b"0")),
    "trailers without end": (400, lambda: endless(CHUNKED + b"0\r\n", b"X: y\r\n")),
}


@pytest.mark.parametrize(("status", "pieces"), FLOODS.values(), ids=list(FLOODS))
async def test_a_flood_is_refused_with_a_word(
    served: Place, apps: Apps, status: int, pieces: Callable[[], Iterator[bytes]]
) -> None:
    """After a bounded number of bytes, of which a bounded number is kept; its source has to answer for it."""
    said, taken = await pour(served, pieces())

    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert said.count(b"HTTP/1.1 ") == 1
    assert taken < WEB.body_bytes + (
        8 << 20
    )  # what the kernel holds, and what is read and dropped for its last word
    assert len(served.charged) == 1
    assert sum(len(message.get("body", b"")) for message in apps.told) <= WEB.body_bytes


SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
SMUGGLING = {
    "both lengths": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked before a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 99\r\n\r\n" + SMUGGLED,
    "a hidden coding": POST + b"Content-Length: 0\r\nTransfer-Encoding : chunked\r\n\r\n" + SMUGGLED,
    "a coding in a folded field": POST + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "a coding with a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + SMUGGLED,
    "a field behind a bare LF": POST + b"X: y\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "a field behind a bare CR": POST + b"X: y\rContent-Length: 5\r\n\r\n" + SMUGGLED,
    "NUL": POST + b"X: y\0\r\n\r\n" + SMUGGLED,
    "an end in bare LF": b"GET / HTTP/1.1\n" + HOST + b"\n" + SMUGGLED,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n" + SMUGGLED,
    "a chunk that is longer than it says": CHUNKED + b"1\r\nxx\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk's end in bare LF": CHUNKED + b"1\r\nx\n0\r\n\r\n" + SMUGGLED,
    "a chunk's size with a blank": CHUNKED + b" 1\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a body in HTTP/1.0 chunks": b"POST / HTTP/1.0\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + SMUGGLED,
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n" + SMUGGLED,
    "an absolute form": b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "HTTP/0.9": b"GET /\r\n\r\n" + SMUGGLED,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("said", SMUGGLING.values(), ids=list(SMUGGLING))
async def test_nothing_is_smuggled(place: Place, apps: Apps, said: bytes) -> None:
    """What is not clear is refused, and whatever stands behind it is never a request."""
    await place.serve(apps.echo, address="tcp://127.0.0.1:0")
    line = await place.line()
    line.say(said)
    heard = await line.over()

    assert heard.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    assert heard.count(b"HTTP/1.1 ") == 1
    assert [scope["path"] for scope in apps.scopes] in ([], ["/"])


async def test_a_hundred_thousand_requests_at_once(place: Place, apps: Apps, get: bytes) -> None:
    """So many are answered as a connection takes, in order; the others are not even read into memory."""
    held: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        (connection,) = place.door._running
        held.append(len(connection._stream.buffer))
        await apps.hello(scope, receive, send)

    await place.serve(app, address="tcp://127.0.0.1:0")
    line = await place.line()
    pouring = asyncio.ensure_future(pour_requests(line, get, 100_000))
    async with asyncio.timeout(BOUND):
        told = [(await line.answer()).status for _ in range(WEB.requests)]
        rest = await line.over()
    await pouring

    assert told == [200] * WEB.requests
    assert rest == b"" and len(apps.scopes) == WEB.requests
    assert max(held) <= WEB.ahead + TRANSPORT.read


async def pour_requests(line: Any, get: bytes, count: int) -> None:
    for _ in range(count // 1000):
        line.say(get * 1000)
        await line.room()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    """A folder with a file that is large and takes no room."""
    with (tmp_path / "big").open("wb") as big:
        big.truncate(1 << 30)
    files = Files(tmp_path)
    yield files
    files.close()


BIG = b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n"


async def test_readers_that_never_read_cost_little_and_are_let_go(
    place: Place, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte each is asked for; what waits for them is bounded, and so is the time that it waits."""
    await place.serve(files, address="tcp://127.0.0.1:0")
    peers = [place.peer() for _ in range(20)]
    for peer in peers:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.send(BIG)
    honest = await place.line()
    for _ in range(20):
        part = await honest.ask(BIG.replace(b"\r\n\r\n", b"\r\nRange: bytes=5-9\r\n\r\n"))

        assert (part.status, part.body) == (206, bytes(5))
        assert max(each.backlog for each in place.accepted) <= TRANSPORT.backlog + WEB.piece + 100

    honest.transport.close()
    await place.empty()

    assert place.hits == ["web.write_timeout"] * len(peers)


@pytest.fixture(autouse=True)
def short_patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is about how long that is."""
    if "never_read" in request.node.name:
        monkeypatch.setattr(bytestream, "WRITE_TIMEOUT", 0.5)


async def test_a_reset_in_the_middle_of_an_answer(place: Place, files: Files) -> None:
    """At any point: whoever resets is forgotten, and nothing of it is a mistake of ours."""
    await place.serve(files, address="tcp://127.0.0.1:0")
    loop = asyncio.get_running_loop()
    for at in (0, 1, 200, 100_000, 3_000_000):
        peer = place.peer()
        await loop.sock_sendall(peer, BIG)
        heard = 0
        while heard < at:
            heard += len(await loop.sock_recv(peer, min(65536, at - heard)))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    await place.empty()

    assert place.hits == [] and place.charged == []


async def test_resets_in_the_middle_of_a_request(place: Place, apps: Apps) -> None:
    """Head or body: nothing is answered, nobody is to blame."""
    await place.serve(apps.echo, address="tcp://127.0.0.1:0")
    whole = POST + b"Content-Length: 10\r\n\r\n01234"
    for at in range(1, len(whole), 7):
        peer = place.peer()
        peer.send(whole[:at])
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    line = await place.line()

    assert (await line.ask()).status == 200

    line.transport.close()
    await place.empty()

    assert place.charged == []


async def test_rubbish_is_answered_or_hung_up_on(place: Place, apps: Apps) -> None:
    """Whatever it is; most of it is told that it is no HTTP."""
    await place.serve(apps.echo, address="tcp://127.0.0.1:0")
    for seed in range(50):
        line = await place.line()
        line.say(bytes(os.urandom(200)) if seed % 2 else bytes([seed]) * 20_000)
        line.transport.end()
        heard = await line.over()

        assert heard == b"" or heard.startswith(b"HTTP/1.1 4")
    assert apps.scopes == []


async def test_many_idle_callers_keep_nobody_waiting(place: Place, apps: Apps) -> None:
    """And are let go at once when the server goes."""
    await place.serve(apps.hello, address="tcp://127.0.0.1:0")
    lines = [await place.line() for _ in range(200)]
    for line in lines:
        line.say(b"")
    async with asyncio.timeout(BOUND):
        assert (await lines[-1].ask()).status == 200
        with contextlib.suppress(asyncio.CancelledError):
            await place.door.close()
        for line in lines:
            await line.over()

    assert place.door.connections == 0
