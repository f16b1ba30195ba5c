"""The run that is recorded: several lives of one store, with crowds that append, put, delete and expect, and everything put on record.

``python -m benchmarks.powercut.workload FOLDER SEED LIFE LIVES TURNS [ABLATION]`` is one life: a process that opens the store once or several
times. What it asks, and what it is told, it writes to ``.account`` beside the store, a line of JSON each: before it asks, and after
it was told. So the record of the files' changes says which write was acknowledged before which.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import random
import sys
from pathlib import Path
from typing import Any, Final

from landline.errors import Conflict, StorageError, StorageFull
from landline.storage import Append, Change, Delete, Put, Retention, SQLiteStorage, Storage, database

from .ablations import ABLATIONS

LONGEST: Final = 60.0
"""Seconds after which a life that hangs says where, and ends."""
STORE: Final = "store.db"
ACCOUNT: Final = ".account"
LIVES: Final = 3
OPENINGS: Final = 3
CROWD: Final = 12
"""Who writes at the same time, so that commits are shared."""
TURNS: Final = 9
"""Writes of each of them between two openings."""

KEPT: Final = {
    "news.sport": Retention(max_count=8, max_bytes=None, max_age=None),
    "news.world": Retention(max_count=None, max_bytes=20_000, max_age=None),
    "idle": Retention(max_count=30, max_bytes=None, max_age=None),
    "**": Retention(max_count=None, max_bytes=None, max_age=None),
}
"""How much is kept of each topic; the last rule that matches, seen from the end, holds."""

IDLE_LATER: Final = Retention(max_count=4, max_bytes=None, max_age=None)
"""What is kept of ``idle`` when ``trim`` is called: trimming without an append."""

TOPICS: Final = ("news.sport", "news.sport", "news.world", "idle", "chat.a", "chat.b")
KEYS: Final = tuple(f"key/{number}" for number in range(12))


def make(path: Path) -> Storage:
    """Return the store, as all lives and all checks have it."""
    return SQLiteStorage(path, retention=dict(reversed(KEPT.items())))


class Account:
    """What was asked and answered, on the same record as the files."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / ACCOUNT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, *words: Any) -> None:
        os.write(self._file, json.dumps(words).encode() + b"\n")


class Life:
    """One process's part of the run."""

    def __init__(self, folder: Path, seed: str, life: int, *, is_last: bool, turns: int) -> None:
        self.chance = random.Random(f"{seed}/{life}")
        self.account = Account(folder)
        self.storage = make(folder / STORE)
        self.number = life * 1_000_000
        self.is_last = is_last
        self.turns = turns
        self.storage_is_closing = False

    async def run(self) -> None:
        for opening in range(OPENINGS):
            if not await self._open():
                return
            crowd = [asyncio.create_task(self._write_for_a_while()) for _ in range(CROWD)]
            if not self.is_last and opening == OPENINGS - 1:
                await asyncio.sleep(0.001 * self.chance.randrange(1, 60))
                os._exit(0)  # the process dies in the midst of it
            if self.chance.random() < 0.5:
                await asyncio.wait(crowd)
            else:  # closed while some still wait for their commit
                await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
            self.storage_is_closing = True
            await self.storage.close()
            await asyncio.wait(crowd)

    async def _open(self) -> bool:
        for _ in range(20):  # a fault passes after some calls
            try:
                await self.storage.open()
                values = {value.key: value.data.decode() for value in await self.storage.scan("", limit=1000)}
                head = (await self.storage.head()).offset
            except StorageError:
                await self.storage.close()
                continue
            self.storage_is_closing = False
            self.account.say("open", self.storage.epoch, head, values)
            return True
        return False

    async def _write_for_a_while(self) -> None:
        for _ in range(self.turns):
            if self.storage_is_closing:
                return
            if self.chance.random() < 0.02:
                self.storage.retain("idle", IDLE_LATER)
                try:
                    await self.storage.trim()
                except StorageError:
                    return
            elif not await self._write():
                return

    async def _write(self) -> bool:
        """Ask for one write, and return whether it is worth asking for more."""
        self.number += 1
        number = self.number
        changes, expect = self._changes(number)
        if self.storage_is_closing:
            return False
        asked = [(type(change).__name__, *_fields(change)) for change in changes]
        expected = {key: wanted and wanted.decode() for key, wanted in expect.items()}
        self.account.say("ask", number, asked, expected)
        try:
            positions = await self.storage.write(changes, expect=expect)
        except Conflict:
            self.account.say("conflict", number)
        except StorageFull:
            self.account.say("full", number)
        except StorageError as error:
            self.account.say("failed", number, type(error).__name__)
            return False
        else:
            self.account.say("ack", number, [(one.epoch, one.offset) for one in positions])
        return True

    def _changes(self, number: int) -> tuple[list[Change], dict[str, bytes | None]]:
        chance = self.chance
        changes: list[Change] = []
        for part in range(chance.choice((0, 1, 1, 1, 1, 2, 5))):
            size = chance.choice((0, 20, 200, 600, 3000, 3000))
            if chance.random() < 0.02:
                size = 30_000  # runs over many pages
            changes.append(Append(chance.choice(TOPICS), b"%d/%d " % (number, part) + b"." * size))
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            if chance.random() < 0.3:
                changes.append(Delete(chance.choice(KEYS)))
            else:
                changes.append(Put(chance.choice(KEYS), b"%d" % number + b"." * chance.choice((0, 0, 700))))
        if not changes:
            changes.append(Put("key/alone", b"%d" % number))
        expect: dict[str, bytes | None] = {}
        if chance.random() < 0.15:
            expect[chance.choice(KEYS)] = None  # now and then true
        return changes, expect


def _fields(change: Change) -> tuple[str, ...]:
    match change:
        case Append(topic, data):
            return topic, data.decode()
        case Put(key, data):
            return key, data.decode()
        case Delete(key):
            return (key,)
    raise TypeError


def main() -> None:
    folder, seed, life, lives, turns, *broken = sys.argv[1:]
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    # A small log, so that it is often copied into the main file, by the hundredth write and not the thousandth.
    database.CHECKPOINT_BYTES = random.Random(f"{seed}/{life}/log").choice((40_000, 150_000))  # type: ignore[misc]
    for name in broken:
        ABLATIONS[name].apply()
    is_last = int(life) == int(lives) - 1
    asyncio.run(Life(Path(folder), seed, int(life), is_last=is_last, turns=int(turns)).run())


if __name__ == "__main__":
    main()
