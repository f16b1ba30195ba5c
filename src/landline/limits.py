"""Every limit of the library: one table with name, default, unit and reason.

A limit is a field of ``Limits``, which programs may set, or of ``Fixed``, which nobody needs to; what is not here is not limited, and
nothing is unlimited. ``LIMITS`` is the same table for reading: ``landline config --limits`` prints it, and tests walk it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table."""

    name: str
    default: float
    unit: str
    reason: str
    is_fixed: bool = False
    """Whether it is the same for everybody."""


LONGEST: Final = 31 * 86_400.0
"""Seconds that any time here may be, at the most: what a peer may tell us of its own is held to the same."""


def limit(default: Any, unit: str, reason: str) -> Any:
    """Return the field of a dataclass that is a limit."""
    return dataclasses.field(default=default, metadata={"unit": unit, "reason": reason})


def rows(table: Any, *, is_fixed: bool = False) -> tuple[Limit, ...]:
    """Return the limits that are the fields of a dataclass."""
    return tuple(
        Limit(field.name, field.default, field.metadata["unit"], field.metadata["reason"], is_fixed)  # type: ignore[arg-type]
        for field in dataclasses.fields(table)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one client or server; every field is finite and can be set.

    Raises:
        ValueError: a time is not above 0 and at most 31 days, or a count is not a whole number of at least 1.
    """

    # Messages and memory.
    max_message: int = limit(1 << 20, "bytes", "one message; larger things are streams or files")
    window: int = limit(
        256 << 10,
        "bytes",
        "received and not yet taken by the program; a frame counts 64 bytes more than its payload, so 4,096 small ones fit",
    )
    credit: int = limit(
        1 << 20,
        "bytes",
        "what the windows of all flows of a session may add up to; each has 4 KiB at the least",
    )
    max_flows: int = limit(64, "flows", "that the peer may have open at once, besides the messages")
    flow_outbox: int = limit(
        64 << 10,
        "bytes",
        "of one flow besides the messages, waiting for the peer's credit; then send() waits",
    )
    outbox_bytes: int = limit(
        4 << 20,
        "bytes",
        "sent and not yet received by the peer; then send() waits and send_nowait() raises Full",
    )
    outbox_messages: int = limit(
        4096, "messages", "the same in messages; many small ones cost more than their bytes"
    )

    memory: int = limit(
        256 << 20,
        "bytes",
        "in the inboxes and outboxes of all sessions of a server together; then credit is withheld, and senders wait",
    )

    # How long anything may take.
    connect_timeout: float = limit(10.0, "seconds", "the first dial, all addresses together")
    handshake_timeout: float = limit(10.0, "seconds", "from a caller's first byte to its complete hello")
    silent_timeout: float = limit(
        600.0, "seconds", "a caller that has not said anything yet: a person may be about to type"
    )
    frame_timeout: float = limit(
        30.0, "seconds", "from a frame's first byte to its last, and then 1 KiB a second more"
    )
    write_timeout: float = limit(10.0, "seconds", "bytes waiting to be written and none leaving")
    close_timeout: float = limit(5.0, "seconds", "an orderly close, delivery of what was sent included")
    stalled_after: float = limit(
        5.0, "seconds", "both ends waiting for each other's credit before it is reported"
    )
    ack_delay: float = limit(0.05, "seconds", "an ack waits this long for company")

    # Is the peer alive, and when to try again.
    heartbeat_interval: float = limit(
        25.0, "seconds", "silence before a ping; up to a fifth less, so that sessions do not beat together"
    )
    dead_after: float = limit(8.0, "seconds", "silence after a ping before the line counts as dead")
    redial_min: float = limit(0.2, "seconds", "the first pause between dials is drawn from 0 to this")
    redial_max: float = limit(20.0, "seconds", "the pause doubles up to this")
    redial_reset: float = limit(60.0, "seconds", "a line that held this long starts the pauses anew")

    # What a server keeps, and for how long.
    resume_window: float = limit(300.0, "seconds", "a session outlives its line this long")
    tombstone_window: float = limit(
        86_400.0, "seconds", "what an ended session had received and handled is remembered this long"
    )
    max_tombstones: int = limit(10_000, "sessions", "and for at most this many sessions; the oldest go first")
    max_sessions: int = limit(
        10_000, "sessions", "held by one server; then the session that is longest without a line ends"
    )
    max_connections: int = limit(10_000, "connections", "open at one server, every door together")
    max_handshakes: int = limit(512, "connections", "past their first byte and not yet let in")
    max_silent: int = limit(256, "connections", "callers that have not said anything; the oldest goes first")
    max_per_source: int = limit(
        1024,
        "connections",
        "from one address (IPv4) or /64 (IPv6), and as many sessions; loopback and Unix sockets are exempt",
    )
    preauth_bytes: int = limit(4096, "bytes", "read from a caller before it is let in, its hello included")
    backlog: int = limit(
        4096, "connections", "waiting in the kernel to be accepted; the kernel may hold fewer"
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata["unit"] == "seconds":
                if not (isinstance(value, int | float) and 0 < value <= LONGEST):
                    raise ValueError(
                        f"{field.name} is {value!r}, and must be above 0 and at most {LONGEST:.0f} seconds"
                    )
            elif not (isinstance(value, int) and 1 <= value < 1 << 63):
                raise ValueError(
                    f"{field.name} is {value!r}, and must be a whole number of {field.metadata['unit']}, 1 or more"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Limits that are the same for everybody."""

    # The protocol.
    control_frame: int = limit(4096, "bytes", "the payload of a frame that carries no data of a program")
    flow_frames: int = limit(
        4096,
        "frames",
        "of ours that open, end and reset flows and that the peer has not acked; then it may open no more",
    )
    retired_tokens: int = limit(
        8, "tokens", "of a session that were replaced, and are recognised as stolen when they are shown"
    )
    heartbeat_least: float = limit(
        0.05, "seconds", "below which no peer can press the heartbeat: it would be a flood of pings"
    )

    # Transports.
    linger: float = limit(2.0, "seconds", "for the peer to end its direction after we ended ours")
    high_water: int = limit(
        256 << 10, "bytes", "waiting to be written above which a transport takes no more for now"
    )
    user_timeout: int = limit(
        20_000,
        "milliseconds",
        "that written bytes may stay unacknowledged before the kernel ends the connection",
    )
    keepalive: float = limit(60.0, "seconds", "of silence before the kernel asks the peer's kernel")
    free_port_tries: int = limit(16, "ports", "tried before one must be free at every address of a name")

    # Sessions and doors.
    silent_grace: float = limit(
        5.0,
        "seconds",
        "that nobody is hung up on for being silent, however many are: they may have been accepted this very moment",
    )
    undecided: float = limit(
        0.5, "seconds", "after which the beginning of what may become HTTP is plain text"
    )
    caller_held: int = limit(
        64 << 10, "bytes", "received from a bare line and not taken, above which it is not read"
    )
    changes_kept: int = limit(
        64, "changes", "of a session's state that one watcher has not looked at; the oldest go first"
    )
    farewell: float = limit(
        1.0, "seconds", "that a close which has nothing left to deliver waits for a line that is down"
    )
    credentials: int = limit(
        3072,
        "bytes",
        "of credentials as msgpack: they travel in the greeting, of which a server reads no more than 4 KiB",
    )

    # Storage.
    storage_data: int = limit(
        16 << 20,
        "bytes",
        "of one publication or value; far above the largest message, so that it only stops accidents",
    )
    storage_key: int = limit(512, "bytes", "of a key in UTF-8")
    storage_changes: int = limit(1024, "changes", "in one write of the store")
    storage_page: int = limit(
        1000, "things", "publications, values or gaps of one page; a larger `limit` is treated as this"
    )
    storage_page_bytes: int = limit(
        4 << 20, "bytes", "of data after which a page ends; it always holds at least one publication"
    )
    topic_name: int = limit(255, "bytes", "of a topic or pattern in UTF-8")
    topic_tokens: int = limit(16, "tokens", "of a topic or pattern")
    topic_wildcards: int = limit(2, "tokens", "of a pattern that are wildcards")
    busy_timeout: float = limit(
        5.0, "seconds", "to wait for a program that has the file open for a moment, such as a backup"
    )
    checked_bytes: int = limit(
        64 << 20,
        "bytes",
        "of a file that is checked whole at each opening, which takes at most tenths of a second",
    )
    checkpoint_bytes: int = limit(
        4 << 20,
        "bytes",
        "of the write-ahead log at which it is copied into the main file; 1,000 pages are SQLite's own default",
    )
    cached_topics: int = limit(10_000, "topics", "whose numbers are remembered")
    group: int = limit(256, "writes", "that share one commit of the store")
    group_bytes: int = limit(
        4 << 20,
        "bytes",
        "of writes after which a commit takes no more; a single larger write has one of its own",
    )
    group_calls: int = limit(16, "readings", "between two commits, so that neither keeps the other waiting")

    # The command line.
    cancel_timeout: float = limit(
        2.0, "seconds", "that a cancelled program has to restore the terminal and go"
    )
    log_lines: int = limit(10, "lines a second", "in the log, of one source and kind")
    log_kinds: int = limit(
        1024, "kinds", "of log lines by source that are counted; the one unheard of for longest goes first"
    )
    log_length: int = limit(4096, "characters", "of one line's message")


FIXED: Final = Fixed()

LIMITS: Final[tuple[Limit, ...]] = (*rows(Limits), *rows(Fixed, is_fixed=True))
