"""One world: a server that is killed and started again, its clients, some of which are killed too, and the roads between them.

Seeds decide who is killed, where, and after how long; processes and the disk decide the rest. The world ends with a life of the server in
which everybody finishes; then nothing may be missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import landline

from .books import Books, Counts
from .clients import END, TOPICS
from .durable import ON_DISK
from .points import CLIENT_POINTS, READER_POINTS, SENDER_POINTS, SERVER_POINTS, Point
from .processes import LONGEST_START, Process, end, listens, send, start, start_server, tell
from .roads import open_roads

CLIENTS: Final = {
    "publisher-1": "publisher",
    "publisher-2": "publisher",
    "durable": "durable",
    "wild": "subscriber",
    "exact": "subscriber",
    "sender": "sender",
    ON_DISK: "durable-sender",
    "sender-in-memory": "durable-sender",
}
"""Their roles, by name."""

POINTS: Final = {"durable": CLIENT_POINTS, "subscriber": READER_POINTS, "durable-sender": SENDER_POINTS}
"""Where clients die, by their roles."""

FEW: Final = ("durable", "wild", "sender", ON_DISK)
"""Those of a small world."""

LONGEST_LIFE: Final = 0.6
"""Seconds until a server that is killed at a random moment is killed."""
LONGEST_WAIT: Final = 3.0
"""Seconds until a server that does not come to its point is killed all the same."""
LONGEST_END: Final = 45.0
"""Seconds in which everybody finishes once nobody is killed any more."""
LONGEST_BROKEN_END: Final = 15.0
"""The same where something is broken on purpose, and may well keep somebody from it."""

RANDOM: Final = "at a random moment"
DRAINING: Final = "at a random moment of a drain"
DRAINED: Final = "drained, not killed"
KILLED: Final = -signal.SIGKILL


@dataclass
class World:
    """What is to happen, and what did.

    Attributes:
        kills: how often whom where.
        carried: bytes to the server, by carrier.
        breaches: of the rules, in words; none is good.
    """

    folder: Path
    seed: int
    wanted: int
    broken: str = ""
    names: tuple[str, ...] = tuple(CLIENTS)
    points: list[Point] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    unreached: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    cuts: int = 0
    carried: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    _is_finishing: bool = False
    _spare: Process | None = None

    @property
    def killed(self) -> int:
        """How many processes were killed so far."""
        return self.kills.total() - self.kills[DRAINED]

    async def play(self, progress: Callable[[World], None]) -> None:
        """Kill as many as wanted, let everybody finish, and judge the books."""
        self.folder.mkdir(parents=True)
        self._chance = random.Random(self.seed)
        self._progress = progress
        self._clients: dict[str, Process] = {}
        async with open_roads(self.folder, self.seed) as roads:
            self._roads = roads
            keeping = [asyncio.create_task(self._keep(name)) for name in self.names]
            try:
                plans = self._plans()
                plan = next(plans)
                self._spare = await self._start_server(plan)
                while self.killed < self.wanted and not self.breaches:
                    following = next(plans)
                    await self._life(plan, following)
                    plan = following
                await self._finish(keeping)
            finally:
                for task in keeping:
                    task.cancel()
                await asyncio.gather(*keeping, return_exceptions=True)
                if self._spare is not None:
                    await end(self._spare)
            self.cuts, self.carried = roads.cuts, roads.carried
        books = await Books.of(self.folder)
        self.breaches += books.breaches()
        self.breaches += self._complaints()
        self.counts = books.counts()

    def _complaints(self) -> list[str]:
        return [
            f"{path.stem} complained: {line}"
            for path in sorted(self.folder.glob("*.err"))
            for line in path.read_text().splitlines()
            if line.startswith(("Traceback", "Task exception", "Future exception"))
        ][:3]

    # The server...

    def _plans(self) -> Iterator[Point | str]:
        """Yield where to kill each life: a new store while it is made, before it can be killed at anything else."""
        yield from [point for point in SERVER_POINTS if "tables" in point.name][: self.wanted // 8]
        while True:
            yield self._draw()

    def _draw(self) -> Point | str:
        """Return where to kill the next life."""
        share = self._chance.random()
        if share < 0.35:
            return RANDOM
        if share < 0.40:
            return DRAINING
        if share < 0.43:
            return DRAINED
        if not self.points:
            self.points += (point for point in SERVER_POINTS if "tables" not in point.name)
            self._chance.shuffle(self.points)
        return self.points.pop()

    async def _life(self, plan: Point | str, following: Point | str) -> None:
        """Have the next server begin and be killed as planned, and perhaps a client meanwhile."""
        name = plan if isinstance(plan, str) else plan.name
        pause = self._chance.random() * LONGEST_LIFE
        kills_client = self._chance.random() < 0.4
        victim = self._chance.choice(self.names)
        server, self._spare = self._spare, None
        assert server is not None
        try:
            self._spare = await self._start_server(following)
            if await self._listens(server):
                if kills_client:
                    asyncio.get_running_loop().call_later(pause / 2, self._kill_client, victim)
                name = await self._see_it_die(server, plan, pause)
        finally:
            code = await end(server)
        self.lives += 1
        if code == 0 and name == DRAINING:
            name = DRAINED  # it was faster
        if code == (0 if name == DRAINED else KILLED):
            self.kills[name] += 1
        else:
            self.breaches.append(f"the server ended with {code}, to be killed {name}; see server.err")
        self._progress(self)

    async def _start_server(self, plan: Point | str) -> Process:
        """Have a server stand ready that is to die as planned."""
        options: tuple[str, ...] = ()
        if isinstance(plan, Point):
            options = ("--point", plan.name, "--count", str(self._chance.randint(1, plan.many)))
        return await start_server(self.folder, *options, *self._broken)

    @property
    def _broken(self) -> tuple[str, ...]:
        return ("--broken", self.broken) if self.broken else ()

    async def _listens(self, server: Process) -> bool:
        """Have it begin; return False when it died before it listened. One that hangs is told to say where."""
        try:
            address = await listens(server)
        except TimeoutError:
            self.breaches.append(
                f"a server did not listen within {LONGEST_START:g} s; see server.err for where it is"
            )
            send(server, signal.SIGABRT)
            await server.wait()
            return False
        if address:
            self._roads.lead_to(address)
        return bool(address)

    async def _see_it_die(self, server: Process, plan: Point | str, pause: float) -> str:
        """Kill it, or wait until it kills itself; return how it died."""
        if plan == RANDOM:
            await asyncio.sleep(pause)
            return RANDOM
        if plan in {DRAINING, DRAINED} or (isinstance(plan, Point) and plan.phase == "drain"):
            await asyncio.sleep(pause / 2)
            send(server, signal.SIGTERM)
            if plan == DRAINING:
                await asyncio.sleep(pause / 4)
                return DRAINING
        try:
            async with asyncio.timeout(LONGEST_WAIT if plan != DRAINED else LONGEST_START):
                await server.wait()
        except TimeoutError:
            if plan == DRAINED:
                self.breaches.append("the server did not end its drain")
            assert isinstance(plan, Point)
            self.unreached[plan.name] += 1
            return RANDOM
        if isinstance(plan, Point):
            return plan.name
        return plan

    # ... its clients ...

    async def _keep(self, name: str) -> None:
        """Start a client, and again whenever it was killed, until it has finished."""
        role = CLIENTS[name]
        points = POINTS.get(role, ())
        chance = random.Random(f"{self.seed} {name}")
        while True:
            options: tuple[str, ...] = ()
            point = chance.choice(points) if points and chance.random() < 0.6 else None
            if point is not None and not self._is_finishing:
                options = (
                    "--point",
                    point.name,
                    "--count",
                    str(chance.randint(1, 5 * point.many)),
                )
            process = await start(
                "clients",
                name,
                self.folder,
                role,
                name,
                str(self.folder),
                *self._roads.options,
                *options,
                *self._broken,
            )
            self._clients[name] = process
            if self._is_finishing:
                tell(process)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await end(process)
                raise
            if code != KILLED:
                if code:
                    self.breaches.append(f"{name} ended with {code}; see {name}.err")
                return
            self.kills[f"a client: {point.name}" if options and point else f"a client, {RANDOM}"] += 1

    def _kill_client(self, name: str) -> None:
        if name in self._clients and not self._is_finishing:
            send(self._clients[name], signal.SIGKILL)

    # ... and the end.

    async def _finish(self, keeping: list[asyncio.Task[None]]) -> None:
        """One more life of the server, in which everybody finishes."""
        self._is_finishing = True
        server = await start_server(self.folder, *self._broken)
        try:
            await self._listens(server)
            async with asyncio.timeout(LONGEST_BROKEN_END if self.broken else LONGEST_END):
                await self._ask_and_wait(keeping, {"publisher", "durable", "sender", "durable-sender"})
                async with await self._closer() as session:
                    for topic in TOPICS:
                        await session.publish(topic, END)
                await self._ask_and_wait(keeping, {"subscriber"})
            send(server, signal.SIGTERM)
            async with asyncio.timeout(LONGEST_START):
                if code := await server.wait():
                    self.breaches.append(f"the last server ended with {code}; see server.err")
        except TimeoutError:
            self.breaches.append("stuck: somebody did not finish, although nobody was killed any more")
        finally:
            await end(server)

    async def _ask_and_wait(self, keeping: list[asyncio.Task[None]], roles: set[str]) -> None:
        asked = [task for task, name in zip(keeping, self.names, strict=True) if CLIENTS[name] in roles]
        for name, process in self._clients.items():
            if CLIENTS[name] in roles:
                tell(process)
        await asyncio.wait(asked)

    async def _closer(self) -> landline.Session:
        while True:
            with contextlib.suppress(landline.ConnectError):
                return await landline.connect(
                    *self._roads.addresses, credentials="closer", tls=self._roads.trust
                )
