"""What the program of one end of a simulated session has to send, and its files: ``file_sending`` and ``file_receiving`` are one each, over one flow.

What a program wants to send outlives its sessions and its process: whoever comes next goes on with it.
"""

from __future__ import annotations

import random
from typing import Final

from ...protocol.files import FILE_PURPOSE
from ...protocol.flow import Flow
from .depot import Depot
from .ends import End
from .file_books import FileBooks
from .file_receiving import FileReceiving
from .file_sending import FileSending
from .flows import open_flow

_MOST: Final = 3
"""What a program has to send at once."""
_NAMES: Final = ("a.txt", "a.txt", "b", "-c")


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
        self._sending: list[FileSending] = []
        self._receiving: list[FileReceiving] = []

    # Its session...

    def takes(self, flow: Flow) -> bool:
        """Take a flow that the peer opened, if it is for a file; return whether it is."""
        if flow.purpose != FILE_PURPOSE:
            return False
        incoming = FileReceiving(self.depot, self.chance, self.end, flow)
        self._receiving = [*(each for each in self._receiving if not each.is_over), incoming]
        self.end.serving[flow.number] = incoming.arrived
        self.end.node.ready.append(incoming.arrived)  # what came together with it was reported before it
        return True

    def wake(self) -> None:
        """The session is closing, or over."""
        everything: list[FileSending | FileReceiving] = [*self._sending, *self._receiving]
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
                    outgoing = FileSending(self.depot, self.peer, self.chance, end, flow, offering)
                    self._sending.append(outgoing)
                    outgoing.go_on()

    # ... until there is nothing to do.

    @property
    def lacks(self) -> str:
        """What is still to come, if anything is."""
        return next(filter(None, (each.lacks for each in self._offerings)), "")
