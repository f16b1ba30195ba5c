"""``python -m benchmarks``: every job with every peer, in turn, several rounds; medians, and ratios to landline.

Server and client are processes of their own on one core, because a wake-up across the cores of a virtual machine measures its hypervisor.
``--short`` runs small sizes once or twice: to see that everything works, not to quote.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from .peers import PEERS
from .work import JOBS


def main() -> None:
    """Run what was asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes, two rounds")
    parser.add_argument("--rounds", type=int, help="how often everything is measured; 5, or 2 with --short")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--only", default="", help="jobs whose name contains this")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _run(options.loop, _serve(options.serve))
    elif options.work:
        peer, job, port, server = options.work
        size = JOBS[job][4 if options.short else 3]
        print(_run(options.loop, JOBS[job][0](PEERS[peer], int(port), int(server), size)))
    else:
        _compare(options)


def _compare(options: argparse.Namespace) -> None:
    rounds = options.rounds or (2 if options.short else 5)
    figures: dict[str, dict[str, list[float]]] = {}
    for job in JOBS:
        if options.only in job:
            figures[job] = {peer: [] for peer in PEERS}
            for number in range(rounds):
                for peer in PEERS:
                    print(f"\r\033[K{job}: {peer}, round {number + 1} of {rounds}", end="", file=sys.stderr)
                    figures[job][peer].append(_measure(peer, job, options))
    print("\r\033[K", end="", file=sys.stderr)
    _print_table(figures, options.loop, rounds)
    if options.json:
        options.json.write_text(
            json.dumps({"machine": _machine(), "loop": options.loop, "figures": figures}, indent=1)
        )


def _measure(peer: str, job: str, options: argparse.Namespace) -> float:
    """Run one server and one client on one core; return the client's figure."""
    common = [
        sys.executable,
        "-m",
        "benchmarks",
        "--loop",
        options.loop,
        *(["--short"] if options.short else []),
    ]
    with subprocess.Popen(
        [*common, "--serve", peer], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, preexec_fn=_pin
    ) as server:
        try:
            port = server.stdout.readline().strip()  # type: ignore[union-attr]
            client = subprocess.run(
                [*common, "--work", peer, job, port, str(server.pid)],
                capture_output=True, text=True, timeout=120, check=False, preexec_fn=_pin,
            )  # fmt: skip
            if client.returncode:
                sys.exit(f"\n{peer}, {job}: {client.stderr}")
            return float(client.stdout)
        finally:
            server.kill()


def _print_table(figures: dict[str, dict[str, list[float]]], loop: str, rounds: int) -> None:
    print(f"{_machine()}, {loop}; server and client on one core; medians of {rounds} rounds\n")
    print(
        f"| work | unit | {' | '.join(PEERS)} | {' | '.join(f'landline ÷ {peer}' for peer in list(PEERS)[1:])} |"
    )
    print("| --- " * (1 + 2 * len(PEERS)) + "|")
    for job, by_peer in figures.items():
        medians = {peer: statistics.median(values) for peer, values in by_peer.items()}
        ours = medians["landline"]
        cells = [f"{value:,.1f}" if value < 1000 else f"{value:,.0f}" for value in medians.values()]
        ratios = [f"{ours / max(medians[peer], 1e-9):.2f}×" for peer in list(PEERS)[1:]]
        better = "more is better" if JOBS[job][2] else "less is better"
        print(f"| {job} ({better}) | {JOBS[job][1]} | {' | '.join(cells)} | {' | '.join(ratios)} |")


def _machine() -> str:
    return (
        f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}"
    )


def _pin() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


async def _serve(peer: str) -> None:
    async with PEERS[peer].serve() as port:
        print(port, flush=True)
        await asyncio.Event().wait()


def _run(loop: str, main: Any) -> Any:
    if loop == "uvloop":
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)


if __name__ == "__main__":
    main()
