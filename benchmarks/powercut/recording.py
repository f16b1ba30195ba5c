"""Records a run: compiles the recorder, starts the lives of the workload under it, and reads what it wrote.

Every recording is compared with the files that the run left: if the record, replayed, gives other bytes, the recorder missed
something, and no image made of it would be worth anything.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .ablations import ABLATIONS
from .disk import Event, replayed
from .workload import LIVES, LONGEST, TURNS

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = Path(__file__).with_name("recorder.c")
HEAD: Final = struct.Struct("=IIqqQ")


class CannotRecord(Exception):
    """Nothing can be recorded here, or the record cannot be trusted."""


def compiled(folder: Path) -> Path:
    """Compile the recorder into the folder.

    Raises:
        CannotRecord: no compiler, or another system.
    """
    if sys.platform != "linux" or not (compiler := shutil.which("gcc") or shutil.which("cc")):
        raise CannotRecord("power cuts are recorded on Linux, with a C compiler (gcc)")
    library = folder / "recorder.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRecord(f"the recorder does not compile: {done.stderr.strip()}")
    return library


@dataclass(frozen=True, slots=True)
class Plan:
    """What is recorded; the same plan asks the storage for the same writes, though commits may be shared differently."""

    seed: str
    fault: str = ""
    """See recorder.c; "" for a disk that works."""
    faulty_life: int = 0
    broken: str = ""
    """A row of ``ablations.ABLATIONS``."""
    lives: int = LIVES
    turns: int = TURNS

    def __str__(self) -> str:
        fault = f" ({self.fault} in life {self.faulty_life})" if self.fault else ""
        return f"recording {self.seed}{fault}"

    @classmethod
    def of(cls, seed: int, number: int, broken: str = "") -> Plan:
        """Return the plan of a recording; a third of them have a disk that fails for some calls."""
        chance = random.Random(f"{seed}/{number}/plan")
        fault = ""
        if number % 3 == 2 or (broken and ABLATIONS[broken].needs_fault):
            kind, error, most = chance.choice(
                (
                    ("sync", errno.EIO, 90),
                    ("sync", errno.EIO, 90),
                    ("write", errno.EIO, 2000),
                    ("write", errno.ENOSPC, 2000),
                    ("truncate", errno.EIO, 20),
                )
            )
            fault = f"{kind}:{chance.randrange(1, most)}:{chance.choice((1, 1, 3, 20))}:{error}"
        # One life shows an ablation by its images; that a process died would give some of them away before any cut.
        lives = 1 if broken else LIVES
        return cls(f"{seed}/{number}", fault, chance.randrange(lives), broken, lives)


def record(plan: Plan, library: Path, work: Path) -> list[Event]:
    """Run the workload under the recorder and return what it did.

    Args:
        plan: what to run.
        library: the recorder.
        work: a folder for the run; it is emptied.

    Raises:
        CannotRecord: a life did not end as it should, or the record does not agree with the files.
    """
    shutil.rmtree(work, ignore_errors=True)
    folder, into = work / "files", work / "record"
    folder.mkdir(parents=True)
    for life in range(plan.lives):
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "POWERCUT_FOLDER": str(folder),
            "POWERCUT_RECORD": str(into),
            "POWERCUT_FAULT": plan.fault if life == plan.faulty_life else "",
            "POWERCUT_LIES": ABLATIONS[plan.broken].lies if plan.broken else "",
        }
        command = [sys.executable, "-m", "benchmarks.powercut.workload", str(folder), plan.seed]
        command += [str(life), str(plan.lives), str(plan.turns)]
        command += [plan.broken] if plan.broken else []
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=2 * LONGEST,
            check=False,
        )
        if done.returncode or done.stderr:
            raise CannotRecord(f"life {life} of {plan} ended with {done.returncode}: {done.stderr}")
    events = read(into)
    check(events, folder)
    return events


def read(path: Path) -> list[Event]:
    """Read a record."""
    content = path.read_bytes()
    events: list[Event] = []
    at = 0
    while at < len(content):
        kind, pid, fd, offset, length = HEAD.unpack_from(content, at)
        at += HEAD.size
        events.append(Event(chr(kind), pid, fd, offset, content[at : at + length]))
        at += length
    return events


def check(events: Sequence[Event], folder: Path) -> None:
    """Compare the record with the files that are there.

    Raises:
        CannotRecord: they differ.
    """
    try:
        told = {name: bytes(file.cached) for name, file in replayed(events).names.items()}
    except ValueError as error:
        raise CannotRecord(str(error)) from error
    true = {path.name: path.read_bytes() for path in folder.iterdir()}
    differ = {name for name in told.keys() | true.keys() if told.get(name) != true.get(name)}
    if differ:
        raise CannotRecord(f"the record does not agree with the files {', '.join(sorted(differ))}")


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder in memory where there is one: thousands of images are written and read once."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="powercut-", dir=memory if memory.is_dir() else None)
