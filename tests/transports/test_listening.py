"""Listening sockets of one process in the hands of the next: what is passed arrives, what is none is named, and no file goes too early."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from landline.errors import ListenError, SettingsError
from landline.transports import ListeningSocket, exec_with, listening, passed_sockets

PASSES_ON = """
import os, sys
from landline.transports import listening
from landline.transports.listening import exec_with, passed_sockets

sockets = passed_sockets()
print(*(f"{each.name}={each.address},{each.inode is not None},{each.sock.get_inheritable()}" for each in sockets))
print(*(name for name in os.environ if name.startswith("LISTEN_")))
print(os.getpid(), flush=True)
if sys.argv[1] != "0":
    exec_with(sockets, [sys.executable, sys.argv[0], str(int(sys.argv[1]) - 1)])
"""


def variables(count: object = 1, names: str = "", pid: object = None) -> dict[str, str]:
    pid = os.getpid() if pid is None else pid
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "ELSE": "kept"}


@pytest.mark.skipif(os.name == "nt", reason="a program is not replaced by another there")
@pytest.mark.long
def test_what_is_passed_on_arrives_again_and_again(tmp_path: Path) -> None:
    """Sockets of three kinds go through three programs in one process: same places, same names, and nobody else inherits them."""
    program = tmp_path / "passes_on.py"
    program.write_text(PASSES_ON)
    path = tmp_path / "a.sock"
    begins = f"""
import os, socket, sys
from landline.transports import ListeningSocket, exec_with
hole = os.open(os.devnull, os.O_RDONLY)
four = socket.create_server(("127.0.0.1", 0))
six = socket.create_server(("::1", 0), family=socket.AF_INET6)
local = socket.socket(socket.AF_UNIX)
local.bind({str(path)!r})
local.listen()
print(four.getsockname()[1], six.getsockname()[1], flush=True)
os.close(hole)  # the lowest free descriptor is one that a socket shall have
made = [ListeningSocket(six), ListeningSocket(local), ListeningSocket(four, "web")]
exec_with(made, [sys.executable, {str(program)!r}, "2"])
"""
    ended = subprocess.run(
        [sys.executable, "-c", begins], capture_output=True, text=True, timeout=30, check=False
    )

    assert ended.stderr == ""
    first, *rest = ended.stdout.splitlines()
    four, six = first.split()
    pids = rest[2::3]
    ours = f"landline.bound=tcp://[::1]:{six},False,False landline.bound=unix://{path},True,False"
    assert rest[::3] == 3 * [f"{ours} web=tcp://127.0.0.1:{four},False,False"]
    assert rest[1::3] == ["", "", ""]
    assert len(pids) == 3 and len(set(pids)) == 1


def test_nothing_is_passed_to_others() -> None:
    """Without the variables, or with those of another process; what there is of them is removed all the same."""
    nobodys: dict[str, str] = {}
    assert passed_sockets(nobodys) == []
    for environ in (variables(pid=1), {"LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())}):
        assert passed_sockets(environ) == []
        assert set(environ) <= {"ELSE"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (variables("abc"), 'LISTEN_FDS is "abc"'),
        (variables(-1), 'LISTEN_FDS is "-1"'),
        (variables(0), 'LISTEN_FDS is "0"'),
        (variables("9" * 10), "LISTEN_FDS"),
        (variables("１"), "LISTEN_FDS"),
        (variables(pid="me"), 'LISTEN_PID is "me"'),
        (variables(2, "one"), "LISTEN_FDS passes 2 sockets, and LISTEN_FDNAMES names 1"),
    ],
)
def test_variables_that_cannot_be_read_are_named(environ: dict[str, str], said: str) -> None:
    """And removed; nothing is taken."""
    with pytest.raises(SettingsError) as caught:
        passed_sockets(environ)

    assert str(caught.value).startswith(said)
    assert str(caught.value).isprintable()
    assert environ == {"ELSE": "kept"}


@pytest.mark.parametrize("what", ["nothing", "file", "connection", "datagrams", "packets", "not listening"])
def test_what_is_no_listening_socket_is_named(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its descriptor, and its name where it has one."""
    pair = socket.socketpair()
    if what == "file":
        number = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    elif what == "connection":
        number = os.dup(pair[0].fileno())
    elif what == "datagrams":
        number = socket.socket(type=socket.SOCK_DGRAM).detach()
    elif what == "packets":
        packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        packets.bind(str(tmp_path / "packets"))
        packets.listen()
        number = packets.detach()
    elif what == "not listening":
        number = socket.socket().detach()
    else:
        number = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
        os.close(number)
    monkeypatch.setattr(listening, "FIRST", number)
    with pytest.raises(ListenError) as caught:
        passed_sockets(variables(names="web"))

    reason = "is no socket" if what in ("nothing", "file") else "is no listening TCP or Unix socket"
    assert str(caught.value).startswith(
        f"cannot listen on descriptor {number} (web): it was passed to us, and "
    )
    assert reason in str(caught.value)
    if what == "file":
        os.close(number)
    for each in pair:
        each.close()


def listening_at(path: Path, *, is_ours: bool) -> ListeningSocket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return ListeningSocket(sock, inode=path.stat().st_ino if is_ours else None)


def test_a_file_goes_with_the_last_that_it_belongs_to(tmp_path: Path) -> None:
    """Who bound it removes it; once copied, it is the copy's to remove; what was passed by somebody else stays."""
    path = tmp_path / "a.sock"
    ours = listening_at(path, is_ours=True)
    copy = ours.copy()
    ours.close()
    assert path.exists()
    copy.close()
    copy.close()
    assert not path.exists()

    listening_at(path, is_ours=False).close()
    assert path.exists()


def test_callers_wait_while_a_copy_is_held(tmp_path: Path) -> None:
    """Closing one hold resets nobody in the backlog: the connection is there for whoever accepts next."""
    ours = ListeningSocket(socket.create_server(("127.0.0.1", 0)))
    copy = ours.copy()
    with socket.create_connection(copy.sock.getsockname()) as caller:
        ours.close()
        with socket.create_connection(copy.sock.getsockname()):
            copy.sock.setblocking(True)
            accepted, _ = copy.sock.accept()
        caller.sendall(b"still here")

        assert accepted.recv(20) == b"still here"
        accepted.close()
    copy.close()


def test_an_abstract_socket_has_a_name_to_show() -> None:
    """It belongs to no address of ours, and the error can say which it is."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("\0landline test")
        sock.listen()

        assert ListeningSocket(sock).address == "unix://@landline test"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """Is the caller's to report."""
    with pytest.raises(FileNotFoundError):
        exec_with([], [str(tmp_path / "nothing")])
