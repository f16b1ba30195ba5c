"""How often which limit was hit: counted always, logged at a bounded rate, however many callers press on a server at once.

A limit has its name from the tables (see ``limits``). Whoever enforces one adds a hit; the protocol, which counts nothing, names the limit
in the event that ends a connection. Time comes in as a parameter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .limits import HITS


@dataclass(slots=True)
class _Told:
    """What was logged last of one limit and kind of source, and how many hits came since."""

    at: float
    more: int = 0


class Hits:
    """Counts the hits of one server, or of one program.

    Args:
        log: where the lines go.
        clock: seconds of any clock that only rises.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._told: dict[tuple[str, str], _Told] = {}
        self._second = float("-inf")
        self._lines = 0

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
        now = self._clock()
        told = self._told.get((limit, kind))
        if told is not None and now < told.at + HITS.interval:
            told.more += 1
        elif self._has_line(now):
            more = f"; {told.more:,} more since the last such line" if told is not None and told.more else ""
            self._told[limit, kind] = _Told(now)
            self._log.log(level, "limit %s, %s: %s%s", limit, kind, what, more)
        elif told is not None:
            told.more += 1
        else:
            # Its first line found no room: the next hit may have it.
            self._told[limit, kind] = _Told(now - HITS.interval, more=1)

    def close(self) -> None:
        """Log what was counted and not told yet."""
        for (limit, kind), told in self._told.items():
            if told.more and self._has_line(self._clock()):
                self._log.info(
                    "limit %s, %s: %s more since the last such line", limit, kind, f"{told.more:,}"
                )
                told.more = 0

    def _has_line(self, now: float) -> bool:
        if now >= self._second + 1.0:
            self._second, self._lines = now, 0
        self._lines += 1
        return self._lines <= HITS.lines
