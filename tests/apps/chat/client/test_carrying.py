"""A chat client's files over a real server, in memory: found, offered, accepted, carried, gone on with; and what nobody accepted is refused."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat import credentials
from landline.apps.chat.client import carrying, events
from landline.apps.chat.client.carrying import find_file
from landline.apps.chat.client.link import Link
from landline.apps.chat.client.model import Client
from landline.errors import TransferRefused
from tests.patterns.files.house import content, make_file, names

pytestmark = pytest.mark.timeout(60)

SIZE = 3 << 20


class Seat:
    """A person at a client whose screen is a list of events."""

    def __init__(self, name: str, number: int, address: str, folder: Path) -> None:
        self.client = Client(name, number, draw=itertools.count(number << 32).__next__, find=find_file)
        self.shown: list[events.Event] = []
        self.sessions: list[landline.Session] = []
        self.folder = folder
        self._address = address
        self._changed = asyncio.Event()
        self.link = Link(self.client, self._dial, self._show, downloads=folder, pause=lambda _: 0.0)

    async def _dial(self) -> landline.Session:
        session = await landline.connect(self._address, credentials=credentials.show(self.client.number))
        self.sessions.append(session)
        return session

    def _show(self) -> None:
        self.shown += self.client.events()
        self._changed.set()

    def enter(self, line: str) -> None:
        self.client.typed(line, self.link.now)
        self.link.advance()

    async def until(self, kind: type[Any], is_it: Callable[[Any], object] = lambda _: True) -> Any:
        """Wait until an event of this kind is shown; what was shown up to it is forgotten."""
        async with asyncio.timeout(20):
            while True:
                for index, event in enumerate(self.shown):
                    if isinstance(event, kind) and is_it(event):
                        del self.shown[: index + 1]
                        return event
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def seat(open_one: Any, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Makes people who sit at a client in the lobby, by their names."""
    stop = asyncio.Event()
    numbers = itertools.count(1)
    running: list[asyncio.Task[None]] = []

    async def sit(name: str) -> Seat:
        one = Seat(name, next(numbers), open_one.address, tmp_path / f"of-{name}")
        await one.link.open(stop)
        running.append(asyncio.create_task(one.link.run(stop)))
        await one.until(events.Entered)
        return one

    yield sit
    stop.set()
    await asyncio.gather(*running)


async def test_a_file_that_is_accepted_arrives(seat: Callable[..., Any], tmp_path: Path) -> None:
    """Each of the two is told what happens; the file is whole, for its user alone, and where it is said to be."""
    ana, ben = await seat("ana"), await seat("ben")
    source = make_file(tmp_path / "my file.bin", SIZE)

    ana.enter(f"/send {source} @ben")
    out = await ana.until(events.FileOut)
    assert out == events.FileOut(1, "my file.bin", SIZE, "ben")
    assert await ben.until(events.FileOffered) == events.FileOffered(1, "my file.bin", SIZE, "ana")
    ben.enter("/accept")

    assert await ana.until(events.FileWanted) == events.FileWanted("my file.bin", "ben")
    stored = tmp_path / "of-ben" / "my file.bin"
    assert await ben.until(events.FileArriving) == events.FileArriving(
        "my file.bin", SIZE, str(stored.parent)
    )
    assert await ben.until(events.FileReceived) == events.FileReceived(
        "my file.bin", SIZE, str(stored), "ana"
    )
    assert await ana.until(events.FileSent) == events.FileSent("my file.bin", "ben")
    assert stored.read_bytes() == content(SIZE)
    assert stored.stat().st_mode & 0o777 == 0o600
    for one in (ana, ben):
        one.enter("/files")
        assert await one.until(events.Files) == events.Files(())


async def test_a_room_receives_a_file_each_for_themselves(seat: Callable[..., Any], tmp_path: Path) -> None:
    """Whoever accepts has it; who received it is not asked again when its sender comes back."""
    ana, ben, cleo = await seat("ana"), await seat("ben"), await seat("cleo")
    ana.enter(f"/send {make_file(tmp_path / 'a.bin', SIZE)}")
    for one in (ben, cleo):
        assert (await one.until(events.FileOffered)).room == "lobby"
    ben.enter("/accept")
    await ben.until(events.FileReceived)

    await ana.sessions[0].close()
    await ana.until(events.LineBack)
    await cleo.until(events.FileGone)
    await cleo.until(events.FileOffered)
    cleo.enter("/accept")

    await cleo.until(events.FileReceived)
    assert (tmp_path / "of-cleo" / "a.bin").read_bytes() == content(SIZE)
    assert not any(isinstance(event, events.FileOffered) for event in ben.shown)


