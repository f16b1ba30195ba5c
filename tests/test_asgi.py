"""A server inside somebody else's: FastAPI under uvicorn, with our client over WebSocket; nothing here is a stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import websockets

import landline
from tests.doors import serving

ROOT = Path(__file__).resolve().parent.parent
BOUND = 20.0


async def echo(session: landline.Session) -> None:
    async for message in session:
        _ = await session.send(message)


async def nothing(*_: Any) -> Any:
    """Is never called."""


async def fetch(
    port: int, path: str, body: bytes | None = None, **fields: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask, in a thread."""
    if body is not None:
        fields["Content-Type"] = "application/json"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers=fields)

    def ask() -> tuple[int, dict[str, str], bytes]:
        try:
            with urllib.request.urlopen(request, timeout=BOUND) as found:
                return found.status, dict(found.headers), found.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return await asyncio.to_thread(ask)


async def test_sessions_in_a_fastapi_application() -> None:
    """Below where it is mounted are sessions and the server's routes; the rest is the application's own."""
    from fastapi import FastAPI  # half a second, which whoever runs other tests need not wait for

    server = landline.Server(echo)
    app = FastAPI(lifespan=landline.lifespan(server))
    app.mount("/live", landline.asgi(server))

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    async with serving(app) as port:
        async with landline.connect(f"ws://127.0.0.1:{port}/live/") as session:
            _ = await session.send("one")
            _ = await session.send(b"x" * 500_000)

            assert await session.receive() == "one"
            assert await session.receive() == b"x" * 500_000
            assert b"landline_sessions 1\n" in (await fetch(port, "/live/metrics"))[2]

        status, fields, body = await fetch(port, "/live/health")

        assert (status, body, fields["x-content-type-options"]) == (200, b"alive\n", "nosniff")
        assert json.loads((await fetch(port, "/hello"))[2]) == "hello"
        assert (await fetch(port, "/health"))[0] == 404


async def test_a_fastapi_application_at_our_own_port(caplog: pytest.LogCaptureFixture) -> None:
    """The other way round: its requests, its streams and its mistakes, where sessions are served."""
    from fastapi import FastAPI  # half a second, which whoever runs other tests need not wait for
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    @app.post("/sum")
    async def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for number in range(1000):
                yield f"{number}\n"

        return StreamingResponse(parts(), media_type="text/plain")

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    server = landline.Server(echo, web=landline.Web(app=app))
    async with server.listen("tcp://127.0.0.1:0") as listening:
        port = int(listening.addresses[0].rpartition(":")[2])

        assert await fetch(port, "/health") == (200, ANY, b"alive\n")
        assert (await fetch(port, "/stream"))[2] == "".join(f"{number}\n" for number in range(1000)).encode()
        assert (await fetch(port, "/nothing"))[0] == 404
        assert (await fetch(port, "/broken"))[0] == 500
        assert await fetch(port, "/sum", b"[1, 2, 3]") == (200, ANY, b"6")
        assert (await fetch(port, "/sum", b"[1,"))[0] == 422
        async with landline.connect(f"ws://127.0.0.1:{port}") as session:
            _ = await session.send("one")

            assert await session.receive() == "one"

    assert "ZeroDivisionError" in caplog.text


async def test_by_itself_it_is_a_whole_application() -> None:
    """With its own lifespan, at every path."""
    async with serving(landline.asgi(landline.Server(echo))) as port:
        async with landline.connect(f"ws://127.0.0.1:{port}") as session:
            _ = await session.send("one")

            assert await session.receive() == "one"

        assert (await fetch(port, "/ready"))[0] == 200
        assert (await fetch(port, "/nothing"))[0] == 404


async def test_a_session_goes_on_over_another_websocket() -> None:
    """What a line is matters to no session: it is cut, redialled, and nothing is lost."""
    async with serving(landline.asgi(landline.Server(echo))) as port:
        async with landline.connect(f"ws://127.0.0.1:{port}", pause=lambda count: 0.0) as session:
            for number in range(20):
                _ = await session.send(number)
                if number % 5 == 0:
                    session.drop()

                assert await session.receive() == number


async def test_names_and_pages_are_the_servers_to_say() -> None:
    """Its ``Web`` lists them, as it does for its own door."""
    web = landline.Web(hosts=("chat.example",), origins=("https://page.example",))
    async with serving(landline.asgi(landline.Server(echo, web=web))) as port:
        assert (await fetch(port, "/health", Host="chat.example"))[0] == 200
        assert (await fetch(port, "/health", Host="evil.example"))[0] == 421

        address = f"ws://127.0.0.1:{port}/"
        async with websockets.connect(address, origin=websockets.Origin("https://page.example")):
            pass
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with websockets.connect(address, origin=websockets.Origin("http://evil.example")):
                pass

        assert caught.value.response.status_code == 403


async def test_text_over_websocket_is_refused_there() -> None:
    """A session's messages are binary."""
    async with serving(landline.asgi(landline.Server(echo))) as port:
        async with websockets.connect(f"ws://127.0.0.1:{port}/") as peer:
            await peer.send("hello")
            await peer.wait_closed()

        assert peer.close_code == 1003


async def test_the_server_is_drained_when_the_application_ends() -> None:
    """Its programs end before it does, and afterwards it is closed."""
    ends: list[str] = []

    async def program(session: landline.Session) -> None:
        try:
            async for message in session:
                _ = await session.send(message)
        finally:
            ends.append("ended")

    server = landline.Server(program)
    server.topic("a")
    async with serving(landline.asgi(server)) as port:
        session = await landline.connect(f"ws://127.0.0.1:{port}")
        _ = await session.send("one")
        await session.receive()
        await server.publish("a", 1)

    assert ends == ["ended"]
    with pytest.raises(landline.StorageClosed):
        await server.publish("a", 2)
    with pytest.raises(RuntimeError, match="not open"):
        await landline.asgi(server)({"type": "http", "headers": []}, nothing, nothing)
    await session.close()


@contextlib.contextmanager
def uvicorn_runs(app: str) -> Iterator[int]:
    """A uvicorn of its own, as a user starts it; its port."""
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "--no-access-log", app]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"running on http://[\d.]+:(\d+)", line):
                yield int(found[1])
                return
        pytest.fail("".join(said))
    finally:
        process.terminate()
        with process.stderr:
            said += process.stderr
        assert process.wait(BOUND) in {0, -15}
        assert "Traceback" not in "".join(said), "".join(said)


async def test_the_example_does_what_it_says() -> None:
    """What is posted to the application reaches whoever subscribes, history first."""
    with uvicorn_runs("examples.fastapi_app:app") as port:

        def post(name: str) -> Any:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/items?name={name}", method="POST")
            with urllib.request.urlopen(request, timeout=BOUND) as found:
                return json.load(found)

        await asyncio.to_thread(post, "first")
        async with asyncio.timeout(BOUND), landline.connect(f"ws://127.0.0.1:{port}/live/") as session:
            items = session.subscribe("items", after="start")
            found = [await anext(items)]
            await asyncio.to_thread(post, "second")
            found.append(await anext(items))
            await items.close()

    assert [item.data for item in found if isinstance(item, landline.Publication)] == ["first", "second"]
