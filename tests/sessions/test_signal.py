"""Waking many who wait at once."""

from __future__ import annotations

import asyncio

from landline.sessions.signal import Signal


async def test_a_signal_wakes_all_who_wait_now() -> None:
    """And nobody who comes later."""
    signal = Signal()
    waits = [asyncio.ensure_future(signal.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    signal.wake()
    late = asyncio.ensure_future(signal.wait())
    await asyncio.sleep(1)

    assert [wait.cancelled() for wait in waits] == [True, False, False]
    assert all(wait.done() for wait in waits)
    assert not late.done()


async def test_those_who_gave_up_waiting_are_forgotten() -> None:
    """Nobody wakes them, however many there are while nothing happens."""
    signal = Signal()
    patient = signal.wait()
    for _ in range(1000):
        signal.wait().cancel()

    assert len(signal._others) < 20
    signal.wake()
    assert patient.done()


async def test_who_waits_costs_as_much_however_many_wait() -> None:
    """They are looked through when there are twice as many, and not for each; after a wake as at first."""
    signal = Signal()
    for _ in range(2):
        looks, waiters = 0, signal._others
        waits = []
        for _ in range(1000):
            waits.append(signal.wait())
            looks += signal._others is not waiters
            waiters = signal._others
        assert looks < 12
        signal.wake()
        assert all(wait.done() for wait in waits)
