"""A storage in memory whose disk is slow, full or failing whenever a test says so."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any

from landline.history import Position
from landline.storage import Change, MemoryStorage, Page, Put


class Disk(MemoryStorage):
    """Attributes:
    error: what every write raises.
    stores_all_the_same: it is raised after the write was done, as by a disk that fails late.
    writes: all that was asked of it, refused ones included.
    held: writes wait until it is set.
    held_reads: so do readings.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error: Exception | None = None
        self.stores_all_the_same = False
        self.writes: list[list[Change]] = []
        self.held = asyncio.Event()
        self.held.set()
        self.held_reads = asyncio.Event()
        self.held_reads.set()
        self.readings = 0

    async def write(
        self, changes: Sequence[Change], *, expect: Mapping[str, bytes | None] | None = None
    ) -> list[Position]:
        self.writes.append(list(changes))
        await self.held.wait()
        if self.error is not None:
            if self.stores_all_the_same:
                await super().write(changes, expect=expect)
            raise self.error
        return await super().write(changes, expect=expect)

    async def read(self, *args: Any, **options: Any) -> Page:
        self.readings += 1
        await self.held_reads.wait()
        return await super().read(*args, **options)

    def image(self) -> Disk:
        """Another one with what is stored now, as after a crash."""
        image = Disk()
        image._rules = self._rules
        image._epochs, image._head, image._topics, image._values = copy.deepcopy(
            (self._epochs, self._head, self._topics, self._values)
        )
        return image

    def puts(self, prefix: str) -> list[Put]:
        """What was asked to be put under keys that begin so."""
        return [
            change
            for changes in self.writes
            for change in changes
            if isinstance(change, Put) and change.key.startswith(prefix)
        ]
