"""``python -m benchmarks.persistent``: ``landline bench persistent`` on one core, and its picture for the documents.

``--json FILE`` keeps the figures, ``--svg FILE`` draws them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

import uvloop

from landline.apps.bench.persistent import Persistent, measure
from landline.apps.bench.picture import Figures, Progress, picture
from landline.apps.bench.ways import ANEW, BARE, STAYS

from .plot import Bar, Bars, bar_picture

COUNT: Final = 3000
SHORT: Final = 50
COLOURS: Final = {STAYS: 2, ANEW: 0, BARE: 1}


def svg(figures: list[Figures]) -> str:
    """Return the picture."""

    def bars(processor: bool) -> list[Bar]:
        return [
            Bar(f"{one.carrier}: {one.how}", one.processor if processor else one.latency, COLOURS[one.how])
            for one in figures
        ]

    return bar_picture(
        "64 bytes there and back",
        [
            Bars("Latency, median", bars(processor=False), "ms"),
            Bars("Processor time of both ends for each", bars(processor=True), "ms"),
        ],
        f"Both ends on one core, {len(figures[0].seconds):,} times in each way, which take turns.",
    )


def main() -> None:
    """Measure, print, and keep what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.persistent", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="few exchanges: to see that it works, not to quote"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the server inherits it
    wanted = Persistent(host="127.0.0.1", count=SHORT if options.short else COUNT)
    progress = Progress(sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measure(wanted, progress))
    progress.close()
    print("\n".join(picture(figures, "64 bytes there and back")))
    if options.json:
        options.json.write_text(json.dumps([one.summary() for one in figures], indent=1))
    if options.svg:
        options.svg.write_text(svg(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
