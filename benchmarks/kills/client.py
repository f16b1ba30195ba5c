"""What the clients of every role have: a book, numbers that no life before it used, and a session that may be lost."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import landline

from .journal import Journal

LIMITS: Final = landline.Limits(redial_min=0.005, redial_max=0.1, connect_timeout=5.0)

UNACKED: Final = 16
"""Messages of a sender that wait for their outcome; then it waits, too."""
PAUSE: Final = 0.004
"""Seconds between two sends of one task: so much load that kills find something under way, and no more."""


class Client:
    """What every role has."""

    def __init__(
        self,
        name: str,
        addresses: list[str],
        trust: landline.ClientTLS,
        folder: Path,
        before: list[list[Any]],
        journal: Journal,
        finish: asyncio.Event,
    ) -> None:
        self.name = name
        self.before = before
        self.note = journal.note
        self.life = journal.life
        self.finish = finish
        self.folder = folder
        self._addresses = addresses
        self._trust = trust
        self.numbers = itertools.count(
            1 + max((fact[1] for fact in before if fact[0] in {"say", "send", "post"}), default=0)
        )

    async def connect(self, storage: Path | None = None) -> landline.Session:
        """Dial until somebody answers: the first dial is not redialled by itself."""
        while True:
            try:
                session = await landline.connect(
                    *random.sample(self._addresses, len(self._addresses)),
                    credentials=self.name,
                    limits=LIMITS,
                    tls=self._trust,
                    storage=storage,
                )
            except landline.ConnectError:
                await asyncio.sleep(0.02)
            else:
                self.note("session", session.id)
                return session

    async def until_lost(self, session: landline.Session, *works: Awaitable[None]) -> bool:
        """Do all this; return whether it was done, and False when the session was lost."""
        try:
            async with session, asyncio.TaskGroup() as tasks:
                for work in works:
                    tasks.create_task(_run(work))
        except ExceptionGroup as errors:
            lost, others = errors.split(landline.SessionLost)
            if others is not None or lost is None:
                raise
            self.note("lost", str(lost.exceptions[0]))
            return False
        return True


async def _run(work: Awaitable[None]) -> None:
    await work
