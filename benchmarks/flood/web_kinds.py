"""Floods at the door of HTTP: heads, bodies, requests and answers, too slow, too many or too large."""

from __future__ import annotations

import contextlib
import gzip
import selectors
import socket
from typing import Final

from .crowd import GUEST, KIB, STRANGER, Crowd, Flood, say
from .server import BODIES, LARGE

_HOST: Final = b"Host: localhost\r\n"
_GET: Final = b"GET /health HTTP/1.1\r\n" + _HOST + b"\r\n"
_TOGETHER: Final = 100_000
_PATIENCE: Final = 5.0


def _dribble_heads(crowd: Crowd, count: int) -> None:
    """Everybody says the next byte of a head, but never its end."""
    callers = crowd.all_come(count)
    for byte in _GET[:-1]:
        callers = [caller for caller in callers if say(caller, bytes([byte]))]


def _dribble_bodies(crowd: Crowd, count: int) -> None:
    """Everybody says a few bytes of a body, one by one."""
    callers = crowd.all_come(count)
    for caller in callers:
        say(caller, b"POST " + BODIES + b" HTTP/1.1\r\nContent-Length: 1000\r\n" + _HOST + b"\r\n")
    for _ in range(20):
        callers = [caller for caller in callers if say(caller, b"x")]


def _never_end(crowd: Crowd, count: int) -> None:
    """Bodies of 4 MiB and no end, to a path that takes one and to a path that takes none, in large chunks and in small ones."""
    chunks = [b"10000\r\n" + bytes(64 * KIB) + b"\r\n", b"1\r\nx\r\n" * (11 * KIB)]
    for number in range(count):
        if (caller := crowd.comes()) is None:
            continue
        path = (BODIES, b"/health")[number % 2]
        say(caller, b"POST " + path + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + _HOST + b"\r\n")
        for _ in range(64):
            if not say(caller, chunks[number // 2 % 2]):
                break


def _head_fields(crowd: Crowd, count: int) -> None:
    """64 KiB of fields each, in many and in one, and an endless address."""
    kinds = [b"x: y\r\n" * (11 * KIB), b"x: " + b"y" * (64 * KIB), b"y" * (64 * KIB)]
    for number in range(count):
        if (caller := crowd.comes()) is not None:
            said = kinds[number % 3]
            say(caller, (b"GET /" if said[:1] == b"y" else b"GET / HTTP/1.1\r\n" + _HOST) + said)


def _pipeline(crowd: Crowd, count: int) -> None:
    """A hundred thousand requests together, before the first answer is read."""
    with selectors.DefaultSelector() as reading:
        left = {}
        for caller in crowd.all_come(count):
            caller.setblocking(False)
            left[caller] = _GET * (_TOGETHER // count)
            reading.register(caller, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while left and (ready := reading.select(_PATIENCE)):
            for key, events in ready:
                assert isinstance(key.fileobj, socket.socket)
                caller = key.fileobj
                try:
                    if events & selectors.EVENT_WRITE:
                        left[caller] = left[caller][caller.send(left[caller]) :]
                        if not left[caller]:
                            reading.modify(caller, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ and not caller.recv(64 * KIB):
                        raise ConnectionResetError
                except BlockingIOError:
                    continue
                except OSError:
                    reading.unregister(caller)
                    del left[caller]


def _stay(crowd: Crowd, count: int) -> None:
    """One request each, and then nothing; two hundred at a time, since it is not how fast they come that counts."""
    for _ in range(0, count, 200):
        callers = crowd.all_come(200)
        for caller in callers:
            say(caller, _GET)
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.recv(4 * KIB)


def _never_read(crowd: Crowd, count: int) -> None:
    """A large file for each."""
    for caller in crowd.all_come(count):
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        say(caller, b"GET " + LARGE + b" HTTP/1.1\r\n" + _HOST + b"\r\n")


def _compress(crowd: Crowd, count: int) -> None:
    """64 MiB of nothing, packed, each."""
    bomb = gzip.compress(bytes(64 << 20), 9)
    head = (
        b"POST " + BODIES + b" HTTP/1.1\r\n" + _HOST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    )
    for _ in range(count):
        if (caller := crowd.comes()) is not None:
            say(caller, head % len(bomb) + bomb)


WEB_FLOODS: Final = {
    "HTTP slow heads": Flood(_dribble_heads, 2000, 200, STRANGER * 2),
    "HTTP slow bodies": Flood(_dribble_bodies, 2000, 200, GUEST),
    "HTTP endless bodies": Flood(_never_end, 200, 20, GUEST),
    "HTTP fields": Flood(_head_fields, 2000, 200),
    "HTTP pipelined": Flood(_pipeline, 100, 100, GUEST),
    "HTTP kept alive": Flood(_stay, 11_000, 400, STRANGER * 2),
    "HTTP never read": Flood(_never_read, 300, 30, 4 * GUEST),
    "HTTP bombs": Flood(_compress, 500, 50),
}
"""Each kind by its name."""
