"""``authorize`` at every door: each verb is asked about who it is, what is refused does not happen, and what was allowed is asked about again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

import landline
from tests.doors import BOUND, DOORS, open_door

pytestmark = pytest.mark.timeout(60)

KIND = {"asgi": "ws"}
"""The kind of address that a door's callers come from, where it is named otherwise."""


class Rules:
    """An ``authorize`` that refuses what is in ``forbidden``, and writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.forbidden: set[str] = set()

    def __call__(self, principal: str, verb: str, what: str) -> bool:
        self.asked.append((principal, verb, what))
        return verb not in self.forbidden


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> landline.ServerTLS:
    return landline.make_certificate(tmp_path_factory.mktemp("certificate"), ["127.0.0.1"])


async def keep(folder: Path, session: landline.Session) -> None:
    """Take files, and answer messages."""

    async def take() -> None:
        async with session.files() as offers:
            async for offer in offers:
                await offer.accept(folder / "inbox")

    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(take())
        async for message in session:
            _ = await session.send(message)
        taking.cancel()


@asynccontextmanager
async def behind(
    door: str, rules: Rules, tls: landline.ServerTLS, folder: Path
) -> AsyncIterator[tuple[landline.Server, landline.connect]]:
    """Serve behind a door; what dials it."""
    (folder / "inbox").mkdir()
    server = landline.Server(partial(keep, folder), authenticate=str, authorize=rules, tls=tls)
    server.topic("t.*")

    server.presence("g.*")
    server.method(double)

    @server.method
    async def ticks() -> AsyncIterator[int]:
        yield 1

    async with open_door(door, server, folder) as address, asyncio.timeout(BOUND):
        trust = landline.ClientTLS(fingerprint=tls.fingerprint)
        limits = landline.Limits(redial_min=0.001, redial_max=0.01)
        yield server, landline.connect(address, credentials="ana", tls=trust, limits=limits)


@pytest.mark.parametrize("door", DOORS)
async def test_every_verb_is_asked_about_at_every_door(
    door: str, tls: landline.ServerTLS, tmp_path: Path
) -> None:
    """With the principal that ``authenticate`` found, and the object; and again when the line is another one."""
    rules, kind = Rules(), KIND.get(door, door)
    async with behind(door, rules, tls, tmp_path) as (_, connect), connect as session:
        await session.publish("t.a", 1)
        async with session.subscribe("t.*", after="start") as items:
            assert isinstance(await anext(items), landline.Publication)
        assert await session.call("double", 2) == 4
        assert [item async for item in session.stream("ticks")] == [1]
        async with session.presence("g.a", state="here") as here:
            assert len(here.members) == 1
        assert (await session.send_file(make_file(tmp_path))).name == "a.txt"
        assert rules.asked == [
            ("ana", "enter", kind),
            ("ana", "publish", "t.a"),
            ("ana", "subscribe", "t.*"),
            ("ana", "call", "double"),
            ("ana", "call", "ticks"),
            ("ana", "join", "g.a"),
            ("ana", "watch", "g.a"),
            ("ana", "send", "a.txt"),
        ]
        session.drop()
        await session.refresh()
        # At the resume; and the credentials over the live line are looked at likewise.
        assert rules.asked[8:] == [("ana", "enter", kind)] * 2


@pytest.mark.parametrize("door", DOORS)
async def test_what_is_refused_does_not_happen_at_any_door(
    door: str, tls: landline.ServerTLS, tmp_path: Path
) -> None:
    """Each refusal is told in words, and disturbs nothing else; who may not enter has no session."""
    rules = Rules()
    async with behind(door, rules, tls, tmp_path) as (server, connect):
        async with connect as session:
            rules.forbidden = {"publish", "subscribe", "call", "join", "watch", "send"}
            with pytest.raises(landline.PublishFailed, match=r"you may not publish to 't\.a'"):
                await session.publish("t.a", 1)
            with pytest.raises(landline.NotAllowed, match=r"you may not subscribe to 't\.\*'"):
                await anext(session.subscribe("t.*"))
            with pytest.raises(landline.CallNotAllowed, match="you may not call 'double'"):
                await session.call("double", 2)
            with pytest.raises(landline.CallNotAllowed, match="you may not call 'ticks'"):
                await anext(session.stream("ticks"))
            assert await session.call("landline.methods") == []
            for group in (session.presence("g.a", state="here"), session.presence("g.a")):
                with pytest.raises(landline.NotAllowed, match=r"'g\.a'"):
                    async with group:
                        pass
            with pytest.raises(landline.TransferRefused, match="may not send"):
                await session.send_file(make_file(tmp_path))
            assert (await server.read("t.*")).publications == []
            _ = await session.send("still here")
            assert await session.receive() == "still here"
        rules.forbidden = {"enter"}
        with pytest.raises(landline.Refused, match="you may not enter") as caught:
            await connect
        assert caught.value.code == "unauthorized"


@pytest.mark.parametrize("door", DOORS)
async def test_who_may_no_longer_is_told_so_at_any_door(
    door: str, tls: landline.ServerTLS, tmp_path: Path
) -> None:
    """Asked again because the program says so: subscriptions end for it, and sessions."""
    rules = Rules()
    async with behind(door, rules, tls, tmp_path) as (server, connect), connect as session:
        items = session.subscribe("t.*", after="start")
        await server.publish("t.a", 1)
        assert isinstance(await anext(items), landline.Publication)
        server.reauthorize("ana")
        rules.forbidden = {"subscribe", "enter"}
        server.reauthorize("ben")
        rules.forbidden = {"subscribe"}
        server.reauthorize("ana")
        with pytest.raises(landline.NotAllowed, match="you may no longer subscribe"):
            await anext(items)
        rules.forbidden = {"enter"}
        server.reauthorize("ana")
        with pytest.raises(landline.SessionLost, match="you may no longer enter"):
            await session.receive()


async def test_who_may_no_longer_enter_does_not_come_back(tls: landline.ServerTLS, tmp_path: Path) -> None:
    """A session without a line is asked about when its client comes back for it."""
    rules = Rules()
    async with behind("tcp", rules, tls, tmp_path) as (server, connect), connect as session:
        await session.flush()
        _ = await session.send("hello")
        assert await session.receive() == "hello"
        rules.forbidden = {"enter"}
        session.drop()
        server.reauthorize("ana")
        with pytest.raises(landline.SessionLost, match="unauthorized"):
            await session.receive()


async def double(number: int) -> int:
    return 2 * number


def make_file(folder: Path) -> Path:
    file = folder / "a.txt"
    file.write_text("a")
    return file


async def do(session: landline.Session, verb: str, folder: Path) -> None:
    if verb == "publish":
        await session.publish("t", 1)
    elif verb == "subscribe":
        await anext(session.subscribe("t"))
    elif verb == "call":
        await session.call("double", 1)
    elif verb == "join":
        async with session.presence("g.a", state="here"):
            pass
    else:
        await session.send_file(make_file(folder))


@pytest.mark.parametrize("verb", ["enter", "publish", "subscribe", "call", "join", "send"])
async def test_an_authorize_that_fails_allows_nothing(
    verb: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Its bug is logged, and lets nobody do anything."""

    def authorize(principal: str, asked: str, what: str) -> bool:
        if asked == verb:
            raise KeyError(principal)
        return True

    (tmp_path / "inbox").mkdir()
    server = landline.Server(partial(keep, tmp_path), authorize=authorize)
    server.topic("t")
    server.presence("g.*")
    server.method(double)
    async with server.listen("memory://failing"):
        if verb == "enter":
            with pytest.raises(landline.Refused, match="you may not enter"):
                await landline.connect("memory://failing")
        else:
            async with landline.connect("memory://failing") as session:
                with pytest.raises(landline.LandlineError, match=f"you may not {verb}"):
                    await do(session, verb, tmp_path)
    assert "authorize failed" in caplog.text
