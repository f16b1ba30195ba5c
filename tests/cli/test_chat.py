"""``landline chat`` hands the settings to the terminal client, or with --plain to the plain call."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

import landline
from landline.apps.chat import client, plain
from landline.cli.main import main
from landline.settings import Settings

Calls = list[tuple[str, Settings]]


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Which app was run, with which settings; each ends with a code of its own."""
    calls: Calls = []

    def app(name: str, code: int) -> type:
        class App:
            @staticmethod
            async def run(settings: Settings, stop: asyncio.Event) -> int:
                assert not stop.is_set()
                calls.append((name, settings))
                return code

        return App

    monkeypatch.setattr(client, "terminal", app("terminal", 0), raising=False)
    monkeypatch.setattr(plain, "call", app("plain_call", 5), raising=False)
    monkeypatch.chdir(tmp_path)
    return calls


def test_the_address_may_stand_alone(called: Calls) -> None:
    """With name and rooms."""
    assert main(["chat", "example.org", "--name", "ana", "--room", "a", "--room", "b"]) == 0

    ((app, settings),) = called
    assert app == "terminal"
    assert settings.chat.address == "tcp://example.org:12345"
    assert (settings.chat.name, settings.chat.name_chosen) == ("ana", True)
    assert settings.chat.rooms == ("a", "b")
    assert settings.chat.plain is None


def test_plain_calls_another_kind_of_server(called: Calls) -> None:
    """Its code comes back as well."""
    assert main(["chat", "--plain", "example.org:7"]) == 5

    ((app, settings),) = called
    assert app == "plain_call"
    assert settings.chat.plain == "tcp://example.org:7"


def test_plain_alone_calls_at_the_host_and_port_of_the_settings(called: Calls) -> None:
    """And what follows it is an option, not an address."""
    assert main(["chat", "--plain"]) == 5
    assert main(["chat", "--plain", "--port", "7"]) == 5
    assert main(["chat", "--plain", "--help"]) == 0

    assert [settings.chat.plain for _, settings in called] == ["tcp://localhost:12345", "tcp://localhost:7"]


def test_an_option_is_no_address(called: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    """No host's name begins with a hyphen."""
    assert main(["chat", "--", "--help"]) == 2

    assert 'is "--help", but an address looks like' in capsys.readouterr().err
    assert called == []


def test_an_address_from_the_environment_does_not_bar_a_plain_call(
    called: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one that was typed contradicts it."""
    monkeypatch.setenv("LANDLINE_ADDRESS", "tcp://elsewhere:1")

    assert main(["chat", "--plain", "example.org:7"]) == 5

    assert called[0][1].chat.plain == "tcp://example.org:7"


class Dials:
    """A client that does nothing but dial, with the real library."""

    @staticmethod
    async def run(settings: Settings, _stop: asyncio.Event) -> int:
        """Dial once."""
        async with landline.connect(settings.chat.address):
            return 0


def test_nobody_there_is_exit_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a port on which nobody listens."""
    monkeypatch.setattr(client, "terminal", Dials, raising=False)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as bound:  # keeps others away from the port, and does not listen
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"

        assert main(["chat", address]) == 3

    err = capsys.readouterr().err
    assert err.startswith(f"landline: cannot connect to tcp://{address}: ")
    assert err.endswith("; is a server running there? `landline serve` starts one\n")


@pytest.mark.parametrize(
    ("place", "is_good"), [("file", False), ("file/in", False), (".", True), ("new/x", True)]
)
def test_downloads_go_into_a_folder(
    called: Calls, place: str, is_good: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is none is refused at the start, and not when a file comes; one that is missing is made then."""
    Path("file").touch()

    assert main(["chat", "example.org", "--downloads", place]) == (0 if is_good else 2)
    assert ("is no folder" in capsys.readouterr().err) != is_good
    assert not Path("new").exists()
