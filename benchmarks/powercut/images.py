"""Takes a recording, cuts it at random moments, and has each image judged; a recording with a failing image is kept."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .account import Account
from .disk import Disk, Event
from .judge import Wrong, judge
from .recording import ROOT, Plan, record

NO_CUT: Final = "no cut was needed"
KEPT_AT: Final = ROOT / ".cache" / "powercut"


@dataclass(slots=True)
class Found:
    """What came of one recording."""

    plan: Plan
    images: int = 0
    events: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    openings: int = 0
    failures: list[str] = field(default_factory=list)
    again: str = ""
    """How to build a failing image again: arguments of the command."""


def cuts(plan: Plan, events: Sequence[Event], count: int) -> list[int]:
    """Return after how many events each image is cut, in order; image 0 is the first of them."""
    chance = random.Random(f"{plan.seed}/cuts")
    # Half of them where it hurts: around what decides that something is on the disk.
    edges = [at for at, event in enumerate(events, 1) if event.kind in "SFUT"]
    return sorted(
        min(len(events), max(1, chance.choice(edges) + chance.randrange(-2, 3)))
        if chance.random() < 0.5
        else chance.randrange(1, len(events) + 1)
        for _ in range(count)
    )


def try_images(
    plan: Plan,
    events: Sequence[Event],
    work: Path,
    *,
    count: int,
    only: int | None = None,
    stop_early: bool = False,
) -> Found:
    """Build images of the record and judge each.

    Args:
        plan: what was recorded.
        events: the record.
        work: a folder for the images.
        count: how many there are.
        only: judge only this one, and leave it in the folder as it was cut.
        stop_early: end with the first failure.
    """
    found = Found(plan, events=Counter(event.kind for event in events))
    try:
        account = Account(events)
    except ValueError as error:
        found.images = 1
        found.failures.append(f"{NO_CUT}: {error}")
        return found
    found.asked = sum(len(opening.asked) for opening in account.openings)
    found.openings = len(account.openings) - 1
    disk, done = Disk(), 0
    for number, moment in enumerate(cuts(plan, events, count)):
        for event in events[done:moment]:
            disk.replay(event)
        done = moment
        if only is not None and number != only:
            continue
        chance = random.Random(f"{plan.seed}/image/{number}")
        image = disk.image(chance)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        found.images += 1
        try:
            asyncio.run(judge(work, image, account.at(moment), reopen=chance.random() < 0.1))
        except Wrong as wrong:
            found.failures.append(f"image {number}, cut after event {moment} of {len(events)}: {wrong}")
        if only is not None:
            shutil.rmtree(work)
            work.mkdir()
            for name, content in image.items():
                (work / name).write_bytes(content)
        if found.failures and stop_early:
            break
    return found


Job = tuple[Plan, Path, int, bool]
"""What to record, a folder, how many images, and whether to stop at the first failing one."""


def one_recording(job: Job) -> Found:
    """Record, try the images, and keep the record if one of them fails; runs in a process of its own."""
    plan, folder, count, stop_early = job
    work = folder / plan.seed.replace("/", "-")
    try:
        events = record(plan, folder / "recorder.so", work)
        found = try_images(plan, events, work / "image", count=count, stop_early=stop_early)
        if found.failures and not plan.broken:
            KEPT_AT.mkdir(parents=True, exist_ok=True)
            kept = KEPT_AT / f"record-{plan.seed.replace('/', '-')}"
            shutil.copy(work / "record", kept)
            found.again = f"--again {kept} --plan {plan.seed} --images {count} --image NUMBER"
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found
