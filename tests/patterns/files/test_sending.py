"""Sending files: whole, verified, under one name; over drops and new sessions from where it stopped; what goes wrong is told at both ends."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

import landline
from landline.errors import FlowReset, TransferDamaged, TransferError, TransferRefused
from landline.limits import FILES
from landline.patterns.messages import Messages
from landline.protocol.files import Accept, Done, Go
from landline.protocol.session import Session as Core
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from landline.testing.network import Faults
from landline.testing.pair import pair
from tests.patterns.files.house import CHUNK, QUICK, content, make_file, make_tree, names, settled, taking

pytestmark = pytest.mark.timeout(60)

SIZE = 20 * CHUNK + 17


async def test_a_file_arrives_whole_under_its_name(tmp_path: Path) -> None:
    """Its content, its time, for our user alone; nothing else is left in the folder."""
    source = make_file(tmp_path / "from" / "big.bin", SIZE)
    os.utime(source, ns=(1, 1_234_567_890_123_456_789))

    async with taking(tmp_path / "to") as (both, program):
        sent = await both.client.send_file(source)

    stored = tmp_path / "to" / "big.bin"
    assert stored.read_bytes() == source.read_bytes()
    assert (stored.stat().st_mode & 0o777, stored.stat().st_mtime_ns) == (0o600, 1_234_567_890_123_456_789)
    assert sent == landline.SentFile(name="big.bin", size=SIZE, files=1, resumed=0, skipped=0)
    assert program.received[0].path == stored
    assert names(tmp_path / "to") == ["big.bin"]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
@pytest.mark.limit("files.chunk")
async def test_files_of_every_size_arrive(tmp_path: Path, size: int) -> None:
    """Also at the edge of a frame, and empty ones."""
    source = make_file(tmp_path / "from", size)

    async with taking(tmp_path / "to") as (both, _):
        await both.client.send_file(source)

    assert (tmp_path / "to" / "from").read_bytes() == content(size)


@pytest.mark.limit("files.read")
async def test_what_is_read_at_a_time_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is what waits in memory: two pieces."""
    asked: list[int] = []
    read = os.read

    def told(file: int, most: int) -> bytes:
        asked.append(most)
        return read(file, most)

    monkeypatch.setattr(os, "read", told)
    source = make_file(tmp_path / "from", FILES.read + 1)

    async with taking(tmp_path / "to") as (both, _):
        await both.client.send_file(source)

    assert (max(asked), asked.count(FILES.read)) == (FILES.read, 1)
    assert (tmp_path / "to" / "from").stat().st_size == FILES.read + 1


async def test_a_folder_arrives_as_one(tmp_path: Path) -> None:
    """With what is in it, links and devices left out and counted; it is not seen before it is whole."""
    seen: set[str] = set()

    def look(progress: landline.Progress) -> None:
        if (tmp_path / "to").exists():
            seen.update(path.name for path in (tmp_path / "to").iterdir())

    async with taking(tmp_path / "to") as (both, _):
        sent = await both.client.send_file(make_tree(tmp_path / "album"), progress=look)

    assert names(tmp_path / "to") == [
        "album", "album/.git", "album/.git/config", "album/a.txt", "album/sub", "album/sub/c", "album/sub/deep", "album/sub/deep/b.bin",
    ]  # fmt: skip
    assert (tmp_path / "to/album/sub/deep/b.bin").read_bytes() == content(3 * CHUNK, 3 * CHUNK)
    assert sent == landline.SentFile(name="album", size=3 * CHUNK + 11, files=4, resumed=0, skipped=3)
    assert [name.startswith(".landline-") for name in seen] == [True]


async def test_an_empty_folder_arrives_too(tmp_path: Path) -> None:
    """Of no files."""
    (tmp_path / "empty").mkdir()

    async with taking(tmp_path / "to") as (both, _):
        assert (await both.client.send_file(tmp_path / "empty")).files == 0

    assert names(tmp_path / "to") == ["empty"]


