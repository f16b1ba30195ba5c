"""Connecting: first dials that fail and how they say so, credentials, several addresses, and bare lines."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import gc
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import landline
import landline.storage
from landline.protocol.frames import MAGIC

pytestmark = pytest.mark.timeout(20)

TCP = "tcp://127.0.0.1:0"
QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)


async def echo(session: landline.Session) -> None:
    async for message in session:
        await session.send(message)


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of somebody who takes the call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody can while the test runs."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{unused.getsockname()[1]}"


async def test_connect_is_awaited_or_entered() -> None:
    """The block closes what it opened; who awaits closes by hand."""
    async with landline.serve(echo, TCP) as listening:
        session = await landline.connect(listening.addresses[0])
        await session.send("a")
        assert await session.receive() == "a"
        await session.close()
        async with landline.connect(listening.addresses[0]) as entered:
            await entered.send("b")
            assert await entered.receive() == "b"

        assert session.is_closed and entered.is_closed


@pytest.mark.parametrize("addresses", [(), ("localhost",), ("tcp://ok:1", "nonsense")])
async def test_an_address_that_is_none(addresses: tuple[str, ...]) -> None:
    """It is said at once, before anything is dialled."""
    with pytest.raises(landline.AddressError):
        await landline.connect(*addresses)


async def test_nobody_is_there(nobody: str) -> None:
    """The first dial is not repeated: whoever called decides."""
    with pytest.raises(landline.ConnectError, match="nobody listens there") as caught:
        await landline.connect(nobody)

    assert isinstance(caught.value, ConnectionError)
    assert caught.value.address == nobody


async def test_nobody_answers(mute: str) -> None:
    """After ``connect_timeout`` seconds, all addresses together; it says how many of them were left for this one."""
    with pytest.raises(landline.ConnectTimeout) as caught:
        await landline.connect(mute, connect_timeout=0.05)

    said = re.search(r"no answer within (\S+) s$", str(caught.value))
    assert said is not None
    assert 0 <= float(said[1]) <= 0.05
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, landline.ConnectError)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak landline"),
        (MAGIC[:-1] + b"\x09", "version 9"),
        (b"", "dropped before"),
        (MAGIC[:4], "dropped before"),
        (MAGIC + b"\xff" * 9, "over the limit"),
        (MAGIC + b"\0\0\0\0\x06\0\0\0\0", "PING"),
        (MAGIC + b"\0\0\0\1\x03\0\0\0\0\x80", "cannot be read"),
    ],
    ids=repr,
)
async def test_who_answers_is_no_server_of_ours(said: bytes, reason: str) -> None:
    """The reason says what came instead, and no socket is left."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(landline.ConnectError, match=reason):
            await landline.connect(f"tcp://127.0.0.1:{port}")
    finally:
        server.close()
        await server.wait_closed()


async def test_the_server_says_no() -> None:
    """Refused has the code by name and the reason; credentials reach ``authenticate`` as they were."""
    seen: list[Any] = []

    def authenticate(credentials: Any) -> str | None:
        seen.append(credentials)
        return credentials["name"] if credentials and credentials["word"] == b"secret" else None

    async with landline.serve(echo, TCP, authenticate=authenticate) as listening:
        for credentials in (None, {"name": "ana", "word": b"wrong"}):
            with pytest.raises(landline.Refused) as refused:
                await landline.connect(listening.addresses[0], credentials=credentials)
            assert refused.value.code == "unauthorized"
            assert refused.value.reason
        async with landline.connect(
            listening.addresses[0], credentials={"name": "ana", "word": b"secret"}, limits=QUICK
        ) as session:
            session.drop()
            await session.send("after a redial")
            assert await session.receive() == "after a redial"

    assert seen == [None, {"name": "ana", "word": b"wrong"}, *[{"name": "ana", "word": b"secret"}] * 2]


async def test_who_shows_no_credentials_is_told_that_some_are_wanted() -> None:
    """And how they are given; who shows some knows that, and is told that these are not good."""
    async with landline.Server(authenticate=lambda credentials: None).listen(TCP) as listening:
        there = listening.addresses[0]
        with pytest.raises(
            landline.Refused, match="this server wants credentials, and none were shown"
        ) as none:
            await landline.connect(there)
        with pytest.raises(landline.Refused, match="the credentials are not good") as bad:
            await landline.connect(there, credentials="bad")

    assert "connect(…, credentials=…)" in none.value.__notes__[0]
    assert not hasattr(bad.value, "__notes__")


async def test_somebody_who_may_no_longer_enter_loses_the_session() -> None:
    """Authorisation is asked again at every dial."""
    verdicts = iter(["ana", None])
    async with landline.serve(echo, TCP, authenticate=lambda credentials: next(verdicts)) as listening:
        session = await landline.connect(listening.addresses[0], limits=QUICK)
        session.drop()
        with pytest.raises(landline.SessionLost, match="unauthorized"):
            await session.receive()


