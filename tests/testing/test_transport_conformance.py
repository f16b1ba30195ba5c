"""The suite for transports can fail: one that breaks a promise is found, and the test says which."""

from __future__ import annotations

import pytest

from landline.testing.transport_conformance import Recorder, TransportConformance
from landline.transports import Receiver
from landline.transports.memory import MemoryTransport

SUITE = TransportConformance()


async def test_a_transport_that_loses_bytes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last byte of each write."""
    write = MemoryTransport.write

    def write_less(self: MemoryTransport, data: bytes) -> None:
        write(self, data[:-1])

    monkeypatch.setattr("landline.testing.transport_conformance.BOUND", 0.1)
    monkeypatch.setattr(MemoryTransport, "write", write_less)
    async with SUITE.open_line("memory://broken") as line:
        with pytest.raises(TimeoutError):
            await SUITE.test_bytes_arrive_in_order_both_ways(line, Recorder())


async def test_a_transport_with_another_peer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text must be an address of the same kind."""
    monkeypatch.setattr(SUITE, "scheme", "tcp", raising=False)
    async with SUITE.open_line("memory://broken") as line:
        with pytest.raises(AssertionError):
            await SUITE.test_a_peer_has_an_address(line)


async def test_a_transport_that_tells_before_the_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or that forgets what came before it."""
    start = MemoryTransport.start

    def forget(self: MemoryTransport, receiver: Receiver) -> None:
        self._arrived.clear()
        start(self, receiver)

    monkeypatch.setattr("landline.testing.transport_conformance.BOUND", 0.1)
    async with SUITE.open_line("memory://broken") as line:
        monkeypatch.setattr(MemoryTransport, "start", forget)
        monkeypatch.setattr(SUITE, "has_halves", False)
        with pytest.raises(TimeoutError):
            await SUITE.test_nothing_is_told_before_the_start(line, Recorder())
