"""The conversation with one plain caller: somebody with ``nc``, telnet or a ten-line socket script, who speaks no protocol of ours.

No I/O happens here: bytes, moments and what is said in the room come in; bytes, events and deadlines come out. Nothing is sent before
the caller's first complete line, or first message. A first message without a line end is from a caller that takes turns (see ``Turns``);
a line end, whenever it comes, makes it a caller that reads lines, for good.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from typing import Final

from landline.apps.chat import commands
from landline.apps.chat.limits import PLAIN, ChatLimits
from landline.apps.chat.plain.allowance import SLOWED_FOR, Allowance
from landline.apps.chat.plain.events import Arrived, Asked, Event, HungUp, Left, Said
from landline.apps.chat.plain.input import WILL_TIMING_MARK, InputLine, PlainInput
from landline.apps.chat.plain.turns import Backlog, Turn, Turns
from landline.apps.chat.plain.words import (
    EMPTY,
    ENOUGH,
    GOODBYE,
    NO_PAUSE,
    NOT_UTF8,
    SLOWED,
    TOO_LONG,
    greeting,
    notice,
    receipt,
    short_greeting,
    spoken,
    typed,
)
from landline.apps.chat.text import MAX_TEXT, TooMuch, safe_text, valid_line

SETTLE_WAIT: Final = 0.15
"""Seconds without a further byte after which bytes without a line end are a message."""
SPLIT_WAIT: Final = PLAIN.split_wait
MAX_BAD_LINES: Final = PLAIN.bad_lines
MAX_UNREAD_LINES: Final = PLAIN.unread_lines
MAX_UNREAD_BYTES: Final = PLAIN.unread_size


class Mode(enum.Enum):
    """How the caller listens."""

    UNKNOWN = "unknown"
    LINES = "lines"
    TURNS = "turns"


class PlainConversation:
    """The state of one plain caller.

    Each call that takes ``now`` (seconds, any clock that only rises) may make bytes, events or another deadline: afterwards write
    ``data_to_send()``, carry out ``events()`` and arrange for ``handle_timeout`` at ``timeout_at()``.

    Attributes:
        hits: names of the limits that were hit; whoever counts them takes them out.
    """

    def __init__(self, now: float, limits: ChatLimits | None = None) -> None:
        self._limits = limits or ChatLimits()
        self.mode = Mode.UNKNOWN
        self.name = ""
        self.room = ""
        self._input = PlainInput(MAX_TEXT)
        self._ended = False  # no more bytes will come
        self._first_at: float | None = None  # when the first byte of the message at hand came
        self._settle_at: float | None = None
        self._allowance = Allowance(self._limits, now)
        self.hits = self._allowance.hits
        self._bad_lines = 0

        self._arrived = False
        self._call: str | None = None
        self._events: deque[Event] = deque()
        # An event is being carried out: the next line waits, so that answers keep their order...
        self._busy = False
        self._turn: Turn | None = None  # ... and the turn of that event
        # What they came with, until they are welcome.
        self._first: tuple[commands.Command, float] | None = None
        self._left = False  # nothing more is read
        self._farewell = ""
        self._over = False  # nothing more is written

        self._turns = Turns(now)
        self._lines = Backlog(MAX_UNREAD_LINES, MAX_UNREAD_BYTES)
        self._newline = "\n"
        self._sends: list[bytes] = []

    @property
    def closed(self) -> bool:
        """Whether it is over: write what ``data_to_send`` still has and hang up."""
        return self._over

    @property
    def wants_data(self) -> bool:
        """Whether to read from the caller: not while it is being slowed, so that the wait reaches it."""
        return not (
            self._left or self._ended or self._allowance.slowed_until is not None or self._input.has_line
        )

    # What the caller does...

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the caller; none at all means that no more will come."""
        if self._left:
            return
        if data:
            self._input.receive_data(data)
            self._turns.active(now)
        else:
            self._ended = True
        if self._input.has_rest:
            self._first_at = now if self._first_at is None else self._first_at
            self._settle_at = now + SETTLE_WAIT
        self._read(now)
        self._write(now)

    def connection_lost(self, reason: str) -> None:
        """The connection broke; there is nobody to tell."""
        self._leave(reason)

    # ... what is done about it...

    def events(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        events = list(self._events)
        self._events.clear()
        return events

    def welcome(
        self,
        name: str,
        room: str,
        others: Sequence[str],
        recent: Sequence[tuple[str, str]],
        now: float,
    ) -> None:
        """Answer ``Arrived``: greet them by the name they have now; ``recent`` was said before they came."""
        self.name, self.room = safe_text(name, keep=""), safe_text(room, keep="")
        if self.mode is Mode.TURNS:
            self._turns.greet(short_greeting(self.name, self.room, others))
        else:
            for sentence in greeting(self.name, self.room, others):
                self._tell(sentence)
            self.recalled(recent, now)
        self._busy = False
        if self._first is not None and not self._left:
            self._do(*self._first, now)
        self._first = None
        self._read(now)
        self._write(now)

    def finished(self, now: float, *, others: int | None = None) -> None:
        """The last ``Said``, ``Asked`` or ``HungUp`` is done, or was refused with a sentence to ``told``.

        Args:
            now: this moment.
            others: for something said and stored, how many others it went to.
        """
        turn, self._turn, self._busy = self._turn, None, False
        if turn is not None:
            if others is None:
                turn.at_once = True
                turn.receipt = "* done"
            else:
                turn.receipt = receipt(self.room, others) if self._call is None else notice("said")
        self._read(now)
        self._write(now)

    def renamed(self, name: str) -> None:
        """They are called this now."""
        self.name = safe_text(name, keep="")

    def moved(self, room: str) -> None:
        """Their current room is this now."""
        self.room = safe_text(room, keep="")

    def close(self, reason: str) -> None:
        """Tell them why and let them go; what they said before is carried out first."""
        self._leave(reason, farewell=reason)

    def end(self) -> None:
        """Answer ``Left``: the farewell is the last thing that goes out. Whoever never said a line is told nothing."""
        if self._over:
            return
        if self._farewell and self.mode is Mode.LINES:
            self._tell(self._farewell)
        elif self.mode is Mode.TURNS and (data := self._turns.last_send(notice(self._farewell))):
            self._sends.append(data)
        self._over = True

    # ... and what others do.

    def operator_present(self, present: bool, now: float) -> None:
        """Somebody sits at the server, or no longer does: it decides how long a turn-taking caller waits for a word."""
        self._turns.operator_present = present
        self._write(now)

    def room_said(self, name: str, text: str, now: float) -> None:
        """Somebody else said this in their room."""
        self._add(spoken(name, text))
        self._write(now)

    def whispered(self, name: str, text: str, now: float) -> None:
        """Somebody said this to them alone."""
        self._add(spoken(f"{name} (to you)", text))
        self._write(now)

    def talked(self, name: str, text: str, now: float) -> None:
        """The other one in the call said this."""
        self._add(spoken(f"{name} (call)", text))
        self._write(now)

    def told(self, text: str, now: float) -> None:
        """An answer to their command, or something they must know."""
        self._tell(text)
        self._write(now)

    def recalled(self, lines: Sequence[tuple[str, str]], now: float) -> None:
        """These were said earlier in the room that they came to: (name, text), oldest first."""
        if lines:
            self._tell("Said before you came:")
        for name, text in lines[-self._limits.recent :]:
            self._add(spoken(name, text))
        self._write(now)

    def noticed(self, text: str, now: float) -> None:
        """Small news of the room; a turn-taking caller, who hears one thing a turn, is spared them."""
        if self.mode is not Mode.TURNS:
            self._tell(text)
            self._write(now)

    def call_began(self, name: str, now: float) -> None:
        """They talk with one person alone from here."""
        self._call = name
        self._tell(f"You are in a call with {safe_text(name, keep='')}: only they hear you. bye ends it.")
        self._write(now)

    def call_ended(self, name: str, why: str, now: float) -> None:
        """The call, or the ringing, is over."""
        self._call = None
        self._tell(f"The call with {safe_text(name, keep='')} is over" + (f": {why}." if why else "."))
        self._write(now)

    # What goes out, and when to look again.

    def data_to_send(self) -> list[bytes]:
        """Return what to write; each element is exactly one send."""
        sends, self._sends = self._sends, []
        if self._lines and self.mode is Mode.LINES:
            text = "".join(f"{line}\n" for line in self._lines.take_all())
            sends.append(text.replace("\n", self._newline).encode())
        return sends

    def timeout_at(self) -> float | None:
        """Return when to call ``handle_timeout``, or None."""
        if self._left:
            return None
        moments = []
        if not self._busy:
            moments.append(self._allowance.slowed_until)
            if self._allowance.slowed_until is None and self.mode is not Mode.LINES:
                moments.append(self._settle_at)
        if self.mode is Mode.TURNS:
            moments.append(self._turns.send_at())
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what was due at ``timeout_at``; too early does no harm."""
        if not self._left:
            self._read(now)
            self._write(now)

    # Reading: lines as they are complete, a message when nothing follows it.

    def _read(self, now: float) -> None:
        while not (self._left or self._busy):
            if self._input.has_line:
                if self.mode is not Mode.LINES:
                    self._listen_by_lines()
                if not self._may_go_on(now):
                    return
                line = self._input.next_line()
                assert line is not None
                if not self._arrived and not line.goodbye_key and line.end == 0x0D:
                    # As the caller does: telnet needs it, and grep behind nc does not want it.
                    self._newline = "\r\n"
                self._take(line, now)
            elif self._input.has_rest and self._is_settled(now):
                if not self._may_go_on(now):
                    return
                if self.mode is Mode.UNKNOWN:
                    self.mode = Mode.TURNS if not self._ended else Mode.LINES
                line = self._input.take_rest()
                self._settle_at = None
                self._take(line, now)
                self._first_at = None
            else:
                break
        if self._input.is_endless:
            self.hits.append("chat.plain.endless")
            self._leave("sent a line without end", farewell=TOO_LONG)
        if self._ended and not (self._left or self._busy):
            self._leave("hung up")
        # Nothing is sent before the first line, but then telnet still waits for it.
        if self.mode is not Mode.UNKNOWN:
            for _ in range(self._input.timing_marks()):
                if self.mode is Mode.LINES:
                    self._sends.append(WILL_TIMING_MARK)

    def _is_settled(self, now: float) -> bool:
        if self._ended:
            return True
        if self.mode is Mode.LINES or self._settle_at is None or now < self._settle_at:
            return False
        if (
            self._first_at is not None
            and now < self._first_at + SPLIT_WAIT
            and self._input.ends_inside_character()
        ):
            self._settle_at = self._first_at + SPLIT_WAIT
            return False
        return True

    def _listen_by_lines(self) -> None:
        self.mode = Mode.LINES
        self._settle_at = self._first_at = None
        for text in self._turns.take_all():
            self._lines.append(text)

    def _may_go_on(self, now: float) -> bool:
        may = self._allowance.step(now)
        if self._allowance.is_to_be_told and self.mode is Mode.LINES:
            self._tell(SLOWED.format(rate=self._limits.rate, most=SLOWED_FOR))
        if self._allowance.is_used_up:
            self._leave("sent lines without a pause", farewell=NO_PAUSE)
        return may

    def _take(self, line: InputLine, now: float) -> None:
        """Do what one line asks for."""
        at = now if self._first_at is None else self._first_at
        if line.goodbye_key:
            self._leave("said bye", farewell=f"You pressed {line.goodbye_key}. {GOODBYE}")
            return
        if line.too_long:
            self.hits.append("chat.text")
            self._refuse(TOO_LONG, at, now)
            return
        try:
            text = typed(line.data.decode())
        except UnicodeDecodeError:
            self._refuse(NOT_UTF8, at, now)
            self._bad_lines += 1
            if self._bad_lines >= MAX_BAD_LINES:
                self.hits.append("chat.plain.bad_lines")
                self._leave("sent what is not text", farewell=ENOUGH)
            return
        command = commands.parse(safe_text(text))
        if isinstance(command, commands.Bye):
            self._goodbye()
            return
        if not self._arrived:
            self._arrived = True
            self._first = (command, at)
            self._busy = True
            self._events.append(Arrived())
        else:
            self._do(command, at, now)

    def _do(self, command: commands.Command, at: float, now: float) -> None:
        match command:
            case commands.Say(text):
                try:
                    event: Event = Said(valid_line(text))
                except ValueError as error:
                    self.hits += [error.limit] if isinstance(error, TooMuch) else []
                    self._refuse(str(error), at, now)
                    return
            case commands.Nothing():
                if self.mode is Mode.TURNS:
                    self._refuse(EMPTY, at, now)
                return
            case commands.Help():
                self._refuse(commands.help_text(), at, now)
                return
            case commands.Mistake(why):
                self._refuse(why, at, now)
                return
            case _:
                event = Asked(command)
        self._events.append(event)
        self._busy = True
        self._turn = self._turns.asked(at, now) if self.mode is Mode.TURNS else None

    def _refuse(self, text: str, at: float, now: float) -> None:
        """Answer at once, without anybody else."""
        if self.mode is Mode.TURNS:
            turn = self._turns.asked(at, now)
            turn.receipt, turn.at_once = "* done", True
        self._tell(text)

    def _goodbye(self) -> None:
        if self._call is not None and self.mode is Mode.LINES:
            self._call = None
            self._events.append(HungUp())
            self._busy = True
            return
        self._leave("said bye", farewell=GOODBYE)

    # Writing: lines at once, turns when it is their turn.

    def _tell(self, text: str) -> None:
        self._add(notice(text))

    def _add(self, text: str) -> None:
        if self._over:
            return
        if self.mode is Mode.TURNS:
            self._turns.add(text)
        else:
            self._lines.append(text)

    def _write(self, now: float) -> None:
        if self.mode is Mode.TURNS and not self._left and (data := self._turns.next_send(now)):
            self._sends.append(data)

    def _leave(self, reason: str, *, farewell: str = "") -> None:
        if not self._left:
            self._left = True
            self._farewell = farewell
            self._events.append(Left(reason))
