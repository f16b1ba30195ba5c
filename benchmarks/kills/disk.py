"""``python -m benchmarks.kills.disk``: a server whose disk is full, can only be read, or fails to sync, and what its publishers are told.

The disk is a small tmpfs in a mount namespace of this program's own, which it enters by starting itself again under ``unshare``; the failing
calls are strace's. Where the machine allows neither, it says so and ends with 3. It ends with 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import landline
from landline.patterns.publications import decode_stored
from landline.sessions.signal import Signal
from landline.storage import SQLiteStorage

from .processes import Process, end, listens, send, start_server
from .server import STORE

INSIDE: Final = "--inside"
CANNOT: Final = 3
DISK: Final = 2 << 20
"""Bytes of the disk that gets full."""
BALLAST: Final = 1 << 20
DATA: Final = "x" * 1000
MOST: Final = 5000
"""Publishes after which the disk should long have been full."""
LONGEST: Final = 60.0
TOPIC: Final = "k.a"
LIMITS: Final = landline.Limits(redial_min=0.005, redial_max=0.05)


def main() -> int:
    """Play every trouble, and say what came of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.kills.disk", description=__doc__)
    parser.add_argument("--only", default="", help="troubles whose name contains this")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        return enter(*sys.argv[1:])
    print(
        "| trouble | acked | failed | unknown | what publishers were told | broken rules |\n| --- | ---: | ---: | ---: | --- | --- |"
    )
    broken = 0
    for name, trouble in TROUBLES.items():
        if options.only in name:
            trial = asyncio.run(_play(trouble))
            broken += len(trial.breaches)
            told = "; ".join(sorted({reason for _, reason in trial.outcomes.values() if reason}))
            counts = " | ".join(str(trial.count(status)) for status in ("acked", "failed", "unknown"))
            print(f"| {name} | {counts} | {told} | {'; '.join(trial.breaches) or 'none'} |", flush=True)
    return 1 if broken else 0


def enter(*arguments: str) -> int:
    """Start this again where mounts are its own."""
    why = why_not()
    if why:
        print(why, file=sys.stderr)
        return CANNOT
    command = ("unshare", "--user", "--map-root-user", "--mount")
    return subprocess.run(
        [*command, sys.executable, "-m", "benchmarks.kills.disk", *arguments, INSIDE], check=False
    ).returncode


def why_not() -> str:
    """Return why this machine cannot play them, or nothing."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("strace"):
        return "this needs Linux, unshare and strace"
    trial = "d=$(mktemp -d) && mount -t tmpfs none $d && umount $d && rmdir $d && strace -e trace=none true"
    command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", trial)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"this machine allows no mounts of one's own: {ended.stderr.strip()}" if ended.returncode else ""


class Trial:
    """A server on a disk in trouble, a publisher and a subscriber.

    Attributes:
        outcomes: what became of each publish, by its number, and why.
        heard: what the subscriber was told, in order.
        breaches: of the rules.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: dict[int, tuple[str, str]] = {}
        self.heard: list[int] = []
        self.breaches: list[str] = []
        self.server: Process
        self.session: landline.Session
        self.address = ""
        self._said = Signal()

    def count(self, status: str) -> int:
        """How many publishes ended so."""
        return sum(found == status for found, _ in self.outcomes.values())

    def must(self, holds: object, rule: str) -> None:
        """Note a breach, if it is one."""
        if not holds:
            self.breaches.append(rule)

    # The server...

    async def begin(self) -> bool:
        """Start a server at the same place; return whether it listens."""
        self.server = await start_server(self.folder.parent, "--store", str(self.folder / STORE), "--unix")
        self.address = await listens(self.server)
        return bool(self.address)

    async def complaint(self) -> str:
        """Wait until a server that does not listen has ended; return its last line."""
        await self.server.wait()
        return (await asyncio.to_thread((self.folder.parent / "server.err").read_text)).splitlines()[-1]

    # ... its clients ...

    async def connect(self) -> None:
        """Have a publisher, and a subscriber who writes down what it hears."""
        self.session = await landline.connect(self.address, credentials="disk", limits=LIMITS)
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        async for said in self.session.subscribe(TOPIC, "start"):
            if isinstance(said, landline.Publication):
                self.heard.append(said.data[0])
                self._said.wake()

    async def publish(self, count: int = 1) -> str:
        """Publish some at once; return what became of the last."""
        numbers = range(len(self.outcomes), len(self.outcomes) + count)
        for number in numbers:
            self.outcomes[number] = ("unanswered", "")
        await asyncio.gather(*map(self._publish, numbers))
        return self.outcomes[numbers[-1]][0]

    async def _publish(self, number: int) -> None:
        try:
            await self.session.publish(TOPIC, [number, DATA])
        except landline.PublishFailed as error:
            self.outcomes[number] = ("failed", error.reason)
        except landline.PublishUnknown as error:
            self.outcomes[number] = ("unknown", error.reason)
        else:
            self.outcomes[number] = ("acked", "")

    async def publish_until(self, status: str) -> None:
        """Publish until one ends so."""
        for _ in range(MOST // 8):
            if await self.publish(8) == status:
                return
        self.breaches.append(f"nothing ended {status}")

    # ... and the end.

    async def judge(self) -> None:
        """Everything acked is stored once, and nothing that failed is; the subscriber has heard what is stored."""
        self.must(await self.publish() == "acked", "publishing did not resume")
        last = len(self.outcomes) - 1
        async with asyncio.timeout(LONGEST):
            while not self.heard or self.heard[-1] != last:
                await self._said.wait()
        self._listening.cancel()
        await self.session.close()
        send(self.server, signal.SIGTERM)
        self.must(await self.server.wait() == 0, "the server did not drain")
        stored: list[int] = []
        async with SQLiteStorage(self.folder / STORE) as storage:
            after, more = None, True
            while more:
                page = await storage.read(TOPIC, after, limit=1000)
                stored += (decode_stored(each.data)[0] for each in page.publications)
                after, more = page.end, page.more
        kinds = {
            status: {n for n, (found, _) in self.outcomes.items() if found == status}
            for status in ("acked", "failed")
        }
        self.must(len(set(stored)) == len(stored), "something is stored twice")
        self.must(
            kinds["acked"] <= set(stored), f"acked and not stored: {sorted(kinds['acked'] - set(stored))[:5]}"
        )
        self.must(
            not kinds["failed"] & set(stored),
            f"failed and stored: {sorted(kinds['failed'] & set(stored))[:5]}",
        )
        self.must(stored == sorted(stored), "stored out of order")
        self.must(self.heard == stored, "the subscriber heard something else than what is stored")


Trouble = Callable[[Trial], Awaitable[None]]


async def _play(trouble: Trouble) -> Trial:
    home = Path(tempfile.mkdtemp(prefix="landline-disk-"))
    folder = home / "disk"
    folder.mkdir()
    await _run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder))
    trial = Trial(folder)
    try:
        async with asyncio.timeout(LONGEST):
            await trouble(trial)
            await trial.judge()
    except TimeoutError:
        trial.breaches.append("stuck")
    finally:
        await end(trial.server)
        await _run("umount", "--lazy", str(folder))
        shutil.rmtree(home)
    return trial


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise RuntimeError(f"{command} failed")


