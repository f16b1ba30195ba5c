"""Receiving files: quotas, full disks, senders that lie, and the same transfer twice; what came stays for the next try."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.errors import FlowEnded, TransferError, TransferRefused
from landline.limits import FILES
from landline.patterns.files import receiving
from landline.patterns.files.staging import Staging
from landline.protocol.files import Digest, Entry, Offer, Proof
from landline.testing.pair import pair
from tests.patterns.files.house import CHUNK, QUICK, Forged, content, make_file, names, settled, taking

pytestmark = pytest.mark.timeout(60)

ID = b"0123456789abcdef"
SHA = hashlib.sha256(b"hello").digest()
FILE = Offer(ID, "x", 5, 1, False)
FOLDER = Offer(ID, "f", 5, 1, True)
ENTRY = Entry(["x"], 5, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.limit("files.quota", "files.files")
async def test_a_quota_is_held_to_the_byte_and_the_file(tmp_path: Path) -> None:
    """At its edge it is taken, past it refused with what is left; a new one has the table's measures."""
    quota = landline.Quota(max_bytes=100, max_files=2)
    default = landline.Quota()
    assert (default.max_bytes, default.max_files) == (FILES.quota, FILES.files)

    async with taking(tmp_path / "to", quota=quota) as (both, _):
        await both.client.send_file(make_file(tmp_path / "a", 99))
        with pytest.raises(
            TransferRefused, match="2 bytes are more than the quota of the receiver: 1 are left"
        ):
            await both.client.send_file(make_file(tmp_path / "b", 2))
        await both.client.send_file(make_file(tmp_path / "c", 1))
        with pytest.raises(
            TransferRefused, match="1 files are more than the quota of the receiver: 0 are left"
        ):
            await both.client.send_file(make_file(tmp_path / "d", 0))

    assert names(tmp_path / "to") == ["a", "c"]
    assert (quota.used_bytes, quota.used_files) == (100, 2)


async def test_what_did_not_come_counts_for_no_quota(tmp_path: Path) -> None:
    """What is on the disk of an unfinished transfer does: there is no way round by breaking off."""
    quota = landline.Quota(max_bytes=10)

    async with taking(tmp_path / "to", quota=quota) as (both, program):
        for number in (1, 2):

            def is_written(number: int = number) -> bool:
                return sum(path.stat().st_size for path in (tmp_path / "to").glob("*/data")) == 3 * number

            def is_told(number: int = number) -> bool:
                return len(program.errors) == number

            sender = Forged(both.client)
            await sender.say(Offer(bytes([number]) * 16, "x", 6, 1, False), Entry(["x"], 6, 1), b"abc")
            assert isinstance(await sender.hear(), list)
            await settled(is_written)
            sender.flow.reset()
            await settled(is_told)
            assert quota.used_bytes == 3 * number
        with pytest.raises(TransferRefused, match="4 are left"):
            await both.client.send_file(make_file(tmp_path / "from", 5))


@pytest.mark.parametrize("is_same_quota", [True, False])
async def test_what_is_lost_again_is_given_back_to_whoever_counted_it(
    tmp_path: Path, is_same_quota: bool
) -> None:
    """Some of it was there, and begins otherwise than the sender's: it goes. Another quota never counted that, and has nothing to give back for it."""
    first = landline.Quota(max_bytes=20)
    second = first if is_same_quota else landline.Quota(max_bytes=20)
    parts = tmp_path / "to"

    async with taking(parts, quota=first) as (both, program):
        sender = Forged(both.client)
        await sender.say(Offer(ID, "x", 6, 1, False), Entry(["x"], 6, 1), b"abc")
        await sender.hear()
        await settled(lambda: [path.stat().st_size for path in parts.glob("*/data")] == [3])
        sender.flow.reset()
        await settled(lambda: len(program.errors) == 1)
    assert (first.used_bytes, first.used_files) == (3, 0)

    async with taking(parts, quota=second) as (both, program):
        await both.client.send_file(make_file(tmp_path / "other", 5))
        sender = Forged(both.client)
        await sender.say(Offer(ID, "x", 6, 1, False))
        assert (await sender.hear())[-1] == 3
        await sender.say(Proof(None), Entry(["x"], 6, 1))
        assert (await sender.hear())[-1] == 0
        await settled(lambda: [path.stat().st_size for path in parts.glob("*/data")] == [0])
        sender.flow.reset()
        await settled(lambda: len(program.errors) == 1)

    assert (second.used_bytes, second.used_files) == (5, 1)


