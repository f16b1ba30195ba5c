"""Every limit of the chat, as one table: name, default, unit and reason.

A limit is a field of ``ChatLimits`` or, for text and names, a constant of ``text`` that all ends share; ``LIMITS`` lists both. What the
connection beneath may take is in ``landline.Limits``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

import landline
from landline.apps.chat import text


def _limit(default: Any, unit: str, reason: str) -> Any:
    return dataclasses.field(default=default, metadata={"unit": unit, "reason": reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLimits:
    """What one chat server takes; every field is finite and can be set."""

    # People and rooms.
    people: int = _limit(10_000, "people", "in the chat at once, of every kind")
    rooms: int = _limit(
        1_000,
        "rooms",
        "open, or listed because something was said in them; the empty one that was silent for the longest gives way to a new one",
    )
    rooms_each: int = _limit(100, "rooms", "that one person is in at once")
    rooms_founded: int = _limit(15, "rooms", "that one person makes at once, before the interval holds")
    rooms_founded_source: int = _limit(
        60, "rooms", "made at once from one address, one IPv6 network or this machine, likewise"
    )
    founding_interval: float = _limit(
        30.0, "seconds", "from one room that a person makes to the next, after those at once"
    )
    founding_interval_source: float = _limit(10.0, "seconds", "likewise, for a source")
    sources: int = _limit(10_000, "sources", "whose pace of making rooms is remembered")
    members: int = _limit(2_000, "people", "in one room; all their names fit one message")
    members_told: int = _limit(
        500,
        "people",
        "in a room whose comings and goings are told; in a larger one they would drown what is said",
    )

    # What one person may do.
    rate: float = _limit(
        2.0, "requests a second", "of one session; a faster one is slowed, and nothing of it is lost"
    )
    burst: float = _limit(5.0, "requests", "at once, before the rate holds")
    bad_messages: int = _limit(3, "messages", "that are no request, before the session is closed")
    enter_timeout: float = _limit(30.0, "seconds", "from the session's beginning to its Enter")
    ring_timeout: float = _limit(60.0, "seconds", "that a call rings")

    # What is kept and shown.
    history: int = _limit(50, "lines", "of a room's past that somebody new is shown")
    recent: int = _limit(10, "lines", "of a room's past that a plain caller is shown")
    page: int = _limit(300, "lines", "read from the store at once while catching up")
    page_bytes: int = _limit(256 << 10, "bytes", "of text in one message while catching up")
    repeats: int = _limit(
        10_000, "lines", "remembered by their sender's numbers, so that a repeat is not stored again"
    )
    repeats_read: int = _limit(1_000, "lines", "of the store's past read at the start for the same purpose")


LIMITS: Final[tuple[landline.Limit, ...]] = (
    *(
        landline.Limit(field.name, field.default, field.metadata["unit"], field.metadata["reason"])  # type: ignore[arg-type]
        for field in dataclasses.fields(ChatLimits)
    ),
    landline.Limit("text", text.MAX_TEXT, "bytes", "of UTF-8 said at once"),
    landline.Limit("text_lines", text.MAX_LINES, "lines", "said at once"),
    landline.Limit("name", text.MAX_NAME, "code points", "in a person's name"),
    landline.Limit("room_name", text.MAX_ROOM, "code points", "in a room's name"),
)
