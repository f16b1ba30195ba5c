"""The programs that people have: nc, telnet and a socket script, each a real process, at a real ``landline serve``."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.terminals import end_program

ROOT = Path(__file__).resolve().parents[4]
CLIENT = ROOT / "examples" / "classic_client.py"


@contextmanager
def on_a_terminal(*command: str | Path, **environment: str) -> Iterator[pexpect.spawn[str]]:
    """Run a command on a terminal of its own; end it in every case."""
    program, *arguments = map(str, command)
    child = pexpect.spawn(
        program,
        arguments,
        env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        encoding="utf-8",
        timeout=20,
        dimensions=(24, 200),
        cwd=str(ROOT),
    )
    try:
        yield child
    finally:
        end_program(child)


@contextmanager
def a_server(data: Path, *arguments: str) -> Iterator[tuple[pexpect.spawn[str], str]]:
    """Run ``landline serve`` on a free port; give its terminal and that port."""
    serve = ("-m", "landline", "serve", "--port", "0", "--data")
    with on_a_terminal(sys.executable, *serve, data, *arguments) as server:
        server.expect(r"tcp://127\.0\.0\.1:(\d+)")
        assert isinstance(server.match, re.Match)
        port = server.match[1]
        server.expect_exact("Ctrl-C ends it")
        yield server, port
        server.sendintr()
        server.expect(pexpect.EOF)
        server.close()
        assert server.exitstatus == 0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server without an operator for all tests of this file; each uses a room or words of its own."""
    with a_server(tmp_path_factory.mktemp("data"), "--no-operator") as (_, number):
        yield number


def heard_at_the_end(*command: str, said: str) -> str:
    """Run a command with this on its standard input to its end, and return what it printed."""
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout


