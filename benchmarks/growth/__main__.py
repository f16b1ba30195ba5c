"""``python -m benchmarks.growth``: what a message, a publish, a subscribe, a resume and a read cost, while what there is besides grows.

What is counted is the processor time of both ends, on whatever cores there are, and the server's memory: on one core, ends that take turns handle ten messages together
at times, and at others one by one, for two or three times the cost. ``--short`` ends at 1,000: to see that it works, not to quote. ``--only`` plays the axes whose
title contains that. ``--json FILE`` keeps the figures, ``--svg FILE`` draws them, and ``--draw FILE`` draws those that were kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from pathlib import Path

from . import report
from .axes import AXES, SHORT, Scale
from .report import Account


def main() -> None:
    """Measure, print the tables, and keep what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__)
    parser.add_argument("--short", action="store_true", help="up to 1,000 of everything, and little work")
    parser.add_argument("--most", type=int, default=1_000_000, help="of anything")
    parser.add_argument("--only", default="", help="the axes whose title contains this")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--folder", type=Path, help="for the storage; by default where temporary files are")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        account: Account = json.loads(options.draw.read_text())
    else:
        account = asyncio.run(measured(options)) if options.loop == "asyncio" else _with_uvloop(options)
    print("\n".join(report.tables(account)))
    if options.json:
        options.json.write_text(json.dumps(account, indent=1))
    if options.svg:
        options.svg.write_text(report.svg(account), encoding="utf-8")


def _with_uvloop(options: argparse.Namespace) -> Account:
    import uvloop

    account: Account = uvloop.run(measured(options))
    return account


async def measured(options: argparse.Namespace) -> Account:
    """Return what was found: by the axis's title, then by the measure, then by size."""
    most = min(options.most, 1000) if options.short else options.most
    scale = SHORT if options.short else Scale()
    account: Account = {}
    for axis in AXES:
        if options.only.lower() not in axis.title.lower():
            continue
        sizes = axis.sizes(min(most, _descriptors()) if axis.across in {"sessions", "readers"} else most)
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows = account.setdefault(axis.title, {})
            async for size, found in axis.play(sizes, scale, axis.opens(options.loop, Path(folder))):
                _progress(f"{axis.title}: {size:,}")
                for name, value in found.items():
                    figures = {"value": value} if isinstance(value, float) else value._asdict()
                    rows.setdefault(name, {})[str(size)] = figures
    _progress("")
    return account


def _descriptors() -> int:
    """Return how many sessions this system lets a process hold; raise its limit as far as that goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - 100


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
    elif what:
        print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
