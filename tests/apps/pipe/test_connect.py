"""The side that dials: what it does before there is anything to pump. The rest runs as processes in cli/test_listen.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import landline
from landline.apps.pipe import connect
from landline.apps.pipe.meeting import Pipe
from landline.apps.standard import PipeError

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(autouse=True)
def output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "standard_output", lambda: 1)


@pytest.mark.parametrize("is_plain", [False, True])
async def test_nobody_there_is_the_librarys_error(tmp_path: Path, is_plain: bool) -> None:
    """With and without a session."""
    with pytest.raises(landline.ConnectError, match="there is no such socket"):
        await connect.run(Pipe(address=f"unix://{tmp_path}/x", is_plain=is_plain), asyncio.Event())


@pytest.mark.parametrize("is_answered", [False, True])
async def test_a_stop_before_anybody_answered_is_no_success(is_answered: bool) -> None:
    """Nothing was piped: a script must not go on as if it had been. While dialling, and while waiting for the first word."""
    stop = asyncio.Event()

    async def say_nothing(session: landline.Session) -> None:
        assert await session.receive()
        stop.set()
        await session.wait_closed()

    async with landline.serve(say_nothing, "memory://mute"):
        if not is_answered:
            stop.set()

        with pytest.raises(PipeError, match="interrupted before anybody had answered"):
            await connect.run(Pipe(address="memory://mute"), stop)


@pytest.mark.limit("pipe.farewell")
async def test_a_farewell_that_nobody_hears_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was piped, so nothing is lost; a close that comes in time is waited for, as the test above shows."""
    stop = asyncio.Event()
    monkeypatch.setattr(connect, "FAREWELL", 0.01)

    async def say_nothing(session: landline.Session) -> None:
        assert await session.receive()
        stop.set()
        await session.wait_closed()

    hung: list[landline.Session] = []

    async def hang(session: landline.Session) -> None:
        hung.append(session)
        await asyncio.Event().wait()

    close = landline.Session.close
    async with landline.serve(say_nothing, "memory://mute"):
        monkeypatch.setattr(landline.Session, "close", hang)
        with pytest.raises(PipeError, match="interrupted before anybody had answered"):
            await connect.run(Pipe(address="memory://mute", limits=landline.Limits(close_timeout=0.05)), stop)
        monkeypatch.undo()
        (session,) = hung
        await close(session)