async def test_a_file_that_the_disk_has_no_room_for_is_refused_before_it_comes(
    tmp_path: Path, small_disk: Path
) -> None:
    """Nothing of it is sent."""
    async with taking(small_disk) as (both, _):
        with pytest.raises(TransferRefused, match="the disk there has no room"):
            await both.client.send_file(make_file(tmp_path / "from", 3 << 20))

    assert names(small_disk) == []


async def test_a_disk_that_fills_up_keeps_what_came(tmp_path: Path, small_disk: Path) -> None:
    """Both ends are told so; with room again it goes on where it was."""
    source = make_file(tmp_path / "from", 3 << 19)
    other = small_disk / "other"

    def fill(progress: landline.Progress) -> None:
        if progress.done and not other.exists():
            other.write_bytes(bytes(1 << 20))

    async with pair(limits=QUICK) as (client, server):
        async with server.files() as offers:
            sending = asyncio.create_task(client.send_file(source))
            with pytest.raises(TransferError, match="the disk there is full; what came is kept"):
                await (await anext(offers)).accept(small_disk, progress=fill)
            with pytest.raises(TransferError, match="the disk there is full; what came is kept"):
                await sending
            kept = next(small_disk.glob(".landline-*/data")).stat().st_size
            assert kept > CHUNK
            other.unlink()

            sending = asyncio.create_task(client.send_file(source))
            received = await (await anext(offers)).accept(small_disk)
            assert (await sending).resumed == received.resumed == kept

    assert received.path.read_bytes() == source.read_bytes()


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """The sender hears what, and not where."""
    (tmp_path / "to").touch()

    async with taking(tmp_path / "to") as (both, program):
        with pytest.raises(TransferError) as raised:
            await both.client.send_file(make_file(tmp_path / "from", 1))

    assert "cannot be stored there" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)
    assert str(tmp_path) in str(program.errors[0])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([FILE, b"hello"], "not to be said here|not to be sent here"),
        ([FILE, Digest(SHA)], "not to be said here"),
        ([FILE, Proof(SHA)], "not to be said here"),
        ([FILE, FILE], "not to be said here"),
        ([FILE, "words"], "not to be said here"),
        ([FILE, [77]], "cannot be read"),
        ([FILE, Entry(["x"], 6, 1)], "larger than was offered"),
        ([FILE, ENTRY, b"hello!"], "more data"),
        ([FILE, ENTRY, b"hell", Digest(SHA)], "ends after 4"),
        ([FILE, Entry(["x"], 4, 1), b"hell", Digest(hashlib.sha256(b"hell").digest())], "smaller"),
        ([FILE, ENTRY, b"hallo", Digest(SHA)], "not what was sent"),
        ([FOLDER, Entry(["..", "x"], 5, 1), b"hello", Digest(SHA)], "leaves its folder"),
        ([FOLDER, Entry(["/etc/x"], 5, 1), b"hello", Digest(SHA)], "leaves its folder"),
        ([FOLDER, Entry(["a", ""], 5, 1), b"hello", Digest(SHA)], "leaves its folder"),
        ([FOLDER, Entry(["a\0"], 5, 1), b"hello", Digest(SHA)], "leaves its folder"),
    ],
)  # fmt: skip
async def test_a_sender_that_breaks_a_rule_ends_its_transfer_alone(
    tmp_path: Path, said: list[Any], why: str
) -> None:
    """Both ends are told why, nothing appears, and the session goes on."""
    async with taking(tmp_path / "to") as (both, program):
        sender = Forged(both.client)
        await sender.say(*said)
        ended = await sender.end()
        await settled(lambda: bool(program.errors))
        await both.client.send_file(make_file(tmp_path / "good", 5))

    assert any(part in ended for part in why.split("|"))
    assert [name for name in names(tmp_path / "to") if not name.startswith(".")] == ["good"]
    assert names(tmp_path) == sorted(["good", "to", *(f"to/{name}" for name in names(tmp_path / "to"))])


