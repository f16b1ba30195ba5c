"""TCP's own: what a failure to dial is called, and what the kernel is asked to watch."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from landline.errors import ConnectError, ListenError
from landline.transports import Transport, open_listener, parse_address, tcp

BOUND = 10.0


def refuse(transport: Transport) -> None:
    transport.abort()


async def test_a_name_that_is_none() -> None:
    """A name that cannot be resolved is an address nobody can be reached at."""
    with pytest.raises(ConnectError, match="cannot be resolved") as caught:
        await tcp.open_transport(parse_address("tcp://no-such-host.invalid:1"))
    with pytest.raises(ListenError, match="cannot be resolved"):
        await open_listener(parse_address("tcp://no-such-host.invalid:1"), refuse, backlog=1)

    assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_nobody_listens_there(host: str) -> None:
    """A refused connection is one clause for people, for one address and for several."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ConnectError) as caught:
            await tcp.open_transport(parse_address(f"tcp://{host}:{port}"))

    assert caught.value.reason == "nobody listens there"
    assert caught.value.address == f"tcp://{host}:{port}"


@pytest.mark.limit("transport.unacknowledged", "transport.keepalive")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the options as Linux keeps them")
async def test_the_kernel_watches_the_line_too() -> None:
    """TCP_NODELAY, keepalive and the time-out for unacknowledged bytes are set at both ends."""
    accepted: asyncio.Queue[Transport] = asyncio.Queue()
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accepted.put_nowait, backlog=4)
    dialled = await tcp.open_transport(parse_address(listener.addresses[0]))
    async with asyncio.timeout(BOUND):
        transports = [dialled, await accepted.get()]
    found = []
    for transport in transports:
        assert isinstance(transport, tcp.TcpTransport) and transport._transport is not None
        sock = transport._transport.get_extra_info("socket")
        found.append(
            (
                bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)),
                bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)),
                sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            )
        )
    gone = asyncio.Semaphore(0)
    listener.close()
    for transport in transports:
        transport.on_lost = lambda _: gone.release()
        transport.abort()
    async with asyncio.timeout(BOUND):
        await gone.acquire()
        await gone.acquire()

    assert found == [(True, True, 20_000, 60)] * 2
