"""``python -m benchmarks``: every job with every peer that plays it, in turn, several rounds; medians, and ratios to ours.

Server and client are processes of their own on one core, because a wake-up across the cores of a virtual machine measures its hypervisor;
jobs that are about two cores say so. A peer that is not installed, or fails, is named as left out; when ours fails, all ends with 1.
So does ``--gate`` when any peer that is there cannot play.
``--short`` runs small sizes once or twice: to see that everything works, not to quote. ``--gate`` is what CI runs: see ``targets``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Final

from .comparison import Comparison
from .jobs import JOBS, jobs_named
from .peers import OVER
from .processes import serve, work
from .targets import gated

NAMES: Final = "; ".join(JOBS)


def main() -> None:
    """Run what was asked for, and print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes, two rounds")
    parser.add_argument("--rounds", type=int, help="how often everything is measured; 5, or 2 with --short")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument(
        "--over", choices=list(OVER), default="tcp", help="what carries our sessions; the peers differ"
    )
    parser.add_argument(
        "--gate", action="store_true", help="the jobs of the targets, short; ends with 1 below 0.7 of one"
    )
    parser.add_argument("--only", default="", help=f"jobs whose name contains this: {NAMES}")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--svg", type=Path, help="draw the ratios there")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.gate and (options.over, options.loop) != ("tcp", "uvloop"):
        parser.error("--gate judges by the targets, which are about sessions over TCP, on uvloop")
    if options.loop == "uvloop" and importlib.util.find_spec("uvloop") is None:
        parser.error("there is no uvloop here: `make setup-test` brings it, or --loop asyncio does without")
    if not jobs_named(options.only):
        parser.error(f"no job has {options.only!r} in its name; there are: {NAMES}")
    if options.gate and not gated(options.only):
        parser.error(f"--gate would judge nothing: no job of the gate has {options.only!r} in its name")
    if options.serve:
        peer, job = options.serve
        serve(options.over, peer, job, options.loop)
    elif options.work:
        peer, job, place, server = options.work
        work(options.over, peer, job, place, int(server), options.loop, is_short=options.short)
    else:
        sys.exit(Comparison(options).run())


if __name__ == "__main__":
    main()
