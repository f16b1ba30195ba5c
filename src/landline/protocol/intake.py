"""The receiver's half of durable sends: what of one outbox a program is given, when each is answered, and what is stored of it.

One at a time: the next is given when it is stored that the one before is handled. So a crash has no more than one given again, the one
that a program had in hand or that nobody has stored as handled yet.
"""

from __future__ import annotations

from typing import Final

from ..errors import ProtocolError
from ..history import Position
from .publish import Answer, Code, Origin, Publish, Published, Unpublished, decode_publish, encode_record

SEND_PURPOSE: Final = "landline.send"
"""The flow of durable sends is opened for this."""

_HANDLED: Final = Position("", 0)
"""Such a send has no place in a history."""


class Intake:
    """One outbox, over whatever flows and sessions it comes.

    Args:
        origin: what is known of the outbox.

    Attributes:
        in_hand: the number that a program was given, and is not done with.
        is_storing: what was made of earlier ones is on its way to the disk.
    """

    def __init__(self, origin: Origin) -> None:
        self.in_hand: int | None = None
        self.is_storing = False
        self._origin = origin
        self._handled: list[int] = []
        self._is_news = False

    @property
    def is_free(self) -> bool:
        """Whether another flow may begin, and the next one be given: all that was given is answered."""
        return self.in_hand is None and not self.is_storing and not self._is_news

    # What the flow brings...

    def receive(self, payload: bytes) -> Publish | Answer | None:
        """Take one; return it where the program is to be given it (it is in hand then), or the answer to it. The caller has seen that it ``is_free``.

        Raises:
            ProtocolError: it cannot be read, or is not to be said now.
        """
        publish = decode_publish(payload)
        if not isinstance(publish, Publish):
            raise ProtocolError("an outbox that was opened twice", "bad-data")
        verdict = self._origin.receive(publish)
        if verdict is True:
            self.in_hand = publish.number
            return publish
        if isinstance(verdict, Published):
            return Published(publish.number, _HANDLED.epoch, _HANDLED.offset)
        if isinstance(verdict, Unpublished) and verdict.code is Code.FULL:
            # A program may have had in hand whatever is not known to be handled.
            return Unpublished(verdict.number, Code.UNKNOWN, "the program that had it was not done with it")
        return verdict or None

    # ... the program is done with, one way or another ...

    def handle(self) -> None:
        """It is handled; that is to be stored now, and answered then."""
        self._handled.append(self._put())
        self._is_news = True

    def refuse(self, reason: str) -> Answer:
        """It cannot be given to a program."""
        return self._origin.failed(self._put(), Code.REFUSED, reason)

    def fail(self, reason: str) -> Answer:
        """The program failed over it: nobody knows how far it came, and it is not given to another one. That is to be stored now."""
        self._is_news = True
        return self._origin.failed(self._put(), Code.UNKNOWN, reason)

    def release(self) -> None:
        """The program was interrupted: it is given again."""
        self._origin.untaken(self._put())

    def _put(self) -> int:
        number, self.in_hand = self.in_hand, None
        if number is None:
            raise AssertionError("nothing is in hand")
        return number

    # ... and that is stored.

    @property
    def has_news(self) -> bool:
        """Whether there is something to store; not while it is being stored."""
        return self._is_news and not self.is_storing

    def store(self) -> None:
        """It is being stored; ``stored`` or ``failed`` must follow."""
        self._is_news, self.is_storing = False, True

    def record(self, now: float) -> bytes:
        """Return what to store of the outbox.

        Args:
            now: the wall clock, in seconds since 1970.
        """
        last = self._origin.last if self.in_hand is None else self.in_hand - 1
        return encode_record(self._origin, [(number, 0) for number in self._handled], now, last)

    def stored(self) -> list[Answer]:
        """It is; return what to answer."""
        numbers, self._handled, self.is_storing = self._handled, [], False
        return [self._origin.stored(number, _HANDLED) for number in numbers]

    def failed(self) -> None:
        """It is not, or nobody knows: it is to be stored again, and until it is nothing is answered, and nothing more given."""
        self._is_news, self.is_storing = True, False
