"""The receiving end in this process, with senders that are right and wrong. As processes they run in cli/test_receive.py."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.transfer import receive as module
from landline.apps.transfer.bars import Bars
from landline.apps.transfer.limits import TRANSFER
from landline.apps.transfer.receive import FINISHED, Receive, dialled, run, transfer_limits
from landline.apps.transfer.send import Send
from landline.apps.transfer.send import run as run_sender
from landline.apps.transfer.ticket import Ticket, read_ticket
from landline.patterns.messages import Messages
from landline.protocol.files import FILE_PURPOSE, Offer
from landline.protocol.frames import ResetCode
from tests.patterns.files.house import Forged

pytestmark = pytest.mark.timeout(60)

QUICK = landline.Limits(close_timeout=2.0, redial_min=0.01, redial_max=0.05)
LEFT = dataclasses.replace(QUICK, close_timeout=0.05)
"""Of a sender whose receiver goes first: nobody is there to close with."""


class Receiving:
    """A receiver that runs."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.out = io.StringIO()
        self.stop = asyncio.Event()
        self.receive = Receive(
            address=options.pop("address", f"unix://{folder}/socket"),
            to=folder / "to",
            data=folder / "data",
            limits=QUICK,
            again="landline receive",
            **options,
        )
        self.task = asyncio.create_task(run(self.receive, self.stop, Bars(self.out)))

    async def ticket(self) -> Ticket:
        async with asyncio.timeout(20):
            while not (found := re.search(r"send FILE… '?([^'\n]+)", self.out.getvalue())):
                await asyncio.sleep(0.001)
                if self.task.done():
                    self.task.result()
        return read_ticket(found[1])

    @asynccontextmanager
    async def session(self, limits: landline.Limits = QUICK) -> AsyncIterator[landline.Session]:
        ticket = await self.ticket()
        tls = landline.ClientTLS(fingerprint=ticket.fingerprint) if ticket.fingerprint else None
        async with landline.connect(
            ticket.address, credentials={"secret": ticket.secret}, limits=limits, tls=tls
        ) as session:
            yield session


async def test_it_ends_when_a_sender_is_through(tmp_path: Path) -> None:
    """The secret is good for this once; nothing hidden is left."""
    receiving = Receiving(tmp_path)
    (tmp_path / "a").write_text("hello")

    async with receiving.session(LEFT) as session:
        await session.send_file(tmp_path / "a")
        assert [path.name[:10] for path in sorted((tmp_path / "to").iterdir())] == [".landline-", "a"]
        _ = await session.send(FINISHED)
        assert await receiving.task == 0

    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a"]
    assert list((tmp_path / "data" / "receive").iterdir()) == []
    assert "verified by SHA-256" in receiving.out.getvalue()


@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_sender_that_is_through_takes_nothing_from_another(tmp_path: Path, is_kept: bool) -> None:
    """The receiver waits for what that one is at; what it has sent is not forgotten, also where it died and begins anew."""
    receiving = Receiving(tmp_path, is_kept=is_kept)
    (tmp_path / "a").write_text("hello")
    (tmp_path / "b").write_bytes(bytes(5))

    async with receiving.session() as first:
        await first.send_file(tmp_path / "a")
        begun = first._bare.open_flow(FILE_PURPOSE)
        _ = await Messages(first._bare, begun).send(Offer(bytes(16), "big", 1 << 20, 1, False))
        _ = await Messages(first._bare, begun).receive()
        async with receiving.session() as second:
            await second.send_file(tmp_path / "b")
            _ = await second.send(FINISHED)
    async with receiving.session() as again:
        assert (await again.send_file(tmp_path / "a")).resumed == 5
        assert not receiving.task.done()
    assert ("Still waiting for big" in receiving.out.getvalue()) is not is_kept
    receiving.stop.set()

    assert await receiving.task == 1
    assert [path.name for path in sorted((tmp_path / "to").iterdir()) if path.name[0] != "."] == ["a", "b"]


