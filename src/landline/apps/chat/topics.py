"""The topics that keep the chat's lines: one for each room, named so that the room's name can be told from it.

A topic has a bounded length, and a room's name in four-byte letters may be longer: then the topic holds a hash, and each line says its room.
"""

from __future__ import annotations

import hashlib
from typing import Final

ROOMS: Final = "room.*"
"""The topics of all rooms."""
_HASHED: Final = ROOMS.replace("*", "=")


def topic_of(room: str) -> str:
    """Return the topic that keeps a room's lines: one token, whatever the room's name."""
    token = room.replace(".", "%")  # no name has a % or a =
    if len(token.encode()) > 200:  # with the rest of the topic it fits
        token = "=" + hashlib.sha256(room.encode()).hexdigest()
    return ROOMS.replace("*", token)


def said_room(room: str) -> str:
    """Return what a line says of its room: nothing where its topic tells."""
    return room if topic_of(room).startswith(_HASHED) else ""


def room_of(topic: str, said: str) -> str:
    """Return the room of a topic, in which a line says that of its room."""
    return said or topic.removeprefix(ROOMS[:-1]).replace("%", ".")
