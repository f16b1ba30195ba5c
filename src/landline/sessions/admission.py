"""Who may be connected at all, before anything is known of them but where they come from.

Counts every open transport, in all and by source, refuses sources that have too much to answer for (``penalties``), and sees callers who
say nothing out when there are too many of them. What a caller is, once it spoke, is ``accept``'s business.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from ..hits import Hit
from ..limits import SESSION, Limits
from ..transports import Transport
from .door import Door, Way
from .driver import log
from .penalties import Fault, Penalties
from .signal import Signal

SILENT_GRACE: Final = SESSION.silent_grace
FIRST_WORDS: Final = SESSION.first_words


class Admission:
    """Takes transports in, and keeps count of them until they are gone.

    Args:
        enter: called with each transport whose first bytes tell which way in it takes, that way, and those bytes.
        hit: called with each hit of a limit.
    """

    def __init__(self, limits: Limits, enter: Callable[[Transport, Way, bytes], None], hit: Hit) -> None:
        self._limits = limits
        self._enter = enter
        self._hit = hit
        self._loop = asyncio.get_running_loop()
        self._open: dict[Transport, None] = {}
        self._by_source: Counter[str] = Counter()
        self._penalties = Penalties(limits)
        self._silent: dict[Door, None] = {}
        self._securing: dict[Door, None] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._is_over = False
        self._line_gone = Signal()
        self._is_told = self._gone  # one bound method is enough for all transports
        self._silence_broken = Signal()

    @property
    def connections(self) -> int:
        """How many transports are open."""
        return len(self._open)

    def admits(self, source: str) -> bool:
        """Whether there is room for one more of this source, and it is not refused; asked first, before a transport is made."""
        if self._penalties.is_refused(source, self._loop.time()):
            self._hit(source, "penalty_from", "refused a source that did not behave")
            return False
        limit = self._limit_of_a_crowd(source)
        if limit:
            self._hit(source, limit, "turned a caller away")
        return not limit and not self._is_over

    def left(self, source: str) -> None:
        """Somebody hung up before there was a transport of it."""
        self._charge(source, Fault.LEFT)

    def accept(self, transport: Transport) -> None:
        """Receive a new transport; asked once more, since others may have come meanwhile."""
        if not self.admits(transport.source):
            transport.abort()
            return
        self._open[transport] = None
        self._by_source[transport.source] += 1
        transport.on_lost = self._is_told
        self._expect(transport)

    def look_again(self, transport: Transport) -> None:
        """Wait for the first words under TLS, of which as many lines may be silent as may be greeted: each takes far more memory than a bare one."""
        door = self._expect(transport)
        self._securing[door] = None
        if len(self._securing) > self._limits.max_handshakes:
            oldest = next(iter(self._securing))  # an honest one is through within a moment
            del self._securing[oldest]
            self._hit(
                oldest.transport.source, "max_handshakes", "hung up on the oldest that says nothing under TLS"
            )
            oldest.hang_up()

    def _expect(self, transport: Transport) -> Door:
        """Wait for the first words on a transport."""
        door = Door(transport, self._spoke, self._left, self._limits.silent_timeout)
        self._silent[door] = None
        if len(self._silent) > self._limits.max_silent and self._sweeping is None:
            self._sweeping = self._loop.call_later(SILENT_GRACE, self._sweep)
        return door

    def _limit_of_a_crowd(self, source: str) -> str:
        """Return the limit that a further connection would go over, or nothing."""
        if len(self._open) >= self._limits.max_connections:
            return "max_connections"
        is_crowd = source and self._by_source[source] >= self._limits.max_per_source
        return "max_per_source" if is_crowd else ""

    def _gone(self, transport: Transport) -> None:
        del self._open[transport]
        self._line_gone.wake()
        self._by_source[transport.source] -= 1
        if not self._by_source[transport.source]:
            del self._by_source[transport.source]

    def charge(self, transport: Transport, fault: Fault) -> None:
        """Let the source of a transport answer for what came over it."""
        self._charge(transport.source, fault)

    def _charge(self, source: str, fault: Fault) -> None:
        refused_for = self._penalties.charge(source, fault, self._loop.time())
        if refused_for is not None:
            log.warning("refusing every line from %s for %.0f seconds", source, refused_for)

    # Who says nothing...

    def _spoke(self, door: Door, way: Way, head: bytes) -> None:
        self._silent.pop(door, None)
        self._securing.pop(door, None)
        self._silence_broken.wake()
        self._enter(door.transport, way, head)

    def _left(self, door: Door) -> None:
        self._silence_broken.wake()
        # A browser that warns of a certificate goes so with every line, also after a person has taken it, and opens lines ahead of its needs.
        is_borne = door in self._securing
        self._securing.pop(door, None)
        if door in self._silent:
            del self._silent[door]
            if not self._is_closed and not is_borne:
                self.charge(door.transport, Fault.LEFT)
        if door.is_too_silent:
            self._hit(door.transport.source, "silent_timeout", f"hung up on {door.transport.peer}")

    def _sweep(self) -> None:
        """Hang up on the oldest of the silent, as long as there are too many of them."""
        self._sweeping = None
        surplus = len(self._silent) - self._limits.max_silent
        now = self._loop.time()
        for door in list(self._silent)[: max(surplus, 0)]:
            if now < door.since + SILENT_GRACE:
                self._sweeping = self._loop.call_at(door.since + SILENT_GRACE, self._sweep)
                return
            self._hit(door.transport.source, "max_silent", "hung up on the oldest of the silent")
            door.hang_up()

    # The server goes...

    def close(self) -> None:
        """Expect nobody new, and hang up on the silent; but who came this very moment is heard first, see ``hear_out``."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._hang_up_on_silent()

    async def hear_out(self) -> None:
        """Wait until those who came this very moment have said what they speak, or were silent for too long."""
        while self._silent:
            try:
                async with asyncio.timeout_at(next(iter(self._silent)).since + FIRST_WORDS):
                    await self._silence_broken.wait()
            except TimeoutError:
                self._hang_up_on_silent()

    def _hang_up_on_silent(self) -> None:
        before = self._loop.time() - FIRST_WORDS
        for door in [door for door in self._silent if door.since <= before]:
            del self._silent[door]
            door.hang_up()

    async def hang_up(self) -> None:
        """Wait until every transport is gone; who keeps its own open is hung up on after ``close_timeout`` seconds."""
        self._is_over = True
        try:
            async with asyncio.timeout(self._limits.close_timeout):
                await self._until_empty()
        except TimeoutError:
            for transport in list(self._open):
                self._hit(transport.source, "close_timeout", f"hung up on {transport.peer}")
                transport.abort()
            await self._until_empty()

    def abort(self) -> None:
        """Hang up on everybody, and take nobody in any more."""
        self._is_over = True
        for transport in list(self._open):
            transport.abort()

    async def _until_empty(self) -> None:
        while self._open:
            await self._line_gone.wait()
