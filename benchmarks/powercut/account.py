"""What a store must hold at a moment of a record: an account kept from what the workload asked and was told, and from nothing else.

Writes are committed in the order in which they were asked. So whatever a cut leaves is the state after some number of them: all that
were acknowledged, or that a reader of a later opening found, and perhaps some more, in order, each of them whole.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .disk import Event
from .workload import ACCOUNT


class Line(NamedTuple):
    """A line of the account, and after how many events of the record it was written."""

    at: int
    words: list[Any]


class Stored(NamedTuple):
    """A publication, as it must be found."""

    topic: str
    data: str
    epoch: str


@dataclass(frozen=True, slots=True)
class State:
    """The store after some number of writes."""

    head: int
    values: dict[str, tuple[str, int]]
    """Data and offset by key."""


@dataclass(slots=True)
class Opening:
    """One life of the history: what was asked of it in order, and the states it went through."""

    at: int
    """When it was told: after so many events."""
    epoch: str
    asked: list[int] = field(default_factory=list)
    """When each write was asked that was not refused for certain."""
    acked: list[tuple[int, int]] = field(default_factory=list)
    """When was told that so many of these writes are on the disk."""
    states: list[State] = field(default_factory=list)
    """Before the first of these writes, after it, after the second..."""
    publications: list[Stored] = field(default_factory=list)
    """All of the store, in order, those of the openings before included; more than were committed when it died."""


class Account:
    """Everything the workload wrote down, and what follows from it.

    Raises:
        ValueError: the storage answered what no storage may answer, power cut or not.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.openings: list[Opening] = [Opening(0, "")]
        self.openings[0].states.append(State(0, {}))
        lines = list(read(events))
        outcomes = {words[1]: words for _, words in lines if words[0] in _OUTCOMES}
        places: dict[int, int] = {}
        for at, words in lines:
            match words:
                case ["open", epoch, head, values]:
                    self._open(at, epoch, head, values)
                case ["ask", number, changes, expect]:
                    told = outcomes.get(number, ["unknown"])
                    if told[0] != "full":
                        self._ask(at, changes, expect, told)
                        places[number] = len(self.openings[-1].asked)
                case ["ack", number, _]:
                    self.openings[-1].acked.append((at, places[number]))

    def _open(self, at: int, epoch: str, head: int, values: dict[str, str]) -> None:
        last = self.openings[-1]
        acked = max((count for _, count in last.acked), default=0)
        found = next(
            (
                count
                for count in range(len(last.states) - 1, acked - 1, -1)
                if last.states[count].head == head
                and {key: data for key, (data, _) in last.states[count].values.items()} == values
            ),
            None,
        )
        if found is None:
            raise ValueError(f"opened again, the store was in no state that it can have been in: head {head}")
        opening = Opening(at, epoch, publications=last.publications[:head])
        opening.states.append(last.states[found])
        self.openings.append(opening)

    def _ask(
        self, at: int, changes: list[list[str]], expect: dict[str, str | None], told: Sequence[Any]
    ) -> None:
        opening = self.openings[-1]
        state = opening.states[-1]
        opening.asked.append(at)
        holds = all(state.values.get(key, (None,))[0] == wanted for key, wanted in expect.items())
        if told[0] != "failed" and told[0] != "unknown" and holds != (told[0] == "ack"):
            raise ValueError(f"a write was answered {told!r}; that it expected {expect} was {holds}")
        if not holds:
            opening.states.append(state)
            return
        positions: list[list[Any]] = []
        for kind, *rest in changes:
            if kind == "Append":
                opening.publications.append(Stored(rest[0], rest[1], opening.epoch))
                positions.append([opening.epoch, state.head + len(positions) + 1])
        if told[0] == "ack" and told[2] != positions:
            raise ValueError(f"a write was given the positions {told[2]}, and its turn was {positions}")
        head = state.head + len(positions)
        values = dict(state.values)
        for kind, *rest in changes:
            if kind == "Put":
                values[rest[0]] = (rest[1], head)
            elif kind == "Delete":
                values.pop(rest[0], None)
        opening.states.append(State(head, values))

    def at(self, moment: int) -> Possible:
        """Return what a cut after so many events may leave."""
        opening = self.openings[bisect_right(self.openings, moment, key=lambda one: one.at) - 1]
        return Possible(
            least=max((count for at, count in opening.acked if at <= moment), default=0),
            most=bisect_left(opening.asked, moment + 1),
            opening=opening,
            epochs=[(one.epoch, one.states[0].head) for one in self.openings[1:] if one.at <= moment],
        )


_OUTCOMES = {"ack", "conflict", "full", "failed"}


class Possible(NamedTuple):
    """The states that a cut may leave."""

    least: int
    """Writes of this opening that were acknowledged."""
    most: int
    """Writes that were asked."""
    opening: Opening
    epochs: list[tuple[str, int]]
    """Those that were told, and the head when they began."""


def read(events: Iterable[Event]) -> Iterable[Line]:
    """Return the lines of the account."""
    files: set[tuple[int, int]] = set()
    for at, event in enumerate(events, 1):
        place = event.pid, event.fd
        if event.kind == "O":
            (files.add if event.data == ACCOUNT.encode() else files.discard)(place)
        elif event.kind == "W" and place in files:
            yield Line(at, json.loads(event.data))
