"""The chat's news and lists in words, for those whom the server itself writes to: plain callers and the operator; and why lines cannot be told.

What comes out holds names and texts as people sent them; whoever shows it cleans it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from landline.apps.chat import wire
from landline.storage import DAMAGED, EXPIRED, HISTORY_REPLACED

SHOWN_NAMES: Final = 50
"""Names in one list; more would push everything else off the screen."""
SHOWN_ROOMS: Final = 50
SENTENCES: Final = {
    DAMAGED: "Some lines are damaged on the server's disk and cannot be shown.",
    EXPIRED: "Older lines than these are no longer kept.",
    HISTORY_REPLACED: "This server's history is not the one that you knew, so what was missed cannot be told.",
}
"""Why lines are missing, by the reason of the gap."""


def missing(reason: str) -> str:
    """Return why lines cannot be told, by the reason of their gap."""
    return SENTENCES.get(reason, f"Some lines in between cannot be told: {reason}.")


def news(message: wire.Told, own: str) -> str:
    """Return what happened as a sentence; an empty string when there is nothing to say of it to whoever is called ``own``."""
    match message:
        case wire.Came(room, name) if name != own:
            return f"{name} joined {room}."
        case wire.Went(room, name, why) if name != own:
            return f"{name} left {room}" + (f" ({why})." if why else ".")
        case wire.Renamed(old, new) if new != own:
            return f"{old} is called {new} now."
        case wire.Away(name, away) if name != own:
            return (
                f"The line of {name} is down; it is being redialled."
                if away
                else f"{name} is back on the line."
            )
        case _:
            return ""


def listed_members(room: str, members: Sequence[wire.Member]) -> str:
    """Return who is in a room."""
    if not members:
        return f"Nobody is in {room}."
    names = [member.name + (" (line down)" if member.away else "") for member in members[:SHOWN_NAMES]]
    more = f" and {len(members) - SHOWN_NAMES} more" if len(members) > SHOWN_NAMES else ""
    return f"In {room}: {', '.join(names)}{more}."


def listed_rooms(rooms: Sequence[wire.Room]) -> str:
    """Return which rooms there are."""
    shown = [f"{room.name} ({room.members or 'empty'})" for room in rooms[:SHOWN_ROOMS]]
    more = f" and {len(rooms) - SHOWN_ROOMS} more" if len(rooms) > SHOWN_ROOMS else ""
    return f"Rooms: {', '.join(shown)}{more}." if shown else "There are no rooms yet: /join makes one."