async def test_two_files_of_one_name_are_each_waited_for(tmp_path: Path) -> None:
    """One sender died in the middle of its own; that another's came through under the same name does not make it whole."""
    receiving = Receiving(tmp_path)
    (tmp_path / "big").write_bytes(bytes(5))

    async with receiving.session() as first:
        forged = Forged(first)
        await forged.say(Offer(bytes(16), "big", 1 << 20, 1, False))
        await forged.hear()
    async with receiving.session() as second:
        await second.send_file(tmp_path / "big")
        _ = await second.send(FINISHED)
    async with receiving.session():
        assert "Still waiting for big;" in receiving.out.getvalue()
        assert not receiving.task.done()
    receiving.stop.set()

    assert await receiving.task == 1


async def test_a_sender_that_died_is_not_waited_for_when_another_brings_what_it_was_at(
    tmp_path: Path,
) -> None:
    """Its session still waits for its line."""
    receiving = Receiving(tmp_path)
    (tmp_path / "a").write_text("hello")
    ticket = await receiving.ticket()

    dead = await landline.connect(
        ticket.address, credentials={"secret": ticket.secret}, limits=LEFT, pause=lambda _: 30.0
    )
    await dead.send_file(tmp_path / "a")
    assert dead._bare.driver is not None
    dead._bare.driver.abort()
    async with receiving.session(LEFT) as session:
        await session.send_file(tmp_path / "a")
        _ = await session.send(FINISHED)
        assert await receiving.task == 0
    await dead.close()


async def test_what_came_is_not_sent_again_to_a_sender_that_begins_anew(tmp_path: Path) -> None:
    """It died among its files; those that were through stay the only ones of their names."""
    receiving = Receiving(tmp_path)
    (tmp_path / "a").write_text("hello")

    for resumed in (0, 5):
        async with receiving.session() as session:
            assert (await session.send_file(tmp_path / "a")).resumed == resumed
    receiving.stop.set()

    assert await receiving.task == 0
    assert [path.name for path in (tmp_path / "to").iterdir() if path.name[0] != "."] == ["a"]


@pytest.mark.parametrize(
    "shown", [None, {}, {"secret": "wrong"}, {"secret": 7}, "secret", {"secret": "\udcff"[:0] + "é"}]
)
async def test_who_does_not_know_the_secret_is_refused(tmp_path: Path, shown: Any) -> None:
    """Whatever they show instead."""
    receiving = Receiving(tmp_path)
    ticket = await receiving.ticket()

    with pytest.raises(landline.Refused):
        await landline.connect(ticket.address, credentials=shown)
    receiving.stop.set()
    assert await receiving.task == 0


async def test_a_receiver_that_is_stopped_says_how_to_go_on(tmp_path: Path) -> None:
    """In the middle of a file: it is kept, and so is the secret. Its sender is told."""
    receiving = Receiving(tmp_path)
    (tmp_path / "a").write_bytes(bytes(64 << 20))

    async with receiving.session(LEFT) as session:
        begun = asyncio.Event()

        def tell(progress: landline.Progress) -> None:
            if progress.done:
                begun.set()

        sending = asyncio.create_task(session.send_file(tmp_path / "a", progress=tell))
        await begun.wait()
        receiving.stop.set()
        assert await receiving.task == 1
        with pytest.raises((landline.SessionClosed, landline.TransferError)):
            await sending

    assert "`landline receive` goes on with it" in receiving.out.getvalue()
    before = await receiving.ticket()
    again = Receiving(tmp_path)
    assert await again.ticket() == before
    async with again.session() as session:
        assert (await session.send_file(tmp_path / "a")).resumed > 0
        _ = await session.send(FINISHED)
        assert await again.task == 0
    assert (tmp_path / "to" / "a").stat().st_size == 64 << 20


