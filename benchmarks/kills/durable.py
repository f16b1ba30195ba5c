"""The clients that send durably, and are sent to: one with an outbox on its own disk, and one with none.

Each posts numbers and asks for the next with what it is given; the server's program sends as many back. Now and then a session ends in an
orderly way, when everything in both directions is settled, and another one goes on.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, Final

import msgspec

import landline
from landline.patterns.outbox import SENDS
from landline.patterns.publications import decode_stored
from landline.storage import SQLiteStorage

from .client import PAUSE, UNACKED, Client

ON_DISK: Final = "sender-on-disk"
"""The one that keeps its outbox."""

FEWEST: Final = 50
MOST: Final = 600
"""Messages of one session, which then is closed."""


async def send_durably(client: Client) -> bool:
    """Play the role for one session; return whether it was the last."""
    storage = client.folder / f"{client.name}.db" if client.name == ON_DISK else None
    if storage is not None and storage.exists():
        await _note_left(client, storage)
    session = await client.connect(storage)
    many = random.Random(session.id).randrange(FEWEST, MOST)
    was_closed = await client.until_lost(session, _post(client, session, many), _hear(client, session))
    if was_closed:
        client.note("closed", session.id)
    return was_closed and client.finish.is_set()


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
