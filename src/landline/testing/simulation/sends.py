"""Durable sends of simulated clients to their server's program: the real halves over flows, as ``patterns.outgoing`` and ``patterns.intake`` run them on the loop.

The books beside them know what programs were given and are done with, and what is on the disk of that; they never ask the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ...errors import StorageError
from ...protocol.flow import Flow
from ...protocol.frames import ResetCode
from ...protocol.intake import SEND_PURPOSE, Intake
from ...protocol.publish import (
    OUTBOX_ID_SIZE,
    Answer,
    Code,
    Opened,
    Opening,
    Origin,
    Publish,
    Published,
    Publisher,
    decode_publish,
    encode,
)
from ...storage.base import Put
from .chronicle import DOUBTS, OLD_COPY, Chronicle
from .disk import Disk, Outcome
from .ends import End
from .flows import abandon, is_writable, say, takes_more
from .line import Node, Violation
from .outgoing import Outgoing

_RETRY: Final = 1.0


class Server(Protocol):
    """One life of a server, as far as its receiving goes."""

    disk: Disk
    node: Node

    def key_of(self, end: End, said: Opening, /) -> str:
        """Return the key of what is kept of an outbox."""
        ...

    def origin(self, key: str, then: Callable[[Origin | None, bool], None], /) -> None:
        """Call back with what is known of an outbox, and whether it was known before; None: the disk failed."""
        ...

    def receiving(self, key: str, outbox: bytes, origin: Origin, /) -> Receiving:
        """Return what programs are given of it."""
        ...


class SendBooks:
    """What programs were given of one outbox.

    Attributes:
        in_hand: the number that a program has.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self.in_hand = 0
        self._chronicle = chronicle
        self._last = 0
        self._ever: set[int] = set()
        self._handled: set[int] = set()
        self._failed: set[int] = set()
        self._ever_failed: set[int] = set()
        self._done: set[int] = set()
        self._writing: set[int] = set()
        self._again = 0

    def give(self, number: int) -> None:
        """A program is given one."""
        is_old = OLD_COPY in self._chronicle.excuses
        if self.in_hand:
            raise Violation(f"send {number} was given while a program had {self.in_hand}")
        if number in self._failed and not is_old:
            raise Violation(f"send {number} was given again after a program failed over it")
        if number <= self._last and number != self._again and not is_old:
            raise Violation(f"send {number} was given after {self._last}")
        self._last, self._again, self.in_hand = number, 0, number
        self._ever.add(number)

    def handle(self) -> None:
        """The program is done with it."""
        self._handled.add(self.in_hand)
        self.in_hand = 0

    def fail(self) -> None:
        """The program failed over it."""
        self._failed.add(self.in_hand)
        self._ever_failed.add(self.in_hand)
        self.in_hand = 0

    def interrupt(self) -> None:
        """The program was stopped over it."""
        self._again, self.in_hand = self.in_hand, 0

    def write(self) -> None:
        """All that programs are done with by now is being stored."""
        self._writing = self._handled | self._failed

    def committed(self) -> None:
        """That is on the disk, whoever hears of it."""
        self._done |= self._writing

    def server_died(self) -> None:
        """One may be given again: the last, if nobody has stored that a program was done with it."""
        self.in_hand = 0
        self._writing = set()
        if self._last not in self._done:
            self._again = self._last
        self._failed &= self._done

    def answered(self, answer: Answer) -> None:
        """The client is told what became of one."""
        number = answer.number
        if isinstance(answer, Published):
            if number not in self._handled:
                raise Violation(f"send {number} was acked, and no program had handled it")
            if number not in self._done and OLD_COPY not in self._chronicle.excuses:
                raise Violation(f"send {number} was acked, and a crash would have it given again")
        elif answer.code is not Code.UNKNOWN:
            if number in self._ever:
                raise Violation(f"send {number} was answered as not given ({answer.reason}), and was")
        elif number not in self._ever_failed and not self._chronicle.excuses & DOUBTS:
            raise Violation(f"send {number} was answered as unknown: {answer.reason}")