async def test_a_sender_cannot_leave_what_looks_like_ours(tmp_path: Path) -> None:
    """A folder may have hidden ones, but none that a later transfer into it would go on with, and so be led out of it."""
    key = hashlib.sha256(b"\0" + ID).hexdigest()[:32]
    part = f".landline-{key}.part"
    async with taking(tmp_path / "to") as (both, program):
        for number, name in enumerate((part, part.upper(), f"{part}\u200b. ")):
            sender = Forged(both.client)
            offer = Offer(bytes([number]) * 16, "f", 5, 1, True)
            await sender.say(offer, Entry([name, "named"], 5, 1), b"hello", Digest(SHA))
            assert await sender.hear() == [4, 0, 0]
            assert (await sender.hear())[0] == 6
            sender.flow.end()
        await settled(lambda: len(program.received) == 3)

    assert all(path.name.startswith("_") for received in program.received for path in received.path.iterdir())


@pytest.mark.parametrize("said", [b"data", ["?"], [0, ID, "x", 5, 2, False], Digest(SHA)])
async def test_a_flow_without_an_offer_is_none(tmp_path: Path, said: Any) -> None:
    """The program does not hear of it."""
    async with taking(tmp_path / "to") as (both, program):
        sender = Forged(both.client)
        await sender.say(said)
        assert "reset" in await sender.end()

    assert (program.received, program.errors) == ([], [])


async def test_the_same_transfer_anew_takes_over(tmp_path: Path) -> None:
    """The sender was started again, and its old session hangs on its line: the new one need not wait for the end of that."""
    async with taking(tmp_path / "to") as (both, _), pair(limits=QUICK) as (client, server):
        old = Forged(both.client)
        await old.say(FILE, ENTRY, b"he")
        assert await old.hear() == [4, 0, 0]
        await settled(lambda: any(path.stat().st_size == 2 for path in (tmp_path / "to").glob("*/data")))

        new = Forged(client)
        await new.say(FILE)
        async with server.files() as offers:
            accepting = asyncio.create_task((await anext(offers)).accept(tmp_path / "to"))
            assert await new.hear() == [4, 0, 2]
            assert "begun anew" in await old.end()
            await new.say(Proof(hashlib.sha256(b"he").digest()))
            assert await new.hear() == [5, 2]
            await new.say(ENTRY, b"llo", Digest(SHA))
            assert await new.hear() == [6, "x"]
            new.flow.end()
            received = await accepting

    assert received.path.read_bytes() == b"hello"
    assert not receiving._RUNNING