async def test_the_server_may_send_as_well(tmp_path: Path) -> None:
    """Either end opens the flow."""
    source = make_file(tmp_path / "from", SIZE)

    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(server.send_file(source, name="other.bin"))
        async with client.files() as offers:
            received = await (await anext(offers)).accept(tmp_path / "to")
        await sending

    assert received.path == tmp_path / "to" / "other.bin"
    assert received.path.read_bytes() == source.read_bytes()


async def test_a_session_sends_more_files_than_it_may_have_flows(tmp_path: Path) -> None:
    """What came through leaves no flow behind, at neither end."""
    source = make_file(tmp_path / "from", 3)
    limits = dataclasses.replace(QUICK, max_flows=2)

    async with taking(tmp_path / "to", limits=limits) as (both, program):
        for _ in range(5):
            await both.client.send_file(source)
        await settled(lambda: len(both.client._bare.core.flows) == len(both.server._bare.core.flows) == 1)

    assert len(program.received) == 5


async def test_it_goes_on_over_dropped_lines(tmp_path: Path) -> None:
    """Lines that are cut at random places cost nothing but time; nothing is sent anew."""
    source = make_file(tmp_path / "from", 4 << 20)
    faults = Faults(cut_every=300_000)

    async with taking(tmp_path / "to", "tcp", faults=faults) as (both, _):
        sent = await both.client.send_file(source)
        assert both.network is not None
        assert both.network.cuts > 2

    assert sent.resumed == 0
    assert (tmp_path / "to" / "from").read_bytes() == source.read_bytes()


async def test_progress_is_told_from_beginning_to_end(tmp_path: Path) -> None:
    """At both ends, rising, up to the whole."""
    source = make_file(tmp_path / "from", SIZE)
    told: dict[str, list[landline.Progress]] = {"sent": [], "received": []}

    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(client.send_file(source, progress=told["sent"].append))
        async with server.files() as offers:
            await (await anext(offers)).accept(tmp_path / "to", progress=told["received"].append)
        await sending

    for end in told.values():
        done = [progress.done for progress in end]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, SIZE)
        assert end[-1] == landline.Progress(name="from", done=SIZE, size=SIZE, files=1, of_files=1, resumed=0)


