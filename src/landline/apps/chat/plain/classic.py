"""The rule of a call to a classic ten-line socket server, which is where most people's first chat ends.

Such a server takes one caller, reads ``recv(1024)``, shows it, waits in ``input()`` for its operator and sends what was typed, without line
ends. So one message of at most 1,024 bytes is outstanding at a time and further lines wait, visibly. When its operator just presses Enter
it sends nothing and reads again: the two would wait for each other for ever, and the person here is told so. No I/O happens here.
"""

from __future__ import annotations

import codecs
from collections import deque
from typing import Final

import msgspec

from landline.apps.chat.limits import CLIENT
from landline.apps.chat.plain.turns import MAX_SEND
from landline.apps.chat.text import pieces, safe_text

SETTLE_WAIT: Final = 0.15
"""Seconds without a further byte after which what was heard is one answer."""
EXPLAIN_WAIT: Final = 5.0
"""Seconds without an answer after which the person is told what may be going on."""
UNATTENDED_WAIT: Final = CLIENT.classic_unattended
AHEAD_WAIT: Final = 1.0
"""Seconds until a message counts as answered by what came unasked before it."""
GOODBYE_WAIT: Final = CLIENT.classic_goodbye
MAX_WAITING: Final = CLIENT.classic_waiting
MAX_ANSWER: Final = CLIENT.classic_answer

_EXPLANATION: Final = (
    "No answer yet. They may be typing, or busy with somebody else; or they pressed Enter on an empty line, which sends "
    "nothing: then they are waiting for you. Your next Enter sends {what} all the same."
)


class Heard(msgspec.Struct, frozen=True):
    """The other side said this."""

    text: str


class Notice(msgspec.Struct, frozen=True):
    """Something about the line that the person should know."""

    text: str


class Ended(msgspec.Struct, frozen=True):
    """The last event: the call is over."""

    reason: str


Event = Heard | Notice | Ended


