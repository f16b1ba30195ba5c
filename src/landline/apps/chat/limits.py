"""Every limit of the chat, as one table: name, default, unit and reason.

A limit is a field of ``ChatLimits``, which a server may set, or of ``Fixed``, which all ends share; ``LIMITS`` lists both. What the
connection beneath may take is in ``landline.Limits``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import Limit, limit, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLimits:
    """What one chat server takes; every field is finite and can be set."""

    # People and rooms.
    people: int = limit(10_000, "people", "in the chat at once, of every kind")
    rooms: int = limit(
        1_000,
        "rooms",
        "open, or listed because something was said in them; the empty one that was silent for the longest gives way to a new one",
    )
    rooms_each: int = limit(100, "rooms", "that one person is in at once")
    rooms_founded: int = limit(15, "rooms", "that one person makes at once, before the interval holds")
    rooms_founded_source: int = limit(
        60, "rooms", "made at once from one address, one IPv6 network or this machine, likewise"
    )
    founding_interval: float = limit(
        30.0, "seconds", "from one room that a person makes to the next, after those at once"
    )
    founding_interval_source: float = limit(10.0, "seconds", "likewise, for a source")
    sources: int = limit(10_000, "sources", "whose pace of making rooms is remembered")
    members: int = limit(2_000, "people", "in one room; all their names fit one message")
    members_told: int = limit(
        500,
        "people",
        "in a room whose comings and goings are told; in a larger one they would drown what is said",
    )

    # What one person may do.
    rate: float = limit(
        2.0, "requests a second", "of one session; a faster one is slowed, and nothing of it is lost"
    )
    burst: float = limit(5.0, "requests", "at once, before the rate holds")
    bad_messages: int = limit(3, "messages", "that are no request, before the session is closed")
    enter_timeout: float = limit(30.0, "seconds", "from the session's beginning to its Enter")
    ring_timeout: float = limit(60.0, "seconds", "that a call rings")

    # What is kept and shown.
    history: int = limit(50, "lines", "of a room's past that somebody new is shown")
    recent: int = limit(10, "lines", "of a room's past that a plain caller is shown")
    page: int = limit(300, "lines", "read from the store at once while catching up")
    page_bytes: int = limit(256 << 10, "bytes", "of text in one message while catching up")
    repeats: int = limit(
        10_000, "lines", "remembered by their sender's numbers, so that a repeat is not stored again"
    )
    repeats_read: int = limit(1_000, "lines", "of the store's past read at the start for the same purpose")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Limits that all ends of the chat share."""

    # Names and text.
    name: int = limit(32, "code points", "in a person's name")
    room_name: int = limit(64, "code points", "in a room's name")
    text: int = limit(4096, "bytes", "of UTF-8 said at once")
    text_lines: int = limit(100, "lines", "said at once")
    marks: int = limit(
        5,
        "marks",
        "combining on one base: enough for every living script, too few to climb over the lines above",
    )
    decomposed: int = limit(
        4,
        "code points",
        "that one may become when it is taken apart; so much more of a name or room is looked at",
    )
    quoted: int = limit(200, "characters", "of a wrong request that its sender is shown again")
    tag: int = limit(200, "characters", "of the tag by which a client knows its own line again")

    # The server.
    per_source: int = limit(16, "connections", "from one address that is not of this machine")

    # The client.
    drop: float = limit(600.0, "seconds", "that /drop may stay away")
    input_line: int = limit(
        1 << 20, "bytes", "of one input line; more than any line that may be said, and little enough to hold"
    )
    waiting: int = limit(1000, "lines", "of ours without an answer; a person who types on after that is told")
    doubted: int = limit(
        100, "lines", "that may have been lost, remembered in case one of them turns up after all"
    )
    redial_max: float = limit(8.0, "seconds", "between two dials: a person is waiting")
    leave_timeout: float = limit(
        2.0,
        "seconds",
        "that the last confirmations, and then the close, may take when the program is told to stop",
    )

    # Plain text.
    unread_wait: float = limit(
        30.0, "seconds", "that a caller may take to read what was sent to it before it is hung up on"
    )
    turn: int = limit(
        1024, "bytes", "in one send to a turn-taking caller: what the recv of every socket tutorial takes"
    )
    operator_wait: float = limit(
        60.0, "seconds", "until the receipt of a message when somebody sits at the server and may be typing"
    )
    unasked_wait: float = limit(
        5.0, "seconds", "of silence after which what is said in the room goes to a turn-taking caller unasked"
    )
    doubt_wait: float = limit(
        30.0, "seconds", "of silence after which a caller that may be waiting gets something all the same"
    )
    turn_lines: int = limit(
        200,
        "lines",
        "that wait for a turn-taking caller's next turn; then the oldest are left out, and it is told",
    )
    turn_bytes: int = limit(64 * 1024, "bytes", "the same in bytes")
    endless_line: int = limit(1 << 20, "bytes", "of one line that are dropped before it counts as endless")
    telnet_commands: int = limit(
        64 << 10,
        "bytes",
        "of telnet's commands, beyond those that its lines account for, before they count as endless",
    )
    telnet_line: int = limit(1024, "bytes", "of telnet's commands that a line accounts for")
    telnet_subnegotiation: int = limit(
        1024, "bytes", "of a telnet subnegotiation; what goes on after that is text"
    )
    split_wait: float = limit(
        0.5, "seconds", "that a message whose last character is incomplete is waited for"
    )
    unread_lines: int = limit(
        1000, "lines", "that wait for a caller to read them; then the oldest are left out, and it is told"
    )
    unread_bytes: int = limit(256 * 1024, "bytes", "the same in bytes")
    unattended_wait: float = limit(
        60.0, "seconds", "without an answer after which the next line of a pipe goes out all the same"
    )
    goodbye_wait: float = limit(2.0, "seconds", "that the other side has, after bye, to hang up first")
    classic_waiting: int = limit(100, "messages", "typed to a classic server that wait for their turn")
    classic_answer: int = limit(64 * 1024, "bytes", "of an answer that are collected before they are shown")


FIXED: Final = Fixed()

LIMITS: Final[tuple[Limit, ...]] = (*rows(ChatLimits), *rows(Fixed, is_fixed=True))
