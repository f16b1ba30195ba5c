"""Serving TCP: which addresses are listened on, who is accepted when, and who a peer counts as."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from typing import Any

import pytest

from landline.errors import ListenError
from landline.transports import (
    Listener,
    ListeningSocket,
    Transport,
    bind_listener,
    open_listener,
    parse_address,
    tcp,
    tcp_listener,
)

BOUND = 10.0


def refuse(transport: Transport) -> None:
    transport.abort()


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """The sockets that a listener was given. Whether one was closed is asked of it: its port may be another program's by now."""
    real, made = tcp_listener._bind, list[socket.socket]()

    def bind(*args: Any, **kwargs: Any) -> socket.socket | None:
        sock = real(*args, **kwargs)
        made.extend([sock] if sock else [])
        return sock

    monkeypatch.setattr(tcp_listener, "_bind", bind)
    return made


async def test_a_loopback_name_is_served_on_both_families_at_one_port() -> None:
    """Who dials 127.0.0.1 and who dials ::1 both get through."""
    listener = await open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    listener.close()
    addresses = [parse_address(text) for text in listener.addresses]

    assert [address.host for address in addresses] == ["127.0.0.1", "::1"]
    assert len({address.port for address in addresses}) == 1
    assert addresses[0].port


async def test_a_literal_address_is_served_alone() -> None:
    """127.0.0.1 means that one."""
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), refuse, backlog=4)
    listener.close()

    assert len(listener.addresses) == 1


async def test_a_port_that_is_taken_is_said_so() -> None:
    """The error has the errno and a reason for people."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            await open_listener(parse_address(f"tcp://localhost:{port}"), refuse, backlog=4)

    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.reason == "the port is taken"


async def test_the_second_family_taken_frees_the_first(bound: list[socket.socket]) -> None:
    """All of a name's addresses are served, or none."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match="the port is taken"):
            await open_listener(parse_address(f"tcp://localhost:{port}"), refuse, backlog=4)

    assert {sock.fileno() for sock in bound} <= {-1}  # none where the port was taken at the first family too


async def test_a_free_port_is_found_for_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 0: a port that is free on one family and taken on the other is passed over."""
    real, refused = tcp_listener._bind, 0

    def bind(*args: object, **kwargs: object) -> object:
        nonlocal refused
        if args[1] == socket.AF_INET6 and refused < 2:
            refused += 1
            raise ListenError("tcp://localhost:0", "the port is taken", errno.EADDRINUSE)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tcp_listener, "_bind", bind)
    listener = await open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    listener.close()

    assert refused == 2
    assert len(listener.addresses) == 2


async def test_an_address_of_another_machine_cannot_be_served() -> None:
    """192.0.2.1 is in a range for documentation: nobody has it."""
    with pytest.raises(ListenError) as caught:
        await open_listener(parse_address("tcp://192.0.2.1:0"), refuse, backlog=1)

    assert caught.value.errno == errno.EADDRNOTAVAIL


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
    assert tcp_listener.source_of(host) == source


@pytest.mark.limit("transport.port_tries")
@pytest.mark.parametrize("taken", [15, 16])
async def test_a_free_port_is_looked_for_so_often(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """The last try may succeed; after it the port counts as taken, and no socket is left behind."""
    real, refused = tcp_listener._bind, 0

    def bind(*args: object, **kwargs: object) -> object:
        nonlocal refused
        if args[1] == socket.AF_INET6 and refused < taken:
            refused += 1
            raise ListenError("tcp://localhost:0", "the port is taken", errno.EADDRINUSE)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tcp_listener, "_bind", bind)
    opening = open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    if taken < 16:
        (await opening).close()
    else:
        with pytest.raises(ListenError, match="the port is taken"):
            await opening

    assert refused == taken


# Sockets that were passed...


def passed(*places: tuple[str, int]) -> list[ListeningSocket]:
    made = []
    for host, port in places:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made.append(ListeningSocket(socket.create_server((host, port), family=family)))
    return made


async def addresses_of(text: str, sockets: list[ListeningSocket]) -> list[str]:
    listener = await bind_listener(parse_address(text), backlog=1, passed=sockets)
    listener.close()
    return listener.addresses


async def test_an_address_takes_the_sockets_that_are_bound_to_it(bound: list[socket.socket]) -> None:
    """All of its own, at one port; then it binds nothing, also where only one of its two families was passed."""
    four, other = passed(("127.0.0.1", 0), ("127.0.0.1", 0))
    port = four.sock.getsockname()[1]
    sockets = [other, four]
    assert await addresses_of(f"tcp://localhost:{port}", sockets) == [f"tcp://127.0.0.1:{port}"]
    assert sockets == [other]
    other.close()

    (four,) = passed(("127.0.0.1", 0))
    port = four.sock.getsockname()[1]
    (six,) = passed(("::1", port))
    sockets = [six, four]
    both = await addresses_of(f"tcp://localhost:{port}", sockets)
    assert both == [f"tcp://127.0.0.1:{port}", f"tcp://[::1]:{port}"]
    assert sockets == []
    assert four.sock.fileno() == six.sock.fileno() == -1
    assert bound == []


async def test_an_address_leaves_the_sockets_that_are_not_its_own(bound: list[socket.socket]) -> None:
    """Another host, another port, another family: it binds a socket of its own."""
    sockets = passed(("127.0.0.2", 0), ("127.0.0.1", 0), ("::1", 0))
    (free,) = passed(("127.0.0.1", 0))
    port = free.sock.getsockname()[1]
    free.close()
    assert await addresses_of(f"tcp://127.0.0.1:{port}", sockets) == [f"tcp://127.0.0.1:{port}"]

    assert len(sockets) == 3
    assert len(bound) == 1
    for each in sockets:
        each.close()


async def test_port_0_takes_any_port_of_its_host(bound: list[socket.socket]) -> None:
    """So that a server with a port that the kernel chose keeps it over a restart; the same at each family."""
    (four,) = passed(("127.0.0.1", 0))
    port = four.sock.getsockname()[1]
    other, six = passed(("::1", 0), ("::1", port))
    sockets = [four, other, six]

    both = await addresses_of("tcp://localhost:0", sockets)
    assert both == [f"tcp://127.0.0.1:{port}", f"tcp://[::1]:{port}"]
    assert sockets == [other]
    assert bound == []
    other.close()


async def test_a_passed_socket_that_is_in_the_way_is_named() -> None:
    """Systemd's ``ListenStream=12345`` is every address of the machine, and no single one can be bound beside it."""
    sock = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port = sock.getsockname()[1]
    every = ListeningSocket(sock)
    with pytest.raises(ListenError, match="was passed to us, and no address asks for it") as caught:
        await bind_listener(parse_address(f"tcp://localhost:{port}"), backlog=1, passed=[every])
    assert caught.value.address == f"tcp://[::]:{port}"
    sockets = [every]
    assert await addresses_of(f"tcp://[::]:{port}", sockets) == [f"tcp://[::]:{port}"]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        (other,) = passed(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match="the port is taken"):
            await bind_listener(parse_address(f"tcp://127.0.0.1:{port}"), backlog=1, passed=[other])
        other.close()


