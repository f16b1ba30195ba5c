"""The server of tests/test_promises.py: one session for each pattern, and whatever one has in hand waits at a gate until somebody opens it.

Its second life has the gate open. What its programs and methods are given, they write into a book, which outlives them.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import landline


class House:
    """One life of it."""

    def __init__(self, life: int, book: Path) -> None:
        self.life = life
        self._book = book
        self.gate = asyncio.Event()
        self.held: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.over: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        if life > 1:
            self.gate.set()

    def note(self, who: str, *fact: Any) -> None:
        with self._book.open("a") as file:
            print(f"{who}:", *fact, file=file)

    async def hold(self, session: landline.Session) -> None:
        """Have something in hand until the gate is open."""
        self.held[session.principal].set()
        await self.gate.wait()

    def authenticate(self, credentials: Any) -> str:
        self.note(credentials, "let in by life", self.life)
        return str(credentials)

    async def program(self, session: landline.Session) -> None:
        if session.principal == "files":
            await self.take_files(session)
            return
        async for message in session:
            self.note(session.principal, "given", message)
            if message == "held":
                _ = await session.send("it is here")
                await self.hold(session)
            elif message == "new":
                _ = await session.send("welcome")

    async def take_files(self, session: landline.Session) -> None:
        async with session.files() as offers:
            async for offer in offers:
                self.note(session.principal, "given", offer.name)
                await self.hold(session)
                await offer.accept(self._book.parent / "inbox")

    async def vet(self, session: landline.Session, topic: str, data: Any) -> Any:
        if data == "held":
            await self.hold(session)
        return data

    def begin(self, session: landline.Session) -> None:
        session.info["life"] = self.life

    def end(self, session: landline.Session, why: Exception) -> None:
        self.over[session.principal].set()

    # Methods...

    async def look(self, session: landline.Session) -> dict[str, Any]:
        return session.info

    async def run(self, session: landline.Session, word: str) -> int:
        self.note(session.principal, "given", word)
        if word == "held":
            await self.hold(session)
        return self.life

    async def count(self, session: landline.Session) -> AsyncIterator[int]:
        try:
            for number in range(4):
                if number == 2:
                    await self.hold(session)
                yield number
        finally:
            self.note(session.principal, "left")

    # What the world asks...

    async def wait_held(self, session: landline.Session) -> None:
        await self.held[session.principal].wait()

    async def wait_over(self, names: list[str]) -> None:
        for name in names:
            await self.over[name].wait()

    async def unlock(self) -> None:
        self.gate.set()


async def serve(address: str, storage: str, book: Path, life: int, window: float) -> None:
    """Serve until killed; ``window`` is how long, in seconds, a session waits for its client."""
    house = House(life, book)
    server = landline.Server(
        house.program,
        authenticate=house.authenticate,
        storage=storage or None,
        limits=landline.Limits(resume_window=window),
    )
    server.on_open(house.begin)
    server.on_close(house.end)
    server.topic("publishes", vet=house.vet)
    server.topic("news")
    server.presence("room")
    for method in (house.look, house.run, house.count, house.wait_held, house.wait_over, house.unlock):
        server.method(method)
    server.method(name="run again", idempotent=True)(house.run)

    @server.method
    async def tell(data: str) -> None:
        await server.publish("news", data)

    @server.method
    async def stored() -> list[Any]:
        return [item.data for item in (await server.read("publishes")).publications]

    @server.method
    async def members() -> list[Any]:
        return [[member.state, member.is_here] for member in server.members("room").values()]

    async with server.listen(address):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
