"""Who holds a port: read from the real /proc with a real process, and from made-up ones."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landline.cli.port_owner import Owner, find

HOLD = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture(params=["127.0.0.1", "::1"])
def holder(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A process that listens: its number and its port."""
    if ":" in request.param and not socket.has_ipv6:
        pytest.skip("no IPv6")
    arguments = [sys.executable, "-c", HOLD, request.param, "landline", "serve"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())


def test_a_process_that_listens_is_found(holder: tuple[int, int]) -> None:
    """By its number and its command, on one line."""
    pid, port = holder

    (owner,) = find(port)

    assert owner.pid == pid
    assert Path(sys.executable).name in owner.command
    assert owner.command.isprintable()
    assert str(owner).startswith(f"process {pid} (")


def test_a_port_that_is_only_bound_has_no_owner() -> None:
    """Only who listens is meant, not who talks."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert find(bound.getsockname()[1]) == ()


def made_up(proc: Path, *, cmdline: bytes | None, uid: int = 0) -> Path:
    """A /proc in which inode 99 listens on port 8080."""
    (proc / "net").mkdir(parents=True)
    head = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    )
    row = "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0\n"
    listening, talking = row.format(state="0A", uid=uid, inode=99), row.format(state="01", uid=5, inode=98)
    (proc / "net" / "tcp").write_text(head + talking + listening + "damaged\n")
    if cmdline is not None:
        (proc / "42" / "fd").mkdir(parents=True)
        (proc / "42" / "fd" / "3").symlink_to("socket:[99]")
        (proc / "42" / "fd" / "4").symlink_to("socket:[98]")
        (proc / "42" / "cmdline").write_bytes(cmdline)
        (proc / "42" / "comm").write_text("worker\n")
    return proc


def test_somebody_elses_process_is_at_least_a_user(tmp_path: Path) -> None:
    """Its descriptors cannot be read, but the table names the user."""
    (owner,) = find(8080, proc=made_up(tmp_path, cmdline=None, uid=0))
    assert owner == Owner(None, "", "user root")
    assert str(owner) == "a process of user root"


def test_an_unknown_user_is_a_number(tmp_path: Path) -> None:
    """A container's users need not be known outside."""
    (owner,) = find(8080, proc=made_up(tmp_path, cmdline=None, uid=4_000_000))

    assert str(owner) == "a process of user number 4000000"


def test_a_command_is_made_safe_to_show(tmp_path: Path) -> None:
    """A process names itself as it likes."""
    (owner,) = find(8080, proc=made_up(tmp_path, cmdline=b"evil\x1b[2J\nname\0" + b"x" * 200 + b"\0"))

    assert owner.command.startswith("evil?[2J?name xxx")
    assert len(owner.command) == 80
    assert owner.command.endswith("...")


def test_a_command_of_80_characters_is_whole(tmp_path: Path) -> None:
    """The edge."""
    (owner,) = find(8080, proc=made_up(tmp_path, cmdline=b"x" * 80 + b"\0"))

    assert owner.command == "x" * 80


def test_a_process_without_a_command_line_has_its_short_name(tmp_path: Path) -> None:
    """As the kernel's own threads."""
    (owner,) = find(8080, proc=made_up(tmp_path, cmdline=b""))

    assert owner == Owner(42, "worker", "")


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("/x/.venv/bin/python /x/.venv/bin/landline serve", True),
        ("python3 -m landline -v serve --port 1", True),
        ("python3 -m landline chat", False),
        ("python3 -m http.server", False),
        ("", False),
    ],
)
def test_a_landline_is_known_by_its_command(command: str, ours: bool) -> None:
    """Only the server, not a client."""
    assert Owner(1, command, "").is_landline is ours


def test_without_proc_nobody_is_found(tmp_path: Path) -> None:
    """As on other systems."""
    assert find(8080, proc=tmp_path / "gone") == ()
