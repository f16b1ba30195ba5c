"""The oracle of every fault test: both ends write down what they sent and what they got, and the books must agree."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Ledger:
    """The books of one direction of one session.

    Attributes:
        sent: what the sender sent, in order.
        acked: how many of those were acked.
        delivered: what the receiver was given, in order.
    """

    sent: list[object] = field(default_factory=list)
    acked: int = 0
    delivered: list[object] = field(default_factory=list)

    def faults(self) -> dict[str, int]:
        """Return how much was lost, doubled, reordered or made up; all zero is clean.

        Lost is what was acked and not delivered, and what was passed over: something sent later was delivered. Equal values are told apart by
        their order. Values are compared as ``repr`` writes them.
        """
        unmatched: dict[str, deque[int]] = defaultdict(deque)
        for place, value in enumerate(self.sent):
            unmatched[repr(value)].append(place)
        doubled = invented = 0
        places: list[int] = []
        for value in map(repr, self.delivered):
            if value not in unmatched:
                invented += 1
            elif not unmatched[value]:
                doubled += 1
            else:
                places.append(unmatched[value].popleft())
        due = max(self.acked, max(places, default=-1) + 1)
        return {
            "lost": due - sum(place < due for place in places),
            "doubled": doubled,
            "reordered": sum(after < before for before, after in pairwise(places)),
            "invented": invented,
        }

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, reordered or made up."""
        return not any(self.faults().values())
