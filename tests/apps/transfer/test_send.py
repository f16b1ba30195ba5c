"""The sending end in this process: over as many sessions as it takes. As processes both run in cli/test_send.py."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

import landline
from landline.apps.transfer import send as module
from landline.apps.transfer.bars import Bars
from landline.apps.transfer.limits import TRANSFER, TransferLimits
from landline.apps.transfer.receive import FINISHED
from landline.apps.transfer.send import Interrupted, Send, run
from landline.apps.transfer.ticket import Ticket
from landline.protocol.frames import CloseCode

pytestmark = pytest.mark.timeout(60)

QUICK = landline.Limits(close_timeout=2.0, redial_min=0.01, redial_max=0.05)


class Taker:
    """A server that takes files, and can be started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/socket"
        self.begun = asyncio.Event()
        self.finished = asyncio.Event()

    async def program(self, session: landline.Session) -> None:
        async with session.files() as offers, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(session))
            async for offer in offers:
                await offer.accept(self.folder / "to", remember=True, progress=self._tell)

    async def _listen(self, session: landline.Session) -> None:
        async for said in session:
            assert said == FINISHED
            self.finished.set()

    def _tell(self, progress: landline.Progress) -> None:
        if progress.done:
            self.begun.set()


def sending(taker: Taker, *paths: Path) -> tuple[asyncio.Task[int], io.StringIO, asyncio.Event]:
    out, stop = io.StringIO(), asyncio.Event()
    send = Send(paths=tuple(map(str, paths)), ticket=Ticket(taker.address), limits=QUICK)
    return asyncio.create_task(run(send, stop, Bars(out))), out, stop


async def test_everything_is_sent_and_said(tmp_path: Path) -> None:
    """In order, with what was left out; then the receiver is told that this was all."""
    taker = Taker(tmp_path)
    (tmp_path / "a").write_text("hello")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "b").write_text("world")
    (tmp_path / "f" / "l").symlink_to("b")

    async with landline.serve(taker.program, taker.address, limits=QUICK):
        task, out, _ = sending(taker, tmp_path / "a", tmp_path / "f")
        assert await task == 0

    assert taker.finished.is_set()
    said = [line for line in out.getvalue().splitlines() if line.startswith("Sent")]
    assert said == [f"Sent {tmp_path}/a (5 B).", f"Sent {tmp_path}/f (5 B, 1 links or devices left out)."]


@pytest.mark.limit("transfer.retry", "transfer.patience")
async def test_a_receiver_that_is_started_again_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows nothing of the session; what came is on its disk, and only the rest is sent."""
    monkeypatch.setattr(module, "TRANSFER", TransferLimits(retry=0.01, patience=30.0))
    assert (TRANSFER.retry, TRANSFER.patience) == (1.0, 3600.0)
    taker = Taker(tmp_path)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 80_000)

    async with landline.Server(taker.program, limits=QUICK).listen(taker.address):
        task, out, _ = sending(taker, tmp_path / "a")
        await taker.begun.wait()
    async with landline.Server(taker.program, limits=QUICK).listen(taker.address):
        assert await task == 0

    assert "trying to reach the receiver again" in out.getvalue()
    assert "were there already" in out.getvalue()
    assert (tmp_path / "to" / "a").read_bytes() == (tmp_path / "a").read_bytes()


@pytest.mark.limit("transfer.patience")
async def test_one_that_never_comes_back_is_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends as a time-out."""
    monkeypatch.setattr(module, "TRANSFER", TransferLimits(retry=0.01, patience=0.05))
    taker = Taker(tmp_path)
    (tmp_path / "a").write_bytes(bytes(20 << 20))
    dying: list[landline.Session] = []

    async def program(session: landline.Session) -> None:
        dying.append(session)
        await taker.program(session)

    async with landline.serve(program, taker.address, limits=QUICK) as listening:
        task, _, _ = sending(taker, tmp_path / "a")
        await taker.begun.wait()
        for listener in listening._listeners:
            listener.close()
        dying[0]._bare.lose(CloseCode.EXPIRED, "gone")
        with pytest.raises(TimeoutError):
            await task


@pytest.mark.limit("transfer.farewell")
@pytest.mark.parametrize("is_silent", [False, True])
async def test_when_everything_is_there_the_receiver_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_silent: bool
) -> None:
    """Whether it heard that this was all is worth a few tries, and no error: nothing is missing."""
    monkeypatch.setattr(module, "TRANSFER", TransferLimits(retry=0.01, farewell=0.05))
    assert TRANSFER.farewell == 10.0
    taker = Taker(tmp_path)
    (tmp_path / "a").write_text("hello")

    async def program(session: landline.Session) -> None:
        async with session.files() as offers:
            await (await anext(offers)).accept(tmp_path / "to")
            if is_silent:
                await session.wait_closed()
        session._bare.lose(CloseCode.EXPIRED, "gone")

    async with landline.serve(program, taker.address, limits=QUICK):
        task, _, _ = sending(taker, tmp_path / "a")
        assert await task == 0

    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a"]


async def test_nobody_there_to_begin_with_is_told_at_once(tmp_path: Path) -> None:
    """Only one that was there is waited for."""
    (tmp_path / "a").touch()
    task, _, _ = sending(Taker(tmp_path), tmp_path / "a")

    with pytest.raises(landline.ConnectError):
        await task


async def test_a_sender_that_is_stopped_says_that_it_can_be_gone_on_with(tmp_path: Path) -> None:
    """And the receiver hears of it at once."""
    taker = Taker(tmp_path)
    (tmp_path / "a").write_bytes(bytes(20 << 20))

    async with landline.serve(taker.program, taker.address, limits=QUICK):
        task, _, stop = sending(taker, tmp_path / "a")
        await taker.begun.wait()
        stop.set()
        with pytest.raises(Interrupted, match="the same command goes on"):
            await task


async def test_a_refusal_ends_it(tmp_path: Path) -> None:
    """Nothing is tried again."""
    (tmp_path / "a").touch()
    taker = Taker(tmp_path)

    async def program(session: landline.Session) -> None:
        async for offer in session.files():
            await offer.refuse("no")

    async with landline.serve(program, taker.address, limits=QUICK):
        task, _, _ = sending(taker, tmp_path / "a")
        with pytest.raises(landline.TransferRefused, match="no"):
            await task
