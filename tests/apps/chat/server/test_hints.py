"""How to join: commands that run as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from landline.apps.chat.server.hints import hints, how_to_join
from landline.settings import ServeSettings, Settings

ROOT = Path(__file__).resolve().parents[4]


def commands(addresses: list[str], *, from_make: bool = False, asked: str = "") -> list[str]:
    asked = asked or f"tcp://localhost:{addresses[0].rpartition(':')[2]}"
    settings = Settings(from_make=from_make, serve=ServeSettings(addresses=(asked,)))
    return [hint.command for hint in hints(settings, addresses)]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.fixture
def in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("in_checkout")
def test_from_the_checkout_on_the_usual_port() -> None:
    """Three commands, as short as they can be."""
    assert commands(["tcp://127.0.0.1:12345", "tcp://[::1]:12345"], from_make=True) == [
        "make chat",
        "nc localhost 12345",
        "python3 examples/classic_client.py",
    ]


@pytest.mark.usefixtures("in_checkout")
def test_from_the_checkout_on_another_port() -> None:
    """Each command carries the port."""
    assert commands(["tcp://127.0.0.1:12346"], from_make=True) == [
        "LANDLINE_PORT=12346 make chat",
        "nc localhost 12346",
        "LANDLINE_PORT=12346 python3 examples/classic_client.py",
    ]


@pytest.mark.usefixtures("installed")
def test_installed() -> None:
    """The program itself, with the address where it is not the usual one."""
    assert commands(["tcp://127.0.0.1:12345"]) == ["landline chat", "nc localhost 12345"]
    assert commands(["tcp://127.0.0.1:12346"]) == [
        "landline chat tcp://localhost:12346",
        "nc localhost 12346",
    ]


def test_where_the_program_is_on_no_path_it_is_named_by_its_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hint that answers 'command not found' is none."""
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: None)
    monkeypatch.setattr("landline.settings.program.sys.executable", "/opt/my python/bin/python")

    assert commands(["tcp://127.0.0.1:12345"])[0] == "'/opt/my python/bin/python' -m landline chat"


def test_where_the_program_is_on_no_path_but_was_started_by_its_own_it_is_named_by_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `.venv/bin/landline serve` does, seen from another folder."""
    program = tmp_path / "landline"
    program.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: None)
    monkeypatch.setattr("landline.settings.program.sys.argv", ["./landline", "serve"])

    assert commands(["tcp://127.0.0.1:12345"])[0] == f"{program} chat"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("asked", "real", "command"),
    [
        ("tcp://192.0.2.7:12345", "tcp://192.0.2.7:12345", "nc 192.0.2.7 12345"),
        ("tcp://0.0.0.0:12345", "tcp://0.0.0.0:12345", "nc localhost 12345"),
        ("tcp://[::]:12345", "tcp://[::]:12345", "nc localhost 12345"),
        ("tcp://[::1]:12345", "tcp://[::1]:12345", "nc ::1 12345"),
        ("unix:///run/my chat.sock", "unix:///run/my chat.sock", "nc -U '/run/my chat.sock'"),
    ],
)
def test_other_addresses(asked: str, real: str, command: str) -> None:
    """What listens everywhere is dialled at home; a path is quoted."""
    assert commands([real], asked=asked)[1] == command


@pytest.mark.usefixtures("installed")
def test_an_ipv6_host_is_dialled_in_brackets() -> None:
    """As addresses are written."""
    assert commands(["tcp://[::1]:12345"], asked="tcp://[::1]:12345")[0] == "landline chat tcp://[::1]:12345"


def test_a_unix_socket_from_the_checkout() -> None:
    """The address goes by the environment."""
    assert (
        commands(["unix:///run/x.sock"], from_make=True, asked="unix:///run/x.sock")[0]
        == "LANDLINE_ADDRESS=unix:///run/x.sock make chat"
    )


@pytest.mark.usefixtures("in_checkout")
def test_each_command_stands_alone_on_its_line() -> None:
    """So that a whole line can be pasted; what it is stands on the next."""
    settings = Settings(from_make=True)
    text = how_to_join(settings, ["tcp://127.0.0.1:12345"])
    lines = text.split("\n")
    for hint in hints(settings, ["tcp://127.0.0.1:12345"]):
        assert lines[lines.index(f"    {hint.command}") + 1].strip() == hint.what
        assert shlex.split(hint.command)

    assert "then type and press Enter" in text
