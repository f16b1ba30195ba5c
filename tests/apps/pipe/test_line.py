"""What carries the bytes: a session with its words, and a bare socket."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

import landline
from landline.apps.pipe.line import END, OPEN, Account, HungUp, PlainLine, SessionLine

from ..conftest import LIMITS as PIPE_LIMITS
from ..conftest import until

pytestmark = pytest.mark.timeout(20)

Answer = Callable[[landline.Session], Awaitable[None]]
Call = Callable[[Answer], Awaitable[SessionLine]]


LIMITS = dataclasses.replace(PIPE_LIMITS, close_timeout=0.2)
"""Some of these servers never answer a close: nobody waits for that here."""


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    """Connect to a server that answers in this way; the line is not opened yet."""
    async with AsyncExitStack() as stack:

        async def connect(answer: Answer) -> SessionLine:
            await stack.enter_async_context(landline.serve(answer, "memory://line", limits=LIMITS))
            return SessionLine(
                await stack.enter_async_context(landline.connect("memory://line", limits=LIMITS))
            )

        yield connect


async def test_a_line_opens_when_both_have_said_the_word(call: Call) -> None:
    """And carries bytes and the end from then on."""

    async def answer(session: landline.Session) -> None:
        assert await session.receive() == OPEN
        for word in (OPEN, b"bytes", END):
            _ = await session.send(word)
        await session.wait_closed()

    line = await call(answer)
    await line.open()

    assert await line.receive() == b"bytes"
    assert await line.receive() == b""


async def test_a_busy_server_refuses_with_its_reason(call: Call) -> None:
    """As a refusal, which has an exit code of its own."""

    async def answer(session: landline.Session) -> None:
        await session.close("busy: try later")

    with pytest.raises(landline.Refused, match="busy: try later") as caught:
        await (await call(answer)).open()
    assert caught.value.code == "busy"


@pytest.mark.parametrize("word", ["welcome to the chat", {"hello": 1}, b"bytes"])
async def test_a_server_that_is_no_pipe_is_recognised(call: Call, word: object) -> None:
    """Before a byte of standard input goes there."""

    async def answer(session: landline.Session) -> None:
        _ = await session.send(word)
        await session.wait_closed()

    with pytest.raises(landline.Refused, match="what answers there is no `landline listen`"):
        await (await call(answer)).open()


@pytest.mark.limit("pipe.opening_timeout")
async def test_a_server_that_says_nothing_is_no_pipe(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its time."""
    monkeypatch.setattr("landline.apps.pipe.line.OPENING_TIMEOUT", 0.01)

    with pytest.raises(landline.Refused, match="no `landline listen`"):
        await (await call(landline.Session.wait_closed)).open()


async def test_a_word_that_is_none_ends_the_line(call: Call) -> None:
    """Nothing that is not bytes is ever written."""

    async def answer(session: landline.Session) -> None:
        _ = await session.send({"not": "bytes"})
        await session.wait_closed()

    with pytest.raises(HungUp, match="the other side is no `landline listen` or `landline connect`"):
        await (await call(answer)).receive()


async def test_the_account_tells_certain_from_unknown_and_from_never(call: Call) -> None:
    """Handled, on its way, and not even written."""
    lose = asyncio.Event()

    async def answer(session: landline.Session) -> None:
        assert await session.receive() == b"handled"
        session.ack()
        await lose.wait()
        raise ValueError("the program fails")  # and the session is lost

    line = await call(answer)
    await line.send(b"handled")
    await until(lambda: bool(line.account.delivered))
    await line.send(b"on its way")
    await asyncio.sleep(0)
    lose.set()
    await line.wait_gone()

    assert line.account == Account(len(b"handled"), len(b"on its way"), 0)
    for work in (line.send(b"x"), line.end(), line.receive(), line.finish()):
        with pytest.raises(HungUp, match="the session was lost"):
            await work
    await line.hang_up("too late: nothing happens")


@pytest.fixture
async def plain() -> AsyncIterator[tuple[PlainLine, landline.Caller]]:
    """A bare line, and its other end."""
    server = landline.Server()
    accepted: asyncio.Future[landline.Caller] = asyncio.get_running_loop().create_future()

    @server.plain
    async def keep(caller: landline.Caller) -> None:
        accepted.set_result(caller)
        await caller.wait_closed()

    async with server.listen("tcp://127.0.0.1:0") as listening:
        ours = await landline.dial(listening.addresses[0])
        ours.send(b"!")
        theirs = await accepted
        assert await theirs.receive() == b"!"
        yield PlainLine(ours), theirs
        ours.abort()
        theirs.abort()


async def test_each_direction_of_a_bare_line_has_its_own_end(
    plain: tuple[PlainLine, landline.Caller],
) -> None:
    """A question whose end is told can still be answered."""
    line, theirs = plain
    await line.send(b"question")
    await line.end()
    assert [await theirs.receive(), await theirs.receive()] == [b"question", b""]

    theirs.send(b"answer")
    theirs.end()
    assert [await line.receive(), await line.receive()] == [b"answer", b""]
    await asyncio.gather(line.finish(), theirs.close())
    await line.wait_gone()

    assert line.account is None


async def test_a_bare_line_that_is_reset_has_hung_up() -> None:
    """As far as a bare socket can tell: it was not at its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        caller = await landline.dial(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        theirs, _ = server.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()  # which resets it
    line = PlainLine(caller)
    await line.wait_gone()

    with pytest.raises(HungUp):
        await line.receive()
    with pytest.raises(HungUp):
        await line.send(b"x")
