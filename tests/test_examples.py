"""The examples, run as a newcomer runs them: real processes on real terminals."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "examples" / "classic_client.py"
SERVER = ROOT / "examples" / "classic_server.py"


@contextmanager
def on_a_terminal(*command: str | Path, port: int = 0) -> Iterator[pexpect.spawn[str]]:
    """Run a command on a terminal of its own, told the port by the environment; end it in every case."""
    environment = {**os.environ, "LANDLINE_PORT": str(port), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    program, *arguments = map(str, command)
    child = pexpect.spawn(
        program, arguments, env=environment, encoding="utf-8", timeout=30, dimensions=(24, 200), cwd=str(ROOT)
    )
    try:
        yield child
    finally:
        child.close(force=True)


def port_of(server: pexpect.spawn[str]) -> int:
    """Return the port that a classic server waits at."""
    server.expect(r"Waiting at localhost port (\d+)\.")
    assert server.match is not None
    assert not isinstance(server.match, (type, str))
    return int(server.match[1])


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port


def test_the_classic_pair() -> None:
    """They take turns until one says bye; both end well."""
    with (
        on_a_terminal(sys.executable, SERVER) as server,
        on_a_terminal(sys.executable, CLIENT, port=port_of(server)) as client,
    ):
        client.expect_exact("you: ")
        client.sendline("hello")
        server.expect_exact("hello")
        server.sendline("hi, caller")
        client.expect_exact("hi, caller")
        client.sendline("Bye")
        server.expect_exact("The other side said goodbye.")
        for end in (client, server):
            end.expect(pexpect.EOF)
            end.close()
            assert end.exitstatus == 0


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_either_end_may_be_interrupted(key: str) -> None:
    """Ctrl-C or Ctrl-D in the client ends both without a traceback, and the socket is closed."""
    with (
        on_a_terminal(sys.executable, SERVER) as server,
        on_a_terminal(sys.executable, CLIENT, port=port_of(server)) as client,
    ):
        client.expect_exact("you: ")
        client.send(key)
        server.expect_exact("The other side said goodbye.")
        for end in (client, server):
            end.expect(pexpect.EOF)
            end.close()
            assert end.exitstatus == 0
            assert "Traceback" not in str(end.before)


def test_the_server_hangs_up() -> None:
    """The client says so."""
    with (
        on_a_terminal(sys.executable, SERVER) as server,
        on_a_terminal(sys.executable, CLIENT, port=port_of(server)) as client,
    ):
        client.expect_exact("you: ")
        client.sendline("hello")
        server.expect_exact("you: ")
        server.send("\x04")
        client.expect_exact("The other side hung up.")
        client.expect(pexpect.EOF)


def test_nobody_there() -> None:
    """A sentence, not a traceback."""
    done = subprocess.run(
        [sys.executable, CLIENT],
        env={**os.environ, "LANDLINE_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("No chat at localhost port ")
    assert "Traceback" not in done.stderr


def test_the_port_is_taken() -> None:
    """The server says so in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [sys.executable, SERVER],
            env={**os.environ, "LANDLINE_PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("The server cannot wait at localhost port ")
    assert done.stderr.endswith(": the port is taken.\n")


def test_what_is_not_text_ends_the_server_with_a_sentence() -> None:
    """Such as the greeting of a client of ours."""
    with on_a_terminal(sys.executable, SERVER) as server:
        with socket.create_connection(("localhost", port_of(server))) as caller:
            caller.sendall(b"\xff\xfe")
            server.expect_exact("The other side sent what is not text")
            server.expect(pexpect.EOF)
        assert "Traceback" not in str(server.before)


def test_landline_calls_the_classic_server() -> None:
    """``landline chat --plain``: what waits is seen, an empty reply is explained, and nobody is stuck."""
    with on_a_terminal(sys.executable, SERVER) as server:
        address = f"localhost:{port_of(server)}"
        with on_a_terminal(sys.executable, "-m", "landline", "chat", "--plain", address) as caller:
            caller.expect_exact("Connected to")
            caller.send("hello\r")
            server.expect_exact("hello")
            caller.send("are you there?\r")
            caller.expect_exact("That waits until they have answered (1 waiting).")
            server.sendline("hi, caller")
            caller.expect_exact("hi, caller")
            server.expect_exact("are you there?")
            server.sendline("")  # sends nothing, and blocks in recv
            caller.expect_exact("they are waiting for you")
            caller.send("so I go on\r")
            server.expect_exact("so I go on")
            server.sendline("good")
            caller.expect_exact("good")
            caller.send("bye\r")
            server.expect_exact("The other side said goodbye.")
            for end in (server, caller):
                end.expect(pexpect.EOF)
                end.close()
                assert end.exitstatus == 0