# What the kernel watches...

OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", 0)),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 0)),
]
SET = [1, 1, 20_000, 60]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the options as Linux keeps them")


async def options_of_accepted(listener: Listener) -> list[int]:
    """Return what the socket has whose caller was accepted first."""
    accepted: asyncio.Queue[Transport] = asyncio.Queue()
    listener.start(accepted.put_nowait)
    async with asyncio.timeout(BOUND):
        transport = await accepted.get()
        assert isinstance(transport, tcp.TcpTransport) and transport._transport is not None
        sock = transport._transport.get_extra_info("socket")
        found = [sock.getsockopt(level, option) for level, option in OPTIONS]
        gone = asyncio.Event()
        transport.on_lost = lambda _: gone.set()
        transport.abort()
        listener.close()
        await gone.wait()
    return found


@on_linux
async def test_who_waited_in_a_passed_socket_is_watched_too() -> None:
    """A connection has what its listening socket had when it was made: that of the caller for whom systemd starts us had nothing."""
    (each,) = passed(("127.0.0.1", 0))
    host, port = each.sock.getsockname()
    with socket.create_connection((host, port), timeout=BOUND):
        listener = await bind_listener(parse_address(f"tcp://{host}:{port}"), backlog=1, passed=[each])
        found = await options_of_accepted(listener)

    assert found == SET


@on_linux
async def test_who_comes_as_soon_as_it_listens_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own socket has its options before anybody can be connected."""
    real, callers = tcp_listener._bind, list[socket.socket]()

    def bind(*args: Any, **kwargs: Any) -> socket.socket | None:
        sock = real(*args, **kwargs)
        assert sock is not None
        callers.append(socket.create_connection(sock.getsockname(), timeout=BOUND))
        return sock

    monkeypatch.setattr(tcp_listener, "_bind", bind)
    found = await options_of_accepted(await bind_listener(parse_address("tcp://127.0.0.1:0"), backlog=1))
    callers[0].close()

    assert found == SET


@on_linux
@pytest.mark.parametrize("refused", range(len(OPTIONS)))
async def test_an_option_that_is_refused_keeps_nobody_from_listening(
    monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    """It goes without that one; each connection asks for it again, and may have it."""
    real, asked = socket.socket.setsockopt, 0

    def refuse_to_listeners(sock: socket.socket, level: int, option: int, value: int) -> None:
        nonlocal asked
        if (level, option) == OPTIONS[refused] and not is_connected(sock):
            asked += 1
            raise OSError(errno.ENOPROTOOPT, "on purpose")
        real(sock, level, option, value)

    monkeypatch.setattr(socket.socket, "setsockopt", refuse_to_listeners)
    listener = await bind_listener(parse_address("tcp://127.0.0.1:0"), backlog=1)
    where = parse_address(listener.addresses[0])
    with socket.create_connection((where.host, where.port), timeout=BOUND):
        found = await options_of_accepted(listener)

    assert asked
    assert found == SET


def is_connected(sock: socket.socket) -> bool:
    try:
        return bool(sock.getpeername())
    except OSError:
        return False
