"""The figures of a benchmark as a person reads them: bars beside their numbers, and a progress bar while they are found out."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TextIO

import msgspec

from ..printable import printable
from .limits import BENCH
from .ways import STAYS

_COLUMNS: Final = 72
"""That the picture takes at the most."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_CLEAR: Final = "\r\x1b[K"
_PROGRESS: Final = 24
"""Columns of the progress bar itself."""


class Figures(msgspec.Struct):
    """What was found out of one way.

    Attributes:
        carrier: ``TCP``, ``TLS`` …
        how: whether the connection stays.
        seconds: that each exchange took.
        client: seconds of processor time that our end took for all of them.
        server: the same of the other end; None where that is not known.
    """

    carrier: str
    how: str
    seconds: list[float] = []
    client: float = 0.0
    server: float | None = None

    @property
    def latency(self) -> float:
        """Milliseconds that an exchange took, in the middle of all."""
        return statistics.median(self.seconds) * 1e3

    @property
    def processor(self) -> float:
        """Milliseconds of processor time of an exchange, on average: of both ends, where the other's are known."""
        return (self.client + (self.server or 0.0)) / len(self.seconds) * 1e3

    def summary(self) -> dict[str, str | float | int | None]:
        """Return the figures for a program; times in milliseconds."""
        count = len(self.seconds)
        return {
            "carrier": self.carrier,
            "how": self.how,
            "count": count,
            "latency_ms": round(self.latency, 4),
            "latency_99_ms": round(sorted(self.seconds)[min(count - 1, int(count * 0.99))] * 1e3, 4),
            "client_processor_ms": round(self.client / count * 1e3, 4),
            "server_processor_ms": None if self.server is None else round(self.server / count * 1e3, 4),
        }


def picture(figures: Sequence[Figures], what: str) -> Iterator[str]:
    """Yield the lines: a part for what an exchange takes, and one for what it costs."""
    yield f"{printable(what[:1].upper() + what[1:])}, {len(figures[0].seconds):,} times in each way."
    ends = "this end" if figures[0].server is None else "both ends"
    yield from _part(figures, "Latency, median, in ms", lambda one: one.latency)
    yield from _part(figures, f"Processor time of {ends} for each, in ms", lambda one: one.processor)
    yield ""
    yield from comparisons(figures)


def comparisons(figures: Sequence[Figures]) -> Iterator[str]:
    """Yield a sentence for each way with a new connection: how much more than over the session that stays."""
    for one in figures:
        if one.how != STAYS:
            kept = next(kept for kept in figures if kept.how == STAYS and kept.carrier == one.carrier)
            yield (
                f"{one.carrier}: {one.how} takes {_times(one.latency, kept.latency)} as long as {STAYS},"
                f" and {_times(one.processor, kept.processor)} the processor time."
            )


def _times(one: float, other: float) -> str:
    return f"{one / max(other, 1e-9):.1f} times"


def _part(figures: Sequence[Figures], title: str, value_of: Callable[[Figures], float]) -> Iterator[str]:
    yield ""
    yield title
    carriers = max(len(one.carrier) for one in figures)
    names = max(len(one.how) for one in figures)
    most = max(value_of(one) for one in figures)
    numbers = len(_number(most))
    previous = ""
    for one in figures:
        carrier = one.carrier if one.carrier != previous else ""
        head = f"  {carrier:{carriers}}  {one.how:{names}}  {_number(value_of(one)):>{numbers}}  "
        yield head + bar(value_of(one) / max(most, 1e-9), _COLUMNS - len(head))
        previous = one.carrier


def _number(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def bar(part: float, columns: int) -> str:
    """Return a bar for a part of the whole, to an eighth of a column; never nothing."""
    eighths = max(1, round(part * columns * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


class Progress:
    """How far it is, on one line of a terminal that is drawn anew; elsewhere nothing but what ``say`` is told.

    Args:
        out: where to; None for nowhere.
        now: a clock that never goes back, in seconds.
    """

    def __init__(self, out: TextIO | None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._now = now
        self._shown_at = -float("inf")
        self._is_drawn = False
        self._done = self._all = 0

    def begin(self, steps: int) -> None:
        """So many steps there are."""
        self._done, self._all = 0, steps

    def step(self, what: str) -> None:
        """One more is done, and it was of that."""
        self._done += 1
        if self._now() - self._shown_at < BENCH.bar_interval or not _is_terminal(self._out):
            return
        self._shown_at = self._now()
        part = self._done / self._all
        filled = int(part * _PROGRESS)
        line = f"{'█' * filled}{'░' * (_PROGRESS - filled)}  {int(part * 100):3d} %  {what}"
        self._write(_CLEAR + line[: shutil.get_terminal_size().columns - 1])
        self._is_drawn = True

    def say(self, text: str) -> None:
        """Say something on a line of its own."""
        self.close()
        self._write(printable(text) + "\n")

    def close(self) -> None:
        """Leave no bar behind."""
        if self._is_drawn:
            self._write(_CLEAR)
            self._is_drawn = False

    def _write(self, text: str) -> None:
        if self._out is not None:
            with contextlib.suppress(OSError, ValueError):
                self._out.write(text)
                self._out.flush()


def _is_terminal(out: TextIO | None) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return out is not None and out.isatty() and os.environ.get("TERM") != "dumb"
    return False
