"""Every limit of the library: tables with name, default, unit and reason.

Those that can be set are fields of ``Limits``; the fixed ones stand below it, a class for each layer, and the code reads them from there.
What is not here is not limited, and nothing is unlimited. ``GROUPS`` is all of it for reading: ``landline config --limits`` prints it
together with those of the programs, and tests walk it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, cast

MOST: Final = (1 << 31) - 1
"""What a count may be set to: more than any that is of use, and within what sizes on the wire and the kernel's numbers hold."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table."""

    name: str
    default: float
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitGroup:
    """The rows of one part of the program."""

    title: str
    how: str
    """``fixed``, or what they are set with."""
    limits: tuple[Limit, ...]


def limit(default: Any, unit: str, reason: str, *, most: int = MOST) -> Any:
    """Return a field of a table of limits; one that can be set to a count takes at most ``most``."""
    return dataclasses.field(default=default, metadata={"unit": unit, "reason": reason, "most": most})


def rows(table: type, prefix: str = "") -> tuple[Limit, ...]:
    """Return the rows of a table of limits, whose fields are ``limit``; their names begin with ``prefix``."""
    return tuple(
        Limit(
            prefix + field.name, cast(float, field.default), field.metadata["unit"], field.metadata["reason"]
        )
        for field in dataclasses.fields(table)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one client or server; every field is finite and can be set.

    Raises:
        ValueError: a time is not above 0 and at most 31 days, or a count is not a whole number from 1 to ``MOST``
            (``memory``: 2**50).
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
        "in the inboxes, outboxes and unfinished frames of all sessions of a server together; then credit is withheld, senders"
        " wait, and lines of the largest unfinished frames go; what was granted before may still come: a window and a message"
        " for each session",
        most=1 << 50,
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
        10_000,
        "sessions",
        "held by one server; then one without a line ends, of those the one that had lived shortest",
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

    # Seconds that a source is charged for misbehaviour; they pass as time does. Loopback and Unix sockets are exempt.
    penalty_from: float = limit(
        15.0,
        "seconds",
        "charged to one source: from here on it is refused until they have passed; above penalty_max nobody ever is",
    )
    penalty_max: float = limit(600.0, "seconds", "that one source has before it at the most")
    penalty_left: float = limit(
        1.0,
        "seconds",
        "for a caller that goes, or is silent, without being let in; or for whom authenticate fails",
    )
    penalty_unauthorized: float = limit(5.0, "seconds", "for bad credentials, or a token that is not good")
    penalty_slow: float = limit(10.0, "seconds", "for a hello that is not complete in time")
    penalty_rule: float = limit(10.0, "seconds", "for a broken rule of the wire")
    penalty_crash: float = limit(90.0, "seconds", "for input that our own code failed over")
    max_penalized: int = limit(
        65_536, "sources", "with a penalty that has not passed; who has the smallest is forgiven first"
    )

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
            elif not (isinstance(value, int) and 1 <= value <= field.metadata["most"]):
                raise ValueError(
                    f"{field.name} is {value!r}, and must be a whole number of {field.metadata['unit']},"
                    f" at least 1 and at most {field.metadata['most']:,}"
                )


LIMITS: Final[tuple[Limit, ...]] = rows(Limits)


# What is fixed: the numbers of one layer each.


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolLimits:
    """What holds for one connection's bytes."""

    control: int = limit(4096, "bytes", "one control frame: they are answered before anything is counted")
    longest: float = limit(
        31 * 86_400.0,
        "seconds",
        "that any time may be, of those that can be set and those that a peer tells us",
    )
    reason: int = limit(500, "characters", "the reason that a peer gives for a close or a refusal")
    purpose: int = limit(255, "characters", "what a flow is opened for")
    redirect: int = limit(500, "characters", "the address that a server names to go on with")
    flow_frames: int = limit(
        4096,
        "frames",
        "of ours that open, end and reset flows and that the peer has not acked; then it may open no more",
    )
    publishes: int = limit(
        1024,
        "publications",
        "or durable sends of one outbox that wait for their answer; then who adds to it waits",
    )
    outboxes: int = limit(
        8, "outboxes", "that one session may publish or send from; each leaves a record that is kept for long"
    )
    publish_overhead: int = limit(
        512,
        "bytes",
        "that a publication needs besides its data: it must fit a message, and its topic with it",
    )
    board: int = limit(
        16 << 20,
        "bytes",
        "published at a server and not yet stored; then publishers wait, and clients' flows",
    )
    feed: int = limit(
        256 << 10,
        "bytes",
        "published and not yet sent to one subscription, a publication counting 64 bytes more; then its topics' policies decide",
    )
    batch: int = limit(
        256, "publications", "stored in one transaction; those that come meanwhile make up the next"
    )
    batch_bytes: int = limit(
        1 << 20, "bytes", "after which a transaction takes no more; it takes at least one"
    )
    patterns: int = limit(
        10_000, "topics", "of which it is remembered which patterns select them; the others are matched again"
    )
    write: int = limit(
        256 << 10, "bytes", "about what one write holds, so that no session keeps the others waiting"
    )
    beat: float = limit(
        0.05, "seconds", "the shortest heartbeat that a peer may ask for; less would be a flood of pings"
    )
    retired_tokens: int = limit(
        8, "tokens", "of one session whose use would show a theft; a new one at every resume"
    )
    candidates: int = limit(
        64, "sessions", "without a line that are looked at when one of them has to make room"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What holds around one session."""

    credentials: int = limit(3072, "bytes", "what a client shows at every dial; it travels in the greeting")
    undecided: float = limit(
        0.5, "seconds", "until what may become an HTTP request is plain text: somebody may wait for an answer"
    )
    silent_grace: float = limit(
        5.0,
        "seconds",
        "that nobody is hung up on for being silent, however many are: they came this very moment",
    )
    first_words: float = limit(
        0.5,
        "seconds",
        "that a server which goes waits for those who came this very moment: their greeting is on its way",
    )
    caller_bytes: int = limit(
        64 << 10, "bytes", "received from a plain caller and not taken; then the line is not read"
    )
    changes: int = limit(
        64, "changes", "of a session's state that one watcher has not looked at; the oldest go"
    )
    pending: int = limit(
        16 << 10,
        "bytes",
        "of a subscription or of publishes that wait to be written; the rest waits where it may still be dropped",
    )
    first_pause: float = limit(
        1.0, "seconds", "between the first dials to a server that said that it goes, and comes back"
    )
    farewell: float = limit(
        1.0, "seconds", "that a close with nothing left to deliver waits for a line that is down"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """What holds for one socket."""

    backlog: int = limit(
        256 << 10, "bytes", "waiting to be written; then a transport is not writable until they are fewer"
    )
    read: int = limit(64 << 10, "bytes", "one read; all sockets of a thread are read into one buffer")
    linger: float = limit(
        2.0, "seconds", "for the peer to end its direction after we ended ours; then a reset"
    )
    unacknowledged: float = limit(
        20.0, "seconds", "that what was written may stay unacknowledged by the peer's kernel"
    )
    keepalive: float = limit(60.0, "seconds", "of silence before the kernel asks the peer's kernel")
    accept_burst: int = limit(
        64,
        "connections",
        "taken in one turn of the loop, so that in a flood of them those who are connected have their turn too",
    )
    refuse_burst: int = limit(512, "connections", "refused in one turn of the loop; each costs little")
    accept_pause: float = limit(
        1.0, "seconds", "without accepting, when the system has no more sockets for us"
    )
    port_tries: int = limit(16, "ports", "tried before a free one must be free at every address of the name")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLimits:
    """What one store takes, keeps and does at a time."""

    # What it takes.
    write_bytes: int = limit(
        16 << 20, "bytes", "one write, names included; far above the largest message: it only stops accidents"
    )
    write_changes: int = limit(1024, "changes", "and expectations of one write")
    key: int = limit(512, "bytes", "a key in UTF-8")
    topic: int = limit(255, "bytes", "a topic or pattern in UTF-8")
    tokens: int = limit(16, "tokens", "of a topic or pattern")
    wildcards: int = limit(2, "tokens", "of a pattern that are wildcards: each multiplies what it may select")

    # What it keeps of a topic, where an application says nothing else (landline.storage.Retention).
    history: int = limit(10_000, "publications", "kept of a topic; the newest stays in any case")
    history_bytes: int = limit(64 << 20, "bytes", "kept of a topic")
    history_age: float = limit(30 * 86_400.0, "seconds", "that a publication is kept")

    # What it gives.
    page: int = limit(1000, "entries", "of one page; whoever asks for more gets these")
    page_bytes: int = limit(4 << 20, "bytes", "after which a page ends; it holds at least one publication")

    feed_page: int = limit(256, "publications", "read at a time for one subscription that is behind")
    newest_bytes: int = limit(
        256 << 10,
        "bytes",
        "of the newest publications of each topic that a subscription may begin with; it has at least one",
    )
    feed_page_bytes: int = limit(64 << 10, "bytes", "after which such a page ends")
    outbox_age: float = limit(
        30 * 86_400.0,
        "seconds",
        "that what a client has published is remembered, so that its repeats are known",
    )
    empty_outboxes: int = limit(
        100_000,
        "outboxes",
        "remembered of which nothing was stored; the oldest are forgotten, at the latest when a tenth more came",
    )

    # What it does at a time.
    group: int = limit(256, "writes", "of one commit")
    group_bytes: int = limit(
        4 << 20, "bytes", "after which a commit takes no more writes; it takes at least one"
    )
    readings: int = limit(16, "readings", "between two commits, so that neither keeps the other waiting")
    retry: float = limit(
        1.0,
        "seconds",
        "until it is tried again to store that a durable send is handled, where the disk was full",
    )
    trim_interval: float = limit(
        3600.0, "seconds", "between looks at what a server keeps, whether it is too old by now"
    )
    trimmed: int = limit(1000, "publications", "that retention removes before others get their turn")
    trimmed_topics: int = limit(4096, "topics", "that retention looks at before others get their turn")
    scanned: int = limit(4096, "rows", "or topic names that a reading looks at before others get their turn")
    merged: int = limit(256, "topics", "read side by side; a pattern that selects more is read by scanning")

    # What it holds, and waits for.
    cached_topics: int = limit(10_000, "topics", "whose counts are in memory; the others are read again")
    log_bytes: int = limit(4 << 20, "bytes", "of the write-ahead log before it is copied into the main file")
    checked_bytes: int = limit(64 << 20, "bytes", "of a file that is checked whole at its opening")
    busy_timeout: float = limit(
        5.0, "seconds", "for a program that has the file open for a moment, such as a backup"
    )

    # What its examination tells and tries.
    damages: int = limit(1000, "damages", "named one by one by an examination; more are counted")
    steps: int = limit(
        100_000,
        "offsets",
        "tried one by one behind a row that cannot be read; a damaged head may be anything",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLimits:
    """How large a setting may be."""

    history: int = limit(300, "lines", "of the past that a server may be told to show: one reading's worth")
    resume_window: int = limit(7 * 86_400, "seconds", "that listen may be told to wait for a caller")


@dataclass(frozen=True, slots=True, kw_only=True)
class HitLimits:
    """How much is said about limits that were hit."""

    lines: int = limit(
        10, "lines", "of the log a second about limits that were hit, all together; every hit is counted"
    )
    interval: float = limit(
        10.0,
        "seconds",
        "between two lines about one limit and one kind of source; the second says how many more there were",
    )


PROTOCOL: Final = ProtocolLimits()
SESSION: Final = SessionLimits()
TRANSPORT: Final = TransportLimits()
STORAGE: Final = StorageLimits()
SETTING: Final = SettingLimits()
HITS: Final = HitLimits()

LONGEST: Final = PROTOCOL.longest

FIXED: Final = "fixed"
GROUPS: Final[tuple[LimitGroup, ...]] = (
    LimitGroup("Sessions", "set with landline.Limits", LIMITS),
    LimitGroup("Around a session", FIXED, rows(SessionLimits, "session.")),
    LimitGroup("The protocol", FIXED, rows(ProtocolLimits, "protocol.")),
    LimitGroup("Transports", FIXED, rows(TransportLimits, "transport.")),
    LimitGroup("Storage", FIXED, rows(StorageLimits, "storage.")),
    LimitGroup("The log of hits", FIXED, rows(HitLimits, "hits.")),
    LimitGroup("Settings", FIXED, rows(SettingLimits, "setting.")),
)
"""Every limit of the library."""
