"""Serving TCP: which addresses are listened on, who is accepted when, and who a peer counts as."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from landline.errors import ListenError
from landline.limits import TRANSPORT
from landline.transports import Listener, Transport, parse_address, tcp_listener

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
    listener = await tcp_listener.open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    listener.close()
    addresses = [parse_address(text) for text in listener.addresses]

    assert [address.host for address in addresses] == ["127.0.0.1", "::1"]
    assert len({address.port for address in addresses}) == 1
    assert addresses[0].port


async def test_a_literal_address_is_served_alone() -> None:
    """127.0.0.1 means that one."""
    listener = await tcp_listener.open_listener(parse_address("tcp://127.0.0.1:0"), refuse, backlog=4)
    listener.close()

    assert len(listener.addresses) == 1


async def test_a_port_that_is_taken_is_said_so() -> None:
    """The error has the errno and a reason for people."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            await tcp_listener.open_listener(parse_address(f"tcp://localhost:{port}"), refuse, backlog=4)

    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.reason == "the port is taken"


async def test_the_second_family_taken_frees_the_first(bound: list[socket.socket]) -> None:
    """All of a name's addresses are served, or none."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match="the port is taken"):
            await tcp_listener.open_listener(parse_address(f"tcp://localhost:{port}"), refuse, backlog=4)

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
    listener = await tcp_listener.open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    listener.close()

    assert refused == 2
    assert len(listener.addresses) == 2


async def test_an_address_of_another_machine_cannot_be_served() -> None:
    """192.0.2.1 is in a range for documentation: nobody has it."""
    with pytest.raises(ListenError) as caught:
        await tcp_listener.open_listener(parse_address("tcp://192.0.2.1:0"), refuse, backlog=1)

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
    opening = tcp_listener.open_listener(parse_address("tcp://localhost:0"), refuse, backlog=4)
    if taken < 16:
        (await opening).close()
    else:
        with pytest.raises(ListenError, match="the port is taken"):
            await opening

    assert refused == taken


class Gate:
    """Refuses the sources in ``refused``; with ``source_of`` replaced, addresses of this machine are sources too."""

    def __init__(self, refused: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        self.refused = refused
        self.asked: list[str] = []
        self.left_early: list[str] = []

    def admits(self, source: str) -> bool:
        self.asked.append(source)
        return source not in self.refused

    def left(self, source: str) -> None:
        self.left_early.append(source)


class Crowd:
    """Callers that have connected, as the kernel says, before the listener had its first turn."""

    def __init__(self, listener: Listener, count: int) -> None:
        where = parse_address(listener.addresses[0])
        self.peers = [socket.create_connection((where.host, where.port), timeout=BOUND) for _ in range(count)]

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


async def turns_until(fact: Callable[[], bool]) -> AsyncIterator[int]:
    """Count the loop's turns until something is so."""
    turn = 0
    async with asyncio.timeout(BOUND):
        while not fact():
            turn += 1
            yield turn
            await asyncio.sleep(0)


@pytest.mark.limit("transport.accept_burst")
@pytest.mark.parametrize("more", [0, 1])
async def test_a_crowd_is_accepted_in_bursts(more: int) -> None:
    """64 in one turn of the loop and no more: those who are connected have their turn between the bursts."""
    count, bursts, accepted = TRANSPORT.accept_burst + more, [], []

    def accept(transport: Transport) -> None:
        accepted.append(transport)
        transport.abort()

    gate = Gate()
    listener = await tcp_listener.open_listener(
        parse_address("tcp://127.0.0.1:0"), accept, backlog=2 * count, gate=gate
    )
    crowd = Crowd(listener, count)
    bursts += [len(gate.asked) async for _ in turns_until(lambda: len(accepted) == count)]
    listener.close()
    crowd.close()

    assert sorted(set(bursts) - {0}) == [TRANSPORT.accept_burst, count][: 1 + more]


