"""What the tests of the chat say of the rooms' topics: as people read them, and as clients are given them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import landline
from landline.apps.chat import wire
from landline.apps.chat.client.model import Client
from landline.apps.chat.topics import said_room, topic_of


class Said(NamedTuple):
    """A line was said in a room."""

    room: str
    line: wire.Line


class History(NamedTuple):
    """What was said in a room before, whole."""

    room: str
    lines: list[wire.Line]
    missing: str = ""


def published(said: Said, epoch: str = "e1") -> landline.Publication:
    """Return a line as its topic has it."""
    line = said.line
    kept = wire.encode(wire.Kept(line.at, line.name, line.text, line.id, said_room(said.room)))
    return landline.Publication(topic_of(said.room), landline.Position(epoch, line.offset), kept)


def joined(
    room: str,
    members: Sequence[wire.Member] = (),
    lines: Sequence[wire.Line] = (),
    *,
    missing: str = "",
    epoch: str = "e1",
    after: int | None = None,
) -> wire.Joined:
    """Return what a server says to whoever is to read these lines first; with none, it ends ``after`` this place."""
    if after is None:
        after = lines[0].offset - 1 if lines else 0
    until = lines[-1].offset if lines else 0
    return wire.Joined(room, list(members), wire.Seen(epoch, after), until, missing)


def read(client: Client, room: str, lines: Sequence[wire.Line], now: float = 0.0, epoch: str = "e1") -> None:
    """Have a client read these lines in a room that it is in."""
    for line in lines:
        reading = client.rooms.readings()[room]
        client.read(room, reading, published(Said(room, line), epoch), now)
