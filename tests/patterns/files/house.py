"""What the tests of files share: both ends over memory, a program that takes everything, and an end that says whatever it likes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import landline
from landline.patterns.messages import Messages
from landline.protocol.files import FILE_PURPOSE
from landline.sessions.flow import BareFlow
from landline.testing.pair import Pair, pair

QUICK = landline.Limits(redial_min=0.001, redial_max=0.01)
CHUNK = 64 << 10


class Taking:
    """A program that accepts all that it is offered, or that a test wants otherwise."""

    def __init__(self, session: landline.Session, folder: Path, quota: landline.Quota | None) -> None:
        self.received: list[landline.ReceivedFile] = []
        self.errors: list[Exception] = []
        self.idle = asyncio.Event()
        self.idle.set()
        self.offers = session.files(quota=quota)
        self.task = asyncio.create_task(self._run(folder))

    async def _run(self, folder: Path) -> None:
        with contextlib.suppress(landline.SessionLost):
            async for offer in self.offers:
                self.idle.clear()
                try:
                    self.received.append(await offer.accept(folder))
                except (landline.TransferError, landline.SessionEnded) as error:
                    self.errors.append(error)
                finally:
                    self.idle.set()


@asynccontextmanager
async def taking(
    folder: Path, over: Any = "memory", *, quota: landline.Quota | None = None, **options: Any
) -> AsyncIterator[tuple[Pair, Taking]]:
    """A pair whose server's end takes files into a folder."""
    options.setdefault("limits", QUICK)
    async with pair(over, **options) as both:
        program = Taking(both.server, folder, quota)
        try:
            yield both, program
            async with asyncio.timeout(20):
                await program.idle.wait()
        finally:
            program.task.cancel()
            await asyncio.gather(program.task, return_exceptions=True)


class Forged:
    """A sender that says whatever it likes."""

    def __init__(self, session: landline.Session) -> None:
        bare = session._bare
        self.flow: BareFlow = bare.open_flow(FILE_PURPOSE)
        self._messages = Messages(bare, self.flow)

    async def say(self, *said: Any) -> None:
        for each in said:
            _ = await self._messages.send(each)

    async def hear(self) -> Any:
        return await self._messages.receive()

    async def end(self) -> str:
        """Why the other end ended it."""
        try:
            while True:
                await self._messages.receive()
        except landline.FlowEnded as error:
            return str(error)


def names(folder: Path) -> list[str]:
    """All that is in a folder, hidden things too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def settled(fact: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not fact():  # noqa: ASYNC110 - of another thread, too
            await asyncio.sleep(0)


def make_file(path: Path, size: int, seed: int = 1) -> Path:
    """A file with content that repeats nowhere near."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(size, seed))
    return path


def content(size: int, seed: int = 1) -> bytes:
    """Bytes that are always the same."""
    return random.Random(seed).randbytes(size)


def make_tree(folder: Path) -> Path:
    """A folder with a few files, and what is not sent."""
    for name, size in (("a.txt", 10), (".git/config", 0), ("sub/deep/b.bin", 3 * CHUNK), ("sub/c", 1)):
        make_file(folder / name, size, size)
    (folder / "link").symlink_to("a.txt")
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    return folder
