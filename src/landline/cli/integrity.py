"""``landline integrity``: what is in a store's file, and what in it is not as it was written."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from landline.cli.exits import Exit
from landline.cli.logs import safe_line
from landline.cli.options import Invocation, common_options
from landline.errors import StorageForeign

if TYPE_CHECKING:
    from landline.storage.integrity import Report

_SHOWN: Final = 20
"""Damages that are told one by one, without --verbose."""
_SHOWN_INTERVAL: Final = 0.1
"""Seconds between two changes of the bar."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@common_options
@click.pass_context
def integrity(context: click.Context, /, file: Path) -> int:
    """Check the file of a store, without changing it.

    Says what is in it, and which publications and values are not as they were written. Stop the server that
    uses it first, or check a copy that was made while it was stopped. Ends with 0 when all is well, with 6 when something is damaged.
    """
    if not file.exists():
        raise click.BadParameter(_not_there(file), context, param_hint="FILE")
    # Here, so that who asks for nothing of a store does not load SQLite.
    from landline.storage.integrity import examine

    bar = _Bar()
    try:
        report = examine(file, bar.tell)
    except StorageForeign as error:
        raise click.BadParameter(str(error), context, param_hint="FILE") from error
    finally:
        bar.clear()
    print("\n".join(map(safe_line, lines(report))))
    shown = None if context.ensure_object(Invocation).verbose > 0 else _SHOWN
    for damage in report.damages[:shown]:
        print(safe_line(f"  damaged: {damage}"))
    return _conclude(report, len(report.damages[:shown]))


def _not_there(file: Path) -> str:
    """Return which files there are instead: a chat server on another port than the usual one has its port in the name of its store."""
    with contextlib.suppress(OSError):
        if others := sorted(path.name for path in file.parent.glob("*.db"))[:_SHOWN]:
            return f"there is no {file}; in {file.parent} there is {', '.join(others)}"
    return f"there is no {file}"


def lines(report: Report) -> list[str]:
    """Return what is in a store, as people read it."""
    log = f", of which {_bytes(report.log_size)} in the log" if report.log_size else ""
    told = [f"{report.path}: {_bytes(report.size)}{log}, format {report.format}"]
    if report.is_newer:
        return told
    between = f", positions {report.first:,} to {report.head:,}" if report.publications else ""
    return [
        *told,
        f"  publications {report.publications:>12,}{between}",
        f"  topics       {report.topics:>12,}",
        f"  values       {report.values:>12,}",
        f"  epochs       {report.epochs:>12,}",
    ]


def _conclude(report: Report, shown: int) -> int:
    """Print the last line, and return the exit code."""
    if report.damage_count > shown:
        how = "; -v shows more" if shown < len(report.damages) else ""
        print(f"  and {report.damage_count - shown:,} more{how}")
    if report.damage_count:
        count = f"{report.damage_count:,} damages" if report.damage_count > 1 else "one damage"
        print(f"{count}: put a backup in its place; what is not named here can still be read")
        return Exit.INTEGRITY
    if report.is_newer:
        print(
            "SQLite finds nothing wrong with it. It was written by a newer landline: the rest only that one can check"
        )
        return Exit.FAILURE
    print("everything is as it was written")
    return Exit.OK


class _Bar:
    """How far it is, on a terminal's stderr."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._next = time.monotonic() + _SHOWN_INTERVAL

    def tell(self, what: str, done: int, of: int) -> None:
        """Draw the bar, if it is time to."""
        now = time.monotonic()
        if not self._is_shown or now < self._next:
            return
        self._next = now + _SHOWN_INTERVAL
        share = done / of if of else 0.0
        bar = "#" * int(30 * share) if of else f"{'':>{done % 28}}##"
        sys.stderr.write(f"\r[{bar:<30}] {what} {f'{share:4.0%}' if of else ''}   ")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take it away."""
        if self._is_shown:
            sys.stderr.write("\r" + " " * 60 + "\r")


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
