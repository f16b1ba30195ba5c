"""Many callers at once who are not let in yet: limits hold, and a well-behaved client still gets in."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

import landline
from landline.protocol.frames import CloseCode, FrameType
from landline.sessions.accept import Acceptor
from landline.sessions.auth import admit_all

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True


@pytest.mark.limit("max_handshakes")
async def test_who_is_half_greeted_is_counted(place: Place, wired: Any) -> None:
    """Beyond ``max_handshakes`` the oldest is told to come back: a crowd that never finishes its hello does not shut the door."""
    await place.serve(limits=landline.Limits(max_handshakes=10))
    slow = [await place.line() for _ in range(10)]
    for wire in slow:
        wire.say(wired.hello()[:20])
    await asyncio.sleep(0.1)
    eleventh = await place.line()
    eleventh.hello()

    assert (await eleventh.welcome()).session
    refusal = await slow[0].refusal()
    assert refusal.code is CloseCode.BUSY
    assert refusal.retry_in
    for wire in slow[1:]:
        wire.say(wired.hello()[20:])
        assert (await wire.welcome()).session
    await place.still_serves()


async def test_what_decides_and_cannot_be_stopped_is_counted(place: Place, wired: Any) -> None:
    """Twice ``max_handshakes`` of it may outlive their callers; then who comes is told to come back, until some of it has ended."""
    may_end = asyncio.Event()

    async def stubborn(credentials: Any) -> str:
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await may_end.wait()
        return "ana"

    await place.serve(authenticate=stubborn, limits=landline.Limits(max_handshakes=2))
    for _ in range(4):
        wire = await place.line()
        wire.hello()
        await asyncio.sleep(0.1)
        wire.transport.abort()
    late = await place.line()
    late.hello()
    refusal = await late.refusal()
    assert (refusal.code, refusal.reason) == (CloseCode.BUSY, "too many are being decided about")

    may_end.set()
    await asyncio.sleep(0.1)
    again = await place.line()
    again.hello()
    assert (await again.welcome()).session


async def test_pings_before_the_greeting_buy_nothing(place: Place) -> None:
    """Only a greeting keeps a caller."""
    await place.serve()
    wire = await place.line()
    wire.say(b"\xfe")
    await asyncio.sleep(1)
    wire.frame(FrameType.PING)
    await wire.over()


@pytest.fixture
def acceptor_of() -> Any:
    def make(**limits: Any) -> Acceptor:
        return Acceptor(
            landline.Limits(**limits), begin=lambda session: None, plain=None, authenticate=admit_all
        )

    return make


@pytest.mark.limit("max_per_source")
async def test_a_source_has_so_many_sessions_and_no_more(acceptor_of: Any, wired: Any) -> None:
    """Those without a line count: coming and going again does not fill the house."""
    acceptor: Acceptor = acceptor_of(max_per_source=2)
    written: list[bytes] = []
    for source in ["192.0.2.1"] * 3 + ["192.0.2.2"] + [""] * 3:
        transport = wired.FromAfar(source)
        transport.write = written.append
        acceptor.accept(transport)
        transport._receiver.data_received(wired.hello())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        transport.abort()

    assert [b"holds no more" in answer for answer in written] == [
        False,
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    await acceptor.drain(retry_in=1)
    assert not acceptor._host._held_by_source
