"""Every limit of the library: one table with name, default, unit and reason.

A limit is a field of ``Limits``; what is not here is not limited, and nothing is unlimited. ``LIMITS`` is the same table for reading:
``landline config --limits`` prints it, and tests walk it.
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


LONGEST: Final = 31 * 86_400.0
"""Seconds that any time here may be, at the most: what a peer may tell us of its own is held to the same."""


def _limit(default: Any, unit: str, reason: str) -> Any:
    return dataclasses.field(default=default, metadata={"unit": unit, "reason": reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one client or server; every field is finite and can be set.

    Raises:
        ValueError: a time is not above 0 and at most 31 days, or a count is not a whole number of at least 1.
    """

    # Messages and memory.
    max_message: int = _limit(1 << 20, "bytes", "one message; larger things are streams or files")
    window: int = _limit(
        256 << 10,
        "bytes",
        "received and not yet taken by the program; a frame counts 64 bytes more than its payload, so 4,096 small ones fit",
    )
    outbox_bytes: int = _limit(
        4 << 20,
        "bytes",
        "sent and not yet received by the peer; then send() waits and send_nowait() raises Full",
    )
    outbox_messages: int = _limit(
        4096, "messages", "the same in messages; many small ones cost more than their bytes"
    )

    # How long anything may take.
    connect_timeout: float = _limit(10.0, "seconds", "the first dial, all addresses together")
    handshake_timeout: float = _limit(10.0, "seconds", "from a caller's first byte to its complete hello")
    silent_timeout: float = _limit(
        600.0, "seconds", "a caller that has not said anything yet: a person may be about to type"
    )
    frame_timeout: float = _limit(
        30.0, "seconds", "from a frame's first byte to its last, and then 1 KiB a second more"
    )
    write_timeout: float = _limit(10.0, "seconds", "bytes waiting to be written and none leaving")
    close_timeout: float = _limit(5.0, "seconds", "an orderly close, delivery of what was sent included")
    ack_delay: float = _limit(0.05, "seconds", "an ack waits this long for company")

    # Is the peer alive, and when to try again.
    heartbeat_interval: float = _limit(
        25.0, "seconds", "silence before a ping; up to a fifth less, so that sessions do not beat together"
    )
    dead_after: float = _limit(8.0, "seconds", "silence after a ping before the line counts as dead")
    redial_min: float = _limit(0.2, "seconds", "the first pause between dials is drawn from 0 to this")
    redial_max: float = _limit(20.0, "seconds", "the pause doubles up to this")
    redial_reset: float = _limit(60.0, "seconds", "a line that held this long starts the pauses anew")

    # What a server keeps, and for how long.
    resume_window: float = _limit(300.0, "seconds", "a session outlives its line this long")
    tombstone_window: float = _limit(
        86_400.0, "seconds", "what an ended session had received and handled is remembered this long"
    )
    max_tombstones: int = _limit(
        10_000, "sessions", "and for at most this many sessions; the oldest go first"
    )
    max_sessions: int = _limit(
        10_000, "sessions", "held by one server; then the session that is longest without a line ends"
    )
    max_connections: int = _limit(10_000, "connections", "open at one server, every door together")
    max_handshakes: int = _limit(512, "connections", "past their first byte and not yet let in")
    max_silent: int = _limit(256, "connections", "callers that have not said anything; the oldest goes first")
    max_per_source: int = _limit(
        1024,
        "connections",
        "from one address (IPv4) or /64 (IPv6), and as many sessions; loopback and Unix sockets are exempt",
    )
    preauth_bytes: int = _limit(4096, "bytes", "read from a caller before it is let in, its hello included")

    # Seconds that a source is charged for misbehaviour; they pass as time does. Loopback and Unix sockets are exempt.
    penalty_from: float = _limit(
        15.0,
        "seconds",
        "charged to one source: from here on it is refused until they have passed; above penalty_max nobody ever is",
    )
    penalty_max: float = _limit(600.0, "seconds", "that one source has before it at the most")
    penalty_left: float = _limit(1.0, "seconds", "for a caller that goes, or is silent, without being let in")
    penalty_unauthorized: float = _limit(5.0, "seconds", "for bad credentials, or a token that is not good")
    penalty_slow: float = _limit(10.0, "seconds", "for a hello that is not complete in time")
    penalty_rule: float = _limit(10.0, "seconds", "for a broken rule of the wire")
    penalty_crash: float = _limit(
        90.0, "seconds", "for input that our own code, or authenticate, failed over"
    )
    max_penalized: int = _limit(
        65_536, "sources", "with a penalty that has not passed; who has the smallest is forgiven first"
    )

    backlog: int = _limit(
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


LIMITS: Final[tuple[Limit, ...]] = tuple(
    Limit(field.name, field.default, field.metadata["unit"], field.metadata["reason"])  # type: ignore[arg-type]
    for field in dataclasses.fields(Limits)
)
