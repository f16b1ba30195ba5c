"""How fast rooms are made: each person has a pace, and so has each source, because one source can be many persons one after the other.

A room costs its maker nothing and takes up one of the places that everybody shares; who has made many at once has to wait a while
for the next. Time comes in as a parameter.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.pace import Pace
from landline.apps.chat.server.people import Person, Refusal

_IPV6_SITE: Final = 64
"""Bits of an IPv6 address that stand for one source: who has one address has all of that network."""
_THIS_MACHINE: Final = "this machine"


class Founding:
    """Says who may make a room now.

    Args:
        limits: see there.
        clock: a steady clock, in seconds.
    """

    def __init__(self, limits: ChatLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._sources: dict[str, Pace] = {}

    def check(self, person: Person) -> None:
        """Do nothing when the person may make a room now.

        Raises:
            Refusal: they have to wait; it says how long.
        """
        now = self._clock()
        by_source = self._sources.get(person.source)
        for who, pace, limit in (
            ("You", person.founding, "chat.rooms_founded"),
            ("People where you are", by_source, "chat.rooms_founded_source"),
        ):
            if pace is not None and (wait := pace.wait(now)) > 0:
                raise Refusal(
                    f"{who} made many rooms just now; the next can be made in {math.ceil(wait)} s. /rooms lists those there are.",
                    limit,
                )

    def count(self, person: Person) -> None:
        """The person has made a room."""
        now, limits = self._clock(), self._limits
        if person.founding is None:
            person.founding = Pace(1 / limits.founding_interval, limits.rooms_founded, now)
        person.founding.step(now)
        if not person.source:
            return
        if person.source not in self._sources:
            self._forget_idle(now)
            self._sources[person.source] = Pace(
                1 / limits.founding_interval_source, limits.rooms_founded_source, now
            )
        self._sources[person.source].step(now)

    def _forget_idle(self, now: float) -> None:
        # Where this leaves too many, the one that has been known the longest goes, so that the table is bounded.
        if len(self._sources) < self._limits.sources:
            return
        self._sources = {source: pace for source, pace in self._sources.items() if not pace.is_idle(now)}
        while len(self._sources) >= self._limits.sources:
            del self._sources[next(iter(self._sources))]


def source(peer: str) -> str:
    """Return what counts as one source of the address of somebody's other end: a host, an IPv6 network, or all of this machine."""
    try:
        host = urlsplit(peer).hostname or ""
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _THIS_MACHINE
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return _THIS_MACHINE
    if address.version == 6:
        return str(ipaddress.ip_network((address, _IPV6_SITE), strict=False))
    return str(address)
