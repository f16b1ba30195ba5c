"""The oracle of every fault test: both ends write down what they sent and what they got, and the books must agree."""

from __future__ import annotations

from collections import Counter
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
        """Return how much was lost, doubled, reordered or made up; all zero is clean. Lost is acked and not delivered."""
        sent, delivered = Counter(map(repr, self.sent)), Counter(map(repr, self.delivered))
        order = {repr(value): place for place, value in enumerate(self.sent)}
        places = [order[repr(value)] for value in self.delivered if repr(value) in order]
        return {
            "lost": sum((Counter(map(repr, self.sent[: self.acked])) - delivered).values()),
            "doubled": sum(
                count - sent[value] for value, count in delivered.items() if 0 < sent[value] < count
            ),
            "reordered": sum(after < before for before, after in pairwise(places)),
            "invented": sum(count for value, count in delivered.items() if value not in sent),
        }

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, reordered or made up."""
        return not any(self.faults().values())
