"""Many callers at once: who says nothing goes first, limits hold, and a well-behaved client still gets in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import landline
from landline.protocol.frames import CloseCode, FrameType
from landline.sessions.accept import SILENT_GRACE, Acceptor
from landline.sessions.auth import admit_all

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True


@pytest.mark.limit("max_silent")
async def test_of_a_thousand_silent_callers_the_oldest_go_first(place: Place) -> None:
    """After a moment's grace there are as many as may be, the youngest of them; and others get in all the time."""
    await place.serve(limits=landline.Limits(max_silent=64))
    callers = []
    for number in range(1000):
        callers.append(await place.line())
        if number % 100 == 0:
            await place.still_serves()
        await asyncio.sleep(0.01)
    await asyncio.sleep(2 * SILENT_GRACE)

    assert [caller.is_over for caller in callers] == [True] * 936 + [False] * 64
    await place.still_serves()


@pytest.mark.limit("session.silent_grace")
async def test_a_burst_of_callers_who_do_speak_is_let_in(place: Place, wired: Any) -> None:
    """All were silent for a moment, and none of them is hung up on for it."""
    await place.serve(limits=landline.Limits(max_silent=8))
    wires = [await place.line() for _ in range(100)]
    await asyncio.sleep(SILENT_GRACE / 2)
    for wire in wires:
        wire.hello()
    for wire in wires:
        wire.confirm(await wire.welcome())
    await place.until(lambda: len(place.sessions) == 100)


@pytest.mark.limit("silent_timeout")
async def test_a_few_silent_callers_may_wait_for_minutes(place: Place) -> None:
    """A person with ``nc`` may be thinking; after ``silent_timeout`` it is over."""
    await place.serve(limits=landline.Limits(silent_timeout=600))
    caller = await place.line()
    await asyncio.sleep(599)
    assert not caller.is_over
    await asyncio.sleep(2)
    assert caller.is_over


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


@pytest.mark.limit("max_connections")
async def test_more_connections_than_may_be_open(place: Place) -> None:
    """They are turned away at once, and there is room again when others go."""
    await place.serve(limits=landline.Limits(max_connections=3))
    callers = [await place.line() for _ in range(4)]
    await callers[3].over()

    assert [caller.is_over for caller in callers] == [False, False, False, True]
    callers[0].transport.abort()
    await asyncio.sleep(0.1)
    await place.still_serves()


async def test_pings_before_the_greeting_buy_nothing(place: Place) -> None:
    """Only a greeting keeps a caller."""
    await place.serve()
    wire = await place.line()
    wire.say(b"\xfe")
    await asyncio.sleep(1)
    wire.frame(FrameType.PING)
    await wire.over()


class FromAfar:
    """A transport of a stranger, as far as the acceptor looks at it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.peer = f"tcp://{source}:1"
        self.backlog = 0
        self.is_writable = True
        self.on_lost: Any = None
        self.is_open = True
        self._receiver: Any = None

    def start(self, receiver: Any) -> None:
        self._receiver = receiver

    def hold(self, is_held: bool) -> None: ...

    def write(self, data: bytes) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self.is_open:
            self.is_open = False
            if self._receiver is not None:
                self._receiver.lost(None)
                self.on_lost()


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
        transport = FromAfar(source)
        transport.write = written.append  # type: ignore[assignment,method-assign]
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
    assert not acceptor._held_by_source


@pytest.mark.limit("max_per_source")
async def test_a_source_has_so_many_connections_and_no_more(acceptor_of: Any) -> None:
    """One address cannot take the places of all; loopback and Unix sockets are exempt."""
    acceptor: Acceptor = acceptor_of(max_per_source=3)
    crowd = [FromAfar("192.0.2.1") for _ in range(5)]
    other = FromAfar("2001:db8::/64")
    local = [FromAfar("") for _ in range(5)]
    for transport in [*crowd, other, *local]:
        acceptor.accept(transport)

    assert [transport.is_open for transport in crowd] == [True] * 3 + [False] * 2
    assert other.is_open
    assert all(transport.is_open for transport in local)

    crowd[0].abort()
    late = FromAfar("192.0.2.1")
    acceptor.accept(late)
    assert late.is_open
    for transport in [*crowd, other, *local, late]:
        transport.abort()
    assert not acceptor._open
    assert not acceptor._by_source
    await acceptor.drain(retry_in=1)