@contextmanager
def line_caller(port: str, room: str = "lobby") -> Iterator[socket.socket]:
    """Somebody on a bare socket who reads lines."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as line:
        line.sendall(b"\n" if room == "lobby" else f"/join {room}\n".encode())
        hears(line, "bye leaves." if room == "lobby" else f"You are in {room} now.")
        yield line


def hears(line: socket.socket, wanted: str) -> str:
    """Read until this was heard."""
    heard = ""
    while wanted not in heard:
        data = line.recv(4096)
        assert data, f"hung up after {heard!r}"
        heard += data.decode()
    return heard


@pytest.mark.needs("nc")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_nc_in_a_pipe(port: str, host: str) -> None:
    """Said, answered, and hung up at bye; over IPv4 and IPv6."""
    heard = heard_at_the_end("nc", host, port, said="hello\n/join quiet\n/who\nbye\n")

    lines = heard.splitlines()
    assert lines[0].startswith("* Welcome to landline. You are guest-")
    assert lines[-1] == "* Goodbye."
    assert any(line.startswith("* In quiet: guest-") for line in lines)
    assert "\r" not in heard


@pytest.mark.needs("nc")
def test_nc_that_only_says_one_thing(port: str) -> None:
    """``printf hello | nc -N``: no line end, no bye; it is said all the same."""
    with line_caller(port) as line:
        heard_at_the_end("nc", "-N", "localhost", port, said="said without a line end")

        heard = hears(line, "left")
        assert re.search(r"guest-\d+: said without a line end\n\* guest-\d+ left", heard)


@pytest.mark.needs("nc")
def test_two_nc_on_terminals(port: str) -> None:
    """Each types and presses Enter, each sees the other, and is seen to leave."""
    with on_a_terminal("nc", "localhost", port) as ana, on_a_terminal("nc", "127.0.0.1", port) as ben:
        for caller in (ana, ben):
            caller.sendline("/join pair")
            caller.expect_exact("You are in pair now.")
        ana.sendline("/nick ana")
        ben.expect_exact("is called ana now")
        ben.sendline("héllo ana")
        ana.expect(r"guest-\d+: héllo ana")
        ana.sendline("BYE")
        ana.expect_exact("Goodbye.")
        ben.expect_exact("ana left")


@pytest.mark.needs("telnet")
def test_telnet(port: str) -> None:
    """Negotiation is no text, lines end as telnet wants it, and bye hangs up."""
    with on_a_terminal("telnet", "localhost", port) as caller:
        caller.expect_exact("Escape character")
        caller.sendline("hello")
        caller.expect_exact("bye leaves.\r\n")
        caller.sendline("/who")
        caller.expect(r"\* In lobby: [^\n]*guest-\d+")
        caller.sendline("bye")
        caller.expect_exact("Goodbye.")
        caller.expect_exact("Connection closed by foreign host.")


@pytest.mark.needs("telnet")
def test_control_c_in_telnet_leaves(port: str) -> None:
    """Telnet sends it as a command, and shows nothing more until it is answered: here by the goodbye."""
    with on_a_terminal("telnet", "localhost", port) as caller:
        caller.expect_exact("Escape character")
        caller.sendline("hello")
        caller.expect_exact("bye leaves.")
        caller.send("\x03")
        caller.expect_exact("Connection closed by foreign host.")


def test_the_classic_client_without_an_operator(port: str) -> None:
    """It takes turns with the room, gets a receipt when nobody speaks, and is seen to come, speak and leave."""
    with (
        line_caller(port) as line,
        on_a_terminal(sys.executable, CLIENT, LANDLINE_PORT=port) as client,
    ):
        line.sendall(b"/nick watcher\n")
        hears(line, "You are watcher now.")
        client.expect_exact("you: ")
        client.sendline("hello")
        client.expect(r"\* You are (guest-\d+), in lobby \(with [^)]*watcher")
        assert isinstance(client.match, re.Match)
        name = client.match[1]
        client.expect(r"\* said in lobby: to \d other")
        client.expect_exact("you: ")
        hears(line, f"{name}: hello")
        line.sendall("grüß dich\n".encode())
        hears_echo(line)
        client.sendline("how are you?")
        client.expect_exact("watcher: grüß dich")
        client.expect_exact("you: ")
        client.sendline("bye")
        client.expect(pexpect.EOF)
        assert f"* {name} left" in hears(line, f"{name} left")


def hears_echo(line: socket.socket) -> None:
    """Wait until the server has carried out everything that this caller sent."""
    line.sendall(b"/rooms\n")
    hears(line, "* Rooms: ")


def test_an_empty_line_of_the_classic_client_is_helped(port: str) -> None:
    """It blocks in recv; after five seconds of silence the next word goes to it unasked."""
    with (
        line_caller(port, "empty") as line,
        on_a_terminal(sys.executable, CLIENT, LANDLINE_PORT=port) as client,
    ):
        client.expect_exact("you: ")
        client.sendline("/join empty")
        client.expect_exact("You are in empty now.")
        client.expect_exact("you: ")
        client.sendline("")
        line.sendall(b"are you still there?\n")  # within the silence: it waits until that is over
        client.expect_exact("are you still there?")
        client.expect_exact("you: ")
        client.sendline("bye")
        client.expect(pexpect.EOF)


@pytest.mark.long
def test_two_terminals_are_a_call(tmp_path: Path) -> None:
    """What the operator types at ``landline serve`` is the classic client's answer, and the other way round."""
    with (
        a_server(tmp_path / "data") as (server, port),
        on_a_terminal(sys.executable, CLIENT, LANDLINE_PORT=port) as client,
    ):
        client.expect_exact("you: ")
        client.sendline("hello, is anybody there?")
        server.expect_exact("hello, is anybody there?")
        server.send("I am\r")
        client.expect_exact("host: I am")
        client.expect_exact("you: ")
        client.sendline("wonderful")
        server.expect_exact("wonderful")
        server.send("isn't it\r")
        client.expect_exact("host: isn't it")
        client.expect_exact("you: ")
        client.sendline("bye")
        client.expect(pexpect.EOF)
        server.expect_exact("left")