async def test_a_transfer_that_was_broken_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Over another session, from what is on the disk there: only the rest is sent."""
    source = make_file(tmp_path / "from", SIZE)
    await broken_off(source, tmp_path / "to")
    there = next((tmp_path / "to").glob(".landline-*/data")).stat().st_size
    assert 0 < there < SIZE

    async with taking(tmp_path / "to") as (both, program):
        sent = await both.client.send_file(source)

    assert sent.resumed == program.received[0].resumed == there
    assert (tmp_path / "to" / "from").read_bytes() == source.read_bytes()
    assert names(tmp_path / "to") == ["from"]


async def test_a_folder_goes_on_within_a_file(tmp_path: Path) -> None:
    """The complete ones are not sent again, nor the beginning of the next."""
    source = make_tree(tmp_path / "album")
    make_file(source / "z.bin", SIZE)
    await broken_off(source, tmp_path / "to", at=4 * CHUNK)

    async with taking(tmp_path / "to") as (both, _):
        sent = await both.client.send_file(source)

    assert 3 * CHUNK + 11 < sent.resumed < sent.size
    assert (tmp_path / "to/album/z.bin").read_bytes() == content(SIZE)
    assert len(names(tmp_path / "to")) == 9


async def test_what_begins_otherwise_is_sent_anew(tmp_path: Path) -> None:
    """What is there was changed meanwhile: its hash tells, and nothing of it stays."""
    source = make_file(tmp_path / "from", SIZE)
    await broken_off(source, tmp_path / "to")
    data = next((tmp_path / "to").glob(".landline-*/data"))
    data.write_bytes(b"x" + data.read_bytes()[1:])

    async with taking(tmp_path / "to") as (both, _):
        assert (await both.client.send_file(source)).resumed == 0

    assert (tmp_path / "to" / "from").read_bytes() == source.read_bytes()


async def test_another_file_of_that_name_is_another_transfer(tmp_path: Path) -> None:
    """Changed since, it begins anew beside what came of the old one."""
    source = make_file(tmp_path / "from", SIZE)
    await broken_off(source, tmp_path / "to")
    make_file(source, SIZE, seed=2)
    os.utime(source, ns=(2, 2))

    async with taking(tmp_path / "to") as (both, _):
        assert (await both.client.send_file(source)).resumed == 0

    assert (tmp_path / "to" / "from").read_bytes() == content(SIZE, 2)


async def test_a_file_that_changes_meanwhile_is_not_sent(tmp_path: Path) -> None:
    """The sender is told so; nothing appears under the name."""
    source = make_file(tmp_path / "from", SIZE)

    def change(progress: landline.Progress) -> None:
        if progress.done:
            os.utime(source, ns=(3, 3))

    async with taking(tmp_path / "to") as (both, program):
        with pytest.raises(TransferError, match="changed while it was sent"):
            await both.client.send_file(source, progress=change)
        await settled(lambda: bool(program.errors))

    assert not (tmp_path / "to" / "from").exists()


async def test_a_file_that_shrinks_meanwhile_is_not_sent(tmp_path: Path) -> None:
    """Likewise."""
    source = make_file(tmp_path / "from", 3 * FILES.read)

    def shrink(progress: landline.Progress) -> None:
        if progress.done:
            os.truncate(source, 10)

    async with taking(tmp_path / "to") as (both, _):
        with pytest.raises(TransferError, match="changed while it was sent"):
            await both.client.send_file(source, progress=shrink)


@pytest.mark.parametrize("what", ["nothing", "pipe", "secret"])
async def test_what_cannot_be_read_is_told_before_anything_is_offered(tmp_path: Path, what: str) -> None:
    """With its name, as the library's error."""
    os.mkfifo(tmp_path / "pipe")

    async with taking(tmp_path / "to") as (both, program):
        with pytest.raises(TransferError, match=what):
            await both.client.send_file(tmp_path / what)

    assert not program.received


async def test_who_takes_no_files_refuses_them(tmp_path: Path) -> None:
    """Once a program had its moment to begin."""
    source = make_file(tmp_path / "from", 1)

    async with pair(limits=QUICK) as (client, server):
        server._files._decide()
        with pytest.raises(TransferRefused, match="nobody here takes files"):
            await client.send_file(source)


async def test_a_refusal_says_why(tmp_path: Path) -> None:
    """In the receiver's words."""
    source = make_file(tmp_path / "from", 1)

    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(client.send_file(source))
        async with server.files() as offers:
            await (await anext(offers)).refuse("not on Sundays")
            with pytest.raises(TransferRefused, match="not on Sundays"):
                await sending


async def test_a_server_asks_its_rules(tmp_path: Path) -> None:
    """With the verb, and the name as it would be stored."""
    asked: list[tuple[str, str, str]] = []

    def authorize(principal: str, verb: str, name: str) -> bool:
        asked.append((principal, verb, name))
        return verb != "send"

    async def program(session: landline.Session) -> None:
        async for _ in session.files():
            pass

    server = landline.Server(program, authenticate=lambda _: "ana", authorize=authorize)
    async with server.listen("memory://files-rules"), landline.connect("memory://files-rules") as session:
        with pytest.raises(TransferRefused, match="you may not send '_from'"):
            await session.send_file(make_file(tmp_path / "from", 1), name="../x/.from")

    assert ("ana", "send", "_from") in asked


