"""How often which limit was hit: counted always, logged at a bounded rate, however many callers press on a server at once. What failed of a
program's own functions is logged likewise.

A limit has its name from the tables (see ``limits``). Whoever enforces one adds a hit; the protocol, which counts nothing, names the limit
in the event that ends a connection. Time comes in as a parameter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from .limits import HITS

Hit = Callable[[str, str, str], None]
"""Is told of a limit that was hit: by which source, the limit's name, and what was done about it."""


@dataclass(slots=True)
class _Told:
    """When a line about one thing was written last, and what came since."""

    at: float
    more: int = 0
    is_new: bool = False


class Due(NamedTuple):
    """A line may be written now."""

    more: int
    """What came since the last line about this."""
    is_first: bool
    """There was none."""


class Lines:
    """Says when lines of a log may be written: about one thing every ten seconds, ten a second about all together; what is not written is counted.

    Args:
        clock: seconds of any clock that only rises.
        most: how many things are told apart; more count as one.
    """

    def __init__(self, clock: Callable[[], float], most: int = HITS.kinds) -> None:
        self._clock = clock
        self._most = most
        self._told: dict[Hashable, _Told] = {}
        self._second = float("-inf")
        self._lines = 0

    def due(self, about: Hashable) -> Due | None:
        """Count that something came; return whether a line about it may be written now."""
        now = self._clock()
        if about not in self._told and len(self._told) >= self._most:
            about = None
        told = self._told.get(about)
        if told is None:
            told = self._told[about] = _Told(now - HITS.interval, is_new=True)
        if now < told.at + HITS.interval or not self._has_line(now):  # without room, the next may have it
            told.more += 1
            return None
        due = Due(told.more, told.is_new)
        self._told[about] = _Told(now)
        return due

    def rest(self) -> Iterator[tuple[Hashable, int]]:
        """Take out what was counted and not told yet, as far as there is room for lines."""
        for about, told in self._told.items():
            if told.more and self._has_line(self._clock()):
                yield about, told.more
                told.more = 0

    def _has_line(self, now: float) -> bool:
        if now >= self._second + 1.0:
            self._second, self._lines = now, 0
        self._lines += 1
        return self._lines <= HITS.lines


class Hits:
    """Counts the hits of one server, or of one program.

    Args:
        log: where the lines go.
        clock: seconds of any clock that only rises.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float]) -> None:
        self._log = log
        self._counts: Counter[str] = Counter()
        self._lines = Lines(clock)

    @property
    def counts(self) -> Mapping[str, int]:
        """Hits by the limit's name, as they are now; a limit that was never hit is not there."""
        return MappingProxyType(self._counts)

    def add(self, limit: str, kind: str, what: str, *, level: int = logging.INFO) -> None:
        """Count a hit, and log it unless that was done a moment ago: then the next line says how many more there were.

        Args:
            limit: the limit's name.
            kind: what kind of source it came from, one of few: of each limit and kind one line is logged in ten seconds.
            what: what was done about it, as a clause.
            level: of the line.
        """
        self._counts[limit] += 1
        due = self._lines.due((limit, kind))
        if due is not None:
            more = f"; {due.more:,} more since the last such line" if due.more else ""
            self._log.log(level, "limit %s, %s: %s%s", limit, kind, what, more)

    def close(self) -> None:
        """Log what was counted and not told yet."""
        for about, more in self._lines.rest():
            limit, kind = about if isinstance(about, tuple) else ("", "")
            self._log.info("limit %s, %s: %s more since the last such line", limit, kind, f"{more:,}")


class Failures:
    """Logs what failed of the functions of a program that run for a peer: who makes one of them fail can do so again and again.

    Of what failed at one place, in one way, the first is logged in full, and then how many more there were.

    Args:
        log: where the lines go.
        clock: seconds of any clock that only rises.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float]) -> None:
        self._log = log
        self._lines = Lines(clock)

    def log(self, what: str, error: BaseException, about: str = "") -> None:
        """Log what failed, as a clause, one of few; with the traceback, and ``about``, any words, where it is the first of its kind."""
        kind = type(error)
        due = self._lines.due((what, kind, _place_of(error)))
        if due is None:
            return
        if due.is_first:
            self._log.error("%s%s", what, about, exc_info=error)
        else:
            self._say(what, kind, due.more + 1)

    def close(self) -> None:
        """Log what was counted and not told yet."""
        for about, more in self._lines.rest():
            what, kind, _ = about if isinstance(about, tuple) else ("more failed", Exception, None)
            self._say(what, kind, more)

    def _say(self, what: str, kind: type[BaseException], more: int) -> None:
        self._log.error("%s: %s, %s more since the last such line", what, kind.__qualname__, f"{more:,}")


def _place_of(error: BaseException) -> tuple[str, int] | None:
    """Return the line that raised it, or None for one that was never raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
