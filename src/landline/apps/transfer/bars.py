"""How far transfers are, for a person: in a terminal one line that is drawn anew, elsewhere a line now and then."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from typing import Final, TextIO

import landline
from landline.apps.rates import Meter, size_text, time_text

from ..cells import cells
from ..printable import printable
from .limits import TRANSFER

_WIDTH: Final = 24
"""Columns of the bar itself."""
_NAME: Final = 30
"""Columns of a name."""
_CLEAR: Final = "\r\x1b[K"


class Bars:
    """Shows transfers as they go.

    Args:
        out: where to.
        is_quiet: show nothing but what ``say`` is told as important.
        now: a clock that never goes back, in seconds.
    """

    def __init__(
        self, out: TextIO | None, *, is_quiet: bool = False, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._is_quiet = is_quiet
        self._is_terminal = out is not None and _is_terminal(out)
        self._now = now
        self._shown_at = -float("inf")
        self._is_drawn = False
        self._meters: dict[object, Meter] = {}

    def watch(self) -> Callable[[landline.Progress], None]:
        """Return what to tell of one transfer."""
        meter = Meter(self._now)
        key = object()

        def tell(progress: landline.Progress) -> None:
            self._meters[key] = meter
            meter.mark(progress.done)
            is_end = progress.done == progress.size and progress.files == progress.of_files
            every = TRANSFER.bar_interval if self._is_terminal else TRANSFER.line_interval
            if is_end or self._now() - self._shown_at >= every:
                self._shown_at = self._now()
                self._show(progress, meter)
            if is_end:
                self._meters.pop(key, None)

        return tell

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Say something on a line of its own; what it tells may be the other end's words."""
        if self._is_quiet and not is_error:
            return
        self._write((_CLEAR if self._is_drawn else "") + printable(text) + "\n")
        self._is_drawn = False

    def close(self) -> None:
        """Leave the last look behind."""
        if self._is_drawn:
            self._write("\n")
            self._is_drawn = False

    def _show(self, progress: landline.Progress, meter: Meter) -> None:
        if self._is_quiet:
            return
        if self._is_terminal:
            columns = shutil.get_terminal_size().columns
            others = f" (+{len(self._meters) - 1})" if len(self._meters) > 1 else ""
            self._write(_CLEAR + bar_line(progress, meter, columns - 1, others))
            self._is_drawn = True
        else:
            self._write(status_line(progress, meter) + "\n")

    def _write(self, text: str) -> None:
        if self._out is not None:
            with contextlib.suppress(OSError, ValueError):
                self._out.write(text)
                self._out.flush()


def bar_line(progress: landline.Progress, meter: Meter, columns: int, others: str = "") -> str:
    """Return what a terminal of so many columns shows."""
    part = progress.done / progress.size if progress.size else 1.0
    filled = int(part * _WIDTH)
    bar = "█" * filled + "░" * (_WIDTH - filled)
    tail = f"{int(part * 100):3d} %  {_files(progress)}{_rate(progress, meter)}{others}"
    head = f"{_fitted(printable(progress.name), _NAME)}  "
    for line in (f"{head}{bar}  {tail}", f"{head}{tail}", tail):
        if cells(line) <= columns:
            return line
    return tail[: max(0, columns)]


def status_line(progress: landline.Progress, meter: Meter) -> str:
    """Return the same where there is no terminal."""
    part = progress.done / progress.size if progress.size else 1.0
    return f"{printable(progress.name)}: {int(part * 100)} %, {_files(progress)}{_rate(progress, meter)}"


def _files(progress: landline.Progress) -> str:
    return f"{progress.files:,} of {progress.of_files:,} files, " if progress.of_files != 1 else ""


def _rate(progress: landline.Progress, meter: Meter) -> str:
    text = f"{size_text(progress.done)} of {size_text(progress.size)}"
    if meter.rate:
        text += f", {size_text(meter.rate)}/s"
        left = meter.left(progress.size)
        if left is not None and progress.done < progress.size:
            text += f", {time_text(left)} left"
    return text


def count_text(files: int) -> str:
    """Return how many files."""
    return f"{files:,} file" + ("" if files == 1 else "s")


def _fitted(name: str, columns: int) -> str:
    if cells(name) <= columns:
        return name
    kept = ""
    for char in name:
        if cells(kept + char) > columns - 1:
            break
        kept += char
    return kept + "…"


def _is_terminal(out: TextIO) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return out.isatty() and os.environ.get("TERM") != "dumb"
    return False
