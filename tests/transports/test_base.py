"""What every transport guarantees, asked of each kind: TCP, Unix sockets, memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from landline.errors import ConnectError, ListenError
from landline.transports import Transport, open_listener, open_transport, parse_address
from landline.transports.stream import HIGH_WATER

if TYPE_CHECKING:
    from .conftest import Line, Recorder


@pytest.fixture
def hears(line: Line) -> Recorder:
    """A second recorder, of the same kind as the accepted end's."""
    return type(line.hears)()


async def test_bytes_arrive_in_order_both_ways(line: Line, hears: Recorder) -> None:
    """Whatever the chunks, the bytes are the same."""
    there, back = bytes(range(256)) * 4096, bytes(reversed(range(256))) * 4096
    line.ours.start(hears)
    for at in range(0, len(there), 100_000):
        line.ours.write(there[at : at + 100_000])
        line.theirs.write(back[at : at + 100_000])

    await line.hears.until(lambda: len(line.hears.data) == len(there))
    await hears.until(lambda: len(hears.data) == len(back))

    assert line.hears.data == there
    assert hears.data == back


async def test_nothing_is_told_before_the_start(line: Line, hears: Recorder) -> None:
    """What arrived before waits for the receiver, the end included."""
    line.theirs.write(b"early")
    line.theirs.close()
    for _ in range(5):
        await asyncio.sleep(0)

    line.ours.start(hears)
    await hears.until_told("lost" if line.ours.peer.startswith("memory") else "ended")

    assert hears.data == b"early"


async def test_a_close_is_told_as_an_end_and_then_as_lost_once(line: Line, hears: Recorder) -> None:
    """Both ends are told exactly once that the transport is gone, and then whoever counts them."""
    gone: list[str] = []
    line.ours.on_lost = lambda: gone.append(f"after {hears.told[-1]}")
    line.theirs.on_lost = lambda: gone.append(f"after {line.hears.told[-1]}")
    line.ours.start(hears)
    line.theirs.write(b"bye")
    line.theirs.close()
    await hears.until_told("ended")
    line.ours.close()
    await hears.until_told("lost")
    await line.hears.until_told("lost")
    for _ in range(5):
        await asyncio.sleep(0)

    assert hears.told == ["data", "ended", "lost"]
    assert line.hears.told.count("lost") == 1
    assert hears.error is None and line.hears.error is None
    assert gone == ["after lost", "after lost"]


async def test_a_close_lets_out_what_waits(line: Line, hears: Recorder) -> None:
    """What was written before the close arrives, however much."""
    line.ours.start(hears)
    line.ours.write(b"x" * (4 * HIGH_WATER))
    line.ours.close()
    await line.hears.until_told("ended")

    assert len(line.hears.data) == 4 * HIGH_WATER


async def test_last_words_survive_what_the_peer_still_sends(line: Line, hears: Recorder) -> None:
    """Closing with unread bytes in the kernel must not reset the line before our last words are read."""
    line.ours.start(hears)
    for _ in range(50):
        line.ours.write(b"flood" * 1000)
    line.theirs.write(b"no more, please")
    line.theirs.close()
    line.ours.write(b"flood" * 1000)
    await hears.until_told("ended")

    assert hears.data == b"no more, please"


async def test_one_direction_ends_and_the_other_goes_on(line: Line, hears: Recorder) -> None:
    """What was written before arrives, the peer is told once, nothing more is written, and the peer's own words still come."""
    line.ours.start(hears)
    line.ours.write(b"all of it")
    line.ours.end()
    line.ours.write(b"too late")
    line.ours.end()
    await line.hears.until_told("ended")
    line.theirs.write(b"still here")
    await hears.until(lambda: len(hears.data) == 10)
    line.theirs.end()
    await hears.until_told("ended")

    assert line.hears.data == b"all of it"
    assert hears.data == b"still here"
    assert "lost" not in hears.told + line.hears.told

    line.theirs.close()
    line.ours.close()
    await hears.until_told("lost")
    await line.hears.until_told("lost")

    assert hears.told.count("ended") == line.hears.told.count("ended") == 1


