"""Files over a simulated session: the real ``protocol.transfer`` at both ends, as ``patterns.files`` runs it on the loop and in a thread.

Where that changes, this follows. What a program wants to send outlives its sessions and its process: whoever comes next goes on with it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ...errors import ProtocolError, TransferDamaged
from ...limits import FILES
from ...protocol.codec import encode_data
from ...protocol.files import FILE_PURPOSE, Done, Offer, own_id, read_from_receiver, read_from_sender
from ...protocol.flow import ENDED, Flow
from ...protocol.frames import ResetCode
from ...protocol.staged import Standing
from ...protocol.transfer import (
    AwaitEnd,
    Deed,
    Forget,
    GoOn,
    Hash,
    Hear,
    Keep,
    Listed,
    Open,
    Place,
    Prefix,
    Publish,
    Receiving,
    Reject,
    Say,
    Sending,
    SendRest,
    SetAside,
    Tell,
)
from .depot import Depot, Jobs, Staged
from .ends import End
from .file_books import FileBooks, Offering
from .flows import abandon, is_writable, open_flow, takes_more
from .line import Timer, Violation

_MOST: Final = 3
"""What a program has to send at once."""
_NAMES: Final = ("a.txt", "a.txt", "b", "-c")
_UNWANTED: Final = "the receiver does not want it"
_FULL: Final = "the disk there is full; what came is kept"


class Courier:
    """The files of one end of a session; a client's outlives the lives of its server.

    Args:
        depot: of this end's process; peer: of the other end's.
        peers_number: of the other end's process.

    Attributes:
        end: the end of the session that there is now.
        books: what must be true.
    """

    def __init__(self, end: End, depot: Depot, peer: Depot, peers_number: int, chance: random.Random) -> None:
        self.end = end
        self.depot = depot
        self.peer = peer
        self.chance = chance
        self.books: FileBooks = depot.books
        self._offerings = depot.outgoing.setdefault(peers_number, [])
        self._sending: list[Outgoing] = []
        self._receiving: list[Incoming] = []

    # Its session...

    def takes(self, flow: Flow) -> bool:
        """Take a flow that the peer opened, if it is for a file; return whether it is."""
        if flow.purpose != FILE_PURPOSE:
            return False
        incoming = Incoming(self, self.end, flow)
        self._receiving = [*(each for each in self._receiving if not each.is_over), incoming]
        self.end.serving[flow.number] = incoming.arrived
        self.end.node.ready.append(incoming.arrived)  # what came together with it was reported before it
        return True

    def wake(self) -> None:
        """The session is closing, or over."""
        everything: list[Outgoing | Incoming] = [*self._sending, *self._receiving]
        for each in everything:
            each.arrived()
        self._sweep()

    def renewed(self, before: End, end: End) -> None:
        """Another life of the server goes on with the session: what was on its way is offered again."""
        del before
        self.end = end
        self.wake()
        self.go_on()

    def _sweep(self) -> None:
        self._sending = [each for each in self._sending if not each.is_over]
        self._receiving = [each for each in self._receiving if not each.is_over]

    # The program...

    def do_file(self, a: int, b: int) -> None:
        """Want to send something; or have something be another meanwhile; or go on with what was ended."""
        what = b % 16
        waiting = [each for each in self._offerings if not self.depot.is_sending(each)]
        if what < 4 and len(self._offerings) < _MOST:
            self._offer(a, b)
        elif what < 6 and waiting:
            offering = waiting[(a >> 1) % len(waiting)]
            if not offering.is_folder:
                offering.change()
        elif what == 6 and not b & 0x60 and self._offerings:
            self._offerings[(a >> 1) % len(self._offerings)].is_garbled = True
        elif what == 7 and not b & 0xE0 and self._sending:
            self._sending[(a >> 1) % len(self._sending)].give_up()
        self.go_on()

    def _offer(self, a: int, b: int) -> None:
        is_folder = (b >> 4) % 4 == 0
        # Where the credit is for one message at a time, large ones take longer than a world has.
        longest = (100, 600, 2000, 9000)[(b >> 6) % 4] if self.end.limits.window >= 1000 else 300
        sizes = [12 + a % longest]
        if is_folder:
            sizes += [(a * more) % 300 for more in range(1, 1 + (b >> 8) % 4)]
        offering = self.books.offer(_NAMES[(a >> 3) % 4], sizes, is_folder=is_folder)
        offering.remembers = bool(b & 0x400)
        offering.is_unwanted = (b >> 11) % 8 == 0
        self._offerings.append(offering)
        self.peer.incoming.append(offering)

    def go_on(self) -> None:
        """Have all on its way that is to be sent and is not."""
        self._sweep()
        self._offerings[:] = [each for each in self._offerings if not each.is_over]
        end, mine = self.end, {id(each.offering) for each in self._sending}
        if end.ended or end.is_closing or end.is_peer_closed or not end.talk.is_confirmed:
            return
        for offering in self._offerings:
            if id(offering) not in mine and not self.depot.is_ending(offering):
                flow = open_flow(end, FILE_PURPOSE)
                if flow is not None:
                    outgoing = Outgoing(self, end, flow, offering)
                    self._sending.append(outgoing)
                    outgoing.go_on()

    # ... until there is nothing to do.

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        return next(filter(None, (each.lacks for each in self._offerings)), "")


class Outgoing:
    """One file or folder on its way over one flow: ``patterns.files.sending``."""

    def __init__(self, courier: Courier, end: End, flow: Flow, offering: Offering) -> None:
        self.offering = offering
        self.is_over = False
        self._courier = courier
        self._end = end
        self._flow = flow
        self._files = offering.files
        offer = Offer(offering.id, offering.name, offering.size, len(self._files), offering.is_folder)
        listed = [Listed(path.split("/"), len(data), 1) for path, data in self._files]
        self._deeds = Sending(offer, listed).deeds()
        self._chunk = 20 + int(courier.chance.random() * 150)
        self._is_hearing = self._is_filling = self._has_heard_all = False
        self._before = self._at = 0
        self._data = b""
        self._places: list[int] = []
        self._timer: Timer = []
        self._times = offering.times
        end.serving[flow.number] = self.arrived
        end.on_room[flow.number] = self._fill
        courier.depot.sending.append(self)

    def go_on(self, answer: Any = None) -> None:
        """Do what is next, until something has to be waited for."""
        while not self.is_over:
            try:
                deed = self._deeds.send(answer)
            except StopIteration as end:
                self._hear_last(end.value)
                return
            answer = None
            match deed:
                case Say(what):
                    self._say(what)
                case Hear():
                    self._is_hearing = True
                    self.arrived()
                    return
                case Hash():
                    answer = hashlib.sha256(self._data[: self._at]).digest()
                case Prefix(size):
                    answer, self._at = hashlib.sha256(self._data[:size]).digest(), size
                case Open(place):
                    self._data, self._at = self._files[place][1], 0
                    self._before = sum(len(data) for _, data in self._files[:place])
                case SendRest(offset):
                    self.offering.goes_on(self._before + offset)
                    self._times = self.offering.times
                    self._at = offset
                    self._is_filling = True
                    self._fill()
                    return
                case Tell():
                    pass

    def _say(self, what: Any) -> None:
        if is_writable(self._flow) and not self._end.ended:
            self._end.core.send(self._flow, *encode_data(what, self._end.core.max_message))
            self._places.append(self._before + self._at)

    def _fill(self) -> None:
        """Send more of the file, as far as there is room."""
        if not self._is_filling or self.is_over or self._end.ended:
            return
        while self._at < len(self._data) and takes_more(self._end.core, self._flow):
            piece = self._data[self._at : self._at + self._chunk]
            self._at += len(piece)
            self._say(self.offering.garble(piece))
        if self._at == len(self._data):
            self._is_filling = False
            self.go_on()

    def arrived(self) -> None:
        """There is news, or there never will be."""
        end, flow = self._end, self._flow
        if self.is_over:
            return
        if flow.inbox and self._is_hearing:
            self._is_hearing = False
            said = read_from_receiver(end.core.take(flow))
            self.go_on(said)
            return
        if not flow.inbox and not end.ended:
            end.core.handle_taken(flow)
            end.drained()
        if flow.reset is not None and not self._has_heard_all:
            self._hear_reset(flow.reset.code, flow.reset.reason)
        elif flow.reset is not None or flow.is_read_out or _is_closing(end):
            self._leave()

    def _hear_reset(self, code: ResetCode, reason: str) -> None:
        if code is ResetCode.UNWANTED:
            self.offering.refuse(reason)
        elif code is ResetCode.BAD_DATA:
            self.offering.damaged()
        self._leave()

    def _hear_last(self, done: Done) -> None:
        """It is there; the flow is not over before the receiver's end of it is read."""
        self.offering.done(done.name, self._courier.peer.shelf)
        self._has_heard_all = True
        if is_writable(self._flow):
            self._end.core.end_flow(self._flow)
        self._timer = self._end.node.after(FILES.confirm, self._leave)
        self.arrived()

    @property
    def is_ending(self) -> bool:
        """It is there, and the program will be told so."""
        return self._has_heard_all

    def give_up(self) -> None:
        """The program does not go on with it for now."""
        if not self._has_heard_all:
            self._leave()

    def _leave(self) -> None:
        if self.is_over:
            return
        self._stop()
        if self._has_heard_all:
            self.offering.know()
        if self in self._courier.depot.sending:
            self._courier.depot.sending.remove(self)
        abandon(self._end, self._flow, ResetCode.CANCELLED)
        if self._timer:
            self._timer[2] = None
        _leave(self._end, self._flow)

    def _stop(self) -> None:
        self.is_over = True
        if self._flow.sent:
            self.offering.sent(self._places[self._flow.sent - 1], self._times)

    def died(self) -> None:
        """The process is gone."""
        self._stop()
        if self._has_heard_all:
            self.offering.died_before_it_knew()


