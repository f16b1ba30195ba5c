"""``landline receive`` and ``landline send`` as real processes: the printed command as it stands, deaths, Ctrl-C, exit codes, a terminal."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pexpect
import pytest

from landline.cli.main import main
from tests.terminals import end_program

pytestmark = pytest.mark.timeout(120)

SIZE = 40 << 20


class Commands:
    """Starts the commands in a folder, and ends what a test leaves."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.folder = folder
        self._count = 0

    def start(self, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Start one; return it, and the file of what it says."""
        self._count += 1
        said = self.folder / f"said{self._count}"
        with said.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "landline", *arguments], stdout=file, stderr=file, cwd=self.folder
            )
        self._stack.callback(_end, process)
        return process, said

    def receive(self, *arguments: str) -> tuple[subprocess.Popen[bytes], Path, str]:
        """Start ``landline receive``; return the address that it prints, too."""
        process, said = self.start("receive", "--to", "to", "--data", "data", *arguments)
        text = wait_for(said, r"send FILE… (.*)\n", process)
        return process, said, shlex.split(text)[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def wait_for(said: Path, pattern: str, process: subprocess.Popen[bytes]) -> str:
    """Return what a process says."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended = process.poll()
        if found := re.search(pattern, said.read_text(encoding="utf-8")):
            return found[1] if found.groups() else found[0]
        assert ended is None, said.read_text(encoding="utf-8")
        time.sleep(0.01)
    pytest.fail(f"it never said {pattern}: {said.read_text(encoding='utf-8')}")


def wait_until_under_way(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until some of a file has come."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if any(path.stat().st_size for path in folder.glob(".landline-*/data")):
            return
        time.sleep(0.001)
    pytest.fail("nothing came")


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    with ExitStack() as stack:
        yield Commands(stack, tmp_path)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    return path


def test_the_printed_command_does_it(commands: Commands, tmp_path: Path) -> None:
    """Files and folders; both end well, and say what came."""
    (tmp_path / "a file").write_text("hello")
    (tmp_path / "album" / "deep").mkdir(parents=True)
    (tmp_path / "album" / "deep" / "x").write_text("world")
    receiver, said, ticket = commands.receive()

    sender, told = commands.start("send", "a file", "album", ticket)

    assert (sender.wait(60), receiver.wait(60)) == (0, 0), told.read_text() + said.read_text()
    assert visible(tmp_path / "to") == ["a file", "album"]
    assert (tmp_path / "to/album/deep/x").read_text() == "world"
    assert "Received to/album (1 file, 5 B), verified by SHA-256." in said.read_text()
    assert "Sent album (5 B)." in told.read_text()
    assert len(list((tmp_path / "to").iterdir())) == 2


@pytest.mark.parametrize("victim", ["sender", "receiver"])
@pytest.mark.long
def test_after_a_death_it_goes_on_within_the_file(
    commands: Commands, tmp_path: Path, big: Path, victim: str
) -> None:
    """Killed in its middle: the same command again; the other end need not be told."""
    receiver, said, ticket = commands.receive()
    sender, told = commands.start("send", "big.bin", ticket)
    wait_until_under_way(tmp_path / "to", sender)

    if victim == "sender":
        sender.kill()
        sender.wait()
        assert visible(tmp_path / "to") == []
        sender, told = commands.start("send", "big.bin", ticket)
    else:
        receiver.kill()
        receiver.wait()
        assert visible(tmp_path / "to") == []
        receiver, said, again = commands.receive()
        assert again == ticket

    assert (sender.wait(60), receiver.wait(60)) == (0, 0), told.read_text() + said.read_text()
    assert (tmp_path / "to" / "big.bin").read_bytes() == big.read_bytes()
    assert "were there already" in told.read_text()
    assert len(list((tmp_path / "to").iterdir())) == 1


def test_a_receiver_is_interrupted_and_says_how_to_go_on(
    commands: Commands, tmp_path: Path, big: Path
) -> None:
    """Its sender ends, too; what came is kept."""
    receiver, said, ticket = commands.receive()
    sender, told = commands.start("send", "big.bin", ticket)
    wait_until_under_way(tmp_path / "to", sender)
    receiver.send_signal(signal.SIGINT)

    assert (receiver.wait(60), sender.wait(60)) == (1, 1), told.read_text() + said.read_text()
    assert "receive --to to --data data` goes on with it" in said.read_text()
    assert visible(tmp_path / "to") == []
    assert next((tmp_path / "to").glob(".landline-*/data")).stat().st_size > 0


def test_a_sender_is_interrupted_and_the_same_command_goes_on(
    commands: Commands, tmp_path: Path, big: Path
) -> None:
    """The receiver waits for it."""
    receiver, said, ticket = commands.receive()
    sender, told = commands.start("send", "big.bin", ticket)
    wait_until_under_way(tmp_path / "to", sender)
    sender.send_signal(signal.SIGINT)
    assert sender.wait(60) == 1
    assert "the same command goes on with it" in told.read_text()
    assert receiver.poll() is None

    sender, told = commands.start("send", "big.bin", ticket)
    assert (sender.wait(60), receiver.wait(60)) == (0, 0), told.read_text() + said.read_text()
    assert (tmp_path / "to" / "big.bin").read_bytes() == big.read_bytes()


def test_who_has_another_secret_is_refused(commands: Commands, tmp_path: Path) -> None:
    """With the exit code for that, and so is what goes over the quota."""
    (tmp_path / "a").write_text("hello")
    _, _, ticket = commands.receive("--quota", "4")

    for address, why in ((ticket + "x", "refused"), (ticket.partition("#")[0], "refused"), (ticket, "quota")):
        sender, told = commands.start("send", "a", address)
        assert sender.wait(60) == 4, told.read_text()
        assert why in told.read_text()
    assert not (tmp_path / "to").exists() or list((tmp_path / "to").iterdir()) == []


def test_a_terminal_shows_a_bar(commands: Commands, tmp_path: Path, big: Path) -> None:
    """With the rate; the last look stays."""
    receiver, _, ticket = commands.receive()
    environment = {**os.environ, "TERM": "xterm"}
    child = pexpect.spawn(
        sys.executable, ["-m", "landline", "send", "big.bin", ticket], cwd=str(tmp_path), env=environment, encoding="utf-8", timeout=60, dimensions=(24, 120),
    )  # fmt: skip
    try:
        child.expect_exact("█" * 24)
        child.expect(r"100 %  41\.9 MB of 41\.9 MB, [\d.]+ .?B/s")
        child.expect(r"Sent big\.bin")
        child.expect(pexpect.EOF)
    finally:
        end_program(child)

    assert child.exitstatus == 0
    assert receiver.wait(60) == 0


def test_what_is_there_is_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever forgets it is told; nobody there, and no secret shown in what is said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()

    assert main(["send", "a", "b"]) == 2
    assert "b is a file: ADDRESS stands last" in capsys.readouterr().err
    assert main(["send", "a", "unix:///nowhere#secret=hush"]) == 3
    said = capsys.readouterr().err
    assert "receive` is what has to run there" in said
    assert "hush" not in said
    assert main(["send", "missing", "unix:///nowhere"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report.pdf"], "report.pdf is a file: ADDRESS stands last"),
        (["folder"], "folder is a folder: ADDRESS stands last"),
        (["report.pdf", "folder"], "folder is a folder: ADDRESS stands last"),
        (["report.pdf", ""], "ADDRESS is empty"),
        (["localhost:1"], "FILE is missing"),
        ([], "Missing argument 'ADDRESS'"),
    ],
)
def test_what_is_missing_is_named(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The address, or what is to be sent; with 2."""
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").touch()
    Path("folder").mkdir()
    assert main(["send", *arguments]) == 2

    assert words in capsys.readouterr().err
