"""``landline listen`` and ``landline connect`` as real processes: bytes through bad lines, refusals, signals."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pty
import random
import re
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO

import pytest

import landline
from landline.cli.main import main
from landline.testing.network import Faults, bad_network

pytestmark = pytest.mark.timeout(60)

MEBIBYTE = 1 << 20


class Pipes:
    """Starts the program, and ends what a test leaves."""

    def __init__(self, stack: AsyncExitStack, tmp_path: Path) -> None:
        self._stack = stack
        self.folder = tmp_path

    async def start(
        self, *arguments: str, stdin: int | IO[bytes] = DEVNULL, stdout: int | IO[bytes] = PIPE
    ) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "landline",
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=PIPE,
            cwd=self.folder,
        )
        self.ends(process)
        return process

    def ends(self, process: Process) -> None:
        """See to it that it does not outlive the test."""
        self._stack.push_async_callback(end, process)

    async def listen(
        self, *arguments: str, stdin: int | IO[bytes] = DEVNULL, stdout: int | IO[bytes] = PIPE
    ) -> tuple[Process, str]:
        """A process that listens, and the address in the command it prints for the other end."""
        process = await self.start("listen", *arguments, stdin=stdin, stdout=stdout)
        assert process.stderr is not None
        async for line in process.stderr:
            if found := re.search(rb"^    .*landline connect .*?(\S+)$", line.rstrip()):
                return process, found[1].decode()
        raise AssertionError("it never listened")


async def end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def said(process: Process, what: bytes) -> bytes:
    """Wait until a process says that on stderr; return the line."""
    assert process.stderr is not None
    async for line in process.stderr:
        if what in line:
            return line
    raise AssertionError(f"it never said {what!r}")


@pytest.fixture
async def pipes(tmp_path: Path) -> AsyncIterator[Pipes]:
    async with AsyncExitStack() as stack, asyncio.timeout(55):
        yield Pipes(stack, tmp_path)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_random(path: Path, size: int) -> Path:
    path.write_bytes(random.Random(size).randbytes(size))
    return path


@pytest.mark.long
async def test_32_mebibytes_survive_cuts_freezes_and_a_sleeping_side(pipes: Pipes) -> None:
    """Both directions at once, through a network that cuts and freezes, and each process stopped for a while: not a byte lost or doubled."""
    there = make_random(pipes.folder / "there", 32 * MEBIBYTE)
    back = make_random(pipes.folder / "back", 8 * MEBIBYTE)
    heard_there, heard_back = pipes.folder / "heard-there", pipes.folder / "heard-back"
    faults = Faults(cut_every=7 * MEBIBYTE, freeze_every=5 * MEBIBYTE, freeze_for=0.05)
    with back.open("rb") as stdin, heard_there.open("wb") as stdout:
        listener, address = await pipes.listen("tcp://127.0.0.1:0", stdin=stdin, stdout=stdout)
    async with bad_network(address, faults, seed=1) as proxy:
        with there.open("rb") as stdin, heard_back.open("wb") as stdout:
            caller = await pipes.start("connect", "-v", proxy.address, stdin=stdin, stdout=stdout)
        await said(caller, b"connected after connecting")
        for sleeper in (listener, caller):
            proxy.freeze()
            sleeper.send_signal(signal.SIGSTOP)
            proxy.cut()  # what a network forgets while a laptop sleeps
            if sleeper is listener:
                await said(caller, b"reconnecting after connected")
            proxy.thaw()
            sleeper.send_signal(signal.SIGCONT)
        (_, errors), (_, _) = await asyncio.gather(caller.communicate(), listener.communicate())

    assert (caller.returncode, listener.returncode) == (0, 0), errors.decode()
    assert proxy.cuts >= 3
    assert proxy.freezes >= 1
    assert digest(heard_there) == digest(there)
    assert digest(heard_back) == digest(back)


@pytest.mark.needs("tar")
async def test_a_folder_goes_through_as_the_manual_says(pipes: Pipes) -> None:
    """``tar c . | landline connect A`` and ``landline listen A | tar x``, over a Unix socket."""
    source, target = pipes.folder / "source", pipes.folder / "target"
    source.mkdir()
    target.mkdir()
    make_random(source / "file", 3 * MEBIBYTE)
    (source / "empty").touch()
    address = f"unix://{pipes.folder}/pipe.sock"
    read_end, write_end = os.pipe()
    listener, _ = await pipes.listen(address, stdout=write_end)
    os.close(write_end)
    unpacking = await asyncio.create_subprocess_exec("tar", "x", "-C", str(target), stdin=read_end)
    os.close(read_end)
    read_end, write_end = os.pipe()
    packing = await asyncio.create_subprocess_exec("tar", "c", "-C", str(source), ".", stdout=write_end)
    os.close(write_end)
    caller = await pipes.start("connect", address, stdin=read_end)
    os.close(read_end)

    codes = [await process.wait() for process in (packing, caller, listener, unpacking)]

    assert codes == [0, 0, 0, 0]
    assert digest(target / "file") == digest(source / "file")
    assert (target / "empty").exists()


@pytest.mark.long
async def test_a_second_caller_is_refused_and_not_mixed_in(pipes: Pipes) -> None:
    """It is told why, with the exit code of a refusal; the first goes on."""
    listener, address = await pipes.listen("tcp://127.0.0.1:0")
    first = await pipes.start("connect", address, stdin=PIPE)
    assert first.stdin is not None and listener.stdout is not None
    first.stdin.write(b"one ")
    assert await listener.stdout.readexactly(4) == b"one "

    second = await pipes.start("connect", address)
    _, errors = await second.communicate()
    first.stdin.write(b"two")
    first.stdin.close()
    rest = await listener.stdout.read()

    assert second.returncode == 4
    assert errors.decode() == f"landline: {address} refused: busy: it is serving another caller\n"
    assert rest == b"two"
    assert (await listener.wait(), await first.wait()) == (0, 0)


@pytest.mark.long
async def test_kept_it_serves_one_caller_after_the_other(pipes: Pipes) -> None:
    """Until it is told to stop, which is no failure."""
    listener, address = await pipes.listen("--keep", "tcp://127.0.0.1:0")
    assert listener.stdout is not None
    for word in (b"one", b"two"):
        caller = await pipes.start("connect", address, stdin=PIPE)
        await caller.communicate(word)
        assert caller.returncode == 0
        assert await listener.stdout.readexactly(3) == word
    listener.send_signal(signal.SIGTERM)

    assert await listener.wait() == 0


async def test_who_speaks_plain_text_is_told_and_hung_up_on(pipes: Pipes) -> None:
    """Nc has called a session; the place stays free for who can speak it."""
    listener, address = await pipes.listen("tcp://127.0.0.1:0")
    plain = await landline.dial(address)
    plain.send(b"hello\n")
    answer = await plain.receive()
    assert await plain.receive() == b""
    await plain.close()

    caller = await pipes.start("connect", address, stdin=PIPE)
    await caller.communicate(b"data")

    assert (
        answer
        == b"This is a landline pipe: call it with `landline connect`, or have it listen with --plain.\n"
    )
    assert (await listener.communicate())[0] == b"data"


async def test_a_program_that_is_no_pipe_is_turned_away(pipes: Pipes) -> None:
    """A session of another program neither gets bytes nor takes the place."""
    _, address = await pipes.listen("tcp://127.0.0.1:0")

    async with landline.connect(address) as session:
        _ = await session.send("hello, chat?")
        with pytest.raises(
            landline.SessionClosed, match="this is a pipe: it is called with `landline connect`"
        ):
            await session.receive()


@pytest.mark.long
async def test_a_reader_that_has_enough_ends_both(pipes: Pipes) -> None:
    """``landline listen | head``: quiet here, and one sentence over there."""
    read_end, write_end = os.pipe()
    listener, address = await pipes.listen("tcp://127.0.0.1:0", stdout=write_end)
    os.close(write_end)
    os.close(read_end)
    caller = await pipes.start("connect", address, stdin=PIPE)
    assert caller.stdin is not None
    caller.stdin.write(b"x")
    _, errors = await caller.communicate(b"y" * MEBIBYTE)

    assert caller.returncode == 1
    assert b"the other side hung up (nobody reads its output any more) before everything was said" in errors
    _, errors = await listener.communicate()
    assert (listener.returncode, errors.strip()) == (1, b"")


async def test_ctrl_c_drains_and_the_other_side_knows_that_it_is_not_whole(pipes: Pipes) -> None:
    """What was read arrives; 0 here, 1 there."""
    listener, address = await pipes.listen("tcp://127.0.0.1:0")
    caller = await pipes.start("connect", address, stdin=PIPE)
    assert caller.stdin is not None and listener.stdout is not None
    caller.stdin.write(b"half")
    assert await listener.stdout.readexactly(4) == b"half"
    caller.send_signal(signal.SIGINT)

    assert await caller.wait() == 0
    _, errors = await listener.communicate()
    assert listener.returncode == 1
    assert (
        b"the other side hung up (it was interrupted) before everything was said; 4 bytes of theirs" in errors
    )


async def test_at_a_terminal_it_ends_when_the_other_side_does(pipes: Pipes) -> None:
    """``landline listen | tar x`` needs no Ctrl-D."""
    leader, terminal = pty.openpty()
    try:
        listener, address = await pipes.listen("tcp://127.0.0.1:0", stdin=terminal)
        caller = await pipes.start("connect", address, stdin=PIPE)
        await caller.communicate(b"all of it")
        out, _ = await listener.communicate()
    finally:
        os.close(leader)
        os.close(terminal)

    assert (listener.returncode, caller.returncode, out) == (0, 0, b"all of it")


@pytest.mark.needs("nc")
async def test_plain_listens_for_nc_and_speaks_first(pipes: Pipes) -> None:
    """A bare socket: nothing waits for the caller's first byte, and each direction has its own end."""
    path = pipes.folder / "plain.sock"
    listener, _ = await pipes.listen("--plain", f"unix://{path}", stdin=PIPE)
    assert listener.stdin is not None
    listener.stdin.write(b"I speak first\n")
    listener.stdin.close()
    caller = await asyncio.create_subprocess_exec("nc", "-NU", str(path), stdin=PIPE, stdout=PIPE)
    assert caller.stdin is not None and caller.stdout is not None
    first = await caller.stdout.readline()
    caller.stdin.write(b"and I second")
    caller.stdin.close()
    assert listener.stdout is not None

    assert first == b"I speak first\n"
    assert await listener.stdout.read() == b"and I second"
    assert (await listener.wait(), await caller.wait()) == (0, 0)


