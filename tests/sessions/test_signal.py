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
    late.cancel()
    await asyncio.sleep(0)
    assert signal._waiters == []
