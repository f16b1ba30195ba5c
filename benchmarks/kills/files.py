"""``python -m benchmarks.kills.files``: ``kill -9`` of ``landline receive`` and ``landline send`` at random offsets of a file, again and again.

A proxy between them counts what passes, so that what is sent again after a death is known. After some deaths a transfer may finish; then its
SHA-256 must be that of the source, under its one name, and nothing else may be left in the folder. Ends with 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from landline.apps.transfer.limits import TRANSFER
from landline.limits import FILES
from landline.testing.network import Proxy, bad_network

from .processes import Process, end

EACH: Final = 8
"""Deaths of one transfer, before it may finish."""
OVERHEAD: Final = 1.01
"""What frames add to their bytes, at most, and a greeting."""
GREETING: Final = 16 << 10
NOBODY: Final = 3
KILLED: Final = -9
PATIENCE: Final = 120.0
"""Seconds that anything may take, where others have the cores."""


class Run:
    """Some transfers, one after the other."""

    def __init__(self, seed: int, size: int, *, is_folder: bool) -> None:
        self.chance = random.Random(seed)
        self.size = size
        self.is_folder = is_folder
        self.killed: Counter[str] = Counter()
        self.again: list[int] = []
        self.breaches: list[str] = []
        self.transfers = 0
        self.resumed = 0

    async def play(self, kills: int) -> None:
        """Kill so often, over as many transfers as that takes."""
        while self.killed.total() < kills:
            folder = Path(tempfile.mkdtemp(prefix="landline-kills-"))
            transfer = Transfer(self, folder)
            try:
                async with asyncio.timeout(10 * PATIENCE):
                    await transfer.play(min(EACH, kills - self.killed.total()))
            finally:
                await transfer.end()
            self.transfers += 1
            if self.breaches:
                self.breaches.append(f"its files are in {folder}")
                return
            shutil.rmtree(folder)
            print(f"\r\033[K{self.killed.total()} of {kills} killed", end="", file=sys.stderr, flush=True)


class Transfer:
    """A file on its way, and who moves it."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.to = folder / "to"
        self.source = folder / ("tree" if run.is_folder else "file.bin")
        self.ends: dict[str, Process] = {}
        self.proxy: Proxy | None = None
        self.is_late = False
        self._log = 0

    async def play(self, kills: int) -> None:
        """Move it, with so many deaths on the way."""
        run = self.run
        digests = self._make()
        address = await self._receive()
        async with bad_network(address.partition("#")[0]) as self.proxy:
            ticket = self.proxy.address + "#" + address.partition("#")[2]
            await self._start("send", str(self.source), ticket)
            for number in range(kills):
                # From where it is now, somewhere in what is left for the remaining deaths.
                here = self.here
                at = here + run.chance.randrange(max(1, (run.size - here) // (kills - number)))
                begun = self.proxy.passed_up
                await self._reach(at, ticket)
                victim = run.chance.choice(["send", "receive"])
                if run.chance.random() < 0.1:
                    await asyncio.sleep(
                        run.chance.random()
                    )  # also beyond its end, and while it gets its name
                process = self.ends.pop(victim)
                code = await end(process)
                self.is_late = bool(self.named)
                self._see_nothing_partial(digests)
                if code != KILLED:  # it had ended by itself
                    self._see_code(victim, code)
                    self.ends[victim] = process  # a sender that found nobody is started again
                    break
                run.killed[victim] += 1
                if any(process.returncode == 0 for process in self.ends.values()):
                    break  # all was said before
                if victim == "send":
                    await self._settle()
                    self._count(begun, here)
                    await self._start("send", str(self.source), ticket)
                else:
                    self._count(begun, here)
                    if await self._receive() != address:
                        if (
                            not self.is_late
                        ):  # else it died with its last word: all is there, and the secret used up
                            run.breaches.append("the receiver was started again with another address")
                        await end(self.ends.pop("receive"))
                        break
            async with asyncio.timeout(PATIENCE):
                for name in ("receive", "send"):
                    while name in self.ends and self.ends[name].returncode is None:
                        await self._send_again(ticket)
                        await asyncio.sleep(0.05)
                    if name in self.ends:
                        self._see_code(name, self.ends[name].returncode or 0)
        found = {
            str(path.relative_to(self.to)): digest_of(path)
            for path in self.to.rglob("*")
            if path.is_file() and not (self.is_late and path.name == "named")
        }
        if found != digests:
            run.breaches.append(f"found {sorted(found)}, and sent {sorted(digests)}")

    def _see_code(self, name: str, code: int) -> None:
        # A sender that died when all was said, and was started again, finds nobody, or its secret used up.
        if code and not (name == "send" and self.is_late and code in {3, 4}):
            self.run.breaches.append(f"{name} ended with {code}")

    @property
    def here(self) -> int:
        """Bytes on the receiver's disk."""
        return sum(map(_size, self._files()))

    @property
    def named(self) -> list[Path]:
        """What has its name."""
        return (
            [path for path in self.to.iterdir() if not path.name.startswith(".")] if self.to.exists() else []
        )

    def _files(self) -> list[Path]:
        try:
            return [
                path for path in self.to.rglob("*") if path.is_file() and not path.name.startswith("named")
            ]
        except FileNotFoundError:  # it got its name in this moment
            return []

    def _make(self) -> dict[str, str]:
        chance, size = self.run.chance, self.run.size
        if not self.run.is_folder:
            self.source.write_bytes(chance.randbytes(size))
            return {self.source.name: digest_of(self.source)}
        left = size
        while left:
            part = min(left, chance.randrange(size // 8))
            path = self.source / f"d{chance.randrange(4)}" / f"f{left}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(chance.randbytes(part))
            left -= part
        paths = [path for path in self.source.rglob("*") if path.is_file()]
        return {f"tree/{path.relative_to(self.source)}": digest_of(path) for path in paths}

    async def _receive(self) -> str:
        await self._start("receive", "--to", str(self.to), "--data", str(self.folder / "data"))
        log = self.folder / f"receive{self._log}.err"
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(r"send FILE… '?([^'\n]+)'?\n", log.read_text(encoding="utf-8"))):
                if self.ends["receive"].returncode is not None:
                    raise RuntimeError(log.read_text(encoding="utf-8"))
                await asyncio.sleep(0.01)
        return found[1]

    async def _start(self, *arguments: str) -> None:
        self._log += 1
        with (self.folder / f"{arguments[0]}{self._log}.err").open("wb") as errors:
            self.ends[arguments[0]] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "landline", *arguments, stdout=errors, stderr=errors
            )

    async def _send_again(self, ticket: str) -> None:
        """Start the sender again, where it came while the receiver was dead: who finds nobody at its first dial ends."""
        sender, receiver = self.ends.get("send"), self.ends.get("receive")
        if sender and receiver and sender.returncode == NOBODY and receiver.returncode is None:
            await self._start("send", str(self.source), ticket)

    async def _reach(self, at: int, ticket: str) -> None:
        """Wait until so much is on the receiver's disk, or all of it."""
        async with asyncio.timeout(PATIENCE):
            while self.here < at and not self.named:
                await self._send_again(ticket)
                await asyncio.sleep(0.001)

    async def _settle(self) -> None:
        """Wait until what the dead sender had sent has been written."""
        before = (-1, -1)
        assert self.proxy is not None
        while (now := (self.here, self.proxy.passed_up)) != before:
            before = now
            await asyncio.sleep(0.3)

    def _see_nothing_partial(self, digests: dict[str, str]) -> None:
        for path in self.named:
            found = {
                str(each.relative_to(self.to)): digest_of(each)
                for each in ([path] if path.is_file() else path.rglob("*"))
                if each.is_file()
            }
            if found != digests:
                self.run.breaches.append(f"{path.name} is there, and not whole")

    def _count(self, begun: int, here: int) -> None:
        """Note how much was sent and is not on the disk: that is sent again."""
        if self.proxy is None or self.named:
            return
        kept = self.here
        self.run.resumed += kept > 0
        lost = int((self.proxy.passed_up - begun) / OVERHEAD) - GREETING - (kept - here)
        self.run.again.append(max(0, lost))
        if lost > TRANSFER.window + FILES.chunk:
            self.run.breaches.append(
                f"{lost:,} bytes were sent in vain, {TRANSFER.window:,} is the credit window"
            )

    async def end(self) -> None:
        """Leave nobody behind."""
        for process in self.ends.values():
            await end(process)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # likewise
        return 0


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.kills.files", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many in all")
    parser.add_argument("--size", type=int, default=96, help="of a file, in MiB")
    parser.add_argument("--folder", action="store_true", help="a folder of some files instead")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    run = Run(seed, options.size << 20, is_folder=options.folder)
    begun = time.monotonic()
    asyncio.run(run.play(options.kills))
    print("\r\033[K", end="", file=sys.stderr)
    killed = ", ".join(f"{times} of `landline {name}`" for name, times in sorted(run.killed.items()))
    print(
        f"{run.killed.total()} kills in {run.transfers} transfers of {options.size} MiB, seed {seed}, {time.monotonic() - begun:.0f} s: {killed}"
    )
    again = run.again or [0]
    print(
        f"{run.resumed} times it went on within the file; sent in vain at a death: {sum(again) / len(again):,.0f} bytes on average,"
        f" {max(again):,} at most; the credit window is {TRANSFER.window:,}"
    )
    print(*run.breaches, f"{len(run.breaches)} breaches", sep="\n")
    return 1 if run.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
