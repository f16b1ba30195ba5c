"""``landline serve`` hands the settings to the chat server and its exit code back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

import landline
from landline.apps.chat import server
from landline.cli.main import main
from landline.settings import Settings

SERVE = (sys.executable, "-m", "landline", "serve")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the server was run with."""
    calls: list[Settings] = []

    class Server:
        @staticmethod
        async def run(settings: Settings, stop: asyncio.Event, _doors: object, **_: object) -> int:
            assert not stop.is_set()
            calls.append(settings)
            return 0

    monkeypatch.setattr(server, "serve", Server, raising=False)
    monkeypatch.chdir(tmp_path)
    return calls


def test_flags_become_settings(served: list[Settings], tmp_path: Path) -> None:
    """Each where the server looks for it."""
    arguments = [
        "--address",
        "tcp://a:1",
        "--address",
        "b",
        "--data",
        str(tmp_path / "d"),
        "--no-operator",
        "--history",
        "9",
    ]

    assert main(["serve", *arguments]) == 0

    (settings,) = served
    assert settings.serve.addresses == ("tcp://a:1", "tcp://b:12345")
    assert settings.data == tmp_path / "d"
    assert settings.serve.operator is False
    assert settings.serve.history == 9


def test_host_and_port_become_an_address(served: list[Settings]) -> None:
    """The everyday way."""
    assert main(["serve", "--host", "::1", "--port", "0"]) == 0

    assert served[0].serve.addresses == ("tcp://[::1]:0",)


def test_a_bad_setting_starts_nothing(served: list[Settings]) -> None:
    """No server, no folder."""
    assert main(["serve", "--port", "x"]) == 2

    assert served == []


