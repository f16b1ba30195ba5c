"""A call to a classic ten-line server, as a real process on a terminal and in a pipe; with an empty reply: see test_examples."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from landline.apps.chat.plain import call as plain_call
from landline.errors import SettingsError
from landline.settings import Settings
from tests.terminals import end_program

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def classic_server() -> Iterator[tuple[str, list[str]]]:
    """Start a server that upper-cases what it hears; yield its address and what it heard."""
    heard: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)

    def serve() -> None:
        with listener.accept()[0] as client:
            while data := client.recv(1024):
                heard.append(data.decode())
                if data == b"bye":
                    return
                client.send(data.decode().upper().encode())

    server = threading.Thread(target=serve)
    server.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", heard
    server.join(30)
    listener.close()


def command(address: str) -> list[str]:
    return [sys.executable, "-m", "landline", "chat", "--plain", address]


def test_in_a_pipe(classic_server: tuple[str, list[str]]) -> None:
    """What is heard goes to stdout, what is said about the call to stderr."""
    address, heard = classic_server
    done = subprocess.run(
        command(address),
        input="hello\nübung\nbye\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
    )

    assert done.stdout == "HELLO\nÜBUNG\n"
    assert done.stderr.startswith("* Connected to tcp://127.0.0.1:")
    assert done.stderr.endswith("* They hung up.\n")
    assert (done.returncode, heard) == (0, ["hello", "übung", "bye"])


def test_from_a_file_to_its_end(classic_server: tuple[str, list[str]], tmp_path: Path) -> None:
    """A regular file as standard input, without bye and without a last line end."""
    address, heard = classic_server
    (tmp_path / "lines").write_text("one\ntwo")
    with (tmp_path / "lines").open() as lines:
        done = subprocess.run(
            command(address), stdin=lines, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT
        )

    assert (done.returncode, done.stdout, heard) == (0, "ONE\nTWO\n", ["one", "two"])
    assert done.stderr.endswith("* That was all.\n")


def spawn(address: str, terminal: str = "xterm") -> pexpect.spawn[str]:
    """Start a call on a terminal of its own."""
    environment = {**os.environ, "TERM": terminal, "PROMPT_TOOLKIT_NO_CPR": "1"}
    program, *arguments = command(address)
    return pexpect.spawn(
        program, arguments, env=environment, encoding="utf-8", timeout=30, dimensions=(24, 200), cwd=str(ROOT)
    )


def test_on_a_dumb_terminal(classic_server: tuple[str, list[str]]) -> None:
    """No cursor to move: lines in, lines out."""
    address, heard = classic_server
    child = spawn(address, "dumb")
    try:
        child.expect_exact("Connected to")
        child.send("hello\r")
        child.expect_exact("HELLO")
        child.send("bye\r")
        child.expect(pexpect.EOF)
    finally:
        end_program(child)

    assert "\x1b" not in str(child.before)
    assert (child.exitstatus, heard) == (0, ["hello", "bye"])


def test_on_a_terminal(classic_server: tuple[str, list[str]]) -> None:
    """What is heard stands above the prompt, and bye ends it."""
    address, heard = classic_server
    child = spawn(address)
    try:
        child.expect_exact("Connected to")
        child.send("hello\r")
        child.expect_exact("HELLO")
        child.send("bye\r")
        child.expect_exact("They hung up.")
        child.expect(pexpect.EOF)
    finally:
        end_program(child)

    assert child.exitstatus == 0
    assert heard == ["hello", "bye"]


def test_control_c_says_bye(classic_server: tuple[str, list[str]]) -> None:
    """The other side is told, and it is a good end."""
    address, heard = classic_server
    child = spawn(address)
    try:
        child.expect_exact("Connected to")
        child.expect_exact(">")
        child.send("\x03")
        child.expect(pexpect.EOF)
    finally:
        end_program(child)

    assert (child.exitstatus, heard) == (0, ["bye"])


def test_nobody_answers() -> None:
    """A sentence and the exit code for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = subprocess.run(
        command(f"127.0.0.1:{port}"),
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 3
    assert f"cannot connect to tcp://127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_without_an_address() -> None:
    """The setting is named."""
    with pytest.raises(SettingsError, match="--plain HOST:PORT"):
        await plain_call.run(Settings(), asyncio.Event())
