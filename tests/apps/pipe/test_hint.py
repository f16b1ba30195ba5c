"""The command for the other end: it pastes."""

from __future__ import annotations

import shlex
import socket

import pytest

from landline.apps.pipe.hint import dialled, how_to_connect


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


def command(text: str) -> list[str]:
    """The first command of a hint, as a shell reads it."""
    return shlex.split(next(line for line in text.splitlines() if line.startswith("    ")))


def test_a_name_stays_a_name_and_the_port_is_the_real_one() -> None:
    """``localhost:0`` became two addresses with one port."""
    text = how_to_connect(
        ["tcp://127.0.0.1:4000", "tcp://[::1]:4000"], asked="tcp://localhost:0", is_plain=False
    )

    assert text.startswith("Listening at tcp://127.0.0.1:4000 and tcp://[::1]:4000. At the other end:\n")
    assert command(text) == ["landline", "connect", "tcp://localhost:4000"]


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "[::]"])
def test_every_address_is_called_by_the_machines_name(wildcard: str) -> None:
    """Nobody can dial a wildcard from elsewhere."""
    assert dialled(f"tcp://{wildcard}:5", f"tcp://{wildcard}:5") == f"tcp://{socket.gethostname()}:5"


def test_ipv6_keeps_its_brackets() -> None:
    assert dialled("tcp://[::1]:5", "tcp://[::1]:0") == "tcp://[::1]:5"


def test_a_path_with_a_space_is_quoted() -> None:
    """What is printed is what a shell needs."""
    text = how_to_connect(["unix:///tmp/a b"], asked="unix:///tmp/a b", is_plain=True)

    assert command(text) == ["landline", "connect", "--plain", "unix:///tmp/a b"]
    assert "nc -NU '/tmp/a b'" in text


def test_nc_can_call_a_bare_socket() -> None:
    assert "    nc -N localhost 5" in how_to_connect(
        ["tcp://127.0.0.1:5"], asked="tcp://localhost:5", is_plain=True
    )
