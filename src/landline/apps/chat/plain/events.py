"""What happens in the conversation with a plain caller, for the driver to carry out.

They come in order, and the next but ``Left`` only when the one before is done: see ``PlainConversation.finished``.
"""

from __future__ import annotations

import msgspec

from landline.apps.chat import commands


class Arrived(msgspec.Struct, frozen=True):
    """The first complete line or message is here: let them in, then ``welcome``."""


class Said(msgspec.Struct, frozen=True):
    """A line for the room (or the call). When it is stored, or refused, say ``finished``."""

    text: str


class Asked(msgspec.Struct, frozen=True):
    """A command to carry out. When that is done, say ``finished``."""

    command: commands.Command


class HungUp(msgspec.Struct, frozen=True):
    """They said bye in a call: it ends, they stay."""


class Left(msgspec.Struct, frozen=True):
    """The last event: when everything before it is carried out, say ``end``, write what there is and hang up."""

    reason: str


Event = Arrived | Said | Asked | HungUp | Left
