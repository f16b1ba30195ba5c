"""One run of the benchmarks: every job with every peer that plays it, in turn, round after round; then tables and JSON."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import sys
from typing import Any

from .jobs import JOBS, jobs_named
from .jobs.job import Job
from .peers import OVER
from .peers.bare import BARE
from .peers.landline import SENDS
from .peers.peer import PACKAGES, VERSIONS, Peer, version_of
from .plot import Bar, Bars, ratio_picture
from .processes import PeerFailed, can_fix_addresses, cores_for, measure
from .ratios import advantage
from .table import Figures, price, ratios_of, table
from .targets import TARGETS, gate_table, gated, judged, lets_through, measured_of, wanted_of

AHEAD = 2
BEHIND = 1
"""Colours."""


class Comparison:
    """One run of all that was asked for.

    Attributes:
        figures: what was measured.
        left_out: why somebody or something was not, by name.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._is_short = options.short or options.gate
        self._rounds = options.rounds or (5 if options.gate or not options.short else 2)
        self._wanted = wanted_of() if options.gate else None
        self._targets = TARGETS if (options.over, options.loop) == ("tcp", "uvloop") else ()
        self._gated = gated(options.only, self._targets)
        self._peers = OVER[options.over]
        self._load = [_load()]
        self._has_fixed_addresses = can_fix_addresses()
        self.figures: Figures = {}
        self.left_out: dict[str, str] = {}
        self._ours_failed = False
        self._fell_over: list[str] = []

    def run(self) -> int:
        """Measure, print, write; return the exit code."""
        sys.path.insert(0, str(PACKAGES))  # to see what is there
        for name in jobs_named(self._options.only):
            if peers := self._who_plays(JOBS[name]):
                self._measure(JOBS[name], peers)
        if self._options.gate:
            self._measure_again()
        self._load.append(_load())
        _show("")
        self._print()
        if self._options.json:
            self._options.json.write_text(json.dumps(self._account(), indent=1, ensure_ascii=False))
            print(f"figures: {self._options.json}")
        if self._options.svg and self.figures:
            self._options.svg.write_text(self.picture(), encoding="utf-8")
            print(f"picture: {self._options.svg}")
        is_passed = lets_through(self.figures, self._gated) and not self._fell_over
        is_stopped = self._options.gate and not is_passed
        return 1 if self._ours_failed or is_stopped or not self.figures else 0

    def _who_plays(self, job: Job) -> list[Peer]:
        """Of the peers, when the gate is asked for those that it compares."""
        players = [peer for peer in self._peers if job.kind in peer.plays]
        if self._wanted is None:
            return players
        return [peer for peer in players if peer.name in self._wanted.get(job.name, ())]

    def _measure(self, job: Job, peers: list[Peer]) -> None:
        if len(cores_for(job.cores)) < job.cores:
            self.left_out[job.name] = f"it takes {job.cores} cores"
            return
        for peer in peers:
            missing = peer.missing()
            if missing is not None:
                self.left_out[peer.name] = f"{missing}; make bench installs what it can"
        playing = [peer for peer in peers if peer.name not in self.left_out]
        figures = self.figures.get(job.name) or {peer.name: [] for peer in playing}
        failed: set[str] = set()
        for number in range(self._rounds):
            first = number % max(
                1, len(playing)
            )  # else whoever is first would always have what the last one left
            for peer in [peer for peer in playing[first:] + playing[:first] if peer.name not in failed]:
                said = f"{job.name}: {peer.name}, round {number + 1} of {self._rounds}"
                _show(said)
                options = self._options
                try:
                    figure = measure(peer, job.name, options.over, options.loop, is_short=self._is_short)
                    figures[peer.name].append(figure)
                except PeerFailed as error:
                    after = f" (after {len(figures[peer.name])} rounds)" if figures[peer.name] else ""
                    self.left_out[f"{peer.name}, {job.name}"] = f"{error}{after}"
                    self._ours_failed |= peer.is_ours
                    if not figures[peer.name]:
                        self._fell_over.append(f"{peer.name}, {job.name}")
                    failed.add(peer.name)
        figures = {name: values for name, values in figures.items() if values}
        if figures:
            self.figures[job.name] = figures

    def _measure_again(self) -> None:
        """Give what is below the gate as many rounds more, and count all of them: it may have been chance."""
        below = (
            target.job
            for target, measured, passes in judged(self.figures, self._gated)
            if not passes and measured is not None
        )
        for name in dict.fromkeys(below):
            played = [
                peer
                for peer in self._who_plays(JOBS[name])
                if peer.name in self.figures[name] and f"{peer.name}, {name}" not in self.left_out
            ]
            self._measure(JOBS[name], played)

    # What came out of it...

    def _print(self) -> None:
        options = self._options
        print(
            f"{_machine()}; {options.loop}, our sessions over {options.over}; medians of {self._rounds} rounds,"
        )
        print(
            f"the least and the most; load of the machine {self._load[0]} before and {self._load[1]} after\n"
        )
        if self._is_short:
            print("Small sizes: not to quote.\n")
        if not self._has_fixed_addresses:
            print(
                "Programs had their code at random addresses, which the system would not let be fixed: slower where two interpreters share a core.\n"
            )
        for line in table(self.figures, self._peers, self._targets, is_short=self._is_short):
            print(line)
        costs = list(price(self.figures, self._peers[0].name, BARE.name, SENDS.name))
        print(
            f"\nThe price of the session over the same frames on a bare protocol: {'; '.join(costs)}."
            * bool(costs)
        )
        if options.gate:
            print("\n".join(["", *gate_table(self.figures, self._gated), ""]))
            for name in self._fell_over:  # who cannot be had is another matter
                print(f"fails: {name}: it is there, and could not play")
        for job, by_peer in self.figures.items():
            rounds = {name: len(values) for name, values in by_peer.items()}
            if set(rounds.values()) != {self._rounds}:
                print(f"rounds: {job}: {', '.join(f'{name} {count}' for name, count in rounds.items())}")
        for name, why in self.left_out.items():
            print(f"left out: {name}: {why}")
        print(f"versions: {', '.join(f'{name} {version}' for name, version in self._versions().items())}")

    def picture(self) -> str:
        """Return how many times as good ours is as each other, job by job."""
        groups = []
        for job, by_peer in self.figures.items():
            ratios = ratios_of(by_peer, self._peers)
            ours = next((peer.name for peer in self._peers if peer.is_ours and peer.name in by_peer), "")
            bars = []
            for peer in self._peers:
                ratio = ratios.get(f"{ours} ÷ {peer.name}")
                if not ratio or (peer.is_floor and JOBS[job].unit == "KiB"):
                    continue  # a floor that holds nothing would be all that is seen
                times = advantage(ratio, is_more_better=JOBS[job].is_more_better)
                bars.append(Bar(peer.name, times, AHEAD if times >= 1 else BEHIND))
            if bars:
                groups.append(Bars(JOBS[job].row(is_short=self._is_short), bars))
        return ratio_picture("Ours beside others: to the right we are ahead", groups, _machine())

    def _account(self) -> dict[str, Any]:
        return {
            "machine": _machine(),
            "load": self._load,
            "has_fixed_addresses": self._has_fixed_addresses,
            "loop": self._options.loop,
            "over": self._options.over,
            "rounds": self._rounds,
            "is_short": self._is_short,
            "versions": self._versions(),
            "left_out": self.left_out,
            "ratios": {job: ratios_of(by_peer, self._peers) for job, by_peer in self.figures.items()},
            "targets": [
                {**target._asdict(), "measured": measured_of(target, self.figures), "bound": target.bound()}
                for target in self._targets
            ],
            "rows": {job: JOBS[job].row(is_short=self._is_short) for job in self.figures},
            "units": {job: JOBS[job].unit for job in self.figures},
            "figures": self.figures,
        }

    def _versions(self) -> dict[str, str]:
        """Of what was measured: of packages from PyPI as they are installed, of programs as they say."""
        played = [
            peer for peer in self._peers if any(peer.name in by_peer for by_peer in self.figures.values())
        ]
        versions = {}
        for name in ["uvloop", *(name for peer in played for name in (peer.name, *peer.modules))]:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # no name of a distribution
                versions[name] = importlib.metadata.version(name)
        for program in sorted({program for peer in played for program in peer.programs}):
            if version := version_of(program):
                versions[VERSIONS[program][0]] = version
        return versions


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.release()}, {platform.machine()}, {cores} cores, Python {platform.python_version()}"


def _show(doing: str) -> None:
    """Say what is measured now: at a terminal in one line that is written anew, else in a line of its own."""
    if sys.stderr.isatty():
        print(f"\r\033[K{doing}", end="", file=sys.stderr, flush=True)
    elif doing:
        print(doing, file=sys.stderr)


def _load() -> float:
    return round(os.getloadavg()[0], 1)