async def test_who_gives_up_twice_still_lets_go_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second cancel, while what came is closed: the same transfer waits until it is, and goes on where it was."""
    go, done = threading.Event(), Staging.close

    def close(staging: Staging) -> None:
        go.wait(20)
        done(staging)

    quota = landline.Quota(max_bytes=5)
    async with pair(limits=QUICK) as (client, server):
        async with server.files(quota=quota) as offers:
            sender = Forged(client)
            await sender.say(FILE, ENTRY, b"he")
            accepting = asyncio.create_task((await anext(offers)).accept(tmp_path))
            assert await sender.hear() == [4, 0, 0]
            await settled(lambda: any(path.stat().st_size == 2 for path in tmp_path.glob("*/data")))
            with monkeypatch.context() as patched:
                patched.setattr(Staging, "close", close)
                for _ in range(2):
                    accepting.cancel()
                    for _ in range(10):
                        await asyncio.sleep(0)
                assert receiving._RUNNING
                go.set()
                with pytest.raises(asyncio.CancelledError):
                    await accepting
            assert not receiving._RUNNING

            sender = Forged(client)
            await sender.say(FILE)
            accepting = asyncio.create_task((await anext(offers)).accept(tmp_path))
            assert await sender.hear() == [4, 0, 2]
            await sender.say(Proof(None))
            assert await sender.hear() == [5, 0]
            sender.flow.reset()
            with pytest.raises(TransferError):
                await accepting


async def test_what_came_of_one_principal_is_not_anothers(tmp_path: Path) -> None:
    """Who knows what somebody else sends, can neither go on with it nor learn how far it is."""
    accepted: list[Any] = []

    async def program(session: landline.Session) -> None:
        async for offer in session.files():
            try:
                await offer.accept(tmp_path / "to")
            except TransferError as error:
                accepted.append(error)

    address = "memory://files-principals"
    async with landline.serve(program, address, authenticate=lambda shown: shown):
        async with landline.connect(address, credentials="ana") as ana:
            sender = Forged(ana)
            await sender.say(FILE, ENTRY, b"he")
            assert await sender.hear() == [4, 0, 0]
            await settled(lambda: any(path.stat().st_size == 2 for path in (tmp_path / "to").glob("*/data")))
            sender.flow.reset()
            await settled(lambda: bool(accepted))
        for who, there in (("ben", 0), ("ana", 2)):
            async with landline.connect(address, credentials=who) as session:
                sender = Forged(session)
                await sender.say(FILE)
                assert await sender.hear() == [4, 0, there]


@pytest.mark.parametrize("last", [None, "words"])
async def test_an_end_that_comes_late_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str | None
) -> None:
    """Or the flow would be one of those that the session may have, for ever; whatever else comes then ends it, too."""
    monkeypatch.setattr(receiving, "FILES", _Quick)
    async with taking(tmp_path / "to") as (both, program):
        sender = Forged(both.client)
        await sender.say(FILE, ENTRY, b"hello", Digest(SHA))
        await settled(lambda: len(program.received) == 1)
        _ = await both.client.send("what was said before is there")
        assert await both.server.receive() == "what was said before is there"
        await settled(lambda: bool(sender.flow.core.theirs))
        if last is None:
            sender.flow.end()
        else:
            await sender.say(last)
        assert [await sender.hear(), (await sender.hear())[0]] == [[4, 0, 0], 6]
        with pytest.raises(FlowEnded):
            await sender.hear()

        await settled(lambda: set(both.server._bare.core.flows) == set(both.client._bare.core.flows) == {0})
        assert not receiving._READING


@pytest.mark.limit("files.confirm")
async def test_a_sender_that_never_says_that_it_knows_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is there; and when the sender comes back, it is told so."""
    monkeypatch.setattr(receiving, "FILES", _Quick)
    async with taking(tmp_path / "to") as (both, program):
        for sender in (Forged(both.client), Forged(both.client)):
            await sender.say(
                FILE, ENTRY, b"hello", Digest(SHA)
            ) if not program.received else await sender.say(FILE)
            said = await sender.hear()
            assert (said if program.received else await sender.hear()) == [6, "x"]
            await settled(program.idle.is_set)
            sender.flow.end()
        assert program.received[1].resumed == 5

    assert [name for name in names(tmp_path / "to") if not name.startswith(".")] == ["x"]
    assert FILES.confirm == 5.0


class _Quick:
    confirm = 0.01
    read = FILES.read


async def test_no_more_is_on_its_way_than_the_credit(tmp_path: Path) -> None:
    """What is not on the disk yet earns the sender no credit: a death costs a window, and the frame that goes over it."""
    source = make_file(tmp_path / "from", 40 * CHUNK)
    most = 0

    async with taking(tmp_path / "to") as (both, _):
        core = both.client._bare.core

        def look(progress: landline.Progress) -> None:
            nonlocal most
            sent = sum(flow.sent_cost for number, flow in core.flows.items() if number)
            for path in (tmp_path / "to").glob(".landline-*/data"):
                with contextlib.suppress(FileNotFoundError):  # it has its name by now
                    most = max(most, sent - path.stat().st_size)

        watching = asyncio.create_task(_every_turn(look))
        await both.client.send_file(source)
        watching.cancel()

    overhead = 64 * 41 + 500
    assert CHUNK < most <= QUICK.window + CHUNK + overhead
    assert (tmp_path / "to" / "from").read_bytes() == content(40 * CHUNK)


async def _every_turn(look: Any) -> None:
    while True:
        look(None)
        await asyncio.sleep(0)
