"""The clients that are killed, or live on: publishers, subscribers and senders, each a process with a book of its own.

``python -m benchmarks.kills.clients ROLE NAME FOLDER ADDRESS…``. A process that takes the place of a killed one goes on from the book. A line
on standard input asks it to finish: to have an answer to everything, then to leave.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

import landline
from landline.patterns.publications import decode_stored
from landline.protocol.publish import Published, Publisher
from landline.storage import Pattern, SQLiteStorage

from . import breaks, points
from .client import PAUSE, UNACKED, Client
from .durable import send_durably
from .journal import Journal, read

TOPICS: Final = ("k.a", "k.b", "k.c.d", "short.a", "drop.a", "latest.a")

PATTERNS: Final = {"wild": ("**", "k.*", "*.a"), "exact": ("k.a", "short.a", "drop.a", "latest.a")}
"""What the subscribers of each name subscribe to."""

END: Final = "end"
"""What is published last to each topic."""

IN_FLIGHT: Final = 8

KEPT: Final = "landline.client.publish."


def main() -> None:
    """Play a role until told to finish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("addresses", nargs="+")
    parser.add_argument("--fingerprint", required=True, help="of the server's certificate")
    parser.add_argument("--point")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--broken", default="")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    if options.broken:
        breaks.install(options.broken, at_server=False)
    if options.point:
        points.install(options.point, options.count)
    trust = landline.ClientTLS(fingerprint=options.fingerprint)
    asyncio.run(_play(options.role, options.name, options.folder, options.addresses, trust))


async def _play(role: str, name: str, folder: Path, addresses: list[str], trust: landline.ClientTLS) -> None:
    finish = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        loop.remove_reader(sys.stdin.fileno())
        if not sys.stdin.readline():
            os._exit(1)  # whoever started us is gone
        finish.set()

    loop.add_reader(sys.stdin.fileno(), told)
    path = folder / f"{name}.book"
    client = Client(name, addresses, trust, folder, list(read(path)), Journal(path), finish)
    while not await ROLES[role](client):
        pass  # another session goes on; if that one was lost, it is in the book
    client.note("finished")


# Publishers...


async def _publisher(client: Client) -> bool:
    return await _publish(client, None)


async def _durable_publisher(client: Client) -> bool:
    storage = client.folder / f"{client.name}.db"
    if storage.exists():
        await _note_kept(client, storage)
    return await _publish(client, storage)


async def _note_kept(client: Client, path: Path) -> None:
    """Write down what the process before left in its outbox: that must be published, once."""
    decode = msgspec.msgpack.Decoder(tuple[str, bytes]).decode
    async with SQLiteStorage(path) as storage:
        after = ""
        while values := await storage.scan(KEPT, after=after):
            after = values[-1].key
            for value in values:
                if value.key.endswith(".opened"):
                    continue
                topic, data = decode(value.data)
                client.note("kept", decode_stored(data)[1], topic)


async def _publish(client: Client, storage: Path | None) -> bool:
    _note_answers(client)
    chance = random.Random(f"{client.name} {client.life}")

    async def publish(session: landline.Session, number: int, topic: str) -> None:
        client.note("say", number, topic, client.life)
        try:
            position = await session.publish(topic, [client.name, number, "x" * chance.randrange(200)])
        except landline.PublishFailed as error:
            client.note("failed", number, error.reason)
        except landline.PublishUnknown as error:
            client.note("unknown", number, error.reason)
        else:
            client.note("at", number, topic, position.epoch, position.offset)

    async def go_on(session: landline.Session) -> None:
        while not client.finish.is_set():
            await publish(session, next(client.numbers), chance.choice(TOPICS))
            await asyncio.sleep(PAUSE)

    async def all_go_on(session: landline.Session) -> None:
        await asyncio.gather(*(go_on(session) for _ in range(IN_FLIGHT)))
        # In the order of its publishes comes the answer to the last one, so what an earlier life left is answered, too.
        await publish(session, next(client.numbers), TOPICS[0])

    session = await client.connect(storage)
    return await client.until_lost(session, all_go_on(session))


def _note_answers(client: Client) -> None:
    """Write down each answer that arrives, also those that nobody waits for any more."""
    receive = Publisher.receive

    def noted(publisher: Publisher, payload: bytes) -> list[Any]:
        answers = receive(publisher, payload)
        for answer in answers:
            if isinstance(answer, Published):
                client.note("answer", publisher.id.hex(), answer.number, answer.epoch, answer.offset)
            else:
                client.note("answer", publisher.id.hex(), answer.number, answer.reason)
        return answers

    Publisher.receive = noted  # type: ignore[method-assign, assignment]


# ... subscribers ...


async def _subscriber(client: Client) -> bool:
    session = await client.connect()
    patterns = PATTERNS[client.name]
    return await client.until_lost(session, *(_follow(client, session, pattern) for pattern in patterns))


async def _follow(client: Client, session: landline.Session, pattern: str) -> None:
    """Subscribe, and after some publications leave and subscribe again, until the ends of all topics are there."""
    selects = Pattern(pattern)
    missing = {topic for topic in TOPICS if selects.matches(topic)}
    place: landline.Position | None = None
    for fact in client.before:
        if fact[0] in {"pub", "gap"} and fact[1] == pattern:
            place = landline.Position(*fact[2:4]) if fact[2] else None
            if fact[0] == "pub" and fact[5] == END:
                missing.discard(fact[4])
    chance = random.Random(f"{pattern} {client.life}")
    while missing:
        async with session.subscribe(pattern, "start" if place is None else place) as subscription:
            for_how_many = chance.randrange(20, 400)
            async for said in subscription:
                place = subscription.position
                where = (pattern, "", 0) if place is None else (pattern, place.epoch, place.offset)
                if isinstance(said, landline.Gap):
                    span = (said.after.epoch, said.after.offset, said.to.epoch, said.to.offset)
                    client.note("gap", *where, said.topic, said.reason, *span)
                else:
                    data = said.data if said.data == END else said.data[:2]
                    at = (said.position.epoch, said.position.offset)
                    client.note("pub", *where, said.topic, data, *at)
                    if said.data == END:
                        missing.discard(said.topic)
                for_how_many -= 1
                if not missing or for_how_many <= 0:
                    break


# ... and plain senders.


async def _sender(client: Client) -> bool:
    session = await client.connect()
    watching: set[asyncio.Task[None]] = set()

    async def watch(receipt: landline.Receipt, number: int) -> None:
        client.note("outcome", number, (await receipt).status)

    async def send() -> None:
        while not client.finish.is_set():
            while len(watching) >= UNACKED:
                await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            number = next(client.numbers)
            client.note("send", number)
            task = asyncio.ensure_future(watch(await session.send(number), number))
            watching.add(task)
            task.add_done_callback(watching.discard)
            await asyncio.sleep(PAUSE)
        while watching:
            await asyncio.wait(watching)
        hearing.cancel()

    async def hear() -> None:
        while True:
            try:
                number, life = await session.receive()
            except landline.SessionInterrupted:
                client.note("interrupted")
                continue
            client.note("took", number, life)
            client.note("handled", number, life)

    hearing = asyncio.ensure_future(hear())

    async def heard() -> None:
        await asyncio.wait([hearing])
        if not hearing.cancelled() and (error := hearing.exception()):
            raise error

    return await client.until_lost(session, send(), heard())


ROLES: Final[dict[str, Callable[[Client], Awaitable[bool]]]] = {
    "publisher": _publisher,
    "durable": _durable_publisher,
    "subscriber": _subscriber,
    "sender": _sender,
    "durable-sender": send_durably,
}


if __name__ == "__main__":
    main()
