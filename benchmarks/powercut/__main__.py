"""``make powercut``: power cuts for the storage, thousands of them, each at a random moment of a run that was really recorded.

``--images`` and ``--seed`` say how many and which. A failing image is named with the command that builds it again from its
recording, which is kept. ``--ablations`` proves that it can fail: it switches each safeguard off and counts the images until that is found.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Final

from .ablations import ABLATIONS
from .images import KEPT_AT, NO_CUT, Found, Job, one_recording, try_images
from .recording import CannotRecord, Plan, compiled, read, temporary_folder

IMAGES: Final = 20_000
PER_RECORDING: Final = 250
MOST_PER_ABLATION: Final = 5_000
MOST_PER_MASKED: Final = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return 1 when an image failed, or an ablation was not found."""
    options = _parser().parse_args(arguments)
    if options.again:
        return _again(options)
    with temporary_folder() as name:
        folder = Path(name)
        try:
            compiled(folder)
            if options.ablations:
                return _try_ablations(options, folder)
            return _try_many(options, folder)
        except CannotRecord as error:
            _say(f"powercut: {error}")
            return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.powercut", description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES, help=f"how many ({IMAGES:,})")
    parser.add_argument("--seed", type=int, default=1, help="which (1)")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="how many processes (2)")
    parser.add_argument(
        "--ablation", dest="broken", choices=ABLATIONS, default="", help="switch a safeguard off"
    )
    parser.add_argument(
        "--ablations", action="store_true", help="each in turn: how many images until it is found"
    )
    parser.add_argument("--again", type=Path, metavar="RECORD", help="a kept record, with --plan and --image")
    parser.add_argument("--plan", default="", help="the plan of that record")
    parser.add_argument("--image", type=int, default=0, metavar="NUMBER", help="the image to build of it")
    return parser


def _plans(options: argparse.Namespace, folder: Path, broken: str, *, stop_early: bool) -> Iterator[Job]:
    left = options.images
    for number in itertools.count():
        if left <= 0:
            return
        count = min(left, PER_RECORDING)
        left -= count
        yield Plan.of(options.seed, number, broken), folder, count, stop_early


def _try_many(options: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    total, events = Counter[str](), Counter[str]()
    failures: list[str] = []
    again: list[str] = []
    jobs = _plans(options, folder, options.broken, stop_early=False)
    with ProcessPoolExecutor(options.j, multiprocessing.get_context("spawn")) as pool:
        for found in _as_found(pool, jobs, options.j):
            events += found.events
            total += Counter(
                images=found.images,
                asked=found.asked,
                openings=found.openings,
                recordings=1,
                faulty=bool(found.plan.fault),
            )
            failures += [f"{found.plan}: {failure}" for failure in found.failures]
            if found.again:
                again.append(f"to build an image of {found.plan} again: make powercut ARGS='{found.again}'")
            _progress(total["images"], options.images, time.monotonic() - began)
            if len(failures) > 20:
                break
    _progress_done()
    for line in [*failures[:20], *again]:
        _say(line)
    _say(
        f"{total['images']:,} images of {total['recordings']} recordings, {total['faulty']} of them with a failing disk; seed {options.seed},"
        f" {time.monotonic() - began:,.0f} s: {len(failures)} wrong"
    )
    _say(
        f"recorded: {total['asked']:,} writes asked in {total['openings']:,} openings, {events['W']:,} writes to files,"
        f" {events['S']:,} syncs, {events['T']:,} truncations, {events['U']:,} unlinks; failed were {events['F']:,} syncs, {events['N']:,} others"
    )
    return 1 if failures else 0


def _as_found(pool: ProcessPoolExecutor, jobs: Iterator[Job], width: int) -> Iterator[Found]:
    """Keep the pool busy, and yield what it finds; the jobs are drawn as they are needed, so that a failure can end it."""
    running: set[Future[Found]] = set()
    while True:
        running |= {
            pool.submit(one_recording, job) for job in itertools.islice(jobs, 2 * width - len(running))
        }
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _try_ablations(options: argparse.Namespace, folder: Path) -> int:
    missed = []
    for name, broken in ABLATIONS.items():
        images, first = 0, ""
        for job in _plans(
            argparse.Namespace(
                seed=options.seed, images=MOST_PER_ABLATION if not broken.masked else MOST_PER_MASKED
            ),
            folder,
            name,
            stop_early=True,
        ):
            found = one_recording(job)
            images += found.images
            _progress(images, MOST_PER_ABLATION, 0.0)
            if found.failures:
                first = found.failures[0]
                break
        _progress_done()
        if not first and not broken.masked:
            missed.append(name)
        outcome = (
            f"found {'without a cut' if first.startswith(NO_CUT) else f'by image {images:,}'}: {first}"
            if first
            else f"not found in {images:,} images; {broken.masked or 'MISSED'}"
        )
        _say(f"{name} ({broken.what}): {outcome}")
    return 1 if missed else 0


def _again(options: argparse.Namespace) -> int:
    work = KEPT_AT / "image"
    seed, _, number = options.plan.partition("/")
    plan = Plan.of(int(seed), int(number))
    found = try_images(plan, read(options.again), work, count=options.images, only=options.image)
    _say("\n".join(found.failures) or "nothing is wrong with it")
    _say(f"the image, as it was cut: {work}")
    return 1 if found.failures else 0


def _progress(done: int, of: int, seconds: float) -> None:
    if sys.stderr.isatty():
        bar = "#" * int(30 * done / of)
        rate = f", {done / seconds:,.0f} a second" if seconds else ""
        sys.stderr.write(f"\r[{bar:<30}] {done:,} of {of:,} images{rate} ")
        sys.stderr.flush()


def _progress_done() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r" + " " * 79 + "\r")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
