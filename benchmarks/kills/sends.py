"""The judge of durable sends, in both directions: each is given once and in order, but for the one that a killed server's program may have had in hand.

To the server: the only repeat allowed is of the last that was given to that client's program, in another life of the server, while the
server had not yet found on its disk that it was handled. To a client: none, since the session dies with the process that knows what it was given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from .durable import ON_DISK
from .journal import Fact

Sent = tuple[str, int]
"""Who sent it, or in which session; and its number."""


@dataclass
class Sends:
    """What the books say of them.

    Attributes:
        clients: the facts of each client's book, by its name.
        server: those of the server's lives.
        left: what their files still hold, in words: of clients that finished, and of sessions that were closed.
    """

    clients: dict[str, list[Fact]]
    server: list[Fact]
    left: list[str] = field(default_factory=list)

    def breaches(self) -> Iterator[str]:
        """Every breach of the rules, in words."""
        yield from self.left
        yield from self._given_to_server()
        yield from self._outcomes()
        yield from self._missing()
        yield from self._replies()

    @property
    def repeats(self) -> int:
        """How many were given to the server's program again."""
        given = [(fact[1], fact[2]) for fact in self.server if fact[0] == "given"]
        return len(given) - len(set(given))

    # To the server...

    def _given_to_server(self) -> Iterator[str]:
        """In order, and none again but the last one of a life before, unless that is stored."""
        posted = self._posted()
        last: dict[tuple[str, str], tuple[int, int]] = {}
        stored: set[Sent] = set()
        life = 0
        for fact in self.server:
            if fact[0] == "life":
                life += 1
            elif fact[0] == "stored":
                stored.add((fact[1], fact[2]))
            elif fact[0] == "given":
                _, who, number = fact
                if (who, number) not in posted:
                    yield f"{who}: send {number} was given, and never sent"
                    continue
                if (who, number) in stored:
                    yield f"{who}: send {number} was given again, after it was stored that it is handled"
                line = (who, posted[who, number])
                before, then = last.get(line, (0, 0))
                if number < before:
                    yield f"{who}: send {number} was given after {before}"
                elif number == before and then == life:
                    yield f"{who}: send {number} was given twice in one life of the server"
                last[line] = (number, life)

    def _outcomes(self) -> Iterator[str]:
        """What is acked was handled; and all is, since no session ends and no program fails."""
        dealt = self._dealt()
        for name, facts in self.clients.items():
            for fact in facts:
                if fact[0] != "settled":
                    continue
                _, number, status, reason = fact
                if status != "acked":
                    yield f"{name}: send {number} ended {status}, although its outbox is known: {reason}"
                elif (name, number) not in dealt:
                    yield f"{name}: send {number} was called acked, and was not handled"

    def _missing(self) -> Iterator[str]:
        """What was kept is handled; and what was sent before something that was given was given, too."""
        dealt = self._dealt()
        given = {(fact[1], fact[2]) for fact in self.server if fact[0] == "given"}
        for name, facts in self.clients.items():
            if name == ON_DISK:
                for number in sorted(_owed(facts)):
                    if (name, number) not in dealt:
                        yield f"{name}: send {number} was kept on its disk, and was not handled"
            lives: dict[int, list[int]] = defaultdict(list)
            for fact in facts:
                if fact[0] == "post":
                    lives[fact[2]].append(fact[1])
            for numbers in lives.values():
                last = max((number for number in numbers if (name, number) in given), default=0)
                for number in numbers:
                    if number < last and (name, number) not in given:
                        yield f"{name}: send {number} was not given, and {last} was"

    def _posted(self) -> dict[Sent, str]:
        """Return with which others each send is in order.

        With those of the lives before, where the file goes on; what was on its way of a file that is gone, or of memory, may come beside what is
        sent next.
        """
        posted: dict[Sent, str] = {}
        for name, facts in self.clients.items():
            file = ""
            for fact in facts:
                if fact[0] == "restored":
                    file = fact[1]
                elif fact[0] == "post":
                    posted[name, fact[1]] = file if name == ON_DISK else str(fact[2])
        return posted

    def _dealt(self) -> set[Sent]:
        return {(fact[1], fact[2]) for fact in self.server if fact[0] == "dealt"}

    # ... and to clients.

    def _replies(self) -> Iterator[str]:
        """Once and in order, also in the next lives of the server; all, if the session was closed in the end."""
        replies: dict[str, _Replies] = defaultdict(_Replies)
        is_draining = False
        for fact in self.server:
            if fact[0] in {"life", "draining"}:
                is_draining = fact[0] == "draining"
            elif fact[0] == "reply":
                _, session, number, is_last = fact
                replies[session].sent[number] = is_last
            elif fact[0] == "replied":
                replies[fact[1]].kept.add(fact[2])
            elif fact[0] == "reply settled":
                _, session, number, status, reason = fact
                replies[session].status[number] = "drained" if status == "unknown" and is_draining else status
                replies[session].reason[number] = reason
        for name, facts in self.clients.items():
            closed = {fact[1] for fact in facts if fact[0] == "closed"}
            for session in [fact[1] for fact in facts if fact[0] == "session"]:
                given = [fact[2] for fact in facts if fact[0] == "given" and fact[1] == session]
                dealt = {fact[2] for fact in facts if fact[0] == "dealt" and fact[1] == session}
                for breach in replies[session].breaches(given, dealt, was_closed=session in closed):
                    yield f"{name}, session {session[:8]}: {breach}"


@dataclass
class _Replies:
    """What the server's program sent in one session.

    Attributes:
        sent: whether each says that it is the last.
        kept: those of which ``send`` returned.
        status: how each ended, where that was told; ``drained``, where it is unknown because the server went.
        reason: why, where it was not acked.
    """

    sent: dict[int, bool] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    status: dict[int, str] = field(default_factory=dict)
    reason: dict[int, str] = field(default_factory=dict)

    def breaches(self, given: list[int], dealt: set[int], *, was_closed: bool) -> Iterator[str]:
        """What is wrong with what the client's program was given of it."""
        if len(set(given)) < len(given):
            yield f"{len(given) - len(set(given))} replies were given twice"
        if given != sorted(given):
            yield "replies were given out of order"
        if unsent := sorted(set(given) - set(self.sent)):
            yield f"{unsent[:3]} were given, and never sent"
        last = max(self.sent, default=0)
        if was_closed:
            # A client closes when it has one that says so; if the server was killed then, another one is sent that nobody waits for.
            last = min((number for number in self.kept.union(given) if self.sent.get(number)), default=last)
        for number in self.sent:
            status = self.status.get(number)
            if status == "unknown" and number <= last:
                yield f"reply {number} ended unknown, although the server lives: {self.reason[number]}"
            if status == "failed" and number in given:
                yield f"reply {number} was called failed, and was given"
            if status == "acked" and number not in dealt:
                yield f"reply {number} was called acked, and was not handled"
            is_owed = number in self.kept and (
                number <= last if was_closed else number < max(given, default=0)
            )
            if is_owed and status != "failed" and number not in given:
                yield f"reply {number} was kept, and not given"


def _owed(facts: list[Fact]) -> set[int]:
    """Return what was kept on a client's disk, and did not go with a file that an old copy took the place of."""
    owed: set[int] = set()
    copied: set[int] = set()
    for fact in facts:
        if fact[0] in {"posted", "left"}:
            owed.add(fact[1])
        elif fact[0] == "copied":
            copied = set(owed)
        elif fact[0] == "restored":
            owed &= copied
    return owed
