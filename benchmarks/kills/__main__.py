"""``python -m benchmarks.kills``: ``kill -9`` of a server and its clients, again and again, and whether every book agrees afterwards.

The kills are spread over worlds, each with a new store. ``--break NAME`` breaks the product on purpose, and is to be found; ``--breaks`` tries
all of them. Ends with 1 when a rule was broken (with ``--breaks``: when a break was not found), and keeps the files of that world.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from . import breaks, disk
from .books import Books, Counts
from .points import Point
from .world import CLIENTS, DRAINED, FEW, World

EACH = 50
"""Kills of one world, unless told otherwise."""

EACH_BROKEN = 8
"""The same for what is broken on purpose: what is found is found when the books are read."""

SHOWN = 12
"""Breaches of a world that are printed."""


def main() -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="how many in all; a few minutes for 300")
    parser.add_argument("--each", type=int, help="how many in one world, before its books are read")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin no more worlds after that")
    parser.add_argument("--few", action="store_true", help="three clients instead of six")
    parser.add_argument("--seed", type=int, help="of the first world; the next ones count on")
    parser.add_argument(
        "--break", dest="broken", choices=breaks.NAMES, default="", help="break this on purpose"
    )
    parser.add_argument("--breaks", action="store_true", help="break everything in turn, until each is found")
    parser.add_argument(
        "--disk", action="store_true", help="instead: a disk that is full, read-only, or fails"
    )
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="read the books of a world again")
    options = parser.parse_args()
    if options.judge:
        breaches = asyncio.run(Books.of(options.judge)).breaches()
        print(*breaches, f"{len(breaches)} breaches", sep="\n")
        return 1 if breaches else 0
    if options.disk:
        return disk.enter()
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    if options.breaks:
        return _try_breaks(options.kills, options.each or EACH_BROKEN, seed)
    run = _Run(options.kills, seed, options.broken, FEW if options.few else tuple(CLIENTS))
    run.play(options.each or EACH, options.seconds)
    run.report()
    return 1 if run.bad else 0


class _Run:
    """Some worlds, one after the other."""

    def __init__(
        self, wanted: int, seed: int, broken: str = "", names: tuple[str, ...] = tuple(CLIENTS)
    ) -> None:
        self.wanted = wanted
        self.seed = seed
        self.broken = broken
        self.names = names
        self.kills: Counter[str] = Counter()
        self.unreached: Counter[str] = Counter()
        self.counts = Counts()
        self.worlds = self.cuts = self.lives = 0
        self.carried: Counter[str] = Counter()
        self.bad: list[World] = []
        self._points: list[Point] = []
        self._begun = time.monotonic()

    @property
    def killed(self) -> int:
        return self.kills.total() - self.kills[DRAINED]

    def play(self, each: int, seconds: float, *, until_found: bool = False) -> None:
        """Play worlds until there were enough kills, or, if so wished, a breach."""
        while self.killed < self.wanted and time.monotonic() - self._begun < seconds:
            folder = Path(tempfile.mkdtemp(prefix="landline-kills-")) / "world"
            wanted = min(each, self.wanted - self.killed)
            world = World(folder, self.seed + self.worlds, wanted, self.broken, self.names, self._points)
            asyncio.run(world.play(self._show))
            self.worlds += 1
            self.kills += world.kills
            self.unreached += world.unreached
            self.counts += world.counts
            self.cuts += world.cuts
            self.carried += world.carried
            self.lives += world.lives
            if world.breaches:
                self.bad.append(world)
            if not world.breaches or until_found:
                shutil.rmtree(folder.parent)
            if world.breaches and until_found:
                return

    def _show(self, world: World) -> None:
        killed = self.killed + world.killed
        said = f"world {self.worlds + 1} (seed {world.seed}): {killed} of {self.wanted} killed, {len(self.bad)} worlds broken"
        print(f"\r\033[K{said}", end="", file=sys.stderr, flush=True)

    def report(self) -> None:
        """Say what happened."""
        print("\r\033[K", end="", file=sys.stderr)
        took = time.monotonic() - self._begun
        print("| killed | times |\n| --- | ---: |")
        for name, times in sorted(self.kills.items()):
            print(f"| {name} | {times} |")
        seen = ", ".join(f"{value:,} {name}" for name, value in vars(self.counts).items())
        print(
            f"\n{self.killed} kills in {self.worlds} worlds from seed {self.seed}, {took:.0f} s; {self.cuts} lines cut; {seen}"
        )
        carried = ", ".join(f"{size:,} over {scheme}" for scheme, size in self.carried.most_common())
        print(f"bytes to the server: {carried}")
        if self.unreached:
            print("points that were not reached in time:", dict(self.unreached))
        for world in self.bad:
            print(f"\nseed {world.seed}: {len(world.breaches)} breaches; its files are in {world.folder}")
            print(*(f"  {breach}" for breach in world.breaches[:SHOWN]), sep="\n")
            print(f"  again from the books: python -m benchmarks.kills --judge {world.folder}")
            print(
                f"  again from the seed:  python -m benchmarks.kills --kills {world.wanted} --seed {world.seed}"
            )
        print(f"{sum(len(world.breaches) for world in self.bad)} breaches")


def _try_breaks(kills: int, each: int, seed: int) -> int:
    """Play each break until it is found, after one world with nothing broken; return 1 when one is not found, or more than is there."""
    print("| break | found after kills | by |\n| --- | ---: | --- |")
    wrong = 0
    for name in ("", *breaks.NAMES):
        run = _Run(kills if name else each, seed, name)
        run.play(each, 3600.0, until_found=True)
        print("\r\033[K", end="", file=sys.stderr)
        wrong += bool(run.bad) is not bool(name)
        breaches = sorted(run.bad[0].breaches, key=_says_little) if run.bad else ["nothing was found"]
        print(f"| {name or 'nothing'} | {run.killed} | {breaches[0]} |", flush=True)
    return 1 if wrong else 0


def _says_little(breach: str) -> bool:
    """Whether it is what follows from another breach."""
    return breach.startswith("stuck") or "did not finish" in breach or "ended with" in breach


if __name__ == "__main__":
    sys.exit(main())
