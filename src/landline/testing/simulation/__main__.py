"""The command: ``python -m landline.testing.simulation``, which ``make simulate`` runs. Exit code 1 when a seed failed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from .ablations import report_ablations
from .run import STEPS, Total, run, run_many

_SEEDS = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Play seeds, or the ablations; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.ablations:
        return report_ablations(_say, most=options.seeds or 1000, steps=options.steps)
    if options.trace:
        _say(run(options.first, options.steps).trace)
        return 0
    seeds = options.seeds or _SEEDS
    began = time.monotonic()
    is_shown = sys.stderr.isatty()

    def tell(total: Total) -> None:
        if is_shown:
            share = total.seeds / seeds
            bar = "#" * int(30 * share)
            sys.stderr.write(f"\r[{bar:<30}] {total.seeds:,} seeds, {sum(total.faults.values()):,} faults ")
            sys.stderr.flush()

    def is_enough(total: Total) -> bool:
        is_late = bool(options.minutes) and time.monotonic() - began > 60 * options.minutes
        return bool(total.failures) or is_late

    total = run_many(options.first, seeds, options.steps, processes=options.j, is_enough=is_enough, tell=tell)
    if is_shown:
        sys.stderr.write("\r" + " " * 79 + "\r")
    _report(total, options.first, options.steps, time.monotonic() - began)
    return 1 if total.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m landline.testing.simulation",
        description="The real protocol under every fault that we can think of, in virtual time, from seeds.",
    )
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (0)")
    parser.add_argument(
        "--seeds", type=int, default=0, help=f"how many seeds ({_SEEDS:,}; per ablation 1,000)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps of each seed's schedule ({STEPS:,})")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="how many processes (1)")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="stop after so many minutes, seeds left or not"
    )
    parser.add_argument(
        "--trace", action="store_true", help="print the trace hash of the first seed, nothing else"
    )
    parser.add_argument(
        "--ablations", action="store_true", help="switch each safeguard off in turn: all must be found"
    )
    return parser


def _report(total: Total, first: int, steps: int, seconds: float) -> None:
    for failure in total.failures:
        _say(str(failure))
    faults = sum(total.faults.values())
    pieces = total.faults["slice"]
    _say(
        f"{total.seeds:,} seeds from {first} of {steps:,} steps, {seconds:,.0f} s ({total.busy:,.0f} s of processor time): "
        f"{len(total.failures)} failed"
    )
    for name, count in total.faults.most_common():
        _say(f"  {name:<13}{count:>12,}")
    _say(
        f"{faults:,} faults, {faults - pieces:,} without slices; {total.sessions:,} sessions, {total.delivered:,} messages delivered, "
        f"{total.seconds / 86_400:,.1f} days of virtual time"
    )
    lines = ", ".join(f"{count:,} {kind}" for kind, count in total.lines.most_common())
    _say(f"lines: {lines}; {total.changed:,} sessions changed carrier, {total.changes:,} times")
    items = total.told["items"]
    told = ", ".join(f"{count:,} {what}" for what, count in total.told.most_common() if what != "items")
    _say(f"calls: {told or 'none'}; {items:,} items of streams")
    seen = ", ".join(f"{count:,} {what}" for what, count in total.seen.most_common())
    _say(f"groups: {seen or 'none'}")
    sent = ", ".join(f"{count:,} {what}" for what, count in total.sent.most_common())
    _say(f"files: {sent or 'none'}")
    per_minute = 60 / max(total.busy, 0.001)
    bare = total.bare_faults * 60 / max(total.bare_busy, 0.001)
    _say(
        f"{faults * per_minute:,.0f} faults a minute on one core, {(faults - pieces) * per_minute:,.0f} without slices; "
        f"{bare:,.0f} in the worlds of frames alone, without a disk"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
