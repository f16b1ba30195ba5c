"""The clients that send durably, and are sent to: one with an outbox on its own disk, and one with none.

Each posts numbers and asks for the next with what it is given; the server's program sends as many back. Now and then a session ends in an
orderly way, when everything in both directions is settled, and another one goes on; now and then with an old copy of its file.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

import landline
from landline.patterns.outbox import SENDS
from landline.patterns.publications import decode_stored
from landline.storage import SQLiteStorage

from .client import PAUSE, UNACKED, Client
from .journal import Fact, read

ON_DISK: Final = "sender-on-disk"
"""The one that keeps its outbox."""

COPY: Final = "copy.db"

RESTORED: Final = 0.3
COPIED: Final = 0.4
"""How many of its sessions begin with an old copy of its file, as from a backup, and with making such a copy."""

SHORT: Final = (5, 40)
LONG: Final = (40, 1000)
"""Messages of one session, which then is closed; half of them are short."""


async def send_durably(client: Client) -> bool:
    """Play the role for one session; return whether it was the last."""
    storage = await _storage(client) if client.name == ON_DISK else None
    session = await client.connect(storage)
    chance = random.Random(session.id)
    many = chance.randrange(*chance.choice((SHORT, LONG)))
    was_closed = await client.until_lost(session, _post(client, session, many), _hear(client, session))
    if was_closed:
        client.note("closed", session.id)
    return was_closed and client.finish.is_set()


def outbox_of(facts: list[Fact], folder: Path) -> Path:
    """Return the file that a client's book says its outbox is in."""
    names: list[str] = [f"{ON_DISK}.db", *(fact[1] for fact in facts if fact[0] == "restored")]
    return folder / names[-1]


async def _storage(client: Client) -> Path:
    """Return the file of the outbox, perhaps an old copy, and write down what is in it."""
    facts = list(read(client.folder / f"{client.name}.book"))
    path, copy = outbox_of(facts, client.folder), client.folder / COPY
    if not path.exists():
        return path
    share = random.Random(len(facts)).random()
    if share < RESTORED and copy.exists():
        path = client.folder / f"{ON_DISK}-{len(facts)}.db"
        shutil.copyfile(copy, path)
        client.note("restored", path.name)
    elif share < RESTORED + COPIED:
        unfinished = copy.with_suffix(".unfinished")
        with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(unfinished)) as other:
            one.backup(other)
        unfinished.replace(copy)
        client.note("copied")
    await _note_left(client, path)
    return path


async def _note_left(client: Client, path: Path) -> None:
    """Write down what the session before left in its outbox: that must be given."""
    decode = msgspec.msgpack.Decoder(tuple[str, bytes]).decode
    async with SQLiteStorage(path) as storage:
        after = ""
        while values := await storage.scan(SENDS, after=after):
            after = values[-1].key
            for value in values:
                if not value.key.endswith(".opened"):
                    client.note("left", decode_stored(decode(value.data)[1])[0])


async def _post(client: Client, session: landline.Session, many: int) -> None:
    watching: set[asyncio.Task[None]] = set()

    async def watch(receipt: landline.Receipt, number: int) -> None:
        outcome = await receipt
        client.note("settled", number, outcome.status, outcome.reason)

    async def post(*, is_last: bool) -> None:
        number = next(client.numbers)
        client.note("post", number, client.life)
        receipt = await session.send([number, is_last], durable=True)
        client.note("posted", number)
        task = asyncio.ensure_future(watch(receipt, number))
        watching.add(task)
        task.add_done_callback(watching.discard)

    while many > 0 and not client.finish.is_set():
        while len(watching) >= UNACKED:
            await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        await post(is_last=False)
        await asyncio.sleep(PAUSE)
        many -= 1
    await post(is_last=True)
    while watching:
        await asyncio.wait(watching)


async def _hear(client: Client, session: landline.Session) -> None:
    is_last: Any = False
    while not is_last:
        try:
            number, is_last = await session.receive()
        except landline.SessionInterrupted:
            client.note("interrupted")
            continue
        client.note("given", session.id, number)
        client.note("dealt", session.id, number)
    session.ack()