@pytest.mark.long
async def test_each_step_of_a_sockets_life_is_shown_on_request(pipes: Pipes) -> None:
    """``-v`` at both ends: created, bound, listening, accepted, connected, closed."""
    listener, address = await pipes.listen("-v", "--log-format", "human", "tcp://127.0.0.1:0")
    caller = await pipes.start("connect", "-v", "--log-format", "human", address)
    _, told_there = await caller.communicate()
    _, told_here = await listener.communicate()

    for step in ("connecting to", "connected to", "connected after connecting", "closing", "closed the line"):
        assert step in told_there.decode()
    for step in ("accepted", "connected after connecting", "closed the line", "closed the listening socket"):
        assert step in told_here.decode()


async def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    """In the words of every command that listens."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "landline",
            "listen",
            f"127.0.0.1:{port}",
            stdin=DEVNULL,
            stderr=PIPE,
            cwd=tmp_path,
        )
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert errors.startswith(f"landline: cannot listen on tcp://127.0.0.1:{port}: the port is taken".encode())


@pytest.mark.parametrize("arguments", [["listen"], ["listen", "bogus://x"], ["listen", "99999"]])
def test_a_bad_address_is_a_mistake_of_the_command_line(arguments: list[str]) -> None:
    """Before anything is opened."""
    assert main(arguments) == 2


@pytest.mark.parametrize("command", ["listen", "connect"])
@pytest.mark.long
def test_a_closed_output_is_refused(command: str) -> None:
    """What is sent to nowhere is not delivered: nobody may be told so."""
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m landline "$1" 127.0.0.1:1 </dev/null >&-', sys.executable, command],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=30,
    )

    assert ended.returncode != 0
    assert "standard output is closed: send it somewhere" in ended.stderr


@pytest.mark.needs("systemd-socket-activate")
@pytest.mark.parametrize("plain", [(), ("--plain",)])
@pytest.mark.long
async def test_a_socket_that_systemd_opened_is_listened_on(pipes: Pipes, plain: tuple[str, ...]) -> None:
    """The caller who started the program by dialling is the one that it serves."""
    path = pipes.folder / "pipe.sock"
    command = (sys.executable, "-m", "landline", "listen", *plain, f"unix://{path}")
    waiting = await asyncio.create_subprocess_exec(
        "systemd-socket-activate", "-l", str(path), *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    pipes.ends(waiting)
    await said(waiting, b"Listening on")
    (pipes.folder / "input").write_bytes(b"piped")
    with (pipes.folder / "input").open("rb") as source:
        caller = await pipes.start("connect", *plain, f"unix://{path}", stdin=source)
    out, err = await waiting.communicate()

    assert out == b"piped"
    assert f"Listening at unix://{path}.".encode() in err
    assert [waiting.returncode, await caller.wait()] == [0, 0]