class ClassicCall:
    """The state of one call to a classic server. Times are seconds of any clock that only rises.

    Args:
        attended: whether a person types here, who can decide what to do about silence; otherwise it is a pipe.
    """

    def __init__(self, *, attended: bool) -> None:
        self.attended = attended
        self._waiting: deque[str] = deque()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._heard = ""
        self._settle_at: float | None = None
        self._asked_at: float | None = None  # when the message that has no answer yet went out
        self._explained = False
        self._ahead = False  # something came unasked: it is the answer to what is said next
        self._typing_ended = False
        self._hang_up_at: float | None = None
        self._sends: list[bytes] = []
        self._events: deque[Event] = deque()
        self.closed = False

    @property
    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return len(self._waiting)

    # The person...

    def typed(self, line: str, now: float) -> None:
        """Take a line that was typed."""
        text = safe_text(line).rstrip("\n")
        if self.closed or self._hang_up_at is not None:
            return
        if self.attended and _is_bye(text):
            self.hang_up(now)
        elif not text.strip():
            self._empty(now)
        else:
            self._take(text, now)
        self._pump(now)

    def typing_ended(self, now: float) -> None:
        """No more lines will come: a person is done, a pipe's last line is answered first."""
        if self.attended:
            self.hang_up(now)
        self._typing_ended = True
        self._pump(now)

    def hang_up(self, now: float) -> None:
        """Say bye, and give the other side a moment to hang up first."""
        if self.closed or self._hang_up_at is not None:
            return
        if self._waiting:
            self._notice(_never_sent(len(self._waiting)))
            self._waiting.clear()
        self._sends.append(b"bye")
        self._hang_up_at = now + GOODBYE_WAIT

    # ... the other side...

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the other side; none at all means that it hung up."""
        if self.closed:
            return
        self._heard += self._decoder.decode(data, final=not data)
        if not data:
            self._settle(now)
            self._end("They hung up.")
            return
        self._settle_at = now + SETTLE_WAIT
        if len(self._heard) >= MAX_ANSWER:
            self._show()

    def connection_lost(self, reason: str) -> None:
        """The connection broke."""
        self._show()
        self._end(f"The line broke: {reason}.")

    # ... and time.

    def timeout_at(self) -> float | None:
        """Return when to call ``handle_timeout``, or None."""
        moments = [self._settle_at, self._hang_up_at, self._give_up_at()]
        return None if self.closed else min((at for at in moments if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what was due at ``timeout_at``; too early does no harm."""
        if self.closed:
            return
        if self._settle_at is not None and now >= self._settle_at:
            self._settle(now)
        at = self._give_up_at()
        if at is not None and now >= at:
            self._give_up()
        if self._hang_up_at is not None and now >= self._hang_up_at:
            self._end("Goodbye.")
        self._pump(now)

    # What comes of it.

    def data_to_send(self) -> list[bytes]:
        """Return what to write; each element is exactly one send."""
        sends, self._sends = self._sends, []
        return sends

    def events(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        events = list(self._events)
        self._events.clear()
        return events

    # One message outstanding, the others wait.

    def _take(self, text: str, now: float) -> None:
        messages = [piece.decode() for piece in pieces(text, MAX_SEND)]
        if len(self._waiting) + len(messages) > MAX_WAITING:
            self._notice(f"{MAX_WAITING} messages are waiting, which is the most: this line was not taken.")
            return
        self._waiting += messages
        if self._asked_at is None:
            return
        if self._explained and self.attended:
            self._send_next(now)
        elif self.attended:
            self._notice(f"That waits until they have answered ({len(self._waiting)} waiting).")

    def _empty(self, now: float) -> None:
        if not self.attended:
            return
        if self._asked_at is not None and self._waiting and self._explained:
            self._send_next(now)
        elif self._asked_at is None:
            self._notice("An empty line sends nothing; type something. bye ends the call.")
        else:
            self._notice("Waiting for their answer.")

    def _pump(self, now: float) -> None:
        if (
            self.closed
            or self._hang_up_at is not None
            or self._asked_at is not None
            or self._settle_at is not None
        ):
            return
        if self._waiting:
            self._send_next(now)
        elif self._typing_ended:
            self._end("That was all.")

    def _send_next(self, now: float) -> None:
        text = self._waiting.popleft()
        if not self.attended and _is_bye(text):
            self.hang_up(now)
            return
        if self._asked_at is not None or self._waiting:
            more = f", {len(self._waiting)} still waiting" if self._waiting else ""
            self._notice(f"Sent: {_shortened(text)}{more}")
        self._sends.append(text.encode())
        self._asked_at = now
        self._explained = False

    def _settle(self, now: float) -> None:
        """What was heard is an answer."""
        del now
        self._settle_at = None
        if not self._heard:
            return
        self._show()
        self._ahead = self._asked_at is None
        self._asked_at = None

    def _show(self) -> None:
        text, self._heard = safe_text(self._heard), ""
        if text:
            self._events.append(Heard(text))

    def _give_up_at(self) -> float | None:
        if self._asked_at is None or self._hang_up_at is not None:
            return None
        if self._ahead:
            return self._asked_at + AHEAD_WAIT
        if not self._explained:
            return self._asked_at + EXPLAIN_WAIT
        return None if self.attended else self._asked_at + UNATTENDED_WAIT

    def _give_up(self) -> None:
        if self._ahead:
            self._ahead = False
            self._asked_at = None
        elif not self._explained:
            self._explained = True
            if self.attended:
                what = "the next message that waits" if self._waiting else "what you type"
                self._notice(_EXPLANATION.format(what=what))
            else:
                self._notice(
                    f"No answer yet; after {UNATTENDED_WAIT:.0f} seconds the next line goes out all the same."
                )
        else:
            self._notice("Still no answer; going on.")
            self._asked_at = None

    def _end(self, reason: str) -> None:
        if self._waiting:
            self._notice(_never_sent(len(self._waiting)))
            self._waiting.clear()
        self._events.append(Ended(reason))
        self.closed = True

    def _notice(self, text: str) -> None:
        self._events.append(Notice(text))


def _is_bye(text: str) -> bool:
    return text.strip().lower() in ("bye", "/bye")


def _never_sent(number: int) -> str:
    return (
        f"{number} messages that waited were never sent."
        if number > 1
        else "A message that waited was never sent."
    )


def _shortened(text: str, most: int = 40) -> str:
    text = safe_text(text, keep="")
    return text if len(text) <= most else text[: most - 1] + "…"
