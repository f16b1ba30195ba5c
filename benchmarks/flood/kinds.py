"""The floods: what each says, over how many connections, and what a connection may cost besides twice its bytes.

Here those of sessions and plain text, and all of them by name; the other doors have theirs in files of their own.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Final

from landline.protocol.frames import HEADER, MAGIC, FrameType, encode_frame

from .crowd import GONE, GUEST, KIB, Crowd, Flood, hello, say
from .server import HONEST
from .tls_kinds import TLS_FLOODS
from .web_kinds import WEB_FLOODS
from .websocket_kinds import WEBSOCKET_FLOODS

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


def _at_every_door(crowd: Crowd, count: int) -> None:
    """Some of each kind, all at the same time."""
    kinds = [flood for flood in FLOODS.values() if flood.attack is not _at_every_door]
    share = count // len(kinds)
    attacks = [
        threading.Thread(target=flood.attack, args=(crowd, max(2, min(share, flood.count))))
        for flood in kinds
    ]
    for attack in attacks:
        attack.start()
    for attack in attacks:
        attack.join()


OTHER_DOORS: Final = {
    **TLS_FLOODS,
    **WEB_FLOODS,
    **WEBSOCKET_FLOODS,
    "every door": Flood(_at_every_door, 3000, 300, GUEST),
    "every door, this machine": Flood(_at_every_door, 3000, 300, GUEST, is_exempt=True),
}
"""Those that do not come as a session or as plain text, or not only."""

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
    **OTHER_DOORS,
}
"""Each kind by its name."""
