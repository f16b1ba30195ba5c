"""The floods: what each says, over how many connections, and what a connection may cost besides twice its bytes.

They are played by plain blocking sockets in a process of their own. Each connection of a crowd comes from a source of its own, from a
thousand of them at the most, unless the flood is one source's.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from landline.protocol.frames import HEADER, MAGIC, FrameDecoder, FrameType, encode_frame
from landline.protocol.handshake import ID_SIZE, Hello, Welcome, decode_payload, encode_payload

from .server import HONEST

KIB: Final = 1 << 10
GONE: Final = KIB
"""Bytes that a connection which is over may cost besides twice what it said."""
STRANGER: Final = 8 * KIB
"""The same for somebody who stays and was not let in."""
GUEST: Final = 64 * KIB
"""The same for a session, and for whoever is in by the plain door."""

_SOURCES: Final = 1000
_PATIENCE: Final = 5.0


class Crowd:
    """The sockets of one flood."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._number = itertools.count()
        self.held: list[socket.socket] = []
        self.failed = 0

    def comes(self, source: int | None = None) -> socket.socket | None:
        """Connect from one of the sources (by default from the next); None when nobody answers."""
        number = (next(self._number) if source is None else source) % _SOURCES
        sock = socket.socket()
        sock.settimeout(_PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            sock.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
            sock.connect(self._where)
        except OSError:
            sock.close()
            self.failed += 1
            return None
        self.held.append(sock)
        return sock

    def all_come(self, count: int) -> list[socket.socket]:
        """So many connect, each from the next source."""
        return [sock for _ in range(count) if (sock := self.comes()) is not None]

    def guests_come(self, count: int) -> list[socket.socket]:
        """So many are let in."""
        guests = self.all_come(count)
        for guest in guests:
            say(guest, hello(HONEST))
        for guest in guests:
            with contextlib.suppress(OSError):
                _confirm(guest)
        return guests

    def goes(self, sock: socket.socket) -> None:
        """Hang up at once, with a reset."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        self.held.remove(sock)


def say(sock: socket.socket, data: bytes) -> bool:
    """Say all of it; return whether somebody still listens."""
    try:
        sock.sendall(data)
    except OSError:
        return False
    return True


def hello(credentials: str) -> bytes:
    """The bytes of a whole greeting."""
    said = Hello(life=bytes(ID_SIZE), window=1 << 18, max_message=1 << 20, credentials=credentials)
    return MAGIC + encode_payload(FrameType.HELLO, said)


def _confirm(sock: socket.socket) -> None:
    heard, decoder = b"", FrameDecoder(1 << 20)
    while len(heard) < len(MAGIC):
        heard += sock.recv(4096) or _gone()
    frames = list(decoder.feed(heard[len(MAGIC) :]))
    while not frames:
        frames = list(decoder.feed(sock.recv(4096) or _gone()))
    say(sock, encode_frame(FrameType.CONFIRM, 0, decode_payload(Welcome, frames[0][2]).token))


def _gone() -> bytes:
    raise ConnectionError("the server hung up")


# What they do...


def _are_silent(crowd: Crowd, count: int) -> None:
    crowd.all_come(count)


def _dribble(crowd: Crowd, count: int) -> None:
    """Everybody says the next byte of its hello, but never the last one."""
    callers = crowd.all_come(count)
    for byte in hello(HONEST)[:-1]:
        callers = [caller for caller in callers if say(caller, bytes([byte]))]


def _come_and_go(crowd: Crowd, count: int) -> None:
    for _ in range(count):
        caller = crowd.comes()
        if caller is not None:
            crowd.goes(caller)


def _come_from_one_source(crowd: Crowd, count: int) -> None:
    for _ in range(count):
        caller = crowd.comes(source=0)
        if caller is not None:
            say(caller, MAGIC)
            crowd.goes(caller)


def _chatter_before_hello(what: bytes) -> Callable[[Crowd, int], None]:
    """Frames that may not come yet, 64 KiB of them from each."""
    chatter = what * (64 * KIB // len(what))

    def attack(crowd: Crowd, count: int) -> None:
        for _ in range(count):
            caller = crowd.comes()
            if caller is not None:
                say(caller, MAGIC + chatter)

    return attack


def _lie(crowd: Crowd, count: int) -> None:
    for caller in crowd.all_come(count):
        say(caller, hello("not good"))


def _declare(crowd: Crowd, count: int) -> None:
    """A header alone, of what never follows: half of the callers before they are let in, half of them after."""
    sizes = itertools.cycle([1 << 31, (1 << 32) - 1, 1 << 20])
    for caller in crowd.all_come(count // 2):
        say(caller, MAGIC + HEADER.pack(next(sizes), FrameType.HELLO, 0))
    for guest in crowd.guests_come(count // 2):
        say(guest, HEADER.pack(next(sizes), FrameType.BYTES, 0))


def _fragment(crowd: Crowd, count: int) -> None:
    """A message of 16 KiB each, byte by byte, everybody in turn."""
    guests = crowd.guests_come(count)
    for byte in _bytes_of(encode_frame(FrameType.BYTES, 0, bytes(16 * KIB))):
        for guest in guests:
            say(guest, byte)


def _half_say(crowd: Crowd, count: int) -> None:
    """Half a message of a megabyte from each."""
    half = encode_frame(FrameType.BYTES, 0, bytes(KIB * KIB))[: KIB * KIB // 2]
    for guest in crowd.guests_come(count):
        say(guest, half)


def _type_slowly(crowd: Crowd, count: int) -> None:
    """Text without an end at the plain door, byte by byte."""
    callers = crowd.all_come(count)
    for _ in range(2000):
        for caller in callers:
            say(caller, b"x")


def _bytes_of(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


@dataclass(frozen=True)
class Flood:
    """One kind.

    Attributes:
        attack: plays it with so many connections; those that are held stay until the end.
        count: the connections; ``short`` in a short run.
        each: bytes that a connection may cost besides twice what it said.
    """

    attack: Callable[[Crowd, int], None]
    count: int
    short: int
    each: int = STRANGER


FLOODS: Final = {
    "silent crowd": Flood(_are_silent, 5000, 600),
    "slow handshakes": Flood(_dribble, 2000, 600),
    "connect flood": Flood(_come_and_go, 20_000, 2000, GONE),
    "connect flood, one source": Flood(_come_from_one_source, 20_000, 2000, GONE),
    "pings before hello": Flood(_chatter_before_hello(encode_frame(FrameType.PING)), 2000, 200),
    "messages before hello": Flood(
        _chatter_before_hello(encode_frame(FrameType.TEXT, 0, b"x" * 100)), 2000, 200
    ),
    "bad credentials": Flood(_lie, 5000, 500),
    "declared sizes": Flood(_declare, 1000, 200, GUEST),
    "single bytes": Flood(_fragment, 20, 4, GUEST),
    "half messages": Flood(_half_say, 200, 50, GUEST),
    "plain single bytes": Flood(_type_slowly, 100, 20, GUEST),
}
"""Each kind by its name."""
