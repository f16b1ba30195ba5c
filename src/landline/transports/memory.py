"""A transport without a socket: two ends in one process, on one loop, for tests and for programs that talk to themselves.

Bytes arrive on the next tick of the loop, in the chunks they were written in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

from ..errors import ConnectError, ListenError
from .address import Address
from .base import Accept, Borrower, Gate, Receiver, Transport, joined, nothing
from .listening import ListeningSocket
from .stream import HIGH_WATER

_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _MemoryListener]] = WeakKeyDictionary()


async def open_transport(address: Address) -> Transport:
    """Connect to whoever listens under that name on this loop."""
    listener = _listeners.get(asyncio.get_running_loop(), {}).get(address.path)
    if listener is None or listener.accept is None:
        raise ConnectError(str(address), "nobody listens there")
    ours, theirs = MemoryTransport(str(address)), MemoryTransport(str(address))
    ours.other, theirs.other = theirs, ours
    listener.accept(theirs)
    return ours


async def bind_listener(
    address: Address, *, backlog: int, passed: list[ListeningSocket] | None = None
) -> _MemoryListener:
    """Take a name on this loop, which is there to be dialled when its listener was started; its callers are exempt from any gate."""
    names = _listeners.setdefault(asyncio.get_running_loop(), {})
    if address.path in names:
        raise ListenError(str(address), "the name is taken")
    names[address.path] = listener = _MemoryListener(names, address)
    return listener


class _MemoryListener:
    def __init__(self, names: dict[str, _MemoryListener], address: Address) -> None:
        self._names = names
        self._address = address
        self.accept: Accept | None = None
        self.addresses = [str(address)]

    def start(self, accept: Accept, gate: Gate | None = None) -> None:
        """Accept from now on."""
        self.accept = accept

    def hand_over(self) -> list[ListeningSocket]:
        """Nothing: a name belongs to its loop."""
        return []

    def close(self) -> None:
        """Accept no more."""
        self._names.pop(self._address.path, None)

    async def wait_closed(self) -> None:
        """Everybody is handed over as they come."""


class MemoryTransport:
    """One end of a pair."""

    wrapping = 0

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.source = ""
        self.on_lost: Callable[[Transport], None] = nothing
        self.other: MemoryTransport | None = None
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver | None = None
        self._arrived: deque[bytes | None] = deque()
        self._waiting = 0
        self._is_closing = False
        self._is_lost = False
        self._is_held = False
        self._has_ended = False
        self._has_said_all = False

    @property
    def backlog(self) -> int:
        """Bytes written that the other end has not been told of."""
        return 0 if self.other is None else self.other._waiting

    @property
    def is_writable(self) -> bool:
        """Whether more should be written now."""
        return not self._is_closing and self.backlog <= HIGH_WATER

    def start(self, receiver: Receiver) -> None:
        """Tell ``receiver`` from now on."""
        self._receiver = receiver
        self._loop.call_soon(receiver.data_ended if self._has_ended else self._deliver)

    def hold(self, is_held: bool) -> None:
        """Take no more for now, or go on."""
        self._is_held = is_held
        self._loop.call_soon(self._deliver)

    def widen(self, borrower: Borrower) -> None:
        """Nothing is read here: what was written comes as it was."""

    def write(self, *pieces: bytes) -> None:
        """Hand them to the other end on the next tick."""
        data = joined(pieces)
        if not self._is_closing and not self._has_said_all and self.other is not None and data:
            self.other._arrive(data)

    def end(self) -> None:
        """End our direction once what was written has arrived; the other one goes on."""
        if not self._is_closing and not self._has_said_all and self.other is not None:
            self._has_said_all = True
            self.other._arrive(b"")

    def close(self) -> None:
        """End both directions once what was written has arrived."""
        if not self._is_closing:
            self._is_closing = True
            if self.other is not None:
                self.other._arrive(None)
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        """Go at once; what waits at the other end still arrives, as with a socket."""
        self.close()

    def _arrive(self, data: bytes | None) -> None:
        if self._is_lost:
            return
        self._arrived.append(data)
        self._waiting += len(data or b"")
        self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        while self._arrived and self._receiver is not None and not self._is_lost and not self._is_held:
            data = self._arrived.popleft()
            if not data:  # b"": no more comes; None: and the other end goes
                if not self._has_ended:
                    self._has_ended = True
                    self._receiver.data_ended()
                if data is None:
                    self._loop.call_soon(self._lose)
                    return
                continue
            was_full = self._waiting > HIGH_WATER
            self._waiting -= len(data)
            if not self._is_closing:
                self._receiver.data_received(data)
            if (
                was_full
                and self._waiting <= HIGH_WATER
                and self.other is not None
                and self.other._receiver is not None
            ):
                self.other._receiver.writable()

    def _lose(self) -> None:
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._arrived.clear()
        self.other = None
        if self._receiver is not None:
            self._receiver.lost(None)
        self.on_lost(self)
