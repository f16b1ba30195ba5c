"""The books of the history: what was committed when, and what every reader of it was told. Nothing here asks the protocol what it believes.

``Chronicle`` knows each life of the history and what it began from; ``Reader`` is one subscription as its program knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...history import HISTORY_REPLACED, Gap, Position, Publication
from ...protocol.publish import Answer, Code, Published
from ...protocol.subscription import unwrap
from ...storage.base import Append
from .line import Violation

OLD_COPY = "an old copy was put back"

DOUBTS = {"the disk failed", OLD_COPY}
"""What must have happened before anybody may be told that nobody knows."""


class Chronicle:
    """What was published, in every life of the history that there ever was.

    Attributes:
        epoch, head: the present life, and how much there is by now.
        excuses: what happened to the disk that excuses an answer.
        counts: what programs were told, by its name, for the curious.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.head = 0
        self.first = ""
        self.excuses: set[str] = set()
        self._ever: dict[tuple[str, int], tuple[str, bytes]] = {}
        self._begins: dict[str, tuple[str, int]] = {}
        self._present: set[bytes] = set()
        self._denied: set[bytes] = set()

    # The disk says...

    def began(self, epoch: str, head: int) -> None:
        """A life of the history begins after that many publications."""
        if head != self.head:
            raise Violation(f"the history has {head} publications, {self.head} were stored")
        self._begins[epoch] = (self.epoch, head + 1)
        self.epoch = epoch
        self.first = self.first or epoch

    def committed(self, appends: Sequence[Append], positions: Sequence[Position]) -> None:
        """These are stored."""
        for append, position in zip(appends, positions, strict=True):
            self.head += 1
            if position != Position(self.epoch, self.head):
                raise Violation(f"publication {self.head} is at {position}")
            if append.data in self._present:
                raise Violation(f"a publish was stored twice: {append.data!r:.40}")
            if append.data in self._denied:
                raise Violation(
                    f"a publish was stored of which somebody was told that it is not: {append.data!r:.40}"
                )
            self._present.add(append.data)
            self._ever[self.epoch, self.head] = (append.topic, append.data)

    def copy(self) -> tuple[str, int]:
        """Return what ``put_back`` needs."""
        return self.epoch, self.head

    def put_back(self, backup: tuple[str, int]) -> None:
        """An old copy is in the place of what there was."""
        self.epoch, self.head = backup
        self.excuses.add(OLD_COPY)
        self._present = {self.at(self.epoch, offset)[1] for offset in range(1, self.head + 1)}

    # Who asks is told...

    def at(self, epoch: str, offset: int) -> tuple[str, bytes]:
        """Return topic and data of a place, as that life of the history knows it."""
        while epoch:
            before, first = self._begins[epoch]
            if offset >= first:
                found = self._ever.get((epoch, offset))
                if found is None:
                    break
                return found
            epoch = before
        raise Violation(f"nothing was ever stored at {offset}")

    def is_common(self, position: Position, epoch: str) -> bool:
        """Whether a place is part of the history of that life."""
        most = self.head + position.offset
        while epoch:
            if epoch == position.epoch:
                return position.offset <= most
            epoch, first = self._begins[epoch]
            most = min(most, first - 1)
        return False

    def check_answer(self, topic: str, data: bytes, answer: Answer) -> None:
        """Somebody who published is told what became of it."""
        if isinstance(answer, Published):
            if self._ever.get((answer.epoch, answer.offset)) != (topic, data):
                raise Violation(f"a publish was answered as stored at {answer.offset}, and is not there")
        elif answer.code is Code.UNKNOWN:
            if not self.excuses & DOUBTS:
                raise Violation(f"a publish was answered as unknown: {answer.reason}")
        elif data in self._present:
            raise Violation(f"a publish was answered as not stored ({answer.reason}), and is there")
        else:
            self._denied.add(data)


class Reader:
    """What the program of one subscription was told.

    Args:
        matches: whether its pattern selects a topic.
        covered: up to here it has everything; None while that is not known.
    """

    def __init__(
        self, chronicle: Chronicle, pattern: str, matches: Callable[[str], bool], covered: Position | None
    ) -> None:
        self.covered = covered
        self._chronicle = chronicle
        self._pattern = pattern
        self._matches = matches
        self._gaps: list[tuple[str, int, int]] = []

    def publication(self, told: Publication) -> None:
        """It was told a publication."""
        at = told.position
        if self.covered is not None and at.offset <= self.covered.offset:
            raise Violation(f"publication {at.offset} was told after {self.covered.offset}")
        topic, data = self._chronicle.at(at.epoch, at.offset)
        if (topic, unwrap(data)) != (told.topic, told.data) or not self._matches(topic):
            raise Violation(f"publication {at.offset} was told as {told.topic}: {told.data!r:.40}")
        self._go(at, at.offset - 1)

    def mark(self, position: Position) -> None:
        """It was told that it has everything up to here."""
        self._go(position, position.offset)

    def gap(self, gap: Gap, position: Position | None) -> None:
        """It was told of a gap, and is at ``position`` then."""
        if gap.reason == HISTORY_REPLACED:
            if OLD_COPY not in self._chronicle.excuses:
                raise Violation("a reader was told that the history is another one, and it is not")
            if gap.to.offset > gap.after.offset:
                raise Violation("a reader was told to forget what it had not read")
            self._gaps.clear()
            self.covered = gap.to
            return
        self._gaps.append((gap.topic, gap.after.offset, gap.to.offset))
        if position == gap.to:
            self._go(gap.to, gap.to.offset)

    def lacks(self) -> str:
        """Say what is missing of the present history, if anything is."""
        chronicle = self._chronicle
        if self.covered is None:
            return "it never began"
        if not chronicle.is_common(self.covered, chronicle.epoch):
            return "it reads another history"
        return self._missing(self.covered.offset, Position(chronicle.epoch, chronicle.head), chronicle.head)

    def _go(self, to: Position, through: int) -> None:
        """Be at a place: all that is selected up to ``through`` must have been told, or lie in a gap."""
        if self.covered is not None:
            if not self._chronicle.is_common(self.covered, to.epoch):
                raise Violation("the history of a reader was replaced, and it was not told")
            missing = self._missing(self.covered.offset, to, through)
            if missing:
                raise Violation(missing)
        self.covered = to
        if self._gaps:
            self._gaps = [gap for gap in self._gaps if gap[2] > to.offset]

    def _missing(self, after: int, to: Position, through: int) -> str:
        for offset in range(after + 1, through + 1):
            topic, _ = self._chronicle.at(to.epoch, offset)
            if self._matches(topic) and not any(
                name in (topic, self._pattern) and start < offset <= end for name, start, end in self._gaps
            ):
                return f"publication {offset} of {topic} is missing for a reader of {self._pattern}"
        return ""
