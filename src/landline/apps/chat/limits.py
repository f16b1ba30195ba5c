"""Every limit of the chat, as tables: name, default, unit and reason.

Those of a server are fields of ``ChatLimits`` and can be set; those that all ends share, and those of plain callers and of clients, are
fixed. ``GROUPS`` is all of it for reading. What the connection beneath may take is in ``landline.Limits``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.limits import FIXED, LimitGroup, limit, rows
from landline.settings import ServeSettings


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
    rooms_each: int = limit(
        50,
        "rooms",
        "that one person is in at once; each is read in a flow of its own, and a session has 64 (max_flows): the others are for lines,"
        " and for rooms that were just left",
    )
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

    # Files, which are passed on as they come: the server keeps nothing of them.
    file_size: int = limit(4 << 30, "bytes", "of a file that somebody offers")
    file_offers: int = limit(10, "files", "that one person offers at once")
    file_takers: int = limit(100, "people", "who have accepted a file and have not received it yet")
    files_each: int = limit(
        4,
        "files",
        "that one person receives at once, and sends at once; each is a flow of the session, besides those of the rooms",
    )
    files: int = limit(
        200,
        "files",
        "accepted and on their way, of everybody; each holds the credit of one flow and the outbox of another",
    )
    file_stands: float = limit(3600.0, "seconds", "that an offer stands; what is on its way then goes on")
    file_silence: float = limit(
        600.0,
        "seconds",
        "in which nothing of a file comes through, before it is given up: longer than a line may be down",
    )
    file_turn: float = limit(
        60.0,
        "seconds",
        "of the same, where others wait for the same sender: then it is their turn, and it waits behind them",
    )

    # What is kept and shown.
    history: int = limit(ServeSettings().history, "lines", "of a room's past that somebody new is shown")
    earlier: int = limit(100, "lines", "of a room's past that are told at once to whoever looks further back")
    recent: int = limit(10, "lines", "of a room's past that a plain caller is shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLimits:
    """What a server tells the connections beneath it."""

    heartbeat_interval: float = limit(
        5.0,
        "seconds",
        "silence before a ping: people wait for each other here, so a dead line is noticed soon",
    )
    dead_after: float = limit(3.0, "seconds", "silence after a ping before the line counts as dead")
    max_per_source: int = limit(
        64,
        "connections",
        "from one address (IPv4) or /64 (IPv6) that is not of this machine: a household shares one, and a browser opens several",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """What may be said and how things may be called: the same for all ends."""

    text: int = limit(4096, "bytes", "of UTF-8 said at once")
    text_lines: int = limit(100, "lines", "said at once")
    name: int = limit(32, "code points", "in a person's name")
    room_name: int = limit(64, "code points", "in a room's name")
    file_name: int = limit(255, "code points", "in the name of a file that is offered")
    marks: int = limit(
        5,
        "marks",
        "combined on one letter: enough for every living script, too few to climb over the lines above",
    )
    apart: int = limit(
        4,
        "code points",
        "for each of a name that was typed apart; a longer text is too long in every form, and not normalized",
    )
    raw_text: int = limit(
        8192, "code points", "in what may still become a line, when what cannot be shown has gone"
    )
    word: int = limit(
        64, "characters", "in a word of the protocol: a kind of person, the name of a history's life"
    )
    invite: int = limit(64, "characters", "of an invite that somebody shows")
    quoted: int = limit(200, "characters", "of what is no message, in the complaint about it")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainLimits:
    """What a caller without a program of ours may do, and how long it waits."""

    # What it may send.
    bad_lines: int = limit(3, "lines", "that are not UTF-8, before the caller is told to try another program")
    endless: int = limit(1 << 20, "bytes", "of one line that are dropped before it counts as endless")
    commands: int = limit(
        64 << 10,
        "bytes",
        "of telnet's commands beyond those that its lines account for; they are no part of any line, so no pace holds them",
    )
    commands_a_line: int = limit(1024, "bytes", "of telnet's commands that a line accounts for")
    subnegotiation: int = limit(
        1024, "bytes", "of one of telnet's subnegotiations; what goes on after that is text"
    )

    invite_timeout: float = limit(
        60.0, "seconds", "from a caller's first words to the invite, where one is wanted"
    )
    slowed_for: float = limit(
        60.0,
        "seconds",
        "that a caller may send faster than the rate without a pause; then it is hung up on, since it may be gone and nobody stops it",
    )

    # What waits for it.
    unread_lines: int = limit(1000, "lines", "for a caller that does not read; the oldest go, and it is told")
    unread_size: int = limit(256 << 10, "characters", "likewise")
    unread_timeout: float = limit(30.0, "seconds", "that a caller may take to read what was sent to it")
    waiting_lines: int = limit(
        200, "lines", "for a caller whose turn it is not; the oldest go, and it is told"
    )
    waiting_size: int = limit(64 << 10, "characters", "likewise")
    send: int = limit(
        1024, "bytes", "one send to a caller that takes turns: what every tutorial's recv takes"
    )

    # How long a caller that takes turns waits.
    split_wait: float = limit(0.5, "seconds", "for the rest of a message that was cut within a character")
    receipt_wait: float = limit(0.7, "seconds", "until a message's receipt, when nobody is likely to answer")
    operator_wait: float = limit(
        60.0, "seconds", "the same when somebody sits at the server and may be typing"
    )
    unasked_wait: float = limit(
        5.0, "seconds", "of silence, and then what is said in the room goes out unasked"
    )
    doubt_wait: float = limit(
        30.0, "seconds", "of silence, and then a caller that may be waiting gets something"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookLimits:
    """What programs may say over HTTP, all together."""

    body: int = limit(16 << 10, "bytes", "of one request: a line, its name and what JSON needs around them")
    rate: float = limit(2.0, "lines a second", "then a program is told to wait; nothing of it is kept")
    burst: float = limit(20.0, "lines", "at once, before the rate holds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What a client holds, and how long it waits."""

    waiting: int = limit(
        1000, "lines", "of ours without an answer; more are given back to whoever types them"
    )
    doubted: int = limit(100, "lines", "of unknown fate remembered, in case one turns up; the oldest go")
    outboxes: int = limit(
        64, "clients", "of one user to one address, at once, that keep what they say on the disk"
    )
    servers: int = limit(
        1000, "servers", "whose certificates and invites are remembered; who was new the longest ago goes"
    )
    held: int = limit(
        1000, "comings and goings", "of a room that wait for the lines before them; then the oldest are shown"
    )
    input_line: int = limit(
        1 << 20, "bytes", "of one line of input: more than may be said, and little to hold"
    )
    drop: float = limit(600.0, "seconds", "that /drop may stay away")
    files: int = limit(
        100, "files", "that are offered to us, remembered; of more, the oldest that we have not accepted go"
    )
    redial_min: float = limit(0.2, "seconds", "the first pause before a new session is drawn from 0 to this")
    redial_max: float = limit(8.0, "seconds", "the pause doubles up to this: a person is waiting")
    redial_refused: float = limit(
        60.0,
        "seconds",
        "before somebody who was not let in tries again: each try counts against everybody at the same address",
    )
    redial_reset: float = limit(10.0, "seconds", "a session that held this long starts the pauses anew")
    leave_timeout: float = limit(2.0, "seconds", "for the last confirmations, and again for the close")
    haste: float = limit(0.3, "seconds", "for the close of a session that is left in a hurry")

    # A call to another kind of server: ``landline chat --plain``.
    classic_waiting: int = limit(100, "messages", "to another kind of server that wait for their turn")
    classic_answer: int = limit(64 << 10, "bytes", "of its answer that are collected before they are shown")
    classic_unattended: float = limit(
        60.0, "seconds", "without an answer, and then a pipe's next line goes out"
    )
    classic_goodbye: float = limit(2.0, "seconds", "that it has, after bye, to hang up first")


LINE: Final = LineLimits()
TEXT: Final = TextLimits()
PLAIN: Final = PlainLimits()
WEBHOOK: Final = WebhookLimits()
CLIENT: Final = ClientLimits()

GROUPS: Final[tuple[LimitGroup, ...]] = (
    LimitGroup("The chat's server", "set with ChatLimits", rows(ChatLimits, "chat.")),
    LimitGroup("What is said in the chat", FIXED, rows(TextLimits, "chat.")),
    LimitGroup("The lines beneath the chat", FIXED, rows(LineLimits, "chat.line.")),
    LimitGroup("Plain callers of the chat", FIXED, rows(PlainLimits, "chat.plain.")),
    LimitGroup("Webhooks of the chat", FIXED, rows(WebhookLimits, "chat.webhook.")),
    LimitGroup("The chat's client", FIXED, rows(ClientLimits, "chat.client.")),
)
