"""What the processes of a world may ask of it: its time, its chances, its network.

``world.World`` is the one that there is; the client and the host know it by this.
"""

from __future__ import annotations

import random
from typing import Protocol

from ...limits import Limits
from ...protocol.session import Session
from .call_books import CallBooks
from .depot import Depot
from .file_books import FileBooks
from .line import Clock, Port
from .presence_books import PresenceBooks
from .talk import Talk, Witness


class Setting(Clock, Witness, Protocol):
    """The world around a process.

    Attributes:
        limits: of everybody.
        chance: what jitter and pauses are drawn from.
        capacity: bytes that one direction of a line holds.
        auth_delay: seconds that the server takes to decide who somebody is.
        is_refusing: nobody can reach the server now.
        commit_pause: seconds that the server's disk takes to commit; None: it has none.
        calls: the books of what programs call; None: they call nothing.
        presence: the books of groups; None: there are none.
        files: the books of files; None: nobody sends any.
        file_chance: what happens to them is drawn from.
        depots: of every process that takes files, by its number; the server's is 0.
        changed: sessions that changed the kind of their carrier; changes: how often.
    """

    limits: Limits
    chance: random.Random
    capacity: int
    auth_delay: float
    is_refusing: bool
    commit_pause: float | None
    calls: CallBooks | None
    presence: PresenceBooks | None
    files: FileBooks | None
    file_chance: random.Random
    depots: dict[int, Depot]
    changed: int
    changes: int

    def age(self, core: Session) -> None:
        """Make a new session one that has carried much already."""
        ...

    def connect(self, port: Port) -> None:
        """Make a client's port one end of a line to the server."""
        ...

    def forget(self, port: Port) -> None:
        """Hang up both ends of a line that is not looked at any more."""
        ...

    def watch(self, talk: Talk) -> None:
        """Look at the books of a new session from now on."""
        ...

    def talk_of(self, session_id: bytes, life: bytes) -> Talk:
        """Return the books of a session in a life of the server."""
        ...
