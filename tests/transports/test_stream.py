"""Stream sockets' own: a peer that never ends, or never reads, cannot keep a closed transport."""

from __future__ import annotations

import asyncio
import select
import socket
import tracemalloc
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from landline.limits import TRANSPORT
from landline.transports import Transport, open_listener, parse_address, stream

if TYPE_CHECKING:
    from landline.testing.transport_conformance import Recorder

BOUND = 10.0


class Accepted:
    """An accepted transport whose peer is a plain socket of the test."""

    def __init__(self, transport: Transport, hears: Recorder, peer: socket.socket) -> None:
        self.transport, self.hears, self.peer = transport, hears, peer


@pytest.fixture
async def accepted(monkeypatch: pytest.MonkeyPatch, recorder: type[Recorder]) -> AsyncIterator[Accepted]:
    monkeypatch.setattr(stream, "LINGER", 0.05)
    arrived: asyncio.Queue[Transport] = asyncio.Queue()
    hears = recorder()

    def accept(transport: Transport) -> None:
        transport.start(hears)
        arrived.put_nowait(transport)

    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=1)
    address = parse_address(listener.addresses[0])
    peer = socket.create_connection((address.host, address.port))
    peer.setblocking(False)
    async with asyncio.timeout(BOUND):
        transport = await arrived.get()
    yield Accepted(transport, hears, peer)
    peer.close()
    listener.close()
    transport.abort()
    await hears.until_told("lost")


@pytest.mark.limit("transport.linger")
async def test_a_peer_that_never_ends_is_left_after_a_moment(accepted: Accepted) -> None:
    """We said all and ended our direction; it keeps its own open."""
    accepted.transport.write(b"bye")
    accepted.transport.close()
    await accepted.hears.until_told("lost")

    assert await asyncio.get_running_loop().sock_recv(accepted.peer, 100) == b"bye"


async def test_a_peer_that_waits_for_its_keyboard_is_let_go(accepted: Accepted) -> None:
    """An end alone does not wake nc on a terminal; a hang-up does, and what we said is still there to be read."""
    accepted.transport.write(b"bye")
    accepted.transport.close()
    await accepted.hears.until_told("lost")
    poll = select.poll()
    poll.register(accepted.peer, 0)

    assert poll.poll(BOUND * 1000) == [(accepted.peer.fileno(), select.POLLHUP | select.POLLERR)]
    assert accepted.peer.recv(100) == b"bye"


async def test_an_interrupt_while_something_is_taken_ends_the_line(
    accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is lost with it, and nothing may follow that."""

    def interrupted(data: bytes) -> None:
        raise KeyboardInterrupt

    assert isinstance(accepted.transport, stream.StreamTransport)
    monkeypatch.setattr(accepted.hears, "data_received", interrupted)
    with pytest.raises(KeyboardInterrupt):
        accepted.transport.buffer_updated(1)

    await accepted.hears.until_told("lost")


async def test_a_peer_that_never_reads_is_left_after_a_moment(accepted: Accepted) -> None:
    """What waits for it is dropped with the line."""
    while accepted.transport.is_writable:
        accepted.transport.write(b"x" * 65536)
    accepted.transport.close()
    await accepted.hears.until_told("lost")

    assert accepted.transport.backlog == 0


async def test_a_peer_that_ended_and_never_reads_is_left_after_a_moment(accepted: Accepted) -> None:
    """Its end of the talk does not give it ours for ever."""
    accepted.peer.shutdown(socket.SHUT_WR)
    await accepted.hears.until_told("ended")
    while accepted.transport.is_writable:
        accepted.transport.write(b"x" * 65536)
    accepted.transport.close()
    await accepted.hears.until_told("lost")

    assert accepted.transport.backlog == 0


async def test_a_half_closed_peer_is_still_answered(accepted: Accepted) -> None:
    """``nc -N`` ends its direction and reads on."""
    accepted.peer.sendall(b"question")
    accepted.peer.shutdown(socket.SHUT_WR)
    await accepted.hears.until_told("ended")
    accepted.transport.write(b"answer")
    accepted.transport.close()
    loop = asyncio.get_running_loop()

    assert await loop.sock_recv(accepted.peer, 100) == b"answer"
    assert await loop.sock_recv(accepted.peer, 100) == b""
    assert accepted.hears.data == b"question"


async def test_a_reset_is_lost_and_nothing_else(accepted: Accepted) -> None:
    """A peer that resets the line is told as lost, once."""
    accepted.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    accepted.peer.close()
    await accepted.hears.until_told("lost")

    assert accepted.hears.told.count("lost") == 1
    accepted.transport.write(b"nobody")


@pytest.mark.parametrize(
    ("error", "clause"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nobody listens there"),
        (
            socket.gaierror(-2, "Name or service not known"),
            "the name cannot be resolved (Name or service not known)",
        ),
        (OSError(13, "Permission denied"), "permission denied"),
        (OSError("Something odd"), "something odd"),
        (OSError(), "oSError"),
    ],
)
def test_an_error_as_a_clause(error: OSError, clause: str) -> None:
    """What the system says, as the end of a sentence."""
    assert stream.why(error) == clause


async def test_what_was_read_is_not_read_over(accepted: Accepted) -> None:
    """All sockets are read into one buffer; what each of them is told is its own."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(accepted.peer, b"one")
    await accepted.hears.until(lambda: accepted.hears.data == b"one")
    await loop.sock_sendall(accepted.peer, b"two")
    await accepted.hears.until(lambda: accepted.hears.data == b"onetwo")

    assert accepted.hears.chunks == [b"one", b"two"]


@pytest.mark.limit("transport.read", "transport.session_read")
async def test_a_read_takes_so_much_and_leaves_the_rest(accepted: Accepted) -> None:
    """However much has come, and whatever the loop asks for; with a session on the line it takes more than one without ever does."""
    loop = asyncio.get_running_loop()
    hears, size = accepted.hears, 4 << 20
    assert isinstance(accepted.transport, stream.StreamTransport)

    for most, least in ((TRANSPORT.read, TRANSPORT.read), (TRANSPORT.session_read, TRANSPORT.read + 1)):
        hears.chunks.clear()
        hears.data.clear()
        sending = loop.create_task(loop.sock_sendall(accepted.peer, bytes(size)))
        await hears.until(lambda: len(hears.data) == size)
        await sending

        assert least <= max(map(len, hears.chunks)) <= most
        assert len(accepted.transport.get_buffer(8 * most)) == most
        accepted.transport.widen(hears)


async def test_a_read_takes_no_more_memory_than_what_arrived(accepted: Accepted) -> None:
    """However much might have come: a crowd of small callers is no crowd of large buffers."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(accepted.peer, b"warm")
    await accepted.hears.until(lambda: accepted.hears.data == b"warm")
    tracemalloc.start()
    try:
        await loop.sock_sendall(accepted.peer, b"hello")
        await accepted.hears.until(lambda: accepted.hears.data == b"warmhello")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < TRANSPORT.read // 2