class Incoming:
    """One file or folder that comes in over one flow: ``patterns.files.receiving``."""

    def __init__(self, courier: Courier, end: End, flow: Flow) -> None:
        self.is_over = False
        self.closed: list[Callable[[], None]] = []
        self._courier = courier
        self._depot = courier.depot
        self._end = end
        self._flow = flow
        self._key = ""
        self._offering: Offering | None = None
        self._core: Receiving | None = None
        self._staged: Staged | None = None
        self._deeds: Any = None
        self._waits_for = ""
        self._times = 0
        self._is_given_up = False
        self._timer: Timer = []

    # An offer...

    def arrived(self) -> None:
        """There is news, or there never will be."""
        if self.is_over:
            return
        if self._core is None:
            self._hear_offer()
        elif self._waits_for == "word":
            self._hear()
        elif self._waits_for == "end":
            self._await_end()

    def _hear_offer(self) -> None:
        end, flow = self._end, self._flow
        if not flow.inbox:
            if flow.reset is not None or flow.is_read_out or _is_closing(end):
                self._over()
            return
        offer = read_from_sender(end.core.take(flow))
        if not end.ended:
            end.core.handle_taken(flow)
        if not isinstance(offer, Offer):
            raise Violation(f"a transfer began with {offer!r:.40}")
        self._offering = offering = self._courier.books.offerings[offer.id]
        if offering.is_unwanted:
            self._reset(ResetCode.UNWANTED, _UNWANTED)
            self._over()
            return
        self._core = Receiving(offer, remember=offering.remembers)
        self._key = own_id(end.talk.principal if end.side else "", offer.id).hex()
        self._open()

    def _open(self) -> None:
        """Take over from an earlier flow with the same, when that has let go of it."""
        running = self._depot.running.get(self._key)
        if running is not None:
            running.closed.append(self._open)
            running.give_up()
            return
        assert self._offering is not None
        self._times = self._offering.times
        self._depot.running[self._key] = self
        self._staged = Staged(self._depot, self._key, self._courier.chance)
        self._work(self._staged.open(), self._begin)

    def _begin(self, standing: Standing) -> None:
        assert self._core is not None
        self._deeds = self._core.deeds(standing)
        self._go_on()

    def give_up(self) -> None:
        """The same has begun anew over another flow."""
        self._is_given_up = True
        self._reset(ResetCode.CANCELLED, "the same transfer has begun anew")
        self.arrived()

    # ... is received ...

    def _work(self, jobs: Jobs[Any], then: Callable[[Any], None]) -> None:
        self._depot.work(jobs, then, self._failed)

    def _failed(self, error: Exception) -> None:
        self._reset(ResetCode.FAILED, _FULL if isinstance(error, OSError) else str(error))
        self._close()

    def _go_on(self, answer: Any = None) -> None:
        """Do what is next, until something has to be waited for."""
        while True:
            try:
                deed: Deed = self._deeds.send(answer)
            except StopIteration:
                if is_writable(self._flow) and not self._end.ended:
                    self._end.core.end_flow(self._flow)
                self._close()
                return
            except TransferDamaged as error:
                self._reset(ResetCode.BAD_DATA, error.reason)
                self._close()
                return
            except ProtocolError as error:
                raise Violation(f"a sender was said to break a rule: {error.reason}") from error
            answer = None
            staged = self._staged
            assert staged is not None
            match deed:
                case Say(what):
                    if not is_writable(self._flow) or _is_closing(self._end):
                        self._close()
                        return
                    self._end.core.send(self._flow, *encode_data(what, self._end.core.max_message))
                case Hash():
                    answer = staged.digest()
                case Hear():
                    self._waits_for = "word"
                    self._hear()
                    return
                case AwaitEnd():
                    self._waits_for = "end"
                    self._timer = self._end.node.after(FILES.confirm, partial(self._heard_end, False))
                    self._await_end()
                    return
                case SetAside() | Tell():
                    pass
                case _:
                    self._work(self._jobs(staged, deed), self._go_on)
                    return

    def _jobs(self, staged: Staged, deed: Deed) -> Jobs[Any]:
        assert self._offering is not None
        match deed:
            case Prefix():
                return staged.prefix()
            case GoOn(offset):
                return staged.go_on(offset)
            case Reject():
                return staged.reject()
            case Keep():
                return staged.keep()
            case Place(path):
                return staged.place(path)
            case Publish():
                return staged.publish(self._offering.name, is_folder=self._offering.is_folder)
            case Forget():
                return staged.forget()
            case _:
                raise AssertionError(deed)

    def _hear(self) -> None:
        """Have the data that have come written, until something else is said."""
        end, flow = self._end, self._flow
        if not flow.inbox:
            if not end.ended:
                end.core.handle_taken(flow)
                end.drained()
            if self._is_given_up or flow.reset is not None or flow.is_read_out or _is_closing(end):
                self._close()
            return
        pieces: list[bytes] = []
        for value, _ in flow.inbox:
            if not isinstance(value, bytes) or sum(map(len, pieces)) >= max(1, flow.window >> 1):
                break
            pieces.append(value)
        self._waits_for = ""
        if not pieces:
            self._go_on(read_from_sender(end.core.take(flow)))
            return
        assert self._core is not None and self._staged is not None
        self._core.arriving.take(sum(map(len, pieces)))
        self._work(self._staged.write(pieces), partial(self._wrote, len(pieces)))

    def _wrote(self, count: int, _: None) -> None:
        """They are on the disk: only now their sender gets credit for more."""
        for _number in range(count):
            if self._flow.inbox:  # it may have been dropped, with its flow, while it was written
                self._end.core.take(self._flow)
        assert self._core is not None and self._offering is not None
        self._offering.wrote(self._core.arriving.done, self._flow.window, self._times)
        self._waits_for = "word"
        self._hear()

    # ... and the sender knows.

    def _await_end(self) -> None:
        end, flow = self._end, self._flow
        if flow.inbox:
            return
        if not end.ended:
            end.core.handle_taken(flow)
            end.drained()
        if flow.is_read_out and flow.reset is None and not self._is_given_up:
            self._heard_end(True)
        elif self._is_given_up or flow.reset is not None or _is_closing(end):
            self._heard_end(False)

    def _heard_end(self, knows: bool) -> None:
        if self._waits_for == "end":
            self._waits_for = ""
            self._timer[2] = None
            self._go_on(knows)

    def _close(self) -> None:
        self._waits_for = "nothing"
        assert self._staged is not None
        self._work(self._staged.close(), self._closed)

    def _closed(self, _: None) -> None:
        self._depot.running.pop(self._key, None)
        self._over()
        closed, self.closed = self.closed, []
        for call in closed:
            call()

    def _over(self) -> None:
        self.is_over = True
        if not self._flow.ours & ENDED and not self._flow.is_ending:
            self._reset(ResetCode.CANCELLED, "the receiver gave up")
        _leave(self._end, self._flow)

    def _reset(self, code: ResetCode, reason: str) -> None:
        if not (self._end.ended or self._flow.is_over):
            self._end.core.abandon_flow(self._flow, code, reason)


def _is_closing(end: End) -> bool:
    return bool(end.ended) or end.is_closing or end.is_peer_closed


def _leave(end: End, flow: Flow) -> None:
    end.serving.pop(flow.number, None)
    end.on_room.pop(flow.number, None)
