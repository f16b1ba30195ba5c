"""What a source has to answer for: seconds that it is charged for misbehaviour, which pass as time does.

A source (an address, see ``Transport.source``) that has enough of them before it is refused until all have passed, before any work is done
for it. Its good clients are refused with it, also those that would resume a session: they cannot be told apart before they are read.
Sources that are exempt have no name. No clock: the time is an argument.
"""

from __future__ import annotations

import enum
import heapq

from ..limits import Limits
from ..protocol.events import ConnectionEnded
from ..protocol.frames import CloseCode


class Fault(enum.Enum):
    """What a source is charged for; the value is the limit that says how many seconds."""

    LEFT = "penalty_left"
    UNAUTHORIZED = "penalty_unauthorized"
    SLOW = "penalty_slow"
    RULE = "penalty_rule"
    CRASH = "penalty_crash"


_BROKEN_RULES = frozenset(
    {CloseCode.PROTOCOL_ERROR, CloseCode.TOO_LARGE, CloseCode.BAD_DATA, CloseCode.MISCOUNT}
)


def fault_of(event: ConnectionEnded, *, was_let_in: bool) -> Fault | None:
    """Return what the peer is charged for when its connection ended so, or None for nothing.

    Crashes are not told by it: a program's own failure ends connections with the same code, and is not the peer's.
    """
    if event.local and event.code in _BROKEN_RULES:
        return Fault.RULE
    if event.local and event.code is CloseCode.UNAUTHORIZED:
        return Fault.UNAUTHORIZED
    if was_let_in:
        return None  # lines drop, and a slow program is not an attack
    if event.local and event.code is CloseCode.TIMED_OUT:
        return Fault.SLOW
    if event.code in (CloseCode.DEAD, CloseCode.VERSION):
        return Fault.LEFT
    return None  # we had no room for it, or no such session any more


class Penalties:
    """The seconds that sources have before them.

    All sums pass at the same speed, so that the moment when one has passed orders them too: the smallest is the earliest.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: dict[str, tuple[float, bool]] = {}
        """By source: when all has passed, and whether it is refused until then."""
        self._order: list[tuple[float, str]] = []
        """A heap with one entry for each source. Its time may be too early: it is put right when it comes to the top."""

    def __len__(self) -> int:
        return len(self._held)

    def charge(self, source: str, fault: Fault, now: float) -> float | None:
        """Charge a source; return for how many seconds it is refused when that begins with this, else None."""
        if not source:
            return None
        limits = self._limits
        self._forget_passed(now)
        is_new = source not in self._held
        until, was_refused = self._held.get(source, (now, False))
        until = min(until + getattr(limits, fault.value), now + limits.penalty_max)
        is_refused = was_refused or until - now >= limits.penalty_from
        self._held[source] = until, is_refused
        if is_new:
            heapq.heappush(self._order, (until, source))
            if len(self._held) > limits.max_penalized:
                self._forgive_smallest()
        return until - now if is_refused and not was_refused else None

    def is_refused(self, source: str, now: float) -> bool:
        """Whether nothing is done for this source now."""
        held = self._held.get(source)
        return held is not None and held[1] and now < held[0]

    def _forget_passed(self, now: float) -> None:
        while self._order and self._order[0][0] <= now:
            self._forgive_smallest(now)

    def _forgive_smallest(self, now: float | None = None) -> None:
        """Take the smallest out of the table; with a time, only if it has passed by then."""
        while True:
            until, source = self._order[0]
            really_until = self._held[source][0]
            if really_until == until:
                break
            heapq.heapreplace(self._order, (really_until, source))
        if now is None or until <= now:
            heapq.heappop(self._order)
            del self._held[source]
