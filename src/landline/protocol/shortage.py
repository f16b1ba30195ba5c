"""When all sessions of a server together hold too much memory: which of them let go, of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic

from ..limits import Limits
from .credit import UNFINISHED, Pressure, heaviest
from .frames import CloseCode
from .kept import C, E, Kept
from .resume import SessionTable


class Shortage(Generic[C, E]):
    """Makes room among the sessions of one host.

    Args:
        pressure: what they hold together.
        table: where those without a line stand.
        kept: all of them, by their id.
        carried: those with a line, by it.
        hit: told the source, the limit's name, and what was done.
        wake: called when there is something to do, see ``is_due``.

    Attributes:
        is_due: ``make_room`` should be called now.
    """

    def __init__(
        self,
        limits: Limits,
        pressure: Pressure,
        table: SessionTable,
        kept: Mapping[bytes, Kept[C, E]],
        carried: Mapping[C, Kept[C, E]],
        hit: Callable[[str, str, str], Any],
        wake: Callable[[], None],
    ) -> None:
        self.is_due = False
        self._limits = limits
        self._pressure = pressure
        self._table = table
        self._kept = kept
        self._carried = carried
        self._hit = hit
        self._wake = wake
        pressure.on_rise = self._memory_is_short

    def line_dropped(self) -> None:
        """A session has no line any more; its host looks at the time soon."""
        self.is_due |= self._pressure.is_on

    def make_place(self, source: str, *, crowded: bool) -> None:
        """Have room for one more session, for somebody of this source, if there is one to end, and it may have one more."""
        surplus = None if crowded else self._table.surplus  # nobody makes room for who gets none
        if surplus is not None:
            self._hit(
                source, "max_sessions", "of those without a line, one that had lived for a short time went"
            )
            self._kept[surplus.id].end.lose(CloseCode.EXPIRED, "the server needed the room")

    def make_room(self, now: float) -> None:
        """Do what is due."""
        if self.is_due:
            self.is_due = False
            if self._pressure.is_on:
                self._hang_up_on_unfinished(now)
                self._end_those_without_line()

    def _memory_is_short(self) -> None:
        if self.is_due:
            return
        self._hit("", "memory", "senders wait, and credit is withheld")
        self._end_those_without_line()
        if self._pressure.has_too_much_unfinished:
            # Not at once: it is told in the middle of what one of those lines brings.
            self.is_due = True
            self._wake()

    def _end_those_without_line(self) -> None:
        """Sessions without a line keep a quarter of the memory at most.

        Those that hold the most go first, so that few go, and nobody for what others hold; of equal ones the oldest.
        """
        sizes = [(record.id, record.session.memory) for record in self._table.without_line]
        surplus = sum(size for _, size in sizes) - self._limits.memory // 4
        for session_id in heaviest(((who, size, size) for who, size in sizes if size), surplus):
            self._kept[session_id].end.lose(CloseCode.EXPIRED, "the server needed the memory")

    def _hang_up_on_unfinished(self, now: float) -> None:
        """Lines whose unfinished frames have held much for long go, until half of what those may hold is left.

        Its session goes on, and its client sends the frame again on another line; but where too much is held still, those without a line end first.
        """
        if self._pressure.has_too_much_unfinished:
            held = [
                (carrier, core.unfinished, core.unfinished * (now - carrier.connection.frame_began_at))
                for carrier, kept in self._carried.items()
                if kept.carrier is carrier and (core := kept.end.core).unfinished
            ]
            surplus = self._pressure.unfinished - self._limits.memory * UNFINISHED / 2
            for carrier in heaviest(held, surplus):
                source = self._carried[carrier].source
                self._hit(source, "memory", "hung up on a line with an unfinished frame")
                carrier.connection.break_off(CloseCode.BUSY, "the server needed the memory")
                carrier.schedule()
