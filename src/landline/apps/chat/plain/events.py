"""What happens in the conversation with a plain caller, for the driver to carry out.

They come in order, and the next but ``Left`` only when the one before is done: see ``PlainConversation.finished``.
"""

from __future__ import annotations

from dataclasses import dataclass

from landline.apps.chat import commands


@dataclass(frozen=True, slots=True)
class Arrived:
    """The first complete line or message is here: let them in, then ``welcome``."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the room (or the call). When it is stored, or refused, say ``finished``."""

    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A command to carry out. When that is done, say ``finished``."""

    command: commands.Command


@dataclass(frozen=True, slots=True)
class HungUp:
    """They said bye in a call: it ends, they stay."""


@dataclass(frozen=True, slots=True)
class Left:
    """The last event: when everything before it is carried out, say ``end``, write what there is and hang up."""

    reason: str


Event = Arrived | Said | Asked | HungUp | Left
