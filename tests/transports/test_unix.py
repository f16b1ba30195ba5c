"""Unix sockets' own: the file, who may open it, and what is in its place."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from landline.errors import ConnectError, ListenError
from landline.transports import ListeningSocket, Transport, bind_listener, open_listener, parse_address, unix
from landline.transports.address import Address

BOUND = 10.0


def refuse(transport: Transport) -> None:
    transport.abort()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line.sock"


@pytest.fixture
def address(path: Path) -> Address:
    return parse_address(f"unix://{path}")


async def test_only_the_owner_may_open_it(path: Path, address: Address) -> None:
    """Mode 0600 from the first moment, and the process's own mask is as it was."""
    mask = os.umask(0o022)
    try:
        listener = await open_listener(address, refuse, backlog=1)
        after = os.umask(0o022)
    finally:
        os.umask(mask)
    mode = path.stat().st_mode
    listener.close()

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert after == 0o022


async def test_the_file_goes_with_the_listener(path: Path, address: Address) -> None:
    """Nothing is left for the next one to stumble over."""
    listener = await open_listener(address, refuse, backlog=1)
    listener.close()

    assert not path.exists()


async def test_a_stale_socket_is_replaced(path: Path, address: Address) -> None:
    """A server that died left its file; nobody answers there."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    gone = asyncio.Semaphore(0)

    def accept(transport: Transport) -> None:
        transport.on_lost = lambda _: gone.release()
        transport.abort()

    listener = await open_listener(address, accept, backlog=1)
    dialled = await unix.open_transport(address)
    async with asyncio.timeout(BOUND):
        await gone.acquire()
        accept(dialled)
        await gone.acquire()
    listener.close()


async def test_a_socket_that_answers_is_left_alone(path: Path, address: Address) -> None:
    """The first server keeps its file."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        with pytest.raises(ListenError, match="another server answers there"):
            await open_listener(address, refuse, backlog=1)

        assert path.exists()


async def test_a_socket_whose_server_is_too_busy_to_answer_is_left_alone(
    path: Path, address: Address
) -> None:
    """A full queue of callers is no dead server, and finding that out must not block our loop."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        waiting = []
        try:
            while True:
                caller = socket.socket(socket.AF_UNIX)
                caller.setblocking(False)
                waiting.append(caller)
                caller.connect(str(path))
        except BlockingIOError:
            pass
        try:
            with pytest.raises(ListenError, match="another server answers there"):
                await open_listener(address, refuse, backlog=1)
        finally:
            for caller in waiting:
                caller.close()

        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_what_is_no_socket_is_left_alone(path: Path, address: Address, kind: str) -> None:
    """Somebody's file of that name is not ours to take away."""
    if kind == "file":
        path.write_text("precious")
    else:
        path.mkdir()
    with pytest.raises(ListenError, match="not a socket"):
        await open_listener(address, refuse, backlog=1)
    with pytest.raises(ConnectError):
        await unix.open_transport(address)

    assert path.exists()


async def test_a_successors_file_is_not_taken_away(path: Path, address: Address) -> None:
    """Another server may have put its own socket there meanwhile."""
    first = await open_listener(address, refuse, backlog=1)
    path.unlink()
    kept = path.with_suffix(".kept")  # keeps the first inode's number from being used again
    with socket.socket(socket.AF_UNIX) as keeper, socket.socket(socket.AF_UNIX) as successor:
        keeper.bind(str(kept))
        successor.bind(str(path))
        is_another = path.stat().st_ino != first._sockets[0].inode  # type: ignore[attr-defined]
        first.close()

        assert path.exists() or not is_another


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The reason is a clause for people, at both ends."""
    address = parse_address(f"unix://{tmp_path}/nowhere/line.sock")
    with pytest.raises(ListenError, match="no such file or directory"):
        await open_listener(address, refuse, backlog=1)
    with pytest.raises(ConnectError, match="there is no such socket"):
        await unix.open_transport(address)


async def test_a_path_too_long_for_the_kernel(tmp_path: Path) -> None:
    """Unix sockets have short paths; the error says so instead of a crash."""
    address = parse_address(f"unix://{tmp_path}/{'x' * 120}.sock")
    with pytest.raises(ListenError, match="too long"):
        await open_listener(address, refuse, backlog=1)
    with pytest.raises(ConnectError):
        await unix.open_transport(address)


async def test_nobody_behind_the_file(path: Path, address: Address) -> None:
    """A stale file is nobody to a client."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with pytest.raises(ConnectError, match="nobody listens there"):
        await unix.open_transport(address)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
async def test_who_may_not_write_there(tmp_path: Path) -> None:
    """A folder without permission is said so."""
    tmp_path.chmod(0o500)
    with pytest.raises(ListenError, match="permission denied"):
        await open_listener(parse_address(f"unix://{tmp_path}/line.sock"), refuse, backlog=1)


@pytest.mark.limit("backlog")
@pytest.mark.skipif(sys.platform != "linux", reason="every system counts the queue in its own way")
async def test_so_many_callers_wait_in_the_kernel_and_no_more(path: Path, address: Address) -> None:
    """While our loop is busy: as many as were asked for, and the one that Linux gives on top; the next is told at once."""
    listener = await open_listener(address, refuse, backlog=3)
    callers = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    try:
        for caller in callers:
            caller.setblocking(False)
        for caller in callers[:4]:
            caller.connect(str(path))

        with pytest.raises(BlockingIOError):
            callers[4].connect(str(path))
    finally:
        listener.close()
        for caller in callers:
            caller.close()


async def test_a_socket_that_was_passed_serves_its_path(path: Path, address: Address) -> None:
    """Nothing is bound or replaced, and its file stays: whoever made it removes it. Another path is another address."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    passed = [ListeningSocket(sock)]
    other = await bind_listener(parse_address(f"unix://{path}.other"), backlog=1, passed=passed)
    other.close()
    assert len(passed) == 1

    heard = asyncio.Event()
    listener = await bind_listener(address, backlog=1, passed=passed)
    listener.start(lambda transport: (transport.abort(), heard.set()))  # type: ignore[func-returns-value, arg-type]
    dialled = await unix.open_transport(address)
    async with asyncio.timeout(BOUND):
        await heard.wait()
    dialled.abort()
    listener.close()
    await listener.wait_closed()

    assert passed == []
    assert listener.addresses == [str(address)]
    assert path.exists()
    assert not Path(f"{path}.other").exists()
