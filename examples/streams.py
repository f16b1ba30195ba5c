"""Streams: a generator that is read, an upload that is answered, and a talk both ways."""

import asyncio
from collections.abc import AsyncIterator

import landline

server = landline.Server()


@server.method
async def countdown(start: int) -> AsyncIterator[int]:
    """Count down; whoever leaves ends it, and ``finally`` runs."""
    try:
        for number in range(start, 0, -1):
            yield number
    finally:
        print("the countdown is over")


@server.method
async def upload(stream: landline.Stream, name: str) -> None:
    """Take pieces until there are no more, and say how much it was."""
    size = 0
    async for piece in stream:
        size += len(piece)
    await stream.send(f"{name}: {size:,} bytes")


@server.method
async def shout(stream: landline.Stream) -> None:
    async for words in stream:
        await stream.send(words.upper())


async def main() -> None:
    async with server.listen("tcp://localhost:0") as listening:
        async with landline.connect(listening.addresses[0]) as session:
            async with session.stream("countdown", 1_000_000) as numbers:
                async for number in numbers:
                    if number == 999_998:
                        break
            print("left at", number)
            async with session.stream("upload", "a film") as film:
                for _ in range(100):
                    await film.send(bytes(10_000))
                film.end()
                print(await film.receive())
            async with session.stream("shout") as talk:
                for words in ("good day", "good night"):
                    await talk.send(words)
                    print(await talk.receive())


if __name__ == "__main__":
    asyncio.run(main())