async def test_addresses_are_tried_in_turn(nobody: str, mute: str) -> None:
    """At the first dial and at every later one."""
    async with landline.serve(echo, TCP) as first:
        session = await landline.connect(nobody, first.addresses[0], limits=QUICK)
        assert session.peer == first.addresses[0]
        session.drop()
        await session.send("again")
        assert await session.receive() == "again"
        await session.close()
        with pytest.raises(landline.ConnectError) as last:
            await landline.connect(nobody, mute, connect_timeout=0.05)
        assert isinstance(last.value, landline.ConnectTimeout)


@pytest.mark.parametrize("ticks", range(12))
@pytest.mark.long
async def test_a_cancelled_connect_leaves_nothing(ticks: int) -> None:
    """Wherever it was cancelled: no line, no task, no session at the server that stays."""
    limits = landline.Limits(handshake_timeout=0.05, resume_window=0.05)
    before = asyncio.all_tasks()
    async with landline.serve(echo, TCP, limits=limits) as listening:
        connecting = asyncio.ensure_future(_connect(listening.addresses[0]))
        for _ in range(ticks):
            await asyncio.sleep(0)
        connecting.cancel()
        try:
            session = await connecting
        except asyncio.CancelledError:
            session = None
        if session is not None:
            await session.close()
        for _ in range(5):  # asyncio trips over a line that it accepts in the very tick of closing
            await asyncio.sleep(0)
    gc.collect()

    assert asyncio.all_tasks() - before == set()


async def _connect(address: str) -> landline.Session:
    return await landline.connect(address)


async def test_a_bare_line() -> None:
    """``dial`` gives bytes in and bytes out, to anybody; even who speaks first is heard whole."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        writer.write(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    caller = await landline.dial(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert await caller.receive() == b"welcome"
    with pytest.raises(TimeoutError):
        await caller.receive(timeout=0.01)
    caller.send(b"echo")
    await caller.drain()
    assert await caller.receive() == b"echo"
    assert await caller.receive() == b""
    assert await caller.receive() == b""
    await caller.close()
    assert caller.is_gone
    server.close()
    await server.wait_closed()


async def test_a_bare_line_to_nobody(nobody: str) -> None:
    """The same errors as for a session."""
    with pytest.raises(landline.ConnectError, match="nobody listens there"):
        await landline.dial(nobody)
    with pytest.raises(landline.AddressError):
        await landline.dial("nonsense")


@pytest.mark.limit("session.credentials")
@pytest.mark.parametrize(
    ("credentials", "said"),
    [(object(), "cannot be sent"), ("x" * 3073, "over the limit"), ("\ud800", "cannot be sent")],
)
async def test_credentials_that_cannot_travel(credentials: object, said: str) -> None:
    """Are told before anybody is dialled."""
    with pytest.raises(landline.DataError, match=said):
        await landline.connect("memory://nobody", credentials=credentials)


@pytest.mark.limit("session.credentials")
async def test_the_longest_credentials_are_shown() -> None:
    """They fit a greeting, and the server sees all of them."""
    shown: list[object] = []

    def authenticate(credentials: object) -> str:
        shown.append(credentials)
        return "ana"

    server = landline.Server(landline.Session.wait_closed, authenticate=authenticate)
    async with server.listen("memory://gate"), landline.connect("memory://gate", credentials="x" * 3072):
        pass

    assert shown == ["x" * 3072]


# What is kept...


async def test_what_was_published_and_not_answered_is_seen_by_the_next_session() -> None:
    """It goes out by itself, once, and what became of it is told; the storage is left open for who opened it."""
    server = landline.Server(landline.Session.wait_closed)
    server.topic("t")
    kept = asyncio.Event()
    async with (
        server.listen("memory://kept"),
        landline.storage.MemoryStorage() as storage,
        asyncio.timeout(10),
    ):
        first = await landline.connect(
            "memory://kept", storage=storage, limits=landline.Limits(close_timeout=0.05)
        )
        first.drop(300)
        publishing = [
            asyncio.create_task(first.publish("t", "one", on_kept=kept.set)),
            asyncio.create_task(first.publish("nothing", "two")),
        ]
        await kept.wait()
        await first.close()
        for outcome in await asyncio.gather(*publishing, return_exceptions=True):
            assert isinstance(outcome, landline.PublishUnknown)
            assert outcome.is_kept
        assert await landline.count_unanswered(storage) == 2

        async with landline.connect("memory://kept", storage=storage) as second:
            one, two = second.earlier
            assert [(earlier.topic, earlier.data) for earlier in (one, two)] == [
                ("t", "one"),
                ("nothing", "two"),
            ]
            position = await one.position()
            with pytest.raises(landline.PublishFailed, match="no topic"):
                await two.position()

        assert [(item.position, item.data) for item in (await server.last("t")).publications] == [
            (position, "one")
        ]
        assert storage.is_open
        assert await landline.count_unanswered(storage) == 0
        async with landline.connect("memory://kept", storage=storage) as third:
            assert third.earlier == []


def test_what_is_not_awaited_is_no_session() -> None:
    """Who forgets ``await`` is told so, by whatever name they wanted of the session."""
    with pytest.raises(AttributeError, match=r"no session yet, and has no send: `session = await connect"):
        landline.connect(TCP).send(1)  # type: ignore[attr-defined]
