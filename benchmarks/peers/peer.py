"""What a peer is: which kinds of work it plays, and for each how it serves and how a client of it connects.

The kinds are ``messages`` and ``messages with TLS`` (a ``Line``: see ``halls``), ``trips``, ``crowds``, ``fan-out`` and ``publishes``, which
is ``durable`` by it (a ``Talk`` for the load in C: see ``load``), ``calls`` (a ``Caller``), ``streams`` (a ``Reader``), ``bulk`` and ``bulk with TLS`` (a ``Pourer``), ``files`` (a ``Copier``),
``durable`` (a ``Publisher``), ``durable topics`` (a ``Listener``). Each peer is set as its own documentation recommends for speed; where that is no default, its module says so.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "bench" / "packages"
"""What ``python -m benchmarks.install`` has installed from PyPI."""
DEBIAN = ROOT / ".cache" / "bench" / "debian"
"""What it has unpacked of Debian's packages."""

MESSAGE = b"x" * 64


class Caller(Protocol):
    """One connection, whose calls return their argument."""

    async def run(self, count: int, at_once: int) -> Any:
        """Make ``count`` calls, ``at_once`` of them at a time."""


class Reader(Protocol):
    """One connection, over which a stream of items comes."""

    async def read(self, count: int) -> Any:
        """Ask for ``count`` items of 64 bytes, and return when all are here."""


class Publisher(Protocol):
    """Somebody whose messages are kept."""

    async def publish(self, data: bytes) -> Any:
        """Return when it is on the disk."""


class Listener(Publisher, Protocol):
    """One who is told as well what is published, from the first on."""

    def listen(self) -> AsyncIterator[Any]:
        """Subscribe."""


class Pourer(Protocol):
    """One connection that takes all and gives nothing back."""

    async def pour(self, piece: bytes, count: int) -> Any:
        """Send a piece so many times; return when all of them are at the other end."""


class Copier(Protocol):
    """Brings files to the other end."""

    async def copy(self, source: Path, name: str) -> Any:
        """Connect, copy a file, and leave, when it is there."""


class Play(NamedTuple):
    """How a peer plays one kind of work."""

    serve: Callable[[], AbstractAsyncContextManager[str]]
    """Serves; gives the place to connect to."""
    connect: Callable[[str], AbstractAsyncContextManager[Any]]
    """Connects a client; gives what its kind of work takes."""


class Peer(NamedTuple):
    """Somebody to be measured."""

    name: str
    plays: dict[str, Play]
    """By the kind of work."""
    modules: tuple[str, ...] = ()
    """What it needs from PyPI, by the names that are imported."""
    programs: tuple[str, ...] = ()
    """What it needs to start."""
    is_ours: bool = False
    is_floor: bool = False
    """Whether it is what the machine can do, and nobody's program."""
    loop: str | None = None
    """The event loop that it always has; else the one that is asked for."""

    @property
    def is_anywhere(self) -> bool:
        """Whether it takes nothing but Python, a loop and a C compiler: where it was not measured, something is wrong."""
        return not self.modules and set(self.programs) <= {"cc"}

    def missing(self) -> str | None:
        """Return what is not there, or None when all is."""
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                return f"{module} is not installed"
        for program in self.programs:
            if find_program(program) is None:
                return f"there is no {program}"
        return None


def find_program(name: str) -> str | None:
    """Return where a program is: what we installed, else the machine's own."""
    ours = [str(folder) for folder in (PACKAGES / "bin", DEBIAN / "usr/sbin", DEBIAN / "usr/bin")]
    theirs = [os.environ.get("PATH", os.defpath), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join([*ours, *theirs]))


VERSIONS: Final = {
    "redis-server": ("redis-server", "--version"),
    "mosquitto": ("mosquitto", "-h"),
    "nats-server": ("nats-server", "--version"),
    "ssh": ("OpenSSH", "-V"),
}
"""By program: what it is called, and how it is asked for its version."""
SAYS_WITHIN = 10.0
"""Seconds that a program may take to say its version."""


def version_of(program: str) -> str | None:
    """Return what a program says that its version is; None of one that is not there or does not say it, or not in ``VERSIONS``."""
    path = find_program(program)
    if path is None or program not in VERSIONS:
        return None
    asked = [path, VERSIONS[program][1]]
    try:
        said = subprocess.run(
            asked,
            capture_output=True,
            text=True,
            timeout=SAYS_WITHIN,
            check=False,
            env=environment_of_programs(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d[\w.]*", said.stdout + said.stderr)
    return found and found.group()


def environment_of_programs() -> dict[str, str]:
    """Ours, and where the libraries lie that were unpacked with the servers."""
    libraries = (str(path) for path in DEBIAN.glob("**/lib/*-linux-gnu*"))
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(libraries)}


class Calls:
    """The calls of a peer whose ``call`` is a coroutine function."""

    def __init__(self, call: Callable[[bytes], Awaitable[Any]]) -> None:
        self._call = call

    async def run(self, count: int, at_once: int) -> None:
        async def one_after_the_other() -> None:
            for _ in range(count // at_once):
                if await self._call(MESSAGE) != MESSAGE:
                    raise ValueError("a call must return its argument")

        if at_once == 1:
            await one_after_the_other()
        else:
            await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