class Listens:
    """A server that does nothing but listen, with the real library."""

    @staticmethod
    async def run(settings: Settings, stop: asyncio.Event, _doors: object, **_: object) -> int:
        """Listen until told to stop."""

        async def say_nothing(session: landline.Session) -> None:
            async for _ in session:
                pass

        async with landline.serve(say_nothing, *settings.serve.addresses):
            await stop.wait()
        return 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_taken_port_names_its_holder(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a real socket is in the way, and the sentence says whose and what to do."""
    monkeypatch.setattr(server, "serve", Listens, raising=False)
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        assert main(["serve", "--host", host, "--port", str(port)]) == 1

    err = capsys.readouterr().err
    assert err.startswith(f"landline: cannot listen on tcp://{host}:{port}: the port is taken; ")
    assert f"port {port} is held by process {os.getpid()} (" in err
    other = int(re.findall(r"`landline serve --port (\d+)`", err)[0])
    assert 0 < abs(other - port) <= 16
    assert len(err.splitlines()) == 1


def test_a_second_server_is_sent_to_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two real servers on one port: the second says how to join the first, which drains with 0 when told to stop."""
    arguments = [sys.executable, "-m", "landline", "serve", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*arguments, "--port", "0", "--data", str(tmp_path / "first")], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        port = re.findall(r":(\d+)", first.stdout.readline())[0]

        assert main(["serve", "--host", "127.0.0.1", "--port", port, "--data", str(tmp_path / "second")]) == 1

        err = capsys.readouterr().err
        assert f"port {port} is held by process {first.pid} (" in err
        assert f"`landline chat --port {port}` joins what runs there" in err
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0


# Its sockets: those that were passed, and those that it passes on...


@contextmanager
def serving(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A real server; ended in every case."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], words: str) -> str:
    """Wait for a line of its output with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    assert process.stderr is not None
    raise AssertionError(f"it ended, and never said {words!r}: {process.stderr.read()}")


def call(family: int, where: Any) -> str:
    """Call by plain text; return what is heard first."""
    with socket.socket(family) as caller:
        caller.settimeout(30)
        caller.connect(where)
        caller.sendall(b"/who\n")
        return caller.recv(200).decode()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.long
def test_a_server_starts_anew_in_its_place(loop: str, tmp_path: Path) -> None:
    """Same process, same port, same file; who dials meanwhile is served by the next one, and in the end nothing is left of the file."""
    path = tmp_path / "chat.sock"
    addresses = ("--address", "tcp://127.0.0.1:0", "--address", f"unix://{path}")
    program = (*SERVE, *addresses, "--data", str(tmp_path / "d"), "--loop", loop)
    with serving(*program) as process:
        port = int(re.findall(r":(\d+)", said(process, "The chat is open at"))[0])
        said(process, "Ctrl-C")
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(b"hello\n")
            assert caller.recv(200).startswith(b"* Welcome")
            process.send_signal(signal.SIGUSR2)
            heard = b"".join(iter(lambda: caller.recv(4096), b""))
        for family, where in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_UNIX, str(path))):
            assert call(family, where).startswith("* Welcome")
        said(process, "The chat restarts.")
        again = said(process, "The chat is open at")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert heard.decode().endswith("* The chat server restarts, and is back in a moment.\n")
    assert f"tcp://127.0.0.1:{port} and unix://{path}." in again
    assert not path.exists()


@pytest.mark.parametrize("what", ["broken", "another address", "missing.pem"])
@pytest.mark.long
def test_a_server_that_could_not_start_again_goes_on(what: str, tmp_path: Path) -> None:
    """The settings have become useless, or would leave a socket that people dial: it says so, and serves."""
    settings = tmp_path / "landline.toml"
    path = tmp_path / "chat.sock"
    settings.write_text(f'[serve]\naddress = ["unix://{path}"]\n')
    program = (*SERVE, "--config", str(settings), "--data", str(tmp_path / "d"), "--log-format", "human")
    with serving(*program) as process:
        said(process, "Ctrl-C")
        settings.write_text(
            {
                "broken": "[serve",
                "another address": f'[serve]\naddress = ["unix://{path}.new"]\n',
                "missing.pem": f'[serve]\naddress = ["unix://{path}"]\ntls = "yes"\n[tls]\ncertificate = "missing.pem"',
            }[what]
        )
        process.send_signal(signal.SIGUSR2)
        assert process.stderr is not None
        why = process.stderr.readline()
        assert call(socket.AF_UNIX, str(path)).startswith("* Welcome")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert "not restarted: " in why
    expected = {
        "broken": f"{settings} cannot be read",
        "another address": f"unix://{path} would not be served any more",
        "missing.pem": "missing.pem cannot be read",
    }
    assert expected[what] in why


@pytest.mark.parametrize("term", ["xterm", pytest.param("dumb", marks=pytest.mark.long)])
@pytest.mark.long
def test_an_operator_keeps_the_terminal(term: str, tmp_path: Path) -> None:
    """What is typed after the restart is said as before, and the terminal is left as it was found."""
    environment = {**os.environ, "TERM": term, "PROMPT_TOOLKIT_NO_CPR": "1"}
    child: pexpect.spawn[str] = pexpect.spawn(
        SERVE[0],
        [*SERVE[1:], "--port", "0", "--data", str(tmp_path)],
        env=environment,
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 160),
    )
    found = termios.tcgetattr(child.child_fd)
    assert child.pid is not None
    for _ in range(2):
        child.expect_exact("You are host")
        child.send("hello\r")
        child.expect_exact("nobody else is in the room")
        os.kill(child.pid, signal.SIGUSR2)
    child.expect_exact("You are host")
    assert os.tcgetpgrp(child.child_fd) == child.pid
    os.kill(child.pid, signal.SIGTERM)
    child.expect_exact("The chat is closed.")
    left = termios.tcgetattr(child.child_fd)
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0
    assert left == found


@pytest.mark.needs("systemd-socket-activate")
@pytest.mark.long
def test_a_server_is_started_by_systemd(tmp_path: Path) -> None:
    """By the first who dials; it serves in the socket that systemd opened, over its own restarts, and leaves its file."""
    path = tmp_path / "chat.sock"
    program = (*SERVE, "--address", f"unix://{path}", "--data", str(tmp_path / "d"))
    with serving("systemd-socket-activate", "-l", str(path), "--fdname=chat", *program) as process:
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        assert call(socket.AF_UNIX, str(path)).startswith("* Welcome")
        said(process, f"The chat is open at unix://{path}.")
        process.send_signal(signal.SIGUSR2)
        said(process, "The chat restarts.")
        assert call(socket.AF_UNIX, str(path)).startswith("* Welcome")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert path.exists()


@pytest.mark.needs("systemd-socket-activate")
def test_a_socket_that_nobody_asked_for_is_named(tmp_path: Path) -> None:
    """The unit opens one address and the server is told another: it does not start, and leaves no history behind."""
    path = tmp_path / "chat.sock"
    program = (*SERVE, "--address", "tcp://127.0.0.1:0", "--data", str(tmp_path / "d"))
    with serving("systemd-socket-activate", "-l", str(path), "--fdname=chat", *program) as process:
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
        code = process.wait(30)
        err = process.stderr.read()

    assert code == 1
    assert (
        f"landline: cannot listen on unix://{path}: that socket was passed to us, named chat, and no" in err
    )
    assert not (tmp_path / "d").exists()


def test_variables_that_cannot_be_read_start_nothing(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are a setting like others; those for another process are passed over, and none is left for a child."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "abc")
    assert main(["serve"]) == 2
    assert 'landline: LISTEN_FDS is "abc", but it must be a whole number above 0' in capsys.readouterr().err
    assert served == []

    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert main(["serve"]) == 0
    assert len(served) == 1
    assert not [name for name in os.environ if name.startswith("LISTEN_")]
