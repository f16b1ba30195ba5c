"""Reads the rooms that a chat client is in: a subscription to the topic of each, for as long as the client is in it.

What a room's topic says goes to the client as it comes; where reading fails it goes on from there after a pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import landline
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.rooms import Reading
from landline.apps.chat.topics import topic_of

_READ_AGAIN: Final = 1.0
"""Seconds after which a room is read again that could not be."""


class RoomReaders:
    """The readers of the rooms over one session.

    Args:
        session: theirs.
        client: takes what is read, and says which rooms.
        advance: called after everything that the client is told.
    """

    def __init__(self, session: landline.Session, client: Client, advance: Callable[[], None]) -> None:
        self._session = session
        self._client = client
        self._advance = advance
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """The client may be in other rooms than before."""
        self._stirred.set()

    async def run(self) -> None:
        """Read until cancelled."""
        readers: dict[str, tuple[Reading, asyncio.Task[None]]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._stirred.clear()
                readings = self._client.rooms.readings()
                for room, (reading, task) in list(readers.items()):
                    if readings.get(room) is not reading:
                        task.cancel()
                        del readers[room]
                for room, reading in readings.items():
                    if room not in readers:
                        readers[room] = reading, group.create_task(self._read(room, reading))
                await self._stirred.wait()

    async def _read(self, room: str, reading: Reading) -> None:
        told = ""
        while True:
            try:
                async with self._session.subscribe(topic_of(room), reading.after) as subscription:
                    async for item in subscription:
                        # What the session itself says comes first: that waits for its place among the lines.
                        await asyncio.sleep(0)
                        self._client.read(room, reading, item, self._now)
                        self._advance()
                return
            except landline.SessionEnded:
                return  # another session goes on
            except landline.NotAllowed:
                self._client.put_out(room, reading, self._now)
                self._advance()
                return
            except landline.LandlineError as error:
                if (why := f"What is said here cannot be read: {error}") != told:
                    self._client.unreadable(room, reading, why, self._now)
                    self._advance()
                told = why
            await asyncio.sleep(_READ_AGAIN)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()