async def test_nothing_is_overwritten_and_nothing_leaves_the_folder(
    seat: Callable[..., Any], tmp_path: Path
) -> None:
    """Whatever the sender calls it: a plain name in the folder for downloads, and a number where that is taken."""
    ana, ben = await seat("ana"), await seat("ben")
    source = make_file(tmp_path / "a", 5)
    folder = tmp_path / "of-ben"
    make_file(folder / "evil.sh", 3)
    target = make_file(tmp_path / "target", 4)
    (folder / "link").symlink_to(target)
    for called, stored in (
        ("../../evil.sh", "evil (1).sh"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\x.txt", "x.txt"),
        (".bashrc", "_bashrc"),
        ("link", "link (1)"),
        ("a\x1b[2J\u202egpj.exe", "a[2Jgpj.exe"),
    ):
        ana.client.files._find = lambda _, called=called: (source, called, 5)
        ana.enter("/send it @ben")
        await ben.until(events.FileOffered)
        ben.enter("/accept")
        received = await ben.until(events.FileReceived)
        assert received.path == str(folder / stored)
        await ana.until(events.FileSent)

    assert (folder / "evil.sh").read_bytes() == content(3)
    assert target.read_bytes() == content(4)
    assert len(names(folder)) == 8
    assert not (tmp_path / "evil.sh").exists()


async def test_a_file_goes_on_in_the_next_session(seat: Callable[..., Any], tmp_path: Path) -> None:
    """Of either: it is accepted again by itself, and only the rest comes."""
    ana, ben = await seat("ana"), await seat("ben")
    size = 20 << 20
    ana.enter(f"/send {make_file(tmp_path / 'a.bin', size)} @ben")
    await ben.until(events.FileOffered)
    ben.enter("/accept")
    for victim in (ana, ben):
        await ben.until(events.FileArriving)
        async with asyncio.timeout(20):
            while not (ben.client.files.moves and ben.client.files.moves[0].done > 1 << 20):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
        await victim.sessions[-1].close()

    await ben.until(events.FileReceived)
    await ana.until(events.FileSent)

    assert (tmp_path / "of-ben" / "a.bin").read_bytes() == content(size)
    assert names(tmp_path / "of-ben") == ["a.bin"]


@pytest.mark.parametrize("who", ["ana", "ben"])
async def test_either_stops_it_on_its_way(seat: Callable[..., Any], tmp_path: Path, who: str) -> None:
    """/refuse: nothing goes on, the other one is told, and there is no file."""
    ana, ben = await seat("ana"), await seat("ben")
    ana.enter(f"/send {make_file(tmp_path / 'a.bin', 50 << 20)} @ben")
    await ben.until(events.FileOffered)
    ben.enter("/accept")
    await ben.until(events.FileArriving)

    {"ana": ana, "ben": ben}[who].enter("/refuse")

    if who == "ben":
        assert await ana.until(events.FileNotWanted) == events.FileNotWanted("a.bin", "ben")
    else:
        assert (await ben.until(events.FileGone)).why == "ana took it back"
    for one in (ana, ben):
        async with asyncio.timeout(20):
            while one.client.files.moves:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
    assert "a.bin" not in names(tmp_path / "of-ben")


async def test_what_was_not_accepted_is_refused(
    seat: Callable[..., Any], open_one: Any, tmp_path: Path
) -> None:
    """Whatever the server would send by itself."""
    ben = await seat("ben")
    (speaker,) = open_one.chat.speakers.values()
    with pytest.raises(TransferRefused, match="not accepted"):
        await speaker._session.send_file(make_file(tmp_path / "a", 5), name="abc")
    with pytest.raises(TransferRefused, match="not accepted"):
        await speaker._session.send_file(tmp_path / "a", name="no number")
    assert not ben.folder.exists()


async def test_no_more_are_sent_at_once_than_a_server_takes(seat: Callable[..., Any], tmp_path: Path) -> None:
    """The others wait for their turn, and all arrive."""
    ana, ben, cleo = await seat("ana"), await seat("ben"), await seat("cleo")
    for number in range(carrying.AT_ONCE):
        ana.enter(f"/send {make_file(tmp_path / f'{number}.bin', SIZE, number)}")
    for one in (ben, cleo):
        for _ in range(carrying.AT_ONCE):
            offered = await one.until(events.FileOffered)
            one.enter(f"/accept {offered.number}")
    for one in (ben, cleo):
        for _ in range(carrying.AT_ONCE):
            await one.until(events.FileReceived)
        for number in range(carrying.AT_ONCE):
            assert (one.folder / f"{number}.bin").read_bytes() == content(SIZE, number)


# What is typed.


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """A sentence for each; nothing waits for a pipe."""
    os.mkfifo(tmp_path / "pipe")
    secret = make_file(tmp_path / "secret", 1)
    secret.chmod(0)
    wrong = [
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "pipe"), "is no file"),
        (str(tmp_path / "none"), "no such file"),
    ]
    wrong += [("a\0b", "null"), ("~nobody-is-called-so/x", "cannot be read")]
    if os.geteuid():
        wrong.append((str(secret), "permission denied"))
    for typed, why in wrong:
        with pytest.raises(ValueError, match=why):
            find_file(typed)


def test_a_name_without_its_at_is_noticed(tmp_path: Path) -> None:
    """Where what stands before it is a file; else nothing is guessed."""
    path = make_file(tmp_path / "my report.pdf", 1)
    with pytest.raises(ValueError, match=rf"Did you mean /send {path} @ben\?$"):
        find_file(f"{path} ben")
    with pytest.raises(ValueError, match=r"no such file or directory\.$"):
        find_file(f"{path.parent} ben")


def test_a_file_is_found_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here, or from home; of a name that is too long, the end."""
    path = make_file(tmp_path / f"{'x' * 246}.txt", 3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert find_file(path.name) == find_file(f"~/{path.name}") == (path, path.name, 3)
    with contextlib.suppress(OSError):
        odd = make_file(tmp_path / os.fsdecode(b"odd\xff"), 1)
        assert find_file(str(odd))[1] == "odd?"
