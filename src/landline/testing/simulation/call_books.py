"""What must be true of simulated calls and streams: the books of both, kept by what programs do and are told.

They never ask the protocol what it believes of a call or a stream; a promise that is not kept is a ``Violation`` at the moment it is broken.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from .line import Violation

CANCELLED: Final = "cancelled"
FAILURE: Final = "failure"
NEVER: Final = "never"
RESULT: Final = "result"
TIMEOUT: Final = "timeout"
UNKNOWN: Final = "unknown"

_SLACK: Final = 0.01


class Call:
    """One call, as both programs know it.

    Attributes:
        is_idempotent: its method may run twice.
        until: the moment at which its caller waits no more, on the caller's clock.
        taken: the callee's program has had it in its hands.
        runs: where it ran, each a life of a callee.
        ends: what its runs came to.
        outcome: what its caller was told.
    """

    __slots__ = ("ends", "is_idempotent", "outcome", "runs", "taken", "until")

    def __init__(self, *, is_idempotent: bool, until: float) -> None:
        self.is_idempotent = is_idempotent
        self.until = until
        self.taken = False
        self.runs: list[Any] = []
        self.ends: set[str] = set()
        self.outcome = ""


class Streamed:
    """One stream, as both programs know it. Directions are named by their sender: 0 is who called, 1 the method.

    Attributes:
        said, heard: per direction: what was sent, and how much of it was handed over.
        ended: per direction: how its sender ended it, ``end`` or ``failure``.
        verdicts: per side: what it was told of the other's end.
        was_left: one side abandoned it.
    """

    __slots__ = ("ended", "heard", "number", "said", "verdicts", "was_left")

    def __init__(self, number: int) -> None:
        self.number = number
        self.said: tuple[list[str], list[str]] = ([], [])
        self.heard = [0, 0]
        self.ended = ["", ""]
        self.verdicts = ["", ""]
        self.was_left = False

    def say(self, side: int, size: int) -> str:
        """Return the next item, which is sent now."""
        item = f"{self.number}/{side}/{len(self.said[side])}".ljust(size, ".")
        self.said[side].append(item)
        return item

    def hear(self, side: int, item: Any) -> None:
        """One side is handed an item of the other."""
        theirs = 1 - side
        if self.verdicts[side]:
            raise self._violation(f"{item!r:.40} was heard after the end")
        place = self.heard[theirs]
        if place >= len(self.said[theirs]) or self.said[theirs][place] != item:
            raise self._violation(f"item {place} was {item!r:.40}")
        self.heard[theirs] = place + 1

    def told(self, side: int, verdict: str, *, has_lost: bool = False) -> None:
        """One side is told how the other's direction ended: as it did, and after all of it; or that the flow, or the session, is gone."""
        theirs = 1 - side
        if self.verdicts[side]:
            raise self._violation(f"{verdict} was told after {self.verdicts[side]}")
        self.verdicts[side] = verdict
        if verdict in {"end", FAILURE}:
            if self.ended[theirs] != verdict:
                raise self._violation(f"{verdict} was told, and it was {self.ended[theirs] or 'going on'}")
            if self.heard[theirs] != len(self.said[theirs]):
                raise self._violation(
                    f"{verdict} was told after {self.heard[theirs]} of {len(self.said[theirs])} items"
                )
        elif verdict == "left":
            if not self.was_left:
                raise self._violation("it was abandoned, and nobody did that")
        elif not has_lost:
            raise self._violation(f"{verdict} was told, and its session goes on")

    def _violation(self, what: str) -> Violation:
        return Violation(f"stream {self.number}: {what}")


class CallBooks:
    """All calls and streams of a world.

    Attributes:
        calls, streams: they, each by its ticket.
        told: how many came to what.
    """

    def __init__(self) -> None:
        self.calls: dict[int, Call] = {}
        self.streams: dict[int, Streamed] = {}
        self.told: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """How many calls came to what, and how many ``items`` were read."""
        return self.told + Counter(items=sum(sum(stream.heard) for stream in self.streams.values()))

    def ask(self, *, is_idempotent: bool, until: float) -> int:
        """A call is made; return its ticket."""
        ticket = len(self.calls) + 1
        self.calls[ticket] = Call(is_idempotent=is_idempotent, until=until)
        return ticket

    def take(self, ticket: int) -> None:
        """The callee has it in its hands."""
        self.calls[ticket].taken = True

    def run(self, ticket: int, where: object) -> None:
        """It runs there: for the first time, or again where that is allowed."""
        call = self.calls[ticket]
        if call.outcome == NEVER:
            raise Violation(f"call {ticket} ran, and its caller was told that it never did")
        if call.runs and not call.is_idempotent:
            raise Violation(f"call {ticket} ran twice")
        if any(each is where for each in call.runs):
            raise Violation(f"call {ticket} ran twice in one life")
        call.runs.append(where)

    def finish(self, ticket: int, how: str) -> None:
        """A run is done: ``RESULT`` or ``FAILURE``."""
        self.calls[ticket].ends.add(how)

    def is_awaited(self, ticket: int) -> bool:
        """Whether its caller was told nothing yet."""
        return not self.calls[ticket].outcome

    def tell(self, ticket: int, outcome: str, now: float, *, patience: float = 0.0) -> None:
        """Its caller is told what became of it, within its time.

        Args:
            ticket: the call's.
            outcome: what.
            now: when, on the caller's clock.
            patience: how long after its time the caller may be told, since its loop stood still.
        """
        call = self.calls[ticket]
        if call.outcome:
            raise Violation(f"call {ticket} was told {outcome} after {call.outcome}")
        call.outcome = outcome
        self.told[outcome] += 1
        if now > call.until + patience + _SLACK:
            raise Violation(f"call {ticket} was told {outcome} {now - call.until:.2f} s after its time")
        if outcome in {RESULT, FAILURE}:
            if outcome not in call.ends:
                raise Violation(f"call {ticket} was told a {outcome}, and no run came to that")
        elif outcome == NEVER:
            if call.runs:
                raise Violation(f"call {ticket} was told that it never ran, and it did")
        elif outcome == TIMEOUT and now < call.until - _SLACK:
            raise Violation(f"call {ticket} was timed out {call.until - now:.2f} s before its time")

    def doubt(
        self, ticket: int, now: float, *, was_written: bool, was_lost: bool, patience: float = 0.0
    ) -> None:
        """Its caller is told that it may have run: there must have been a way to.

        Args:
            ticket: the call's.
            now: when, on the caller's clock.
            was_written: the request went to a line at some time, in this flow or one before.
            was_lost: the session, or the server's life, ended; else the callee's end abandoned the flow, and knows what it had.
            patience: as for ``tell``.
        """
        call = self.calls[ticket]
        if not call.runs and not (was_written if was_lost else call.taken):
            raise Violation(f"call {ticket} was told unknown, and it cannot have run")
        self.tell(ticket, UNKNOWN, now, patience=patience)

    def open(self) -> int:
        """A stream is begun; return its ticket."""
        ticket = len(self.streams) + 1
        self.streams[ticket] = Streamed(ticket)
        return ticket
