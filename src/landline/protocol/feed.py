"""The server's half of a subscription: what of its topics is to be sent next, from the log and live, in one order and without a seam.

A feed is live, or it reads. Live, what is published is queued for it; where its flow takes no more, its topics' policies decide what
becomes of it. Reading, it asks for pages of the log after its cursor and sends those, while what is published meanwhile gathers in the queue: the
last page and the queue overlap, so nothing falls between them. Before a page is asked for nothing gathers: that page will have it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final

from ..history import BEHIND, HISTORY_REPLACED, SUPERSEDED, TOO_LARGE, Gap, Position, Publication
from ..limits import PROTOCOL
from .frames import FRAME_COST, HEADER, FrameType, SharedFrames
from .subscription import Item, Mark, Missing, encode

MOST_QUEUED: Final = PROTOCOL.feed

_MOST_GAPS: Final = MOST_QUEUED // FRAME_COST
"""Gaps that are made before neighbours among them become one: not with each, or a long queue would be walked through every time."""


class Behind(Enum):
    """What becomes of publications that a reader is too slow for."""

    HISTORY = "history"
    """It reads on from the log, until retention overtakes it."""
    DROP_OLDEST = "drop_oldest"
    """The oldest that wait for it are dropped: a Gap."""
    LATEST = "latest"
    """Only the newest of the topic waits for it; those before are dropped: a Gap."""


class Entry:
    """A publication of this life of the server, as it goes to everybody: encoded once, and kept once.

    Attributes:
        data: as it is stored.
        size: what it counts in a feed's queue, in bytes.
    """

    __slots__ = ("_frame", "_number", "behind", "data", "offset", "size", "topic")

    def __init__(self, topic: str, offset: int, data: bytes, behind: Behind) -> None:
        self.topic = topic
        self.offset = offset
        self.data = data
        self.behind = behind
        self.size = len(data) + FRAME_COST
        self._number = -1
        self._frame = b""

    def frame(self, number: int) -> bytes:
        """Return the whole frame for the flow of that number: encoded once, and with another number it is the same but for its header."""
        if number != self._number:
            payload = self._frame[HEADER.size :] or encode(Item(self.topic, self.offset, self.data))
            self._number = number
            self._frame = HEADER.pack(len(payload), FrameType.BYTES, number) + payload
        return self._frame


class Bundle:
    """Publications that were stored together and that the same feeds select: what many are told at once costs each of them little.

    Args:
        entries: one at the least, in the order of their offsets.

    Attributes:
        largest: the bytes of the largest data among them.
        before_last: the bytes of all their frames but the last one: whoever is offered them is asked for room before any frame is made.
    """

    __slots__ = ("_alone", "_end", "_frames", "before_last", "entries", "largest")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.largest = max(len(entry.data) for entry in entries)
        self.before_last = sum(map(_frame_size, entries[:-1]))
        self._frames: dict[int, SharedFrames] = {}
        self._alone: list[Bundle] = []
        self._end: Position | None = None

    def frames(self, number: int) -> SharedFrames:
        """Return the whole frames for flows of that number: made once."""
        frames = self._frames.get(number)
        if frames is None:
            each = [entry.frame(number) for entry in self.entries]
            together = each[0] if len(each) == 1 else b"".join(each)
            frames = self._frames[number] = SharedFrames(together, len(each), len(each[-1]))
        return frames

    def alone(self) -> list[Bundle]:
        """Return each publication as a bundle of its own, for feeds that cannot take all of them as one."""
        if not self._alone:
            is_alone = len(self.entries) == 1
            self._alone = [self] if is_alone else [Bundle([entry]) for entry in self.entries]
        return self._alone

    def end(self, epoch: str) -> Position:
        """Return where the last of them is in the log of this life of the server."""
        if self._end is None:
            self._end = Position(epoch, self.entries[-1].offset)
        return self._end


Part = Entry | Publication | Gap | Position
"""What a subscriber is told: something just published, something of the log, a gap, or a position up to which everything was told."""


def frame_of(part: Part, number: int) -> bytes:
    """Return the whole frame that tells the subscriber whose flow has this number."""
    match part:
        case Entry():
            return part.frame(number)
        case Publication():
            return _frame(Item(part.topic, part.position.offset, part.data), number)
        case Gap(topic, after, to, reason):
            return _frame(Missing(topic, after.epoch, after.offset, to.epoch, to.offset, reason), number)
        case Position():
            return _frame(Mark(part.epoch, part.offset), number)


def most_data(most: int) -> int:
    """Return the most data of a publication that a message of ``most`` bytes can carry."""
    return most - PROTOCOL.publish_overhead


def fitting(part: Part, most: int, epoch: str) -> Part:
    """Return the part, or the gap in place of a publication that is too large for messages of ``most`` bytes.

    Args:
        part: what is to be told.
        most: the largest message that the subscriber takes, in bytes.
        epoch: of what is published now.
    """
    if not isinstance(part, (Entry, Publication)) or len(part.data) <= most_data(most):
        return part
    end = Position(epoch, part.offset) if isinstance(part, Entry) else part.position
    return Gap(part.topic, Position(end.epoch, end.offset - 1), end, TOO_LARGE)


def _frame(said: Item | Mark | Missing, number: int) -> bytes:
    payload = encode(said)
    return HEADER.pack(len(payload), FrameType.BYTES, number) + payload


def _frame_size(entry: Entry) -> int:
    """Return the bytes of a publication's frame, which is not made for that: it is that of no data, and the data, whose own head grows with it."""
    size = len(entry.data)
    head = 0 if size < 1 << 8 else 1 if size < 1 << 16 else 3
    return HEADER.size + len(encode(Item(entry.topic, entry.offset, b""))) + head + size


