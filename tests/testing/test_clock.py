"""Virtual time: it jumps when nothing is to do, stands while something is, and refuses what it cannot see."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.testing.clock import VirtualLoop, run, virtual_time


def test_time_jumps_to_the_next_timer() -> None:
    """From 0, to the very moments that were asked for, in their order."""

    async def program() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        seen = []

        async def after(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            seen.append((name, loop.time()))

        await asyncio.gather(after(86_400.0, "a day"), after(1.0, "a second"), after(3600.0, "an hour"))
        return seen

    assert run(program()) == [("a second", 1.0), ("an hour", 3600.0), ("a day", 86_400.0)]


def test_time_stands_while_something_is_to_do() -> None:
    """A time-out is the program's own fault, never the machine's."""

    async def program() -> float:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(0.001):
            for _ in range(1000):
                await asyncio.sleep(0)
        return loop.time()

    assert run(program()) == 0.0


def test_a_timeout_comes_when_it_is_due() -> None:
    """And raises what it always does."""

    async def program() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(program()) == 30.0


def test_a_session_works_on_it() -> None:
    """Over memory; its time-outs take no time."""

    async def echo(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message)

    async def program() -> tuple[Any, float]:
        async with landline.serve(echo, "memory://echo"), landline.connect("memory://echo") as session:
            await asyncio.sleep(86_400)
            _ = await session.send("a day later")
            return await session.receive(), asyncio.get_running_loop().time()

    assert run(program()) == ("a day later", 86_400.0)


def test_a_thread_is_waited_for() -> None:
    """Time does not run away while a thread of ``asyncio.to_thread`` works: here the thread ends only when it is told to."""

    async def program() -> str:
        gate, is_in = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> str:
            loop.call_soon_threadsafe(is_in.set)
            gate.wait(10)
            return "done"

        async with asyncio.timeout(3600):
            working = asyncio.ensure_future(asyncio.to_thread(work))
            await is_in.wait()
            loop.call_soon(gate.set)
            return await working

    assert run(program()) == "done"


def test_a_thread_that_waits_for_time_gets_it() -> None:
    """Time goes on, as it really does, so that a time-out can end the wait for a thread."""

    async def program() -> None:
        gate = threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.to_thread(gate.wait, 0.5)
        gate.set()

    run(program())


REAL_THINGS: dict[str, Callable[[Path], Awaitable[Any]]] = {
    "a TCP listener": lambda folder: asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0),
    "a TCP dial": lambda folder: asyncio.open_connection("127.0.0.1", 1),
    "a Unix dial": lambda folder: asyncio.open_unix_connection(folder / "x"),
    "a program": lambda folder: asyncio.create_subprocess_exec("true"),
    "a server of ours": lambda folder: landline.serve(echo, "tcp://127.0.0.1:0").__aenter__(),
    "a Unix server of ours": lambda folder: landline.serve(echo, f"unix://{folder}/x").__aenter__(),
    "a bare socket": lambda folder: receive_on_a_bare_socket(),
}


async def echo(session: landline.Session) -> None:
    raise AssertionError


async def receive_on_a_bare_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 1)


@pytest.mark.parametrize("what", REAL_THINGS)
def test_what_it_cannot_see_is_refused(what: str, tmp_path: Path) -> None:
    """At once, with the way out; and nothing is left open, which would be a warning."""

    async def program() -> None:
        with pytest.raises(RuntimeError, match=r"takes no sockets.*memory://"):
            await REAL_THINGS[what](tmp_path)

    run(program())


async def test_a_running_loop_can_be_given_it() -> None:
    """For a block; afterwards its clock goes on from there, at its own pace, and sockets work again."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        pytest.skip("only asyncio's own loops can have virtual time")
    before = loop.time()
    with virtual_time() as clock:
        began = loop.time()
        await asyncio.sleep(3600)
        assert clock.now == loop.time() == began + 3600
        with pytest.raises(RuntimeError, match="takes no sockets"):
            await asyncio.open_connection("127.0.0.1", 1)
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.001)

    assert loop.time() > before + 3600


async def test_a_loop_that_watches_a_socket_is_refused() -> None:
    """It is too late for it."""
    if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
        pytest.skip("only asyncio's own loops can have virtual time")
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    with pytest.raises(RuntimeError, match="takes no sockets"), virtual_time():
        raise AssertionError
    server.close()
    await server.wait_closed()


def test_another_kind_of_loop_is_refused() -> None:
    """By its name."""
    uvloop = pytest.importorskip("uvloop")

    async def program() -> None:
        with pytest.raises(TypeError, match=r"not a uvloop\.Loop"), virtual_time():
            raise AssertionError

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(program())


def test_virtual_time_within_virtual_time() -> None:
    """The inner block leaves the outer one its clock, gone on."""

    async def program() -> float:
        await asyncio.sleep(1)
        with virtual_time():
            await asyncio.sleep(10)
        await asyncio.sleep(100)
        return asyncio.get_running_loop().time()

    assert run(program()) == 111.0


def test_it_is_a_loop_factory() -> None:
    """Each loop begins at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()

        assert isinstance(loop, VirtualLoop)
        assert loop.time() == loop.clock.now == 0.0