@asynccontextmanager
async def _injected(process: Process, calls: str, error: str) -> AsyncIterator[None]:
    """Have these calls of a process fail, until the block is left."""
    strace = await asyncio.create_subprocess_exec(
        "strace", "-f", "-p", str(process.pid), "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert strace.stderr is not None
    await strace.stderr.readline()  # it is attached
    reading = asyncio.ensure_future(strace.stderr.read())
    try:
        yield
    finally:
        send(strace, signal.SIGINT)
        await strace.wait()
        await reading


# The troubles...


async def _full(trial: Trial) -> None:
    """The disk gets full, and later there is room again; then it is full when the server is killed and comes back."""
    ballast = trial.folder / "ballast"
    ballast.write_bytes(bytes(BALLAST))
    await trial.begin()
    await trial.connect()
    await trial.publish_until("failed")
    trial.must(
        "full" in trial.outcomes[len(trial.outcomes) - 1][1], "the error does not say that the disk is full"
    )
    trial.must(await trial.publish() == "failed", "one was acked on a full disk")
    async with await landline.connect(trial.address, credentials="another") as another:  # keeps nobody out
        _ = await another.send(1)
        trial.must(await another.receive() == [1, 1], "a full disk keeps sessions from talking")
    await end(trial.server)
    if await trial.begin():
        trial.must(await trial.publish() in {"failed", "acked"}, "a publish on a full disk ended unknown")
    else:
        complaint = await trial.complaint()
        trial.must("full" in complaint or "no room" in complaint, f"a full disk is not named: {complaint}")
    ballast.unlink()
    if not trial.address:
        await trial.begin()


async def _sync_fails(trial: Trial) -> None:
    """A sync fails once: what it was for is unknown, and nothing is acked before the server has opened its file again."""
    await trial.begin()
    await trial.connect()
    await trial.publish(8)
    async with _injected(trial.server, "fsync,fdatasync", "EIO"):
        await trial.publish(8)
        trial.must(trial.count("acked") == 8, "something was acked after a failed sync")
    trial.must(
        await trial.publish(8) == "failed", "something was acked that an earlier failed sync may take back"
    )
    reason = trial.outcomes[len(trial.outcomes) - 1][1]
    trial.must("started again" in reason, f"the error does not say what to do: {reason}")
    await end(trial.server)
    await trial.begin()


async def _read_only(trial: Trial) -> None:
    """The file system can only be read all at once, and still at the next start."""
    await trial.begin()
    await trial.connect()
    await trial.publish(8)
    async with _injected(trial.server, "pwrite64,pwritev,ftruncate", "EROFS"):
        await trial.publish(8)
        trial.must(trial.count("acked") == 8, "something was acked that could not be written")
    await end(trial.server)
    await _run("mount", "-o", "remount,ro", str(trial.folder))
    trial.must(not await trial.begin(), "a server began on a disk that can only be read")
    complaint = await trial.complaint()
    trial.must(
        complaint.startswith("landline.errors.StorageDenied"),
        f"what can only be read is not named: {complaint}",
    )
    await _run("mount", "-o", "remount,rw", str(trial.folder))
    await trial.begin()


TROUBLES: Final[dict[str, Trouble]] = {
    "the disk is full": _full,
    "a sync fails": _sync_fails,
    "the disk can only be read": _read_only,
}


if __name__ == "__main__":
    sys.exit(main())
