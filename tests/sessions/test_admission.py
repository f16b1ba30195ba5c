"""Who may be connected: limits hold in all and by source, who says nothing goes first, and there is room again when others go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import landline
from landline.sessions.admission import FIRST_WORDS, SILENT_GRACE, Admission
from landline.sessions.door import Way

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


@pytest.fixture
def admission_of() -> Any:
    """Makes admissions, and notes who entered."""
    entered: list[tuple[Any, Way, bytes]] = []

    def make(**limits: Any) -> tuple[Admission, list[tuple[Any, Way, bytes]]]:
        return Admission(
            landline.Limits(**limits),
            lambda transport, way, head: entered.append((transport, way, head)),
            lambda source, limit, what: None,
        ), entered

    return make


@pytest.mark.limit("max_per_source")
async def test_a_source_has_so_many_connections_and_no_more(admission_of: Any, wired: Any) -> None:
    """One address cannot take the places of all; loopback and Unix sockets are exempt."""
    admission, _ = admission_of(max_per_source=3)
    crowd = [wired.FromAfar("192.0.2.1") for _ in range(5)]
    other = wired.FromAfar("2001:db8::/64")
    local = [wired.FromAfar("") for _ in range(5)]
    for transport in [*crowd, other, *local]:
        admission.accept(transport)

    assert [transport.is_open for transport in crowd] == [True] * 3 + [False] * 2
    assert other.is_open
    assert all(transport.is_open for transport in local)

    crowd[0].abort()
    late = wired.FromAfar("192.0.2.1")
    admission.accept(late)
    assert late.is_open
    for transport in [*crowd, other, *local, late]:
        transport.abort()
    assert not admission._open
    assert not admission._by_source


async def test_who_speaks_enters_with_what_was_read(admission_of: Any, wired: Any) -> None:
    """Once; from then on it is not silent, and still counted until it goes."""
    admission, entered = admission_of()
    transport = wired.FromAfar("192.0.2.1")
    admission.accept(transport)
    transport._receiver.data_received(b"hello\n")

    assert entered == [(transport, Way.PLAIN, b"hello\n")]
    assert not admission._silent
    assert list(admission._open) == [transport]
    transport.abort()
    assert not admission._open


@pytest.mark.limit("session.first_words")
async def test_who_is_silent_at_the_end_is_hung_up_on_and_nobody_comes_after(
    admission_of: Any, wired: Any
) -> None:
    """Who came less than half a second ago may be about to speak. Who said something is left to whoever talks with it, until ``hang_up`` has waited long enough."""
    admission, entered = admission_of(close_timeout=5)
    loop = asyncio.get_running_loop()
    silent, talking, recent, taken, late = (wired.FromAfar("") for _ in range(5))
    admission.accept(silent)
    admission.accept(talking)
    talking._receiver.data_received(b"hello\n")
    await asyncio.sleep(FIRST_WORDS / 2)
    admission.accept(recent)
    await asyncio.sleep(FIRST_WORDS / 2)
    begun = loop.time()
    admission.close()
    admission.accept(taken)  # the kernel had given it to us before

    assert [silent.is_open, talking.is_open, recent.is_open] == [False, True, True]
    hearing = asyncio.create_task(admission.hear_out())
    await asyncio.sleep(FIRST_WORDS / 4)
    taken._receiver.data_received(b"here\n")
    await hearing
    assert loop.time() - begun == FIRST_WORDS / 2
    assert [recent.is_open, taken.is_open] == [False, True]
    assert [transport for transport, _, _ in entered] == [talking, taken]

    begun = loop.time()
    hanging_up = asyncio.create_task(admission.hang_up())
    await asyncio.sleep(0)
    admission.accept(late)
    assert not late.is_open
    await hanging_up
    assert not talking.is_open and not taken.is_open
    assert loop.time() - begun == 5


async def test_the_gate_knows_what_a_source_did(admission_of: Any) -> None:
    """Who keeps leaving before it is taken is refused before it is taken; others, and this machine, are not."""
    admission, _ = admission_of()
    for source in ("192.0.2.1", ""):
        for _ in range(15):
            assert admission.admits(source)
            admission.left(source)

    assert not admission.admits("192.0.2.1")
    assert admission.admits("192.0.2.2")
    assert admission.admits("")
    await asyncio.sleep(15)
    assert admission.admits("192.0.2.1")
    admission.abort()
    assert not admission.admits("192.0.2.2")


@pytest.mark.limit("max_handshakes")
async def test_of_those_who_say_nothing_under_tls_the_oldest_go_at_once(
    admission_of: Any, wired: Any
) -> None:
    """Each takes some 50 KB until its handshake is over: there may be as many as may be greeted, and who speaks is none of them."""
    admission, entered = admission_of(max_handshakes=3)
    lines = [wired.FromAfar(f"192.0.2.{number}") for number in range(1, 6)]
    for line in lines[:3]:
        line.on_lost = lambda _: None
        admission.look_again(line)
    lines[1]._receiver.data_received(b"hello\n")
    for line in lines[3:]:
        line.on_lost = lambda _: None
        admission.look_again(line)

    assert [line.is_open for line in lines] == [False, True, True, True, True]
    assert [each[0] for each in entered] == [lines[1]]
