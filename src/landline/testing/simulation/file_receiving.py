"""A file or folder that comes to one end of a simulated session: the real ``protocol.transfer.Receiving``, as ``patterns.files.receiving`` runs it on the loop
and in a thread. Where that changes, this follows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ...errors import ProtocolError, TransferDamaged
from ...limits import FILES
from ...protocol.codec import encode_data
from ...protocol.files import Offer, own_id, read_from_sender
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
    Place,
    Prefix,
    Publish,
    Receiving,
    Reject,
    Say,
    SetAside,
    Tell,
)
from .depot import Depot, Jobs, Staged
from .ends import End
from .file_books import Offering
from .flows import is_closing, is_writable, leave
from .line import Timer, Violation

_UNWANTED: Final = "the receiver does not want it"
_FULL: Final = "the disk there is full; what came is kept"


class FileReceiving:
    """One file or folder that comes in over one flow."""

    def __init__(self, depot: Depot, chance: random.Random, end: End, flow: Flow) -> None:
        self.is_over = False
        self.closed: list[Callable[[], None]] = []
        self._depot = depot
        self._chance = chance
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
            if flow.reset is not None or flow.is_read_out or is_closing(end):
                self._over()
            return
        offer = read_from_sender(end.core.take(flow))
        if not end.ended:
            end.core.handle_taken(flow)
        if not isinstance(offer, Offer):
            raise Violation(f"a transfer began with {offer!r:.40}")
        self._offering = offering = self._depot.books.offerings[offer.id]
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
        self._offering.moved.clear()  # from now on it is said to be there if it is
        self._depot.running[self._key] = self
        self._staged = Staged(self._depot, self._key, self._chance)
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
                    if not is_writable(self._flow) or is_closing(self._end):
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
            if self._is_given_up or flow.reset is not None or flow.is_read_out or is_closing(end):
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
        self._offering.wrote(self._core.arriving.done, self._times)
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
        elif self._is_given_up or flow.reset is not None or is_closing(end):
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
        if self._core is not None and self._core.is_complete and not self._flow.is_read_out:
            self._end.serving[self._flow.number] = self._read_out
            self._read_out()
            return
        if not self._flow.ours & ENDED and not self._flow.is_ending:
            self._reset(ResetCode.CANCELLED, "the receiver gave up")
        leave(self._end, self._flow)

    def _read_out(self) -> None:
        """The sender's end comes at last, or has come: until that is read the flow is not over."""
        if not self._end.ended:
            self._end.core.handle_taken(self._flow)
            self._end.drained()
        if self._end.ended or self._flow.is_over:
            leave(self._end, self._flow)

    def _reset(self, code: ResetCode, reason: str) -> None:
        if not (self._end.ended or self._flow.is_over):
            self._end.core.abandon_flow(self._flow, code, reason)
