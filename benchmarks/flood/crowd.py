"""Who floods: plain blocking sockets in a process of their own, each from a source of its own, from a thousand of them at the most.

A crowd may be on this machine instead, where nobody is limited by source and nobody is charged for anything.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import MAGIC, FrameType, encode_frame
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

    def __init__(self, host: str, port: int, *, is_exempt: bool = False) -> None:
        self._is_exempt = is_exempt
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
            if not self._is_exempt:
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


@dataclass(frozen=True)
class Flood:
    """One kind.

    Attributes:
        attack: plays it with so many connections; those that are held stay until the end.
        count: the connections; ``short`` in a short run.
        each: bytes that a connection may cost besides twice what it said.
        is_exempt: it comes from this machine, which is limited by nothing that goes by source.
    """

    attack: Callable[[Crowd, int], None]
    count: int
    short: int
    each: int = STRANGER
    is_exempt: bool = False
