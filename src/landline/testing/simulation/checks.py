"""What must be true of lines and of their ends, told apart from what must be true of a session (``talk``)."""

from __future__ import annotations

from collections.abc import Iterable

from ...limits import Limits
from ...protocol.events import ConnectionEnded
from ...protocol.frames import CloseCode
from ...protocol.heartbeat import LATE
from ...protocol.states import Phase
from .line import Node, Port, Violation

HONEST = frozenset({
    CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.REPLACED, CloseCode.STALE, CloseCode.DEAD, CloseCode.TIMED_OUT, CloseCode.BUSY,
    CloseCode.UNAUTHORIZED, CloseCode.UNKNOWN_SESSION, CloseCode.EXPIRED, CloseCode.REVOKED,
})  # fmt: skip
"""Codes with which a connection between two honest ends may end; any other says that one of them broke a rule."""

_SLACK = 0.01


def check_honest(event: ConnectionEnded, who: str) -> None:
    """Two honest ends never break a rule of the protocol to each other."""
    if event.code not in HONEST:
        raise Violation(f"{who} saw the line end as {event.code.text}: {event.reason}")


def check_verdict(event: ConnectionEnded, node: Node, limits: Limits) -> None:
    """A loop that stood still for long reads before it judges."""
    if (
        event.local
        and event.code is CloseCode.DEAD
        and "heard" in event.reason
        and node.now - node.woke_at < limits.dead_after / 2 - LATE - _SLACK
    ):
        raise Violation("a line was given up as silent by a loop that had stood still itself")


def check_times(nodes: Iterable[Node], limits: Limits, patience: float) -> float:
    """Silence, waiting writes and slow callers are noticed within their bounds.

    Returns:
        in how many seconds to look again: before that nothing can be late, since all that happens only moves its bound on.
    """
    to_enter = 2 * limits.handshake_timeout + patience + limits.connect_timeout + _SLACK
    to_hear = limits.heartbeat_interval + limits.dead_after + _SLACK
    to_write = 1.5 * limits.write_timeout + _SLACK
    left = min(to_enter, to_hear, to_write)
    for node in nodes:
        if node.is_stalled:
            continue  # what is held against it begins when it wakes
        now, late_at = node.now, node.late_at
        for port in node.ports:
            if port.connection.phase is Phase.CLOSED:
                continue
            if not port.is_confirmed:
                left = min(left, max(port.opened_at, late_at) + to_enter - now)
                if left < 0:
                    raise Violation("a caller that was not let in is still there")
            else:
                since = max(port.heard_at, late_at)
                left = min(left, since + to_hear - now)
                if left < 0:
                    raise Violation(f"a line is silent since {now - since:.1f} s, and nobody noticed")
            if len(port.out) > port.capacity:
                since = max(port.moved_at, late_at)
                left = min(left, since + to_write - now)
                if left < 0:
                    raise Violation(
                        f"nothing was taken from a line for {now - since:.1f} s, and nobody noticed"
                    )
    return left


def check_stranger(port: Port, limits: Limits) -> None:
    """Who was not let in may say only so much."""
    connection = port.connection
    if connection.phase is not Phase.CLOSED and not connection.session and port.taken > limits.preauth_bytes:
        raise Violation(f"a stranger may go on after {port.taken} bytes")
