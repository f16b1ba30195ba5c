"""Middlewares around the files that clients offer: what they see, what they may do, and when they are done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.errors import TransferError, TransferRefused
from tests.patterns.files.house import QUICK, make_file, make_tree, settled

pytestmark = pytest.mark.timeout(60)

HOME = "memory://files-middlewares"
Proceed = Any


class House:
    """A server that takes every file into a folder, and what its program heard."""

    def __init__(self, folder: Path) -> None:
        self.errors: list[Exception] = []
        self.offered: list[str] = []
        self.may_accept = asyncio.Event()
        self.may_accept.set()
        self.folder = folder
        self.server = landline.Server(
            self._program,
            limits=QUICK,
            authenticate=str,
            authorize=lambda principal, verb, what: what != "forbidden",
        )

    async def _program(self, session: landline.Session) -> None:
        async with session.files() as offers:
            async for offer in offers:
                self.offered.append(offer.name)
                await self.may_accept.wait()
                try:
                    if offer.name == "unwanted":
                        await offer.refuse("not on Sundays")
                    else:
                        await offer.accept(self.folder)
                except (landline.LandlineError, landline.SessionEnded) as error:
                    self.errors.append(error)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[landline.Session]:
        async with (
            self.server.listen(HOME),
            landline.connect(HOME, credentials="ana", limits=QUICK) as session,
        ):
            yield session


async def test_each_file_passes_all_of_them_to_its_end(tmp_path: Path) -> None:
    """The first is the outermost; they see who, what and how large, and hear what came of it. ``authorize`` is asked before."""
    house = House(tmp_path / "to")
    seen: list[Any] = []
    seen_whole = asyncio.Semaphore(0)  # its sender may have heard before

    @house.server.middleware
    async def outer(call: landline.Call, proceed: Proceed) -> Any:
        seen.append((call.session.principal, call.verb, call.object, call.data))
        received = await proceed(call)
        seen.append(received.path.read_bytes() if not received.is_folder else received.files)
        seen_whole.release()
        return received

    @house.server.middleware
    async def inner(call: landline.Call, proceed: Proceed) -> Any:
        seen.append("inner")
        return await proceed(call.replace(data="something else"))

    async with house.client() as session:
        await session.send_file(make_file(tmp_path / "a", 5), name="../a")
        await seen_whole.acquire()
        await session.send_file(make_tree(tmp_path / "f"))
        await seen_whole.acquire()
        with pytest.raises(TransferRefused, match="you may not send"):
            await session.send_file(tmp_path / "a", name="forbidden")

    assert seen[:3] == [
        ("ana", "send", "a", {"size": 5, "files": 1, "is_folder": False}),
        "inner",
        (tmp_path / "a").read_bytes(),
    ]
    assert seen[3][3]["is_folder"]
    assert seen[4:] == ["inner", 4]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (landline.NotAllowed("not before nine"), "not before nine"),
        (ValueError("no such\nfile"), "no such"),
        (None, "the receiver does not want it"),
    ],
)
async def test_what_does_not_go_on_is_refused(tmp_path: Path, raised: Exception | None, told: str) -> None:
    """In its words where it has some; the program never hears of it, and the next one comes."""
    house = House(tmp_path / "to")

    @house.server.middleware
    async def guard(call: landline.Call, proceed: Proceed) -> Any:
        if call.object != "a":
            return await proceed(call)
        if raised is not None:
            raise raised
        return None

    async with house.client() as session:
        with pytest.raises(TransferRefused, match=told):
            await session.send_file(make_file(tmp_path / "a", 5))
        await session.send_file(make_file(tmp_path / "b", 5))

    assert house.offered == ["b"]


async def test_a_bug_ends_its_transfer_and_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The sender is told no word of it."""
    house = House(tmp_path / "to")

    @house.server.middleware
    async def broken(call: landline.Call, proceed: Proceed) -> Any:
        if call.object == "a":
            raise KeyError("a secret")
        return await proceed(call)

    async with house.client() as session:
        with pytest.raises(TransferError, match="internal error"):
            await session.send_file(make_file(tmp_path / "a", 5))
        await session.send_file(make_file(tmp_path / "b", 5))

    assert "a secret" in caplog.text


