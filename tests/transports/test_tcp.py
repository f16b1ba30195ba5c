"""TCP's own: which addresses are listened on, who a peer counts as, and what a failure is called."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from typing import Any

import pytest

from landline.errors import ConnectError, ListenError
from landline.transports import Transport, parse_address, tcp

BOUND = 10.0


def refuse(transport: Transport) -> None:
    transport.abort()


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """The sockets that a listener was given. Whether one was closed is asked of it: its port may be another program's by now."""
    real, made = tcp._bind, list[socket.socket]()

    def bind(*args: Any, **kwargs: Any) -> socket.socket | None:
        sock = real(*args, **kwargs)
        made.extend([sock] if sock else [])
        return sock

    monkeypatch.setattr(tcp, "_bind", bind)
    return made


async def test_a_loopback_name_is_served_on_both_families_at_one_port() -> None:
    """Who dials 127.0.0.1 and who dials ::1 both get through."""
    listener = await tcp.open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    listener.close()
    addresses = [parse_address(text) for text in listener.addresses]

    assert [address.host for address in addresses] == ["127.0.0.1", "::1"]
    assert len({address.port for address in addresses}) == 1
    assert addresses[0].port


async def test_a_literal_address_is_served_alone() -> None:
    """127.0.0.1 means that one."""
    listener = await tcp.open_listener(parse_address("tcp://127.0.0.1:0"), refuse, backlog=4)
    listener.close()

    assert len(listener.addresses) == 1


async def test_a_port_that_is_taken_is_said_so() -> None:
    """The error has the errno and a reason for people."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            await tcp.open_listener(parse_address(f"tcp://localhost:{port}"), refuse, backlog=4)

    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.reason == "the port is taken"


async def test_the_second_family_taken_frees_the_first(bound: list[socket.socket]) -> None:
    """All of a name's addresses are served, or none."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match="the port is taken"):
            await tcp.open_listener(parse_address(f"tcp://localhost:{port}"), refuse, backlog=4)

    assert {sock.fileno() for sock in bound} <= {-1}  # none where the port was taken at the first family too


async def test_a_free_port_is_found_for_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 0: a port that is free on one family and taken on the other is passed over."""
    real, refused = tcp._bind, 0

    def bind(*args: object, **kwargs: object) -> object:
        nonlocal refused
        if args[1] == socket.AF_INET6 and refused < 2:
            refused += 1
            raise ListenError("tcp://localhost:0", "the port is taken", errno.EADDRINUSE)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tcp, "_bind", bind)
    listener = await tcp.open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    listener.close()

    assert refused == 2
    assert len(listener.addresses) == 2


async def test_a_name_that_is_none() -> None:
    """A name that cannot be resolved is an address nobody can be reached at."""
    with pytest.raises(ConnectError, match="cannot be resolved") as caught:
        await tcp.open_transport(parse_address("tcp://no-such-host.invalid:1"))
    with pytest.raises(ListenError, match="cannot be resolved"):
        await tcp.open_listener(parse_address("tcp://no-such-host.invalid:1"), refuse, backlog=1)

    assert isinstance(caught.value, ConnectionError)


async def test_an_address_of_another_machine_cannot_be_served() -> None:
    """192.0.2.1 is in a range for documentation: nobody has it."""
    with pytest.raises(ListenError) as caught:
        await tcp.open_listener(parse_address("tcp://192.0.2.1:0"), refuse, backlog=1)

    assert caught.value.errno == errno.EADDRNOTAVAIL


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


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("127.0.0.1", ""),
        ("127.8.9.10", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
    ],
)
def test_what_a_peer_counts_as(host: str, source: str) -> None:
    """An IPv4 address counts by itself, an IPv6 one by its /64; loopback does not count."""
    assert tcp._source(host) == source


@pytest.mark.limit("transport.unacknowledged", "transport.keepalive")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the options as Linux keeps them")
async def test_the_kernel_watches_the_line_too() -> None:
    """TCP_NODELAY, keepalive and the time-out for unacknowledged bytes are set at both ends."""
    accepted: asyncio.Queue[Transport] = asyncio.Queue()
    listener = await tcp.open_listener(parse_address("tcp://127.0.0.1:0"), accepted.put_nowait, backlog=4)
    dialled = await tcp.open_transport(parse_address(listener.addresses[0]))
    async with asyncio.timeout(BOUND):
        transports = [dialled, await accepted.get()]
    found = []
    for transport in transports:
        assert isinstance(transport, tcp._TcpTransport) and transport._transport is not None
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
        transport.on_lost = gone.release
        transport.abort()
    async with asyncio.timeout(BOUND):
        await gone.acquire()
        await gone.acquire()

    assert found == [(True, True, 20_000, 60)] * 2


@pytest.mark.limit("transport.port_tries")
@pytest.mark.parametrize("taken", [15, 16])
async def test_a_free_port_is_looked_for_so_often(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """The last try may succeed; after it the port counts as taken, and no socket is left behind."""
    real, refused = tcp._bind, 0

    def bind(*args: object, **kwargs: object) -> object:
        nonlocal refused
        if args[1] == socket.AF_INET6 and refused < taken:
            refused += 1
            raise ListenError("tcp://localhost:0", "the port is taken", errno.EADDRINUSE)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tcp, "_bind", bind)
    opening = tcp.open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    if taken < 16:
        (await opening).close()
    else:
        with pytest.raises(ListenError, match="the port is taken"):
            await opening

    assert refused == taken


async def test_a_crowd_is_accepted_in_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many wait in the kernel as were asked for, and those who are connected have their turn between the bursts."""
    monkeypatch.setattr(tcp, "ACCEPT_BURST", 8)
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("uvloop accepts in its own way")
    turn = 0
    turns: list[int] = []

    def accept(transport: Transport) -> None:
        turns.append(turn)
        transport.abort()

    listener = await tcp.open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=100)
    address = parse_address(listener.addresses[0])
    peers = [socket.create_connection((address.host, address.port), timeout=BOUND) for _ in range(60)]
    async with asyncio.timeout(BOUND):
        while len(turns) < len(peers):
            turn += 1
            await asyncio.sleep(0)
    listener.close()
    for peer in peers:
        peer.close()

    assert (
        max(map(turns.count, turns)) <= 2 * 8
    )  # asyncio of some versions takes one more, and a turn may see two bursts
    assert len(set(turns)) >= 60 // 16