async def test_it_promises_nothing_of_a_sender_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full: the sender failed, and is gone when the receiver is stopped. It has to be started again, too."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    receiving = Receiving(tmp_path)
    (tmp_path / "a").write_bytes(bytes(5))
    sending = Send(paths=(str(tmp_path / "a"),), ticket=await receiving.ticket(), limits=QUICK)
    monkeypatch.setattr("landline.patterns.files.staging.Staging.write", full)
    with pytest.raises(landline.TransferError, match="the disk there is full"):
        await run_sender(sending, asyncio.Event(), Bars(io.StringIO()))
    receiving.stop.set()
    assert await receiving.task == 1

    said = receiving.out.getvalue()
    assert "goes on with it; a sender that has ended must be started again as well.\n" in said


async def test_a_port_is_the_same_when_it_is_started_again(tmp_path: Path) -> None:
    """Any free one at first: its sender dials that again."""
    first = Receiving(tmp_path, address="tcp://localhost:0")
    ticket = await first.ticket()
    first.task.cancel()
    await asyncio.gather(first.task, return_exceptions=True)

    second = Receiving(tmp_path, address="tcp://localhost:0")
    assert await second.ticket() == ticket
    second.stop.set()
    assert await second.task == 0


async def test_two_that_are_told_the_same_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each has a port and a secret of its own; what the senders of one may need again the end of the other leaves alone."""
    (tmp_path / "a").write_text("hello")
    (tmp_path / "b").write_text("there")
    first = Receiving(tmp_path, address="tcp://127.0.0.1:0")
    one = await first.ticket()
    second = Receiving(tmp_path, address="tcp://127.0.0.1:0")
    other = await second.ticket()
    assert (one.address != other.address, one.secret != other.secret) == (True, True)

    async with second.session() as session:
        await session.send_file(tmp_path / "b")
        async with first.session() as finishing:
            await finishing.send_file(tmp_path / "a")
            _ = await finishing.send(FINISHED)
            assert await first.task == 0
        assert (await session.send_file(tmp_path / "b")).resumed == 5
        _ = await session.send(FINISHED)
        assert await second.task == 0

    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a", "b"]
    assert list((tmp_path / "data" / "receive").iterdir()) == []


async def test_each_of_two_is_found_at_its_port_when_they_are_started_again(tmp_path: Path) -> None:
    """Stopped with something unfinished; whichever is started first is the first of them."""
    tickets: list[list[Ticket]] = []
    for _ in range(2):
        both = [Receiving(tmp_path, address="tcp://127.0.0.1:0") for _ in range(2)]
        tickets.append([await each.ticket() for each in both])
        for each in both:
            async with each.session(LEFT) as session:
                sender = Forged(session)
                await sender.say(Offer(f"{len(tickets)}".encode() * 16, "x", 6, 1, False))
                await sender.hear()
                each.stop.set()
                assert await each.task == 1

    assert {str(ticket) for ticket in tickets[0]} == {str(ticket) for ticket in tickets[1]}
    assert len({str(ticket) for ticket in tickets[0]}) == 2


@pytest.mark.limit("transfer.receivers")
async def test_only_so_many_are_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to choose a port; one that is told a port that is taken, likewise."""
    monkeypatch.setattr(module, "TRANSFER", dataclasses.replace(TRANSFER, receivers=2))
    both = [Receiving(tmp_path, address="tcp://127.0.0.1:0") for _ in range(2)]
    for each in both:
        await each.ticket()

    with pytest.raises(landline.ListenError, match="2 receivers run here already"):
        await Receiving(tmp_path, address="tcp://127.0.0.1:0").task
    with pytest.raises(landline.ListenError):
        await Receiving(tmp_path, address=(await both[0].ticket()).address).task
    for each in both:
        each.stop.set()
        assert await each.task == 0