async def test_they_hear_of_what_does_not_come(tmp_path: Path) -> None:
    """That it was refused, that the receiver was too small, or that the sender left."""
    house = House(tmp_path / "to")
    heard: list[Exception] = []
    heard_all = asyncio.Event()

    @house.server.middleware
    async def watch(call: landline.Call, proceed: Proceed) -> Any:
        try:
            return await proceed(call)
        except (landline.LandlineError, landline.SessionEnded) as error:
            heard.append(error)
            if len(heard) == 3:
                heard_all.set()
            raise

    async with house.client() as session:
        with pytest.raises(TransferRefused, match="not on Sundays"):
            await session.send_file(make_file(tmp_path / "a", 5), name="unwanted")
        (tmp_path / "to").write_text("no folder")
        with pytest.raises(TransferError):
            await session.send_file(tmp_path / "a")
        house.may_accept.clear()
        left = asyncio.create_task(session.send_file(tmp_path / "a", name="left"))
        await settled(lambda: "left" in house.offered)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        house.may_accept.set()
        async with asyncio.timeout(20):
            await heard_all.wait()

    assert [type(error) for error in heard] == [TransferRefused, TransferError, TransferError]
    assert len(house.errors) == 2


async def test_what_a_middleware_withdraws_from_the_program_is_refused(tmp_path: Path) -> None:
    """In its words, though it had gone on with it; the program can no longer accept."""
    house = House(tmp_path / "to")
    house.may_accept.clear()

    @house.server.middleware
    async def hasty(call: landline.Call, proceed: Proceed) -> Any:
        going_on = asyncio.ensure_future(proceed(call))
        await asyncio.sleep(0)
        try:
            raise landline.NotAllowed("too slow")
        finally:
            going_on.cancel()

    async with house.client() as session:
        with pytest.raises(TransferRefused, match="too slow"):
            await session.send_file(make_file(tmp_path / "a", 5))
        house.may_accept.set()
        await settled(lambda: bool(house.errors))

    assert "once" in str(house.errors[0])


async def test_the_end_of_a_session_ends_what_waits_for_an_answer(tmp_path: Path) -> None:
    """Nobody will answer any more; nothing is left running."""
    ended = asyncio.Event()
    offered = asyncio.Event()
    kept: list[Any] = []

    async def program(session: landline.Session) -> None:
        kept.append(session.files())
        kept.append(await anext(kept[0]))
        offered.set()
        await session.wait_closed()

    server = landline.Server(program, limits=QUICK)

    @server.middleware
    async def watch(call: landline.Call, proceed: Proceed) -> Any:
        try:
            return await proceed(call)
        except landline.SessionEnded:
            ended.set()
            raise

    async with server.listen(HOME):
        session = await landline.connect(HOME, limits=QUICK)
        sending = asyncio.create_task(session.send_file(make_file(tmp_path / "a", 5)))
        await offered.wait()
        await session.close()
        async with asyncio.timeout(20):
            await ended.wait()
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_file_is_received_once(tmp_path: Path) -> None:
    """Whoever goes on with its call a second time is told so, and the file is there."""
    house = House(tmp_path / "to")
    told: list[str] = []

    @house.server.middleware
    async def twice(call: landline.Call, proceed: Proceed) -> Any:
        received = await proceed(call)
        try:
            await proceed(call)
        except landline.LandlineError as error:
            told.append(str(error))
        return received

    async with house.client() as session:
        await session.send_file(make_file(tmp_path / "a", 5))

    assert told == ["a file is received once: go on with its call once"]
    assert house.offered == ["a"]
