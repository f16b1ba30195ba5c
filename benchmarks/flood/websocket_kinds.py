"""Floods over WebSocket: handshakes, frames that break rules, and rules that can be kept to without end."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
from typing import Final

from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import MAGIC, FrameType, encode_frame
from landline.protocol.handshake import Welcome, decode_payload

from .crowd import GONE, GUEST, KIB, Crowd, Flood, hello, say
from .server import HONEST

_REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_END: Final = b"\r\n\r\n"
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
"""A mask that changes nothing."""


def _frame(first: int, data: bytes = b"") -> bytes:
    size = len(data)
    length = bytes([_MASKED | size]) if size < 126 else struct.pack("!BH", _MASKED | 126, size)
    return bytes([first]) + length + _NO_MASK + data


def _upgrade(sock: socket.socket) -> bytes | None:
    """Shake hands; return what came behind the answer, or None when there was none."""
    heard = b""
    try:
        sock.sendall(_REQUEST)
        while _END not in heard:
            if not (more := sock.recv(4096)):
                return None
            heard += more
    except OSError:
        return None
    return heard.partition(_END)[2]


def _guests_come(crowd: Crowd, count: int) -> list[socket.socket]:
    """So many are let in, over WebSocket."""
    guests = []
    for guest in crowd.all_come(count):
        with contextlib.suppress(OSError):
            heard = _upgrade(guest)
            if heard is None:
                continue
            guest.sendall(_frame(0x82, hello(HONEST)))
            frames: list[tuple[int, int, bytes]] = []
            decoder = FrameDecoder(KIB * KIB)
            while not frames:
                while len(heard) < 4 or len(heard) < _end(heard):
                    heard += guest.recv(4096) or _gone()
                said, heard = heard[_start(heard) : _end(heard)], heard[_end(heard) :]
                frames = list(decoder.feed(said.removeprefix(MAGIC)))
            token = decode_payload(Welcome, frames[0][2]).token
            guest.sendall(_frame(0x82, encode_frame(FrameType.CONFIRM, 0, token)))
            guests.append(guest)
    return guests


def _start(frame: bytes) -> int:
    return 4 if frame[1] == 126 else 2


def _end(frame: bytes) -> int:
    return _start(frame) + (int.from_bytes(frame[2:4]) if frame[1] == 126 else frame[1])


def _gone() -> bytes:
    raise ConnectionError("the server hung up")


def _come_and_go(crowd: Crowd, count: int) -> None:
    """Handshakes without end."""
    for _ in range(count):
        if (caller := crowd.comes()) is not None:
            _upgrade(caller)
            crowd.goes(caller)


def _fall_silent(crowd: Crowd, count: int) -> None:
    for caller in crowd.all_come(count):
        say(caller, _REQUEST)


def _fragment(crowd: Crowd, count: int) -> None:
    """A million fragments together, of a byte or of none, from guests, everybody in turn."""
    guests = _guests_come(crowd, count)
    message = encode_frame(FrameType.BYTES, 0, bytes(1_000_000 // count))
    for guest in guests:
        say(guest, _frame(0x02))
    for at in range(0, len(message), KIB):
        pieces = b"".join(_frame(0x00, message[each : each + 1]) for each in range(at, at + KIB))
        for guest in guests:
            say(guest, pieces)


def _ping(crowd: Crowd, count: int) -> None:
    """64 KiB of pings each, in turn, again and again; no answer is read."""
    pings = _frame(0x89, b"x" * 125) * (64 * KIB // 131)
    guests = _guests_come(crowd, count)
    for _ in range(16):
        guests = [guest for guest in guests if say(guest, pings)]


def _declare(crowd: Crowd, count: int) -> None:
    """The half of a frame that declares far too much, or as much as one may have; half of them after they were let in."""
    sizes = itertools.cycle([1 << 62, 64 << 20, (64 << 20) + 1])
    for caller in crowd.all_come(count // 2):
        say(caller, _REQUEST + struct.pack("!BBQ", 0x82, _MASKED | 127, next(sizes)) + _NO_MASK)
    for guest in _guests_come(crowd, count // 2):
        say(guest, struct.pack("!BBQ", 0x82, _MASKED | 127, next(sizes)) + _NO_MASK + bytes(KIB))


def _break_rules(crowd: Crowd, count: int) -> None:
    """Text, compressed frames, frames without a mask, kinds that there are not, and 64 KiB more."""
    broken = itertools.cycle(
        [_frame(0x81, b"hello"), _frame(0xC2, b"packed"), b"\x82\x05hello", _frame(0x8B), _frame(0x09)]
    )
    for _ in range(count):
        if (caller := crowd.comes()) is not None:
            say(caller, _REQUEST + next(broken) + bytes(64 * KIB))


WEBSOCKET_FLOODS: Final = {
    "WebSocket handshakes": Flood(_come_and_go, 3000, 300, GONE),
    "WebSocket, then silence": Flood(_fall_silent, 3000, 300, GUEST),
    "WebSocket fragments": Flood(_fragment, 50, 10, GUEST),
    "WebSocket pings": Flood(_ping, 100, 10, 4 * GUEST),
    "WebSocket declared sizes": Flood(_declare, 1000, 100, GUEST),
    "WebSocket broken rules": Flood(_break_rules, 2000, 200, GONE),
}
"""Each kind by its name."""
