"""A file or folder on its way from one end of a simulated session: the real ``protocol.transfer.Sending``, as ``patterns.files.sending`` runs it on the loop.

Where that changes, this follows.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

from ...limits import FILES
from ...protocol.codec import encode_data
from ...protocol.files import Done, Offer, read_from_receiver
from ...protocol.flow import Flow
from ...protocol.frames import ResetCode
from ...protocol.transfer import (
    Hash,
    Hear,
    Listed,
    Open,
    Prefix,
    Say,
    Sending,
    SendRest,
    Tell,
)
from .depot import Depot
from .ends import End
from .file_books import Offering
from .flows import abandon, is_closing, is_writable, leave, takes_more
from .line import Timer


class FileSending:
    """One file or folder on its way over one flow.

    Args:
        depot: of its process.
        there: of the receiver's.
        chance: what the sizes of pieces are drawn from.
    """

    def __init__(
        self, depot: Depot, there: Depot, chance: random.Random, end: End, flow: Flow, offering: Offering
    ) -> None:
        self.offering = offering
        self.is_over = False
        self._depot = depot
        self._there = there
        self._end = end
        self._flow = flow
        self._files = offering.files
        offer = Offer(offering.id, offering.name, offering.size, len(self._files), offering.is_folder)
        listed = [Listed(path.split("/"), len(data), 1) for path, data in self._files]
        self._deeds = Sending(offer, listed).deeds()
        self._chunk = 20 + int(chance.random() * 150)
        self._is_hearing = self._is_filling = self._has_heard_all = False
        self._before = self._at = 0
        self._data = b""
        self._places: list[int] = []
        self._timer: Timer = []
        self._times = offering.times
        self._deaths = there.deaths
        end.serving[flow.number] = self.arrived
        end.on_room[flow.number] = self._fill
        depot.sending.append(self)

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
                    if self._deaths == self._there.deaths:  # else it was accepted by who is gone
                        self.offering.goes_on(self._before + offset, self._end.limits.window)
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
        elif flow.reset is not None or flow.is_read_out or is_closing(end):
            self._leave()

    def _hear_reset(self, code: ResetCode, reason: str) -> None:
        if code is ResetCode.UNWANTED:
            self.offering.refuse(reason)
        elif code is ResetCode.BAD_DATA:
            self.offering.damaged()
        self._leave()

    def _hear_last(self, done: Done) -> None:
        """It is there; the flow is not over before the receiver's end of it is read."""
        self.offering.done(done.name, self._there.shelf)
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
        if self in self._depot.sending:
            self._depot.sending.remove(self)
        abandon(self._end, self._flow, ResetCode.CANCELLED)
        if self._timer:
            self._timer[2] = None
        leave(self._end, self._flow)

    def _stop(self) -> None:
        self.is_over = True
        if self._flow.sent:
            self.offering.sent(self._places[self._flow.sent - 1], self._times)

    def died(self) -> None:
        """The process is gone."""
        self._stop()
        if self._has_heard_all:
            self.offering.died_before_it_knew()
