"""A group at its server: who is in it, and what is new of them for whoever was told less.

Each change has a number, and only the newest of each member is kept. So whoever watches is no more than the number that it was told last: one
that is slow is told of each member once, as it is by then, and costs nothing meanwhile. Of those who left so many are remembered; who was told
less than that is told anew who is there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..limits import PROTOCOL
from .presence import Gone, Here, Member, Roster, encode

NOTHING: Final = -1
"""What somebody was told who was told nothing."""

_DEPARTED: Final = PROTOCOL.presence_departed
_BATCHES: Final = 16


class _Entry(msgspec.Struct, frozen=True):
    number: int
    data: bytes
    is_gone: bool


class _News(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """As ``presence.News``, of what is encoded already."""

    is_first: bool
    is_complete: bool
    entries: list[msgspec.Raw]


class Group:
    """One group.

    Attributes:
        roster: who is in it.
        number: that of the last change.
    """

    def __init__(self) -> None:
        self.roster = Roster()
        self.number = 0
        self._entries: dict[str, _Entry] = {}
        """The last of each member, in the order of their numbers."""
        self._departed = 0
        self._forgotten = NOTHING
        self._batches: dict[tuple[int, int], tuple[bytes, int]] = {}
        """What was made since the last change: many watchers were told the same, and are told the same next."""

    def put(self, member: Member) -> None:
        """Somebody is in the group, or is not as before."""
        self.roster.put(member)
        here = Here(member.id, member.principal, member.data, member.is_here, member.since)
        self._change(member.id, encode(here), is_gone=False)

    def remove(self, id: str, reason: str = "") -> None:
        """Somebody is in it no longer."""
        self.roster.remove(id, reason)
        self._change(id, encode(Gone(id, reason)), is_gone=True)
        if self._departed > _DEPARTED:
            self._forget()

    def _change(self, id: str, data: bytes, *, is_gone: bool) -> None:
        before = self._entries.pop(id, None)
        self._departed += is_gone - (before is not None and before.is_gone)
        self.number += 1
        self._entries[id] = _Entry(self.number, data, is_gone)
        self._batches.clear()

    def _forget(self) -> None:
        """Forget who has left; more than half of those at once, so that it costs each of them little."""
        gone = [id for id, entry in self._entries.items() if entry.is_gone]
        for id in gone[: len(gone) // 2 + 1]:
            self._forgotten = self._entries.pop(id).number
            self._departed -= 1

    def news(self, told: int, most: int) -> tuple[bytes, int]:
        """Return what to tell somebody next who was told up to a number, and the number up to which that is.

        Args:
            told: see there; ``NOTHING`` for who is told all.
            most: bytes, about; one member is told in any case.
        """
        if told < self._forgotten:
            told = NOTHING
        if (told, most) not in self._batches:
            if len(self._batches) >= _BATCHES:
                self._batches.clear()
            self._batches[told, most] = self._make(told, most)
        return self._batches[told, most]

    def _make(self, told: int, most: int) -> tuple[bytes, int]:
        entries: list[_Entry] = []
        for entry in reversed(self._entries.values()):
            if entry.number <= told:
                break
            entries.append(entry)
        entries.reverse()
        if told == NOTHING:
            entries = [entry for entry in entries if not entry.is_gone]
        size, count = 0, 0
        for entry in entries:
            size += len(entry.data)
            if count and size > most:
                break
            count += 1
        is_complete = count == len(entries)
        data = encode(
            _News(told == NOTHING, is_complete, [msgspec.Raw(entry.data) for entry in entries[:count]])
        )
        return data, self.number if is_complete else entries[count - 1].number
