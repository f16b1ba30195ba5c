"""The safeguards of carriers, each with the patch that switches it off, as a table for ``ablations``: what nobody misses on a line of bytes."""

from __future__ import annotations

from typing import Any

from ...protocol.connection import Connection
from ...protocol.states import Phase
from ...transports.websocket.frames import Arrival, FrameReader
from .switched_off import Ablation

_init = FrameReader.__init__
_feed = FrameReader.feed
_go_on = FrameReader._go_on
_data_to_send = Connection.data_to_send

_last: dict[bool, FrameReader] = {}


def _begin_where_another_ended(self: FrameReader, *, is_masked: bool, **others: Any) -> None:
    _init(self, is_masked=is_masked, **others)
    before = _last.get(is_masked)
    if before is not None and before._left:
        for name in ("_kind", "_size", "_left", "_key", "_is_final"):
            setattr(self, name, getattr(before, name))
    _last[is_masked] = self


def _go_on_with_the_first_byte_of_the_key(self: FrameReader, data: bytes, found: list[Arrival]) -> int:
    key = self._key
    taken = _go_on(self, data, found)
    self._key = key
    return taken


def _feed_without_the_rest(self: FrameReader, data: bytes) -> list[Arrival]:
    self._rest = b""
    return _feed(self, data)


_halves: dict[int, bytes] = {}


def _write_in_halves(self: Connection, now: float) -> list[bytes]:
    """Write half of a frame now and the rest next time, whatever else waits: not a byte is missing."""
    half = _halves.pop(id(self), b"")
    out = _data_to_send(self, now)
    if half:
        return [half, *out]
    if self.phase is Phase.OPEN and out and len(out[-1]) > 20:
        out[-1], _halves[id(self)] = out[-1][:10], out[-1][10:]
        self.has_more_to_send = True
    return out


CARRIER_ABLATIONS: tuple[Ablation, ...] = (
    Ablation(
        "an unfinished WebSocket message outlives its line",
        ((FrameReader, "__init__", _begin_where_another_ended),),
    ),
    Ablation(
        "the key begins anew with each piece of a message",
        ((FrameReader, "_go_on", _go_on_with_the_first_byte_of_the_key),),
    ),
    Ablation("part of a WebSocket header is forgotten", ((FrameReader, "feed", _feed_without_the_rest),)),
    Ablation(
        "a frame straddles two writes",
        ((Connection, "data_to_send", _write_in_halves),),
    ),
)
"""What the simulator finds over WebSocket only."""
