"""Accepting: how many at a time, who costs nothing, what happens without a free socket, and who was accepted when it closes."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from landline.limits import TRANSPORT
from landline.transports import (
    Listener,
    Transport,
    bind_listener,
    open_listener,
    parse_address,
    tcp_listener,
)

BOUND = 10.0


def refuse(transport: Transport) -> None:
    transport.abort()


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
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=2 * count, gate=gate)
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
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), refuse, backlog=2 * count, gate=gate)
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

    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=4, gate=gate)
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


async def test_who_failed_before_it_was_taken_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's errors about one connection come out of accept(): the next one is taken at once."""
    accepted: list[Transport] = []
    errors = [OSError(errno.EPROTO, os.strerror(errno.EPROTO)), OSError(errno.EHOSTUNREACH, "no route")]
    monkeypatch.setattr(Full, "accept", lambda self: _raise(errors.pop()) if errors else self.sock.accept())
    real = tcp_listener._bind
    monkeypatch.setattr(tcp_listener, "_bind", lambda *args, **kwargs: Full(real(*args, **kwargs)))  # type: ignore[arg-type]
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accepted.append, backlog=4)
    loop = Loop(asyncio.get_running_loop())
    monkeypatch.setattr(listener, "_loop", loop)
    crowd = Crowd(listener, 1)
    async for _ in turns_until(lambda: bool(accepted)):
        pass

    assert not errors
    assert not loop.timers
    accepted[0].abort()
    listener.close()
    crowd.close()


def _raise(error: OSError) -> object:
    raise error


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
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), accept, backlog=4)
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
    listener = await open_listener(parse_address("tcp://127.0.0.1:0"), refuse, backlog=4)
    (each,) = listener._sockets  # type: ignore[attr-defined]
    sock = each.sock
    listener._pause(sock, OSError(errno.EMFILE, os.strerror(errno.EMFILE)))  # type: ignore[attr-defined]
    (timer,) = listener._paused.values()  # type: ignore[attr-defined]

    listener.close()

    assert timer.cancelled()
    assert sock.fileno() == -1


# It closes...


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
async def test_who_was_accepted_when_it_closes_is_handed_over(scheme: str, tmp_path: Path) -> None:
    """The kernel gave them to us: nobody else can serve them. Who is not accepted yet waits for whoever holds the socket next."""
    accepted: list[Transport] = []
    text = "tcp://127.0.0.1:0" if scheme == "tcp" else f"unix://{tmp_path}/a.sock"
    listener = await bind_listener(parse_address(text), backlog=4)
    (copy,) = listener.hand_over()
    listener.start(accepted.append)
    (each,) = listener._sockets  # type: ignore[attr-defined]
    with socket.socket(copy.sock.family) as taken, socket.socket(copy.sock.family) as waiting:
        taken.connect(copy.sock.getsockname())
        listener._take_burst(each.sock)  # type: ignore[attr-defined]
        waiting.connect(copy.sock.getsockname())
        listener.close()
        assert accepted == []
        await listener.wait_closed()

        assert len(accepted) == 1
        accepted[0].abort()
        later, _ = copy.sock.accept()
        later.close()
    copy.close()
    assert not (tmp_path / "a.sock").exists()


async def test_nobody_is_accepted_before_it_starts() -> None:
    """They wait in the backlog."""
    accepted: list[Transport] = []

    def accept(transport: Transport) -> None:
        accepted.append(transport)
        transport.abort()

    listener = await bind_listener(parse_address("tcp://127.0.0.1:0"), backlog=4)
    crowd = Crowd(listener, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert accepted == []
    listener.start(accept)
    async for _ in turns_until(lambda: bool(accepted)):
        pass
    listener.close()
    crowd.close()
