"""Turn-taking with a caller that sends once and then blocks in one ``recv(1024)``, again and again.

It gets exactly one send for each of its messages, never two that one ``recv`` could merge. What cannot be seen from here is an empty
line: the caller sends nothing and blocks all the same, which looks like a person who thinks. So after a silence something is sent unasked
and counts as the next answer (``ahead``). The message that follows may then have had its answer already, or may be waiting:
it is not answered again until a silence shows that it may be waiting. At most one unread send is risked that way, and when the silence
grows long, a few more that together still fit one ``recv``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from landline.apps.chat.limits import PLAIN
from landline.apps.chat.text import head

MAX_SEND: Final = PLAIN.send
SPACING: Final = 0.15
"""Seconds between two sends that could otherwise be merged, and between two messages of the caller."""
RECEIPT_WAIT: Final = PLAIN.receipt_wait
OPERATOR_WAIT: Final = PLAIN.operator_wait
UNASKED_WAIT: Final = PLAIN.unasked_wait
DOUBT_WAIT: Final = PLAIN.doubt_wait
MAX_WAITING_LINES: Final = PLAIN.waiting_lines
MAX_WAITING_BYTES: Final = PLAIN.waiting_size

CONTINUED: Final = "… "
"""What the rest of a line begins with: no name does, so nobody can place a cut such that another seems to speak."""

_MORE: Final = b"\n* There is more: type something (not an empty line) to hear it."
_MAX_UNASKED: Final = MAX_SEND - len(_MORE)


class Backlog:
    """Lines that wait to be shown, bounded: the oldest go first, and how many went is said in their place."""

    def __init__(self, max_lines: int, max_bytes: int) -> None:
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._lines: deque[str] = deque()
        self._size = 0
        self._dropped = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def append(self, line: str) -> None:
        """Add a line; the oldest go when there is no room."""
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > 1 and (len(self._lines) > self._max_lines or self._size > self._max_bytes):
            self._size -= len(self._lines.popleft())
            self._dropped += 1

    def first(self) -> str:
        """Return the oldest line, or what stands for those that went before it."""
        return f"* … {self._dropped:,} earlier lines" if self._dropped else self._lines[0]

    def remove_first(self, rest: str = "") -> None:
        """Take the first line away; ``rest`` of it stays, marked as what it is."""
        if self._dropped:
            self._dropped = 0
            return
        self._size -= len(self._lines.popleft())
        if rest:
            rest = CONTINUED + rest
            self._lines.appendleft(rest)
            self._size += len(rest)

    def take_all(self) -> list[str]:
        """Return every line and keep none."""
        lines = []
        while self._lines:
            lines.append(self.first())
            self.remove_first()
        return lines


@dataclass(slots=True)
class Turn:
    """One message of the caller that has no answer yet."""

    at: float
    """When its first byte came."""
    receipt: str = ""
    """What to answer when there is nothing else to; empty until what the message asked for is done."""
    at_once: bool = False
    """Nothing is to be waited for: it was a command, or was refused."""


class Turns:
    """When to send what to one turn-taking caller."""

    def __init__(self, now: float) -> None:
        self.operator_present = False
        self._waiting = Backlog(MAX_WAITING_LINES, MAX_WAITING_BYTES)
        self._greeting = ""
        self._turns: deque[Turn] = deque()
        self._news = False  # something was added since the last send
        self._ahead = False  # something was sent that no message asked for, since the last message
        self._unread = 0  # ... its bytes, which one recv may get at once
        self._doubt: Turn | None = None  # the message that may have had its answer before it was sent
        self._last_send = float("-inf")
        self._last_activity = now

    # The caller...

    def active(self, now: float) -> None:
        """Bytes came from the caller."""
        self._last_activity = now

    def asked(self, at: float, now: float) -> Turn:
        """A message is complete, whose first byte came ``at``. Fill in the turn's receipt when it is done."""
        turn = Turn(at)
        self._last_activity = now
        if self._ahead:
            # Its recv has everything that was sent ahead, so nothing is unread now; whether it waits for more cannot be known.
            self._ahead = False
            self._unread = 0
            self._doubt = turn
        elif self._doubt is not None:
            # A caller that sends again was not waiting: the last message was answered ahead, and this one does wait.
            self._doubt = None
            self._turns.append(turn)
        else:
            self._turns.append(turn)
        return turn

    # ... the room...

    def greet(self, text: str) -> None:
        """Put this before the first answer; it is no answer by itself."""
        self._greeting = text

    def add(self, line: str) -> None:
        """Something is to be told to the caller."""
        self._waiting.append(line)
        self._news = True

    def take_all(self) -> list[str]:
        """Return everything that was not sent yet, for a caller that turned out to read lines."""
        greeting = [self._greeting] if self._greeting else []
        self._greeting = ""
        self._turns.clear()
        return greeting + self._waiting.take_all()

    # ... and what goes to the caller, and when.

    def send_at(self) -> float | None:
        """Return when ``next_send`` has something, if nothing changes before; None for never."""
        if self._turns:
            return self._answer_at(self._turns[0])
        if self._doubt is not None:
            if not self._doubt.receipt:
                return None
            return self._last_activity + (UNASKED_WAIT if self._news else DOUBT_WAIT)
        if not self._news or self._unread > _MAX_UNASKED:
            return None
        return self._last_activity + (DOUBT_WAIT if self._ahead else UNASKED_WAIT)

    def next_send(self, now: float) -> bytes | None:
        """Return what is one send to the caller now, or None."""
        at = self.send_at()
        if at is None or now < at:
            return None
        if self._turns:
            turn = self._turns.popleft()
            data = self._compose(MAX_SEND, turn.receipt)
            self._news = False
        elif not self._ahead:
            data = self._compose(_MAX_UNASKED, self._doubt.receipt if self._doubt else "")
            self._doubt = None
            self._ahead = True
            self._unread = len(data)
            self._news = bool(self._waiting)
        else:
            data = self._compose_after_unread()
            self._unread = MAX_SEND if data == _MORE else self._unread + len(data)
            self._news = bool(self._waiting)
        self._last_send = self._last_activity = now
        return data

    def last_send(self, farewell: str) -> bytes | None:
        """Return the last send before the end of the connection, or None; nothing is awaited any more."""
        if farewell:
            self._waiting.append(farewell)
        receipts = [turn.receipt for turn in self._turns if turn.receipt]
        if self._unread:
            data = b"\n" + farewell.encode()
            return data if farewell and self._unread + len(data) <= MAX_SEND else None
        if not (self._waiting or self._greeting or receipts):
            return None
        return self._compose(MAX_SEND, receipts[0] if receipts else "")

    def _answer_at(self, turn: Turn) -> float | None:
        if not turn.receipt:
            return None
        at = turn.at
        if not turn.at_once and not self._waiting:
            at += OPERATOR_WAIT if self.operator_present else RECEIPT_WAIT
        return max(at, self._last_send + SPACING)

    def _compose(self, limit: int, receipt: str = "") -> bytes:
        """Return as many whole lines as fit, or the beginning of one that alone does not; ``receipt`` when there is none."""
        data, rest = head(self._greeting, limit)
        self._greeting = CONTINUED + rest if rest else ""
        if not self._waiting and receipt:
            self._waiting.append(receipt)
        while self._waiting:
            glue = b"\n" if data else b""
            line, rest = (
                head(self._waiting.first(), limit - len(data) - len(glue))
                if limit - len(data) > 4
                else (b"", "-")
            )
            if rest and data:
                break
            data += glue + line
            self._waiting.remove_first(rest)
        return data

    def _compose_after_unread(self) -> bytes:
        """Return what may lie behind something unread: all of it together still fits one ``recv``."""
        line = b"\n" + self._waiting.first().encode()
        if self._unread + len(line) <= _MAX_UNASKED:
            self._waiting.remove_first()
            return line
        return _MORE  # there is always room for this one, and after it for nothing
