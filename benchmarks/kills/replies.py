"""The server's program for clients that send durably: it writes down what it is given, and sends as much back.

``note_stored`` writes down besides when the server knows that what was handled is on the disk: after that nothing may be given again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from typing import Any, Final

import landline
from landline.history import Position
from landline.patterns.intake import DurableIntake
from landline.protocol.publish import Origin, Published
from landline.sessions.bare import BareSession
from landline.sessions.intake import NOTHING

from .journal import Journal

LONGEST_HOLD: Final = 0.003
LONGEST_LONG_HOLD: Final = 0.6
"""Seconds for which the program has some messages in hand, at the most; and some of them so long that their client is killed and comes back."""
LONG_HOLDS: Final = 0.02

NUMBERS: Final = 1_000_000
"""Each life of the server numbers what it sends from its own number times this, so that a later one's are higher."""


class Replies:
    """The program, in one life of the server."""

    def __init__(self, journal: Journal) -> None:
        self._note = journal.note
        self._numbers = itertools.count(journal.life * NUMBERS)
        self._chance = random.Random(journal.life)
        self._watching: set[asyncio.Task[None]] = set()

    async def serve(self, session: landline.Session) -> None:
        """Take what comes, one after another, and have a reply sent to each meanwhile, to the last one before it is done with that."""
        note, who = self._note, session.principal
        due: asyncio.Queue[None] = asyncio.Queue()
        replying = asyncio.create_task(self._reply(session, due))
        try:
            async for number, is_last in session:
                note("given", who, number)
                await asyncio.sleep(self._hold())
                if is_last:  # its reply is waited for, so it is not handled before that is kept
                    await due.join()
                    await self._send(session, is_last=True)
                note("dealt", who, number)
                if not is_last:
                    due.put_nowait(None)
        finally:
            replying.cancel()

    def _hold(self) -> float:
        if self._chance.random() < LONG_HOLDS:
            return self._chance.random() * LONGEST_LONG_HOLD
        return max(0.0, self._chance.uniform(-LONGEST_HOLD, LONGEST_HOLD))

    async def _reply(self, session: landline.Session, due: asyncio.Queue[None]) -> None:
        while True:
            await due.get()
            with contextlib.suppress(landline.LandlineError):  # that is written down
                await self._send(session, is_last=False)
            due.task_done()

    async def _send(self, session: landline.Session, *, is_last: bool) -> None:
        number = next(self._numbers)
        self._note("reply", session.id, number, is_last)
        try:
            receipt = await session.send([number, is_last], durable=True)
        except landline.LandlineError as error:
            self._note("reply settled", session.id, number, "failed", str(error))
            raise
        self._note("replied", session.id, number)
        task = asyncio.ensure_future(self._watch(receipt, session.id, number))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _watch(self, receipt: landline.Receipt, session: str, number: int) -> None:
        outcome = await receipt
        self._note("reply settled", session, number, outcome.status, outcome.reason)


def note_stored(journal: Journal) -> None:
    """Write down of what was given when the server holds it for stored, before anybody is told."""
    given: dict[tuple[Origin, int | None], tuple[str, int]] = {}
    take, stored = DurableIntake.take, Origin.stored

    def taken(intake: DurableIntake, bare: BareSession) -> Any:
        value = take(intake, bare)
        if value is not NOTHING:
            given[intake._core._origin, intake._core.in_hand] = (bare.principal, value[0])
        return value

    def noted(origin: Origin, number: int, position: Position) -> Published:
        if (origin, number) in given:
            journal.note("stored", *given.pop((origin, number)))
        return stored(origin, number, position)

    DurableIntake.take = taken  # type: ignore[method-assign, assignment]
    Origin.stored = noted  # type: ignore[method-assign, assignment]
