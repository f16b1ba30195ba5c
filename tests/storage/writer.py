"""Writes to a store as fast as it can and tells what was acknowledged, until it dies; test_sqlite.py starts and kills it.

Usage: writer.py FILE [MOMENT], where MOMENT is ``before`` or ``after`` and a statement, such as ``before COMMIT``: there it ends itself.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from landline.errors import StorageError
from landline.storage import Append, Put, SQLiteStorage
from landline.storage import database as database_module

PUBLISHERS = 20


async def publish(storage: SQLiteStorage, topic: str) -> None:
    number = 0
    while True:
        data = b"%d " % number + bytes(number % 3000)
        key = f"last/{storage.epoch}/{topic}"
        (position,) = await storage.write([Append(topic, data), Put(key, b"%d" % number)])
        os.write(1, f"{topic} {number} {position.offset} {position.epoch}\n".encode())
        number += 1


class Mortal:
    """A connection that ends the process at the third time that a moment comes."""

    def __init__(self, connection: Any, moment: str) -> None:
        self.connection = connection
        self.when, self.statement = moment.split(" ", 1)
        self.left = 3

    def execute(self, statement: str, *args: Any) -> Any:
        if statement == self.statement:
            self.left -= 1
        ends = statement == self.statement and self.left == 0
        if ends and self.when == "before":
            os._exit(137)
        result = self.connection.execute(statement, *args)
        if ends:
            os._exit(137)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


async def main(path: str, moment: str | None = None) -> None:
    async with SQLiteStorage(path) as storage:
        if moment is not None:
            database_module.CHECKPOINT_BYTES = 200_000  # type: ignore[misc]
            owner = storage._owner
            assert owner is not None
            owner.database._connection = Mortal(owner.database._connection, moment)  # type: ignore[assignment]
        async with asyncio.TaskGroup() as tasks:
            for number in range(PUBLISHERS):
                tasks.create_task(publish(storage, f"t.{number}"))


try:
    asyncio.run(main(*sys.argv[1:]))
except StorageError as error:
    sys.exit(f"{type(error).__name__}: {error}")
