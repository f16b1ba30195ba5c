"""Programs in C beside this file, compiled into ``.cache/bench/native`` when they are first wanted, and again when they have changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCES: Final = {"floor": ("floor.c",), "load": ("load.c", "session.c", "line.h")}
"""By program."""

_HERE: Final = Path(__file__).parent
_BUILT: Final = _HERE.parents[1] / ".cache" / "bench" / "native"


def find_compiler() -> str | None:
    """Return a C compiler, or None where there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled(program: str) -> Path:
    """Return a program, which is compiled first where it must be.

    Raises:
        RuntimeError: there is no compiler, or it complained.
    """
    sources = [_HERE / name for name in SOURCES[program]]
    built = _BUILT / program
    if built.exists() and built.stat().st_mtime >= max(source.stat().st_mtime for source in sources):
        return built
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("there is no C compiler")
    _BUILT.mkdir(parents=True, exist_ok=True)
    fresh = _BUILT / f"{program}.{os.getpid()}"  # several may want it at once
    code = [str(source) for source in sources if source.suffix == ".c"]
    ended = subprocess.run(
        [compiler, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", str(fresh), *code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"{program} does not compile: {ended.stderr}")
    fresh.rename(built)
    return built