async def test_a_progress_that_fails_ends_the_transfer(tmp_path: Path) -> None:
    """With its own error here; over there it is given up."""

    def fail(progress: landline.Progress) -> None:
        raise ZeroDivisionError

    async with taking(tmp_path / "to") as (both, program):
        with pytest.raises(ZeroDivisionError):
            await both.client.send_file(make_file(tmp_path / "from", SIZE), progress=fail)
        await settled(lambda: bool(program.errors))

    assert "gave up" in str(program.errors[0])


async def test_a_cancelled_transfer_lets_go_of_everything(tmp_path: Path) -> None:
    """No flow, no file and no thread stays, at either end."""
    source = make_file(tmp_path / "from", 100 * CHUNK)
    begun = asyncio.Event()

    def tell(progress: landline.Progress) -> None:
        if progress.done:
            begun.set()

    async with taking(tmp_path / "to") as (both, program):
        before = descriptors()
        task = asyncio.create_task(both.client.send_file(source, progress=tell))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settled(lambda: bool(program.errors))
        await settled(lambda: len(both.client._bare.core.flows) == len(both.server._bare.core.flows) == 1)
        await settled(lambda: descriptors() <= before)

    assert "gave up" in str(program.errors[0])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([Done("x")], "x"),
        ([Accept(2, 0)], "accept"),
        ([Accept(0, 0), Go(0)], "go"),
        ([Accept(0, 1), Go(7)], "go"),
        ([Accept(0, 1), Done("x")], "done"),
        (["words"], "str"),
    ],
)
async def test_a_receiver_that_talks_nonsense_is_an_error(
    tmp_path: Path, said: list[object], why: str
) -> None:
    """And the flow ends; ``Done`` at once is none: it has come earlier."""
    source = make_file(tmp_path / "from", 10)

    async with pair(limits=QUICK) as (client, server):
        heard: list[object] = []

        async def answer(flow: BareFlow) -> None:
            messages = Messages(server._bare, flow)
            for each in said:
                _ = await messages.send(each)
            try:
                while True:
                    heard.append(await messages.receive())
            except landline.FlowEnded as error:
                heard.append(error)
            flow.end()  # else the sender waits for it

        tasks: list[asyncio.Task[None]] = []

        def take(_: BareSession, flow: BareFlow) -> bool:
            tasks.append(asyncio.create_task(answer(flow)))
            return True

        server._bare.takers = (take, *server._bare.takers)
        if isinstance(said[0], Done):
            assert (await client.send_file(source)).resumed == 10
        else:
            with pytest.raises(landline.ProtocolError, match=why):
                await client.send_file(source)
        await asyncio.gather(*tasks)

    assert isinstance(heard[-1], FlowReset) is not isinstance(said[0], Done)


async def test_damage_is_told_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver's word for it becomes the sender's error."""
    source = make_file(tmp_path / "from", SIZE)

    async with taking(tmp_path / "to") as (both, program):
        receive = Core.receive

        def damage(self: Core, kind: int, number: int, payloads: Sequence[bytes]) -> None:
            if self is both.server._bare.core:
                payloads = [p[:-1] + b"\0" if len(p) == CHUNK else p for p in payloads]
            receive(self, kind, number, payloads)

        monkeypatch.setattr(Core, "receive", damage)
        with pytest.raises(TransferDamaged, match="not what was sent"):
            await both.client.send_file(source)
        await settled(lambda: bool(program.errors))

    assert isinstance(program.errors[0], TransferDamaged)
    assert names(tmp_path / "to") == []


async def broken_off(source: Path, folder: Path, at: int = 5 * CHUNK) -> None:
    """Have a transfer end in its middle, at the receiver's disk."""
    reached = asyncio.Event()

    def tell(progress: landline.Progress) -> None:
        if progress.done >= at:
            reached.set()
            raise Stopped

    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(client.send_file(source))
        async with server.files() as offers:
            offer = await anext(offers)
            with pytest.raises(Stopped):
                await offer.accept(folder, progress=tell)
        with pytest.raises(TransferError, match="gave up"):
            await sending


class Stopped(Exception):
    pass


def descriptors() -> int:
    """How many files are open in this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
