"""The limits that can be set: of sessions, and of whoever wants one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .fixed import LONGEST
from .table import limit


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
        576 << 10,
        "bytes",
        "received and not yet taken by the program; a frame counts 64 bytes more than its payload, so 9,216 small ones fit",
    )
    credit: int = limit(
        2 << 20,
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
    max_calls: int = limit(
        256,
        "calls",
        "of one session that run at once, in each direction; more of a caller's wait with it, and of a peer's in their flow",
    )
    call_bytes: int = limit(
        4 << 20,
        "bytes",
        "of the requests of one session that run at once; more wait in their flow, and one that is larger runs alone",
    )
    call_threads: int = limit(
        16, "threads", "in which a server, or a client, runs methods that are no coroutines; more calls wait"
    )
    call_timeout: float = limit(30.0, "seconds", "that a call takes, where its caller says nothing else")

    memory: int = limit(
        256 << 20,
        "bytes",
        "in the inboxes, outboxes and unfinished frames of all sessions of a server together, what many are told counted for each"
        " of them, also where it is held once; then credit is withheld, senders wait, and lines of the largest unfinished frames go;"
        " what was granted before may still come: a window and a message for each session",
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
    write_timeout: float = limit(
        10.0, "seconds", "bytes waiting to be written and none leaving; up to a quarter more until it is seen"
    )
    close_timeout: float = limit(5.0, "seconds", "an orderly close, delivery of what was sent included")
    stalled_after: float = limit(
        5.0, "seconds", "both ends waiting for each other's credit before it is reported"
    )
    ack_delay: float = limit(0.25, "seconds", "an ack waits this long for company")

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
    presence_grace: float = limit(
        2.0,
        "seconds",
        "that the line of a member of a group may be down before others are told that it is reconnecting",
    )
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
    max_web: int = limit(
        1024, "connections", "callers that speak HTTP; whoever asked for something the longest ago goes first"
    )
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

    program_threads: int = limit(
        64, "threads", "of a server's blocking programs, one for each session; further sessions wait for one"
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
