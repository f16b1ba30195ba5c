"""``landline serve`` hands the settings to the chat server and its exit code back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import landline
from landline.apps.chat import server
from landline.cli.main import main
from landline.settings import Settings


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the server was run with."""
    calls: list[Settings] = []

    class Server:
        @staticmethod
        async def run(settings: Settings, stop: asyncio.Event) -> int:
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
    async def run(settings: Settings, stop: asyncio.Event) -> int:
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
