"""One measurement: a server process and a client process, pinned to cores, and the client's figure.

A server lives until its standard input ends, so it and what it started are gone with whoever measures, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import IO, Any

from .jobs import JOBS
from .peers import OVER
from .peers.peer import PACKAGES, Peer

COMES_WITHIN = 120.0
"""Seconds that a server may take to say where it is."""
LONGEST = 240.0
"""Seconds that a client may take."""
PRIORITY = -10
"""So that what else the machine does takes a tenth of the core, and not half of it."""
_SAME_PLACES = 0x0040000
"""``ADDR_NO_RANDOMIZE`` of ``personality(2)``."""
_ASK = 0xFFFFFFFF
"""What has ``personality`` change nothing."""
GOES_WITHIN = 15.0
"""Seconds that a server may take to go."""


class PeerFailed(Exception):
    """A peer could not play a job; the message is the last that it said."""


def measure(peer: Peer, job: str, over: str, loop: str, *, is_short: bool) -> float:
    """Return the figure of one job with one peer.

    Raises:
        PeerFailed: its server or its client ended with an error, or took too long.
    """
    ends = [sys.executable, "-m", "benchmarks", "--loop", peer.loop or loop, "--over", over]
    ends += ["--short"] if is_short else []
    cores = cores_for(JOBS[job].cores)
    start: Callable[..., Any] = partial(
        subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
    )
    serve = [*ends, "--serve", peer.name, job]
    with (
        tempfile.TemporaryFile("w+") as complaints,  # no pipe: nobody reads it while it plays
        start(serve, stderr=complaints, preexec_fn=partial(_pin, cores[0])) as server,
    ):
        try:
            place = _place(server)
            if not place:
                raise PeerFailed(_why_gone(server, complaints))
            work = [*ends, "--work", peer.name, job, place, str(server.pid)]
            with start(work, stderr=subprocess.PIPE, preexec_fn=partial(_pin, cores[-1])) as client:
                try:
                    said, complaint = client.communicate(timeout=LONGEST)
                except subprocess.TimeoutExpired:
                    client.kill()
                    raise PeerFailed(f"its client took more than {LONGEST:.0f} s") from None
            if client.returncode:
                gone = "" if server.poll() is None else f"; its server: {_why_gone(server, complaints)}"
                raise PeerFailed(_last_line(complaint) + gone)
            try:
                return float(said)
            except ValueError:
                raise PeerFailed(f"its client said {said!r} instead of a figure") from None
        finally:
            server.stdin.close()
            try:
                server.wait(GOES_WITHIN)
            except subprocess.TimeoutExpired:
                server.kill()


def _place(server: subprocess.Popen[str]) -> str:
    """Return where it is, or nothing where it does not say so in time; then it is killed."""
    assert server.stdout is not None
    late = threading.Timer(COMES_WITHIN, server.kill)
    late.start()
    try:
        return server.stdout.readline().strip()
    finally:
        late.cancel()
        late.join()


def _why_gone(server: subprocess.Popen[str], complaints: IO[str]) -> str:
    try:
        code = server.wait(GOES_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        code = server.wait()
    if code == -signal.SIGKILL:
        return f"its server did not say within {COMES_WITHIN:.0f} s where it is, or was killed"
    complaints.seek(0)
    return _last_line(complaints.read())


def cores_for(count: int) -> list[int]:
    """Return so many cores that we may use; fewer where there are fewer."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(count))
    return sorted(os.sched_getaffinity(0))[:count]


def fix_addresses() -> bool:
    """Have the programs that this process becomes or starts have their code at the same addresses; return whether the system lets it.

    Two processes that take turns on a core, as no client and server that matter do, else throw each other's predicted branches away: a round trip
    between two interpreters took 41 µs that way, and takes 30.
    """
    personality = _personality()
    return personality is not None and personality(personality(_ASK) | _SAME_PLACES) != -1


def can_fix_addresses() -> bool:
    """Return whether the system lets it, and leave this process as it was."""
    personality = _personality()
    before = personality(_ASK) if personality is not None else 0
    try:
        return fix_addresses()
    finally:
        if personality is not None:
            personality(before)


def _personality() -> Callable[[int], int] | None:
    """Linux alone has it."""
    try:
        personality: Callable[[int], int] = ctypes.CDLL(None).personality
    except (OSError, AttributeError):
        return None
    return personality


def _pin(core: int) -> None:
    """Keep to one core, before others there as far as we may, with as many files as the system lets us have, and our code at the usual addresses."""
    fix_addresses()
    with contextlib.suppress(OSError):  # root alone may
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    with contextlib.suppress(OSError, ValueError):  # macOS has no number for "all that you want"
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def _environment() -> dict[str, str]:
    """Our own, and the packages of the peers."""
    path = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


# In those processes...


def serve(over: str, peer: str, job: str, loop: str) -> None:
    """Serve until standard input ends."""
    play = _find(over, peer).plays[JOBS[job].kind]

    async def until_told() -> None:
        async with play.serve() as place:
            print(place, flush=True)
            await asyncio.to_thread(sys.stdin.read)

    run(loop, until_told())


def work(over: str, peer: str, job: str, place: str, server: int, loop: str, *, is_short: bool) -> None:
    """Be the client; print the figure."""
    what = JOBS[job]
    size = what.short_size if is_short else what.size

    async def play() -> float:
        return await what.play(_find(over, peer).plays[what.kind].connect, place, server, size)

    print(run(loop, play()))


def _find(over: str, name: str) -> Peer:
    return next(peer for peer in OVER[over] if peer.name == name)


def run(loop: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Run on the loop of that name."""
    if loop == "uvloop":
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)