async def test_what_a_sender_says_is_not_obeyed(tmp_path: Path) -> None:
    """Its words of why a file does not come are shown on one line, escaped."""
    receiving = Receiving(tmp_path)

    async with receiving.session() as session:
        sender = Forged(session)
        await sender.say(Offer(b"0123456789abcdef", "x", 5, 1, False))
        assert await sender.hear() == [4, 0, 0]
        sender.flow.reset(ResetCode.FAILED, "\x1b[2Jbecause\nReceived all of it")
        async with asyncio.timeout(20):
            while "because" not in receiving.out.getvalue():  # noqa: ASYNC110 - what is written is no event
                await asyncio.sleep(0)
    receiving.stop.set()
    await receiving.task

    assert "x did not come through: \\x1b[2Jbecause\\nReceived all of it\n" in receiving.out.getvalue()


async def test_a_quota_is_of_all_senders_together(tmp_path: Path) -> None:
    """Who goes over it is refused, and the receiver goes on waiting."""
    receiving = Receiving(tmp_path, quota=8, is_kept=True)
    (tmp_path / "a").write_text("hello")
    (tmp_path / "b").write_text("world")

    async with receiving.session() as one, receiving.session() as other:
        await one.send_file(tmp_path / "a")
        with pytest.raises(landline.TransferRefused, match="3 are left"):
            await other.send_file(tmp_path / "b")
        _ = await one.send(FINISHED)
        await one.flush()
        assert not receiving.task.done()
    receiving.stop.set()
    assert await receiving.task == 0
    assert "b was refused" in receiving.out.getvalue()


async def test_from_other_machines_it_takes_tls_with_the_certificate_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the ticket can tell that it is us."""
    monkeypatch.setattr("landline.apps.transfer.receive.own_address", lambda: "127.0.0.1")
    receiving = Receiving(tmp_path, address="tcp://*:0")
    (tmp_path / "a").write_text("hello")
    ticket = await receiving.ticket()
    assert ticket.address.startswith("tls://127.0.0.1:")
    assert ticket.fingerprint.startswith("sha256:")

    with pytest.raises(landline.Untrusted):
        await landline.connect(
            ticket.address,
            credentials={"secret": ticket.secret},
            tls=landline.ClientTLS(fingerprint="sha256:" + "0" * 64),
        )
    async with receiving.session() as session:
        await session.send_file(tmp_path / "a")
        _ = await session.send(FINISHED)
        assert await receiving.task == 0


@pytest.mark.parametrize(
    ("address", "asked", "shown"),
    [
        ("tcp://127.0.0.1:7", "tcp://localhost:0", "tcp://localhost:7"),
        ("tcp://[::1]:7", "tcp://[::1]:0", "tcp://[::1]:7"),
        ("tcp://192.0.2.1:7", "tcp://192.0.2.1:0", "tls://192.0.2.1:7"),
        ("tcp://0.0.0.0:7", "tcp://0.0.0.0:0", "tls://198.51.100.9:7"),
        ("unix:///x", "unix:///x", "unix:///x"),
    ],
)
def test_how_it_is_dialled(address: str, asked: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name that was asked for; by our own address where that is all of them."""
    monkeypatch.setattr("landline.apps.transfer.receive.own_address", lambda: "198.51.100.9")

    assert dialled(address, asked) == shown


@pytest.mark.limit(
    "transfer.window",
    "transfer.outbox",
    "transfer.close_timeout",
    "transfer.redial_max",
    "transfer.redial_reset",
)
def test_its_sessions_have_the_limits_of_the_table() -> None:
    """What each does at its edge, the library's own tests show."""
    limits = transfer_limits(77.0)

    assert limits.window == limits.outbox_bytes == TRANSFER.window
    assert (
        limits.credit - limits.window
    ) // 2 >= limits.window  # a file has a whole window, besides the messages
    assert (limits.flow_outbox, limits.close_timeout) == (TRANSFER.outbox, TRANSFER.close_timeout)
    assert (limits.redial_max, limits.redial_reset) == (TRANSFER.redial_max, TRANSFER.redial_reset)
    assert limits.resume_window == 77.0


def test_a_folder_is_shown_whole() -> None:
    """However it was written."""
    assert "Receiving into /" in module.how_to_send(Ticket("unix:///x"), Path())[0]
