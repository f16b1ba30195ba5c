"""A chat client's call: one at a time, from the first ring to the last goodbye.

While it lasts, what is typed goes to the other one alone. The end that we make ourselves counts at once, so that the next line goes to
the room; what the server says of it afterwards is no news.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from landline.apps.chat import text, wire
from landline.apps.chat.client import events
from landline.apps.chat.client.pending import Numbered, PendingRequests


class Ask(Protocol):
    """Sends a request of this kind, with a number of its own before ``fields``; ``to`` is whom a line in a call is for."""

    def __call__(self, kind: Callable[..., Numbered], *fields: str, now: float, to: str = "") -> None:
        """Send ``kind(number, *fields)``."""


class ClientCall:
    """The call of one client.

    Args:
        pending: what the client waits for.
        ask: sends a request.
        tell: takes the events.

    Attributes:
        name: the other one, from the first ring on; empty without a call.
        stage: how far it has come.
    """

    def __init__(self, pending: PendingRequests, ask: Ask, tell: Callable[[events.Event], None]) -> None:
        self.name = ""
        self.stage: Literal["none", "calling", "ringing", "talking"] = "none"
        self._pending = pending
        self._ask = ask
        self._tell = tell

    # What the person does...

    def ring(self, name: str, now: float, *, is_down: bool = False) -> None:
        """Ring somebody, or answer their ringing.

        Raises:
            ValueError: the line ``is_down``; nobody shall be rung, or answered, minutes after that was wanted.
        """
        same = self.stage != "none" and self._is_with(name)
        if is_down and (self.stage == "none" or (same and self.stage == "ringing")):
            raise ValueError(
                f"The line is down, and a call does not wait: /call {name} again when it is back."
            )
        if self.stage == "none":
            self.name, self.stage = name, "calling"
            self._ask(wire.Ring, name, now=now)
        elif same and self.stage == "ringing":
            self._ask(wire.Accept, now=now)
        elif same:
            doing = "talking to" if self.stage == "talking" else "ringing"
            self._tell(events.Said(f"You are {doing} {self.name} already."))
        else:
            self._tell(events.Said(self._busy(name), trouble=True))

    def bye(self, room: str, now: float) -> bool:
        """Hang up, decline or stop ringing; return False when there is no call to end. ``room`` is typed into from here."""
        if self.stage == "none":
            return False
        why = {"calling": "you stopped ringing", "ringing": "you declined"}.get(self.stage, "you hung up")
        self._ask(wire.Hangup, now=now)
        self._end(why, room)
        return True

    def _busy(self, name: str) -> str:
        other = self.name
        return {
            "calling": f"You are ringing {other}: /bye stops it, then call {name}.",
            "ringing": f"{other} is calling: /call {other} accepts, /bye declines; then call {name}.",
        }.get(self.stage, f"You are talking to {other}: /bye ends it, then call {name}.")

    # ... what the server says...

    def heard(self, told: wire.Rang | wire.CallBegan | wire.CallEnded, room: str) -> None:
        """Somebody rings, a call begins or one is over; ``room`` is typed into when it is."""
        match told:
            case wire.Rang(name):
                if self.stage == "none":
                    self.name, self.stage = name, "ringing"
                self._tell(events.Rang(name))
            case wire.CallBegan(name):
                for kind in (wire.Ring, wire.Accept):
                    self._pending.take_all(kind)
                self.name, self.stage = name, "talking"
                self._tell(events.CallBegan(name))
            case wire.CallEnded(name, why):
                # The end that we made ourselves was told when we did.
                if self.stage != "none" and self._is_with(name) and not self._pending.of(wire.Hangup):
                    self._end(why, room, by_us=False)

    def rings(self, name: str) -> None:
        """The server found who was to be rung, and rings them."""
        if self.stage == "calling" and self._is_with(name):
            self._tell(events.Calling(self.name))

    def refused(self) -> None:
        """The server would not ring them, or the ringing was over: ``Sorry`` says why."""
        self.name, self.stage = "", "none"

    def renamed(self, old: str, new: str) -> None:
        """Somebody is called otherwise."""
        if self.name and self._is_with(old):
            self.name = new

    # ... and what the line does.

    def session_ended(self, room: str) -> None:
        """A call does not outlive the session."""
        if self.stage != "none":
            self._end("the line to the server was lost", room, by_us=False)

    def _is_with(self, name: str) -> bool:
        """Whether the call is with who is called so, however the person spelled it."""
        return text.name_key(self.name) == text.name_key(name)

    def _end(self, why: str, room: str, *, by_us: bool = True) -> None:
        name, stage = self.name, self.stage
        self.name, self.stage = "", "none"
        if stage == "talking":
            self._tell(events.CallEnded(name, why, room))
        elif stage == "ringing" and not by_us:
            self._tell(events.CallMissed(name))
        else:
            self._tell(events.NoCall(name, why))
