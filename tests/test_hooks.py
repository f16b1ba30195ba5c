"""Hooks: told of each session at its beginning and its end, in virtual time; their failures, and what a session holds for its program."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import landline

HOME = "memory://hooks"

VIRTUAL_TIME = True


async def keep(session: landline.Session) -> None:
    async for message in session:
        if message == "fail":
            raise RuntimeError("a program's bug")


def listening_to(server: landline.Server, *names: str) -> list[Any]:
    """Write down what the hooks of a server are told."""
    told: list[Any] = []

    @server.on_open
    async def opened(session: landline.Session) -> None:
        await asyncio.sleep(0)
        told.append(("open", session.principal))

    @server.on_close
    def closed(session: landline.Session, why: landline.SessionEnded) -> None:
        told.append((type(why).__name__, session.principal))

    return told


async def test_each_session_is_told_at_its_beginning_and_at_its_end() -> None:
    """Once each, however often its line drops; the end with the error that it ended with."""
    server = landline.Server(keep, authenticate=str)
    told = listening_to(server)
    async with server.listen(HOME):
        async with landline.connect(HOME, credentials="ana") as session:
            await session.flush()
            session.drop()
            _ = await session.send("hello")
            await session.flush()
        session = await landline.connect(HOME, credentials="ben")
        _ = await session.send("fail")
        await session.wait_closed()
        await asyncio.sleep(1)

    assert told == [("open", "ana"), ("SessionClosed", "ana"), ("open", "ben"), ("SessionLost", "ben")]


async def test_a_session_is_told_before_its_program_runs_and_after_it_has() -> None:
    """What a hook finds out is there for the program; what the program did last is there for the hook."""
    order: list[str] = []

    async def program(session: landline.Session) -> None:
        order.append(f"program of {session.info['name']}")
        await session.receive()
        order.append("program is done")
        session.info["count"] = 1

    server = landline.Server(program)

    @server.on_open
    async def look_up(session: landline.Session) -> None:
        await asyncio.sleep(10)
        session.info["name"] = "Ana"
        order.append("looked up")

    @server.on_close
    async def write_down(session: landline.Session, why: landline.SessionEnded) -> None:
        await asyncio.sleep(1)
        order.append(f"wrote {session.info}")

    async with server.listen(HOME), landline.connect(HOME) as session:
        _ = await session.send("said before anybody listens")
        await session.flush()

    assert order == [
        "looked up",
        "program of Ana",
        "program is done",
        "wrote {'name': 'Ana', 'count': 1}",
    ]


async def test_what_a_client_opens_meanwhile_waits_for_the_hooks() -> None:
    """What they find out is there for a ``vet``, too; a flow that the client gave up by then is not served, and the program's own are not lost."""
    taken: list[str] = []

    async def program(session: landline.Session) -> None:
        session._bare.on_flow = lambda flow: taken.append(flow.purpose)
        await session.wait_closed()

    server = landline.Server(program)
    server.topic("t", vet=lambda session, topic, data: [session.info["name"], data])

    @server.on_open
    async def look_up(session: landline.Session) -> None:
        await asyncio.sleep(10)
        session.info["name"] = "Ana"

    async with server.listen(HOME), landline.connect(HOME) as session:
        session._bare.open_flow("the program's")
        session._bare.open_flow("landline.unheard of").reset()
        items = session.subscribe("t")
        await session.publish("t", "hello")
        assert asyncio.get_running_loop().time() >= 10
        item = await anext(items)
        assert isinstance(item, landline.Publication)
        assert item.data == ["Ana", "hello"]
        session._bare.open_flow("later")
        await asyncio.sleep(1)

    assert taken == ["the program's", "later"]


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_hook_that_fails_disturbs_nobody(
    is_cancelled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the other hooks and the program run."""

    async def broken(*facts: object) -> None:
        if is_cancelled:
            raise asyncio.CancelledError
        raise KeyError("a hook's bug")

    async def program(session: landline.Session) -> None:
        _ = await session.send("all is well")
        await session.flush()

    server = landline.Server(program)
    server.on_open(broken)
    server.on_close(broken)
    told = listening_to(server)
    async with server.listen(HOME), landline.connect(HOME) as session:
        assert await session.receive() == "all is well"
        with pytest.raises(landline.SessionClosed):
            await session.receive()

    assert told == [("open", ""), ("SessionClosed", "")]
    assert caplog.text.count("a hook of the server failed") == 2


@pytest.mark.limit("max_flows")
async def test_what_a_client_opens_and_gives_up_meanwhile_is_not_held() -> None:
    """However many it opens while a hook takes its time; what it opens at last is served."""
    server = landline.Server(limits=landline.Limits(max_flows=4))
    held: list[int] = []

    @server.method
    async def ping() -> str:
        return "pong"

    @server.on_open
    async def look_up(session: landline.Session) -> None:
        early = session._bare.takers[0].args[0]  # type: ignore[attr-defined]
        for _ in range(100):
            await asyncio.sleep(0.1)
            held.append(len(early))

    async with server.listen(HOME), landline.connect(HOME) as session:
        for _ in range(100):
            flow = session._bare.open_flow("landline.stream")
            await asyncio.sleep(0.05)
            flow.reset()
        assert max(held) == 8
        assert await session.call("ping") == "pong"


async def test_a_server_that_goes_tells_the_end_of_each() -> None:
    """Also of those whose programs have to be cancelled."""

    async def stubborn(session: landline.Session) -> None:
        await asyncio.Event().wait()

    server = landline.Server(stubborn, authenticate=str)
    told = listening_to(server)
    async with server.listen(HOME):
        sessions = [await landline.connect(HOME, credentials=name) for name in ("ana", "ben")]
        await asyncio.sleep(1)
    for session in sessions:
        await session.close()

    assert sorted(told) == [
        ("SessionClosed", "ana"), ("SessionClosed", "ben"), ("open", "ana"), ("open", "ben"),
    ]  # fmt: skip


async def test_what_a_session_holds_lives_as_long_as_it_does() -> None:
    """At each end by itself, over dropped lines; the peer is told nothing of it, and another session has its own."""
    server_ends: list[landline.Session] = []

    async def program(session: landline.Session) -> None:
        server_ends.append(session)
        session.info["heard"] = 0
        async for _ in session:
            session.info["heard"] += 1

    async with landline.serve(program, HOME), landline.connect(HOME) as session:
        assert session.info == {}
        session.info["mine"] = "yes"
        for number in range(3):
            _ = await session.send(number)
            await session.flush()
            session.drop()
        async with landline.connect(HOME) as other:
            await other.flush()
            assert other.info == {}
            assert session.info == {"mine": "yes"}
            await asyncio.sleep(1)
            assert [end.info["heard"] for end in server_ends] == [3, 0]