async def test_an_abort_ends_both_ends(line: Line, hears: Recorder) -> None:
    """The one that aborted is told at once; the other one hears of it."""
    line.ours.start(hears)
    line.ours.abort()
    await hears.until_told("lost")
    await line.hears.until(lambda: "ended" in line.hears.told or "lost" in line.hears.told)

    assert not line.ours.is_writable


async def test_nothing_raises_after_the_end(line: Line, hears: Recorder) -> None:
    """A transport that is gone takes every call and does nothing."""
    line.ours.start(hears)
    line.ours.abort()
    line.ours.write(b"too late")
    await hears.until_told("lost")
    for transport in (line.ours, line.theirs):
        transport.write(b"later still")
        transport.hold(True)
        transport.hold(False)
        transport.close()
        transport.abort()
        transport.close()
        transport.start(hears)

    assert line.ours.backlog == 0
    assert not line.ours.is_writable
    assert hears.told.count("lost") == 1


async def test_a_reader_that_holds_makes_the_writer_wait(line: Line, hears: Recorder) -> None:
    """Back-pressure: bytes pile up at the writer, which sees it and is told when they are gone."""
    line.theirs.hold(True)
    line.ours.start(hears)
    written = 0
    for is_writable in iter(lambda: line.ours.is_writable, False):
        assert is_writable
        line.ours.write(b"x" * 65536)
        written += 65536
        await asyncio.sleep(0)
    held = len(line.hears.data)

    assert written - held >= line.ours.backlog > 0

    line.theirs.hold(False)
    await hears.until_told("writable")
    await line.hears.until(lambda: len(line.hears.data) == written)

    assert line.ours.is_writable
    assert line.ours.backlog == 0


async def test_a_second_start_hands_over(line: Line) -> None:
    """Another receiver goes on where the first one stopped; the first hears no more."""
    second = type(line.hears)()
    line.ours.write(b"one")
    await line.hears.until(lambda: line.hears.data == b"one")
    line.theirs.start(second)
    line.ours.write(b"two")
    await second.until(lambda: second.data == b"two")
    line.ours.abort()
    await second.until(lambda: "ended" in second.told or "lost" in second.told)

    assert line.hears.told == ["data"]


async def test_who_takes_over_is_told_of_the_end_that_was(line: Line, scheme: str) -> None:
    """The end may come in the very chunk that decides who reads on."""
    if scheme == "memory":
        pytest.skip("a memory transport has no half that stays open after an end")
    second = type(line.hears)()
    line.ours.write(b"last")
    line.ours.close()
    await line.hears.until_told("ended")
    line.theirs.start(second)
    await second.until_told("ended")
    line.theirs.close()
    await second.until_told("lost")

    assert second.told == ["ended", "lost"]


async def test_who_is_accepted_outlives_the_listener(line: Line, hears: Recorder) -> None:
    """A listener that is closed lets nobody in; who is in stays."""
    line.listener.close()
    line.ours.start(hears)
    line.ours.write(b"still here")
    await line.hears.until(lambda: line.hears.data == b"still here")

    with pytest.raises(ConnectError):
        await open_transport(parse_address(line.listener.addresses[0]))


async def test_an_address_is_served_once(line: Line) -> None:
    """A second listener is told that the place is taken, and the first one goes on."""

    def accept(transport: Transport) -> None:
        raise AssertionError

    with pytest.raises(ListenError) as caught:
        await open_listener(parse_address(line.listener.addresses[0]), accept, backlog=1)

    assert caught.value.address == line.listener.addresses[0]
    assert caught.value.reason
    line.ours.write(b"still served")
    await line.hears.until(lambda: line.hears.data == b"still served")


async def test_local_peers_count_for_no_source(line: Line) -> None:
    """Limits per source are for strangers."""
    assert line.ours.source == line.theirs.source == ""


async def test_a_peer_has_an_address(line: Line, scheme: str) -> None:
    """The text of a peer can be read as an address of the same kind."""
    assert parse_address(line.ours.peer).scheme == scheme
    assert parse_address(line.theirs.peer).scheme == scheme
    assert line.ours.peer == line.listener.addresses[0]
