"""Revocation over real sockets: a principal's sessions end at every door, with a line or without, stored ones too, and do not come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

import landline
from tests.doors import BOUND, DOORS, open_door

pytestmark = pytest.mark.timeout(60)

TCP = "tcp://127.0.0.1:0"
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> landline.ServerTLS:
    return landline.make_certificate(tmp_path_factory.mktemp("certificate"), ["127.0.0.1"])


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack, asyncio.timeout(BOUND):
        yield stack


async def echo(session: landline.Session) -> None:
    async for message in session:
        _ = await session.send(message)


async def talk(session: landline.Session) -> None:
    """Have the server know that its welcome arrived."""
    _ = await session.send("hello")
    assert await session.receive() == "hello"


@pytest.mark.parametrize("door", DOORS)
async def test_every_session_of_a_principal_ends_within_a_second(
    door: str, tls: landline.ServerTLS, tmp_path: Path, stack: AsyncExitStack
) -> None:
    """At the server at once, at the clients within a second, in the words given; nobody else's does."""
    server = landline.Server(echo, authenticate=str, tls=tls)
    address = await stack.enter_async_context(open_door(door, server, tmp_path))
    trust = landline.ClientTLS(fingerprint=tls.fingerprint)
    theirs = [await landline.connect(address, credentials="ana", tls=trust) for _ in range(3)]
    ben = await stack.enter_async_context(landline.connect(address, credentials="ben", tls=trust))
    for session in (*theirs, ben):
        await talk(session)

    assert server.revoke("ana", "you left the company") == 3
    assert server.revoke("ana") == 0
    async with asyncio.timeout(
        1.0
    ):  # what is promised, and no ratio of speeds: alone it takes some milliseconds
        for session in theirs:
            with pytest.raises(landline.SessionLost, match="you left the company"):
                await session.receive()

    await talk(ben)


async def test_a_session_without_a_line_is_not_to_be_had_any_more(stack: AsyncExitStack) -> None:
    """Its client hears of it when it comes back for it."""
    server = landline.Server(echo, authenticate=str)
    listening = await stack.enter_async_context(server.listen(TCP))
    session = await landline.connect(listening.addresses[0], credentials="ana", limits=QUICK)
    await talk(session)
    changes = session.states()
    session.drop(0.1)
    async for change in changes:
        if change.state is landline.State.RECONNECTING:
            break

    assert server.revoke("ana") == 1
    with pytest.raises(landline.SessionLost, match="revoked"):
        await session.receive()
    assert listening.sessions == 0


async def test_what_is_stored_of_their_sessions_goes(tmp_path: Path, stack: AsyncExitStack) -> None:
    """Neither in this life of the server nor in the next is there a session to come back to; others' go on."""
    place = f"unix://{tmp_path}/s"
    storage = tmp_path / "store.sqlite"
    sessions = []
    async with landline.Server(echo, authenticate=str, storage=storage).listen(place):
        for name in ("ana", "ana", "ben"):
            session = await landline.connect(place, credentials=name, limits=QUICK)
            stack.push_async_callback(session.close)
            await talk(session)
            sessions.append(session)
    server = landline.Server(echo, authenticate=str, storage=storage)
    async with server.listen(place):  # it knows them from the disk, whether they are back or not
        assert server.revoke("ana") == 2
    async with landline.Server(echo, authenticate=str, storage=storage).listen(place):
        for session in sessions[:2]:
            with pytest.raises(landline.SessionLost):
                await _to_the_end(session)
        await _goes_on(sessions[2])


async def _to_the_end(session: landline.Session) -> None:
    while True:
        with suppress(landline.SessionInterrupted):
            await session.receive()


async def _goes_on(session: landline.Session) -> None:
    while True:
        with suppress(landline.SessionInterrupted):
            await talk(session)
            return


async def test_who_is_being_decided_about_has_to_come_again(stack: AsyncExitStack) -> None:
    """It may have been looked up before: what was found then is not let in, and what is found later is."""
    may_answer, asked = asyncio.Event(), asyncio.Semaphore(0)
    is_good = True

    async def authenticate(credentials: str) -> str | None:
        found = credentials if is_good else None
        asked.release()
        if not may_answer.is_set():
            await may_answer.wait()
        return found

    server = landline.Server(echo, authenticate=authenticate)
    listening = await stack.enter_async_context(server.listen(TCP))
    dials: list[Awaitable[landline.Session]] = []
    for name in ("ana", "ben"):
        dials.append(asyncio.ensure_future(_dial(listening.addresses[0], name)))
        await asked.acquire()
    is_good = False
    assert server.revoke("ana") == 0
    is_good = True
    may_answer.set()

    with pytest.raises(landline.Refused, match="has just changed") as caught:
        await dials[0]
    assert caught.value.code == "busy"
    await (await dials[1]).close()
    await (await _dial(listening.addresses[0], "ana")).close()


async def _dial(address: str, name: str) -> landline.Session:
    return await landline.connect(address, credentials=name)


async def test_credentials_that_were_refreshed_before_do_not_save_a_session(stack: AsyncExitStack) -> None:
    """It is over, whatever is being found out about it."""
    may_answer, is_asked = asyncio.Event(), asyncio.Event()

    async def authenticate(credentials: str) -> str:
        if is_asked.is_set():
            await may_answer.wait()
        return credentials

    server = landline.Server(echo, authenticate=authenticate)
    listening = await stack.enter_async_context(server.listen(TCP))
    session = await landline.connect(listening.addresses[0], credentials="ana")
    await talk(session)
    is_asked.set()
    refreshing = asyncio.ensure_future(session.refresh())
    await asyncio.sleep(0)
    assert server.revoke("ana") == 1
    may_answer.set()

    with pytest.raises(landline.SessionLost, match="your access was revoked"):
        await refreshing
    assert listening.sessions == 0


async def test_while_a_server_does_not_listen_there_is_nobody() -> None:
    """Nothing happens then."""
    server = landline.Server(echo)
    server.reauthorize("")
    assert server.revoke("") == 0
    async with server.listen("memory://revoke"):
        assert server.revoke("") == 0
    assert server.revoke("") == 0
