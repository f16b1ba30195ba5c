"""The judge: what the store holds in the end, and every book, must agree. Each rule is a sentence, and a breach of it says where.

Books are read when every process is gone. What a process may not have known (it died before it could write it down) is held against nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from landline.history import BEHIND, EXPIRED, SUPERSEDED
from landline.patterns.outbox import count_unanswered
from landline.patterns.publications import decode_stored
from landline.storage import Pattern, SQLiteStorage

from .clients import END, PATTERNS
from .durable import ON_DISK, outbox_of
from .journal import Fact, read
from .sends import Sends
from .server import BOOK, STORE

SESSION: Final = "landline.session."
SENT: Final = "landline.sent."
MANY: Final = 10_000

LOSING: Final = {"short": {EXPIRED}, "drop": {BEHIND}, "latest": {SUPERSEDED, BEHIND}}
"""Reasons for which publications of such topics may be missing, by their first word; of all others none may be."""

Place = tuple[str, int]


@dataclass
class Counts:
    """What was seen, for the report."""

    said: int = 0
    acked: int = 0
    stored: int = 0
    told: int = 0
    gaps: int = 0
    kept: int = 0
    sent: int = 0
    handled: int = 0
    unknown: int = 0
    failed: int = 0
    interrupted: int = 0
    sessions: int = 0
    posted: int = 0
    repeated: int = 0
    replies: int = 0
    restored: int = 0

    def __iadd__(self, other: Counts) -> Self:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


@dataclass
class Books:
    """All that one world left.

    Attributes:
        clients: the facts of each client's book, by its name.
        server: those of the server's lives.
        history: every publication that is known, by its offset: topic, epoch, data.
        stored: the offsets that the store still has, in its order.
        left: what should have gone from the files and is still there, in words.
    """

    clients: dict[str, list[Fact]]
    server: list[Fact]
    history: dict[int, tuple[str, str, Any]] = field(default_factory=dict)
    stored: list[int] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    _sayings: dict[str, set[tuple[int, str]]] = field(default_factory=dict)

    @classmethod
    async def of(cls, folder: Path) -> Books:
        """Read what is there; the server is gone."""
        books = cls(*_read_all(folder))
        async with SQLiteStorage(folder / STORE) as storage:
            after, more = None, True
            while more:
                page = await storage.read("**", after, limit=1000)
                for each in page.publications:
                    data = decode_stored(each.data)
                    books.add(
                        each.position.offset,
                        each.topic,
                        each.position.epoch,
                        data if data == END else data[:2],
                    )
                after, more = page.end, page.more
            sessions = {value.key.removeprefix(SESSION) for value in await storage.scan(SESSION, limit=MANY)}
            for value in await storage.scan(SENT, limit=MANY):
                session = value.key.removeprefix(SENT).partition(".")[0]
                if session not in sessions:
                    books.left.append(f"the outbox of session {session[:8]}, which is over, is still stored")
        sender = books.clients.get(ON_DISK, [])
        outbox = outbox_of(sender, folder)
        if outbox.exists() and any(fact[0] == "finished" for fact in sender):
            async with SQLiteStorage(outbox) as storage:
                if count := await count_unanswered(storage):
                    books.left.append(f"{ON_DISK}: has finished, and {count} are in its outbox")
        return books

    def add(self, offset: int, topic: str, epoch: str, data: Any) -> None:
        """Take a publication of the store."""
        self.history[offset] = (topic, epoch, data)
        self.stored.append(offset)

    def facts(self, what: str) -> Iterator[tuple[str, Fact]]:
        """Yield the facts of that kind, with whose they are."""
        for name, facts in self.clients.items():
            for fact in facts:
                if fact[0] == what:
                    yield name, fact

    def breaches(self) -> list[str]:
        """Every breach of the rules, in words."""
        return [
            *self._ends(), *self._store(), *self._acks(), *self._answers(),
            *self._subscribers(), *self._senders(), *self._echoes(), *self._lives(), *self.sends.breaches(),
        ]  # fmt: skip

    @property
    def sends(self) -> Sends:
        """Those that are durable."""
        return Sends(self.clients, self.server, self.left)

    def counts(self) -> Counts:
        """How much was seen."""

        def count(what: str) -> int:
            return sum(1 for _ in self.facts(what))

        outcomes = [fact[2] for _, fact in self.facts("outcome")]
        return Counts(
            said=count("say"), acked=count("at"), stored=len(self.stored), told=count("pub"), gaps=count("gap"),
            kept=count("kept"), sent=count("send"), handled=outcomes.count("acked"), unknown=outcomes.count("unknown"),
            failed=outcomes.count("failed"), interrupted=count("interrupted"), sessions=count("session"),
            posted=count("post"), restored=count("restored"), repeated=self.sends.repeats, replies=sum(fact[0] == "reply" for fact in self.server),
        )  # fmt: skip

    # The rules...

    def _ends(self) -> Iterator[str]:
        for name, fact in self.facts("lost"):
            yield f"{name}: a session was lost, although the server keeps its sessions: {fact[1]}"
        for name, fact in self.facts("failed"):
            yield f"{name}: publish {fact[1]} failed, although there is room: {fact[2]}"
        for name, fact in self.facts("unknown"):
            yield f"{name}: publish {fact[1]} ended unknown, although its outbox is known: {fact[2]}"
        for name, facts in self.clients.items():
            if not any(fact[0] == "finished" for fact in facts):
                yield f"{name}: did not finish"

    def _store(self) -> Iterator[str]:
        """What was published is there once, in the order of its publisher."""
        places: dict[tuple[str, int], int] = {}
        for offset in self.stored:
            topic, _, data = self.history[offset]
            if data == END:
                continue
            who, number = data
            if (who, number) in places:
                yield f"{who}: publish {number} is stored twice, at {places[who, number]} and {offset}"
            places[who, number] = offset
            if (number, topic) not in self._said(who):
                yield f"{who}: publish {number} to {topic} is stored and was never said"
        for name, facts in self.clients.items():
            said = [fact for fact in facts if fact[0] == "say"]
            # Another life of a client has another outbox, and may pass what its dead sister had under way; one that is kept goes on.
            for lives in [{fact[3] for fact in said}] if name == "durable" else [{fact[3]} for fact in said]:
                before = 0
                for _, number, _, life in said:
                    offset = places.get((name, number), 0) if life in lives else 0
                    if 0 < offset < before:
                        yield f"{name}: publish {number} is stored at {offset}, before an earlier one at {before}"
                    before = max(before, offset)
        for name, (_, number, topic) in self.facts("kept"):
            if (name, number) not in places and not topic.startswith("short"):
                yield f"{name}: publish {number} was kept on its disk, and is not stored"

    def _said(self, who: str) -> set[tuple[int, str]]:
        found = self._sayings.get(who)
        if found is None:
            found = self._sayings[who] = {
                (fact[1], fact[2]) for fact in self.clients.get(who, ()) if fact[0] == "say"
            }
        return found

    def _acks(self) -> Iterator[str]:
        """What was acked is at its position."""
        for name, (_, number, topic, epoch, offset) in self.facts("at"):
            known = self.history.get(offset)
            if known is None and topic.startswith("short"):
                self.history[offset] = (topic, epoch, [name, number])  # retention has removed it
            elif known != (topic, epoch, [name, number]):
                yield f"{name}: publish {number} to {topic} was acked at {offset} of {epoch}, and there is {known}"

    def _answers(self) -> Iterator[str]:
        """No publish is answered with two positions, and no two with one."""
        places: dict[Place, set[Place]] = defaultdict(set)
        for name, fact in self.facts("answer"):
            if len(fact) == 5:
                places[fact[1], fact[2]].add((fact[3], fact[4]))
            else:
                yield f"{name}: number {fact[2]} of outbox {fact[1][:8]} was answered: {fact[3]}"
        numbers: dict[Place, list[Place]] = defaultdict(list)
        for number, answers in places.items():
            if len(answers) > 1:
                yield f"number {number[1]} of outbox {number[0][:8]} was answered with {sorted(answers)}"
            for place in answers:
                numbers[place].append(number)
        for place, asked in numbers.items():
            if len(asked) > 1:
                yield f"{asked} were all answered with {place}"

    def _subscribers(self) -> Iterator[str]:
        """Each subscription has all of its topics, in order, once, or a gap that says so."""
        for name, patterns in PATTERNS.items():
            for pattern in patterns if name in self.clients else ():
                facts = [
                    fact
                    for fact in self.clients.get(name, ())
                    if fact[0] in {"pub", "gap"} and fact[1] == pattern
                ]
                for breach in self._subscription(Pattern(pattern), facts):
                    yield f"{name}, {pattern}: {breach}"

    def _subscription(self, pattern: Pattern, facts: list[Fact]) -> Iterator[str]:
        got: set[int] = set()
        before = 0
        covered: list[tuple[str, int, int, str]] = []
        for fact in facts:
            if fact[0] == "gap":
                _, _, _, _, topic, reason, _, after, _, to = fact
                covered.append((topic, after, to, reason))
                if not any(reason in reasons for reasons in LOSING.values()):
                    yield f"a gap {topic} ({after}, {to}]: {reason}"
                continue
            _, _, _, _, topic, data, epoch, offset = fact
            if offset in got:
                yield f"offset {offset} was told twice"
            elif offset < before:
                yield f"offset {offset} was told after {before}"
            got.add(offset)
            before = max(before, offset)
            known = self.history.setdefault(offset, (topic, epoch, data))
            if known != (topic, epoch, data):
                yield f"offset {offset} was told as {topic} {epoch} {data}, and is {known}"
        for offset, (topic, _, _) in sorted(self.history.items()):
            if (
                pattern.matches(topic)
                and offset not in got
                and not _is_covered(pattern, topic, offset, covered)
            ):
                yield f"offset {offset} of {topic} is missing, and no gap says so"
        if pattern.text == "**":
            for offset in range(1, max(self.stored, default=0) + 1):
                if offset not in self.history and not any(
                    after < offset <= to for _, after, to, _ in covered
                ):
                    yield f"there is no offset {offset}"

    def _senders(self) -> Iterator[str]:
        """None is called acked that was not handled, none failed that was received; none comes twice, or before an earlier one."""
        got: dict[str, list[int]] = defaultdict(list)
        done: dict[str, set[int]] = defaultdict(set)
        for fact in self.server:
            if fact[0] == "got":
                got[fact[1]].append(fact[2])
            elif fact[0] == "done":
                done[fact[1]].add(fact[2])
        for name, (_, number, status) in self.facts("outcome"):
            if status == "acked" and number not in done[name]:
                yield f"{name}: {number} was called acked, and was not handled"
            if status == "failed" and number in got[name]:
                yield f"{name}: {number} was called failed, and was received"
        for name, numbers in got.items():
            if len(set(numbers)) < len(numbers):
                yield f"{name}: the server's program got {len(numbers) - len(set(numbers))} messages twice"
            by_life: dict[int, list[int]] = defaultdict(list)
            lives = self._lives_of(name)
            for number in numbers:
                by_life[lives.get(number, 0)].append(number)
            for life, those in by_life.items():
                if life == 0:
                    yield f"{name}: {those[:3]} were received, and never sent"
                if those != sorted(those):
                    yield f"{name}: the server's program got messages out of order"

    def _lives_of(self, name: str) -> dict[int, int]:
        """Return in which life of its process each message was sent."""
        lives, life = {}, 0
        for fact in self.clients.get(name, ()):
            if fact[0] == "life":
                life = fact[1]
            elif fact[0] == "send":
                lives[fact[1]] = life
        return lives

    def _echoes(self) -> Iterator[str]:
        """The same from the server to its clients."""
        for name, facts in self.clients.items():
            took = [(fact[1], fact[2]) for fact in facts if fact[0] == "took"]
            handled = {(fact[1], fact[2]) for fact in facts if fact[0] == "handled"}
            if len(set(took)) < len(took):
                yield f"{name}: got {len(took) - len(set(took))} echoes twice"
            for fact in self.server:
                if fact[0] != "echo" or fact[1] != name:
                    continue
                echo = (fact[2], fact[3])
                if fact[4] == "acked" and echo not in handled:
                    yield f"{name}: echo {echo} was called acked, and was not handled"
                if fact[4] == "failed" and echo in set(took):
                    yield f"{name}: echo {echo} was called failed, and was received"

    def _lives(self) -> Iterator[str]:
        """A program hears once of each life of the server that it comes to, and before it hears that life."""
        for name, facts in self.clients.items():
            life, last, interruptions = 0, 0, 0
            for fact in facts:
                if fact[0] in {"life", "session"}:
                    life, last, interruptions = 0, 0, 0
                elif fact[0] == "interrupted":
                    interruptions += 1
                elif fact[0] == "took":
                    if life and not (fact[2] > life) <= interruptions <= max(0, fact[2] - life):
                        yield f"{name}: {interruptions} interruptions between lives {life} and {fact[2]}"
                    if life == fact[2] and fact[1] < last:
                        yield f"{name}: echo {fact[1]} after {last}"
                    life, last, interruptions = fact[2], fact[1], 0


def _read_all(folder: Path) -> tuple[dict[str, list[Fact]], list[Fact]]:
    clients = {path.stem: list(read(path)) for path in sorted(folder.glob("*.book")) if path.name != BOOK}
    return clients, list(read(folder / BOOK))


def _is_covered(pattern: Pattern, topic: str, offset: int, covered: list[tuple[str, int, int, str]]) -> bool:
    """Whether a gap says that this is missing, for a reason for which its topic may lose something."""
    reasons = LOSING.get(topic.split(".", 1)[0], set())
    return any(
        after < offset <= to and reason in reasons and of in {topic, pattern.text}
        for of, after, to, reason in covered
    )
