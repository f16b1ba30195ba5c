"""What a person is told of a session's line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

import landline
from landline.apps import drops

pytestmark = pytest.mark.timeout(20)


async def test_a_person_hears_of_a_drop_that_lasts_and_of_the_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In two sentences; what comes back at once is no news."""
    said: list[str] = []
    limits = landline.Limits(redial_min=0.001, redial_max=0.001)

    async def back(session: landline.Session, seconds: float) -> None:
        changes = session.states()
        session.drop(seconds)
        async for change in changes:
            if change.state is landline.State.CONNECTED:
                return

    async with (
        landline.serve(landline.Session.wait_closed, "memory://drops"),
        landline.connect("memory://drops", limits=limits) as session,
        drops.told_of_drops(said.append, session),
    ):
        monkeypatch.setattr(drops, "DROP_TOLD_AFTER", 60.0)
        await back(session, 0.0)
        assert said == []

        monkeypatch.setattr(drops, "DROP_TOLD_AFTER", 0.0)
        await back(session, 0.05)
        await asyncio.sleep(0)

        assert len(said) == 2
        assert said[0].endswith("It goes on where it stopped when it is back.")
        assert said[1] == "The line is back after 0 s."


async def test_what_the_other_end_says_of_a_drop_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are on one line of a terminal."""
    said: list[str] = []
    told = asyncio.Event()
    monkeypatch.setattr(drops, "DROP_TOLD_AFTER", 0.0)

    def say(text: str) -> None:
        said.append(text)
        told.set()

    class Dropped:
        async def states(self) -> AsyncIterator[landline.StateChange]:
            yield landline.StateChange(
                landline.State.RECONNECTING, landline.State.CONNECTED, "\x1b[2Jgone\nfor good"
            )
            await asyncio.Event().wait()

    async with drops.told_of_drops(say, cast("landline.Session", Dropped())):
        await told.wait()

    assert said[0].startswith("\\x1b[2Jgone\\nfor good. It goes on")