def _as_one(part: Part, then: Part) -> Gap | None:
    """Return two neighbours as one gap, where they are gaps of one topic and for one reason."""
    if not (isinstance(part, Gap) and isinstance(then, Gap)):
        return None
    if (part.topic, part.reason, part.to.epoch) != (then.topic, then.reason, then.after.epoch):
        return None
    return Gap(part.topic, part.after, then.to, part.reason)


class Feed:
    """One subscription.

    Args:
        pattern: what it selects.
        cursor: where it begins, excluded; None for the very start.
        last: what is sent before anything else: the newest publication of each topic, if that is wished.
        gaps: what is missing among those.

    Attributes:
        take: asked to take what was just published, where nothing waits before it; returns whether it did, all of it. None where everything waits.
        cursor: everything up to here was sent, or told as a gap.
        is_live: it has everything up to what was published last, or it is queued.
        is_reading: a page was asked for, and is not here yet.
    """

    def __init__(
        self,
        pattern: str,
        cursor: Position | None,
        last: Sequence[Publication] = (),
        gaps: Sequence[Gap] = (),
    ) -> None:
        self.pattern = pattern
        self.take: Callable[[Bundle], bool] | None = None
        self.cursor = cursor
        self.is_live = False
        self.is_reading = False
        self._told_epoch = ""
        self._epoch = ""
        self._from_log: deque[Part] = deque(self._in_order(last, gaps))
        self._log_end = cursor
        self._floor = 0
        self._queue: dict[int, Entry | Gap] = {}
        self._latest: dict[str, int] = {}
        self._size = 0
        self._new_gaps = 0
        self._is_overrun = False
        if cursor is not None:
            self._from_log.append(self._mark(cursor))

    # Something is published...

    @property
    def gathers(self) -> bool:
        """Whether it is to be told, or pushed, what is published now: else pages of the log that are yet to be asked for have it."""
        return self.is_live or self.is_reading

    def takes(self, bundle: Bundle) -> bool:
        """Tell what was just published, if all of it can go on at once; return whether it did: else each of it is to be pushed."""
        if (  # the usual case
            not self._queue
            and self.is_live
            and self.take is not None
            and not self._from_log
            and self._told_epoch == self._epoch
            and bundle.entries[0].offset > self._floor
            and self.take(bundle)
        ):
            self.cursor = bundle.end(self._epoch)
            return True
        return False

    def push(self, entry: Entry) -> bool:
        """Queue what was just published; return whether it waits. It is after everything that was pushed before."""
        if entry.offset <= self._floor:
            return False  # the log had it before it was told
        queue = self._queue
        if entry.behind is Behind.LATEST:
            before = self._latest.get(entry.topic)
            if before is not None:
                other = queue[before]
                assert isinstance(other, Entry)
                self._size -= other.size
                queue[before] = self._gap(other.topic, before, SUPERSEDED)
                self._new_gaps += 1
            self._latest[entry.topic] = entry.offset
        queue[entry.offset] = entry
        self._size += entry.size
        if self._size > MOST_QUEUED:
            self._overflow()
        elif self._new_gaps > _MOST_GAPS:
            self._merge_gaps()
        return True

    def _overflow(self) -> None:
        """The queue is too long: drop what may be dropped from its older half, or read all of it again from the log."""
        for offset, entry in self._queue.items():
            if self._size <= MOST_QUEUED // 2:
                break
            if isinstance(entry, Entry) and entry.behind is Behind.DROP_OLDEST:
                self._size -= entry.size
                self._queue[offset] = self._gap(entry.topic, offset, BEHIND)
        self._merge_gaps()
        if self._size > MOST_QUEUED:
            self._queue.clear()
            self._latest.clear()
            self._size = 0
            if self.is_live:
                self.is_live = False
            else:
                self._is_overrun = True

    def _merge_gaps(self) -> None:
        """Make neighbours in the queue one gap: of their topic, or of the whole pattern where they are of several.

        Also where their reasons differ, or two topics of different policies could make gaps without end.
        """
        self._new_gaps = 0
        merged: dict[int, Entry | Gap] = {}
        before: tuple[int, Gap] | None = None
        for offset, entry in self._queue.items():
            if isinstance(entry, Gap) and before is not None:
                at, gap = before
                topic = gap.topic if gap.topic == entry.topic else self.pattern
                reason = gap.reason if gap.reason == entry.reason else BEHIND
                entry = Gap(topic, gap.after, entry.to, reason)  # noqa: PLW2901 - the two of them as one
                del merged[at]
            merged[offset] = entry
            before = (offset, entry) if isinstance(entry, Gap) else None
        self._queue = merged

    def _gap(self, topic: str, offset: int, reason: str) -> Gap:
        return Gap(topic, Position(self._epoch, offset - 1), Position(self._epoch, offset), reason)

    # The log is read...

    def begin(self, epoch: str) -> None:
        """It is among those that are pushed to, from now on; what is published is of this epoch."""
        self._epoch = epoch

    def go_live(self) -> None:
        """Everything up to its cursor is all that was published so far."""
        self.is_live = True

    @property
    def wants_page(self) -> bool:
        """Whether a page of the log after ``cursor`` is needed now."""
        return not (self.is_live or self.is_reading or self._from_log)

    def read(self) -> None:
        """A page was asked for."""
        self.is_reading = True
        self._is_overrun = False

    def page(
        self, publications: Sequence[Publication], gaps: Iterable[Gap], end: Position, *, more: bool
    ) -> None:
        """Take a page: what the log has after ``cursor``, up to ``end``, and whether there is more."""
        self.is_reading = False
        self._from_log.extend(self._in_order(publications, gaps))
        self._log_end = end
        self._floor = end.offset
        if not self._from_log:
            self.cursor = end
        self._forget_queued(end.offset)
        self.is_live = not more and not self._is_overrun

    def _forget_queued(self, offset: int) -> None:
        """The log had everything up to here."""
        for known in [known for known in self._queue if known <= offset]:
            self._pop(known)
        for known, first in self._queue.items():
            if isinstance(first, Gap) and first.after.offset < offset:  # of several: the log had some of them
                self._queue[known] = Gap(first.topic, Position(self._epoch, offset), first.to, first.reason)
            break

    # ... and sent.

    @property
    def has_something(self) -> bool:
        """Whether ``next_part`` has one."""
        return bool(self._from_log) or (self.is_live and bool(self._queue))

    def next_part(self) -> Part:
        """Return what to tell next; the caller has seen that there is something."""
        if self._from_log:
            part = self._from_log.popleft()
            while self._from_log and (both := _as_one(part, self._from_log[0])) is not None:
                part = both
                self._from_log.popleft()
            if not self._from_log and self._log_end is not None:
                self.cursor = self._log_end
            return part
        offset, first = next(iter(self._queue.items()))
        if self._told_epoch != self._epoch:
            # Not past the beginning of a gap: who goes on from here is told of it then.
            before = first.after.offset if isinstance(first, Gap) else offset - 1
            return self._mark(Position(self._epoch, before))
        part = self._pop(offset)
        while self._queue and (both := _as_one(part, next(iter(self._queue.values())))) is not None:
            part = both
            self._pop(next(iter(self._queue)))
        self.cursor = part.to if isinstance(part, Gap) else Position(self._epoch, offset)
        return part

    def _pop(self, offset: int) -> Entry | Gap:
        entry = self._queue.pop(offset)
        if isinstance(entry, Entry):
            self._size -= entry.size
            if self._latest.get(entry.topic) == offset:
                del self._latest[entry.topic]
        return entry

    def _in_order(self, publications: Iterable[Publication], gaps: Iterable[Gap] = ()) -> list[Part]:
        """Return what a page says, each gap before the first publication after its beginning."""
        found: list[tuple[int, int, Publication | Gap]] = [
            (publication.position.offset - 1, 1, publication) for publication in publications
        ]
        # One that says that the history is another begins it: it lies, as offsets go, anywhere.
        found += [(-1 if gap.reason == HISTORY_REPLACED else gap.after.offset, 0, gap) for gap in gaps]
        found.sort(key=lambda item: item[:2])
        parts: list[Part] = []
        for _, _, part in found:
            if isinstance(part, Publication) and part.position.epoch != self._told_epoch:
                parts.append(self._mark(Position(part.position.epoch, part.position.offset - 1)))
            parts.append(part)
        return parts

    def _mark(self, position: Position) -> Position:
        self._told_epoch = position.epoch
        return position