class Sends(Outgoing):
    """A client's outbox of durable sends.

    Args:
        number: the client's.
        books: those of all outboxes, by their ids.
    """

    def __init__(self, chronicle: Chronicle, number: int, books: dict[bytes, SendBooks]) -> None:
        self._chronicle = chronicle
        self._number = number
        self._books = books
        self._life = 0
        super().__init__(SEND_PURPOSE, self._fresh, self._told)

    def _fresh(self) -> Publisher:
        self._life += 1
        outbox = Publisher((1 << 127 | self._number << 64 | self._life).to_bytes(OUTBOX_ID_SIZE, "big"))
        self._books[outbox.id] = SendBooks(self._chronicle)
        return outbox

    def _told(self, answer: Answer) -> None:
        self._books[self.outbox.id].answered(answer)

    def send(self, end: End, size: int) -> None:
        """Send something, if there is room for it."""
        if self.outbox.has_room:
            self.outbox.publish("", b"\x21" + b"." * size)
        if not (end.ended or end.is_closing or end.is_peer_closed) and end.talk.is_confirmed:
            self.go_on(end)

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        count = len(self.outbox.unanswered)
        return f"{count} durable sends wait for their answers" if count else ""


class Receiving:
    """What a server's programs are given of one outbox, in one life of the server."""

    def __init__(self, server: Server, key: str, origin: Origin, books: SendBooks) -> None:
        self._server = server
        self._key = key
        self._books = books
        self._core = Intake(origin)
        self._end: End | None = None
        self._flow: Flow | None = None
        self._taker: End | None = None
        self._waiting: list[tuple[End, Flow, bool]] = []

    # It comes over one flow at a time...

    def begin(self, end: End, flow: Flow, *, is_known: bool) -> None:
        """Have it come over this flow, when all of the former that was given is answered."""
        self._waiting.append((end, flow, is_known))
        self.go_on()

    def go_on(self) -> None:
        """Begin what waits, if it can; a program whose session is over under what it has in hand is over, too."""
        if self._taker is not None and self._taker.ended:
            if self._end is self._taker:
                self._end = self._flow = None
            self._taker = None
            self._books.interrupt()
            self._core.release()
        while self._waiting and self._core.is_free:
            end, flow, is_known = self._waiting.pop(0)
            if end.ended or not is_writable(flow):
                continue
            if self._end is not None and self._flow is not None:
                abandon(self._end, self._flow, ResetCode.FAILED)
            self._end, self._flow = end, flow
            say(end, flow, encode(Opened(is_known)))

    # ... to a program ...

    def take(self, end: End) -> bool:
        """A program asks for the next; return whether there is one."""
        self.go_on()
        flow = self._flow
        if flow is None or self._end is not end or end.is_gone:
            return False
        while self._core.is_free and flow.inbox and (takes_more(end.core, flow) or end.ended):
            said = self._core.receive(end.core.take(flow))
            if isinstance(said, Publish):
                self._books.give(said.number)
                self._taker = end
                return True
            if said is not None:
                say(end, flow, encode(said))
        if not end.ended:
            end.core.handle_taken(flow)
        return False

    # ... which is done with it.

    def put_down(self, end: End, *, fails: bool) -> bool:
        """The program of this end is done with what it has, or failed over it; return whether it has anything."""
        if self._taker is not end:
            return False
        self._taker = None
        if fails:
            self._books.fail()
            self._say(self._core.fail("as drawn"))
        else:
            self._books.handle()
            self._core.handle()
        self._store()
        return True

    def _store(self) -> None:
        if self._core.has_news:
            self._core.store()
            record = Put(self._key, self._core.record(self._server.node.now))
            self._books.write()
            self._server.disk.write([record], self._stored)

    def _stored(self, outcome: Outcome) -> None:
        if isinstance(outcome, StorageError):
            self._core.failed()
            self._server.node.after(_RETRY, self._store)
            return
        for answer in self._core.stored():
            self._say(answer)
        self._store()
        self.go_on()

    def _say(self, answer: Answer) -> None:
        if self._end is not None and self._flow is not None:
            say(self._end, self._flow, encode(answer))


class Receiver:
    """The flow of durable sends, at the server."""

    def __init__(self, server: Server, end: End, flow: Flow) -> None:
        self._server = server
        self._end = end
        self._flow = flow
        self._key = ""
        self._id = b""
        self._receiving: Receiving | None = None

    def arrived(self) -> None:
        """Take what begins it; the rest is for the program."""
        if self._receiving is None and not self._key and self._flow.inbox and is_writable(self._flow):
            said = decode_publish(self._end.core.take(self._flow))
            self._end.core.handle_taken(self._flow)
            assert isinstance(said, Opening)
            self._id = said.id
            self._key = self._server.key_of(self._end, said)
            self._server.origin(self._key, self._opened)

    def _opened(self, origin: Origin | None, is_known: bool) -> None:
        if origin is None:
            abandon(self._end, self._flow, ResetCode.FAILED)
            return
        self._receiving = self._server.receiving(self._key, self._id, origin)
        self._receiving.begin(self._end, self._flow, is_known=is_known)