@pytest.mark.limit("transport.refuse_burst")
@pytest.mark.parametrize("more", [0, 1])
async def test_who_is_refused_is_many_at_a_time(more: int) -> None:
    """Those cost little; still others have their turn after 512."""
    count, bursts, gate = TRANSPORT.refuse_burst + more, [], Gate(refused={""})
    listener = await tcp_listener.open_listener(
        parse_address("tcp://127.0.0.1:0"), refuse, backlog=2 * count, gate=gate
    )
    crowd = Crowd(listener, count)
    bursts += [len(gate.asked) async for _ in turns_until(lambda: len(gate.asked) == count)]
    bursts.append(count)
    ends = [_end(peer) for peer in crowd.peers]
    listener.close()
    crowd.close()

    assert sorted(set(bursts) - {0}) == [TRANSPORT.refuse_burst, count][: 1 + more]
    assert set(ends) == {"reset"}


def _end(peer: socket.socket) -> str:
    try:
        return "data" if peer.recv(1) else "end"
    except ConnectionResetError:
        return "reset"


@pytest.mark.skipif(sys.platform != "linux", reason="where the kernel does not tell, reading finds out")
async def test_who_has_left_already_costs_no_transport() -> None:
    """A caller that hung up with a reset while it waited is told to the gate, and nobody else is."""
    gate, accepted = Gate(), list[Transport]()

    def accept(transport: Transport) -> None:
        accepted.append(transport)
        transport.abort()

    listener = await tcp_listener.open_listener(
        parse_address("tcp://127.0.0.1:0"), accept, backlog=4, gate=gate
    )
    crowd = Crowd(listener, 3)
    crowd.peers[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    crowd.peers[0].close()
    crowd.peers[1].shutdown(socket.SHUT_WR)
    async for _ in turns_until(lambda: len(accepted) == 2):
        pass
    listener.close()
    crowd.close()

    assert (gate.left_early, gate.asked) == ([""], ["", ""])


class Timer:
    """One of a loop's, to be fired by hand."""

    def __init__(self, after: float, call: Callable[..., object], *arguments: object) -> None:
        self.after = after
        self.fire = functools.partial(call, *arguments)


class Loop:
    """A loop whose timers are ours."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.timers: list[Timer] = []

    def call_later(self, *arguments: Any) -> Timer:
        self.timers.append(Timer(*arguments))
        return self.timers[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)


class Full:
    """A listening socket whose process has no free descriptor."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def accept(self) -> object:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def __getattr__(self, name: str) -> object:
        return getattr(self.sock, name)


@pytest.mark.limit("transport.accept_pause")
async def test_without_a_free_socket_it_waits_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop does not spin, those who wait are taken afterwards, and the log says why; closed meanwhile, it stays closed."""
    loop, accepted = Loop(asyncio.get_running_loop()), list[Transport]()

    def accept(transport: Transport) -> None:
        accepted.append(transport)
        transport.abort()

    real = tcp_listener._bind
    full: list[Full] = []

    def bind(*args: Any, **kwargs: Any) -> Any:
        full.append(Full(real(*args, **kwargs)))  # type: ignore[arg-type]
        return full[0]

    monkeypatch.setattr(tcp_listener, "_bind", bind)
    listener = await tcp_listener.open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=4)
    monkeypatch.setattr(listener, "_loop", loop)
    crowd = Crowd(listener, 1)
    async for _ in turns_until(lambda: bool(loop.timers)):
        pass
    for _ in range(3):
        await asyncio.sleep(0)

    assert [timer.after for timer in loop.timers] == [TRANSPORT.accept_pause]
    assert "cannot accept connections: too many open files; trying again in 1 s" in caplog.text
    monkeypatch.setattr(Full, "accept", lambda self: self.sock.accept())
    loop.timers[0].fire()
    async for _ in turns_until(lambda: bool(accepted)):
        pass
    listener.close()
    listener.close()
    crowd.close()


async def test_closed_while_it_waits_it_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second that it waits for a free socket does not outlive it."""
    listener = await tcp_listener.open_listener(parse_address("tcp://127.0.0.1:0"), refuse, backlog=4)
    (sock,) = listener._sockets
    listener._pause(sock, OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    (timer,) = listener._paused.values()

    listener.close()

    assert timer.cancelled()
    assert sock.fileno() == -1
