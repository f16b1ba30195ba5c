"""A server counts which limits its callers hit, whoever they are and whatever became of them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

import landline
from landline.protocol.frames import HEADER, FrameType
from landline.sessions.admission import SILENT_GRACE

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True


def limited(**limits: Any) -> landline.Limits:
    return landline.Limits(**{"heartbeat_interval": 10_000.0, **limits})


async def test_who_keeps_to_the_limits_hits_none(place: Place) -> None:
    """A talk and its end leave the counts empty."""
    await place.serve(limits=limited())
    await place.still_serves()

    assert place.listening.hits == {}


async def test_crowds(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Each who is turned away is counted; the first is a warning, the others are its number later."""
    await place.serve(limits=limited(max_connections=2))
    callers = [await place.line() for _ in range(7)]
    for caller in callers[2:]:
        await caller.over()

    assert place.listening.hits == {"max_connections": 5}
    lines = [record for record in caplog.records if "max_connections" in record.getMessage()]
    assert [record.levelno for record in lines] == [logging.WARNING]
    assert lines[0].getMessage().startswith("limit max_connections, this machine: turned")


async def test_the_silent(place: Place) -> None:
    """Those beyond the number that may be silent, and the others when their time is up."""
    await place.serve(limits=limited(max_silent=2, silent_timeout=100.0))
    for _ in range(5):
        await place.line()
    await asyncio.sleep(2 * SILENT_GRACE)
    assert place.listening.hits == {"max_silent": 3}
    await asyncio.sleep(100)

    assert place.listening.hits == {"max_silent": 3, "silent_timeout": 2}


async def test_the_half_greeted(place: Place, wired: Any) -> None:
    """One too many, and one that takes too long."""
    await place.serve(limits=limited(max_handshakes=1, handshake_timeout=10.0))
    for _ in range(2):
        (await place.line()).say(wired.hello()[:20])
    await asyncio.sleep(1)
    assert place.listening.hits == {"max_handshakes": 1}
    await asyncio.sleep(10)

    assert place.listening.hits == {"max_handshakes": 1, "handshake_timeout": 1}


async def test_an_authentication_that_hangs(place: Place) -> None:
    """It counts as a handshake that takes too long."""

    async def hang(credentials: Any) -> str | None:
        await asyncio.Event().wait()
        return None

    await place.serve(authenticate=hang, limits=limited())
    wire = await place.line()
    wire.hello()
    await wire.refusal()

    assert place.listening.hits == {"handshake_timeout": 1}


@pytest.mark.parametrize(
    ("limits", "said", "limit"),
    [
        ({"preauth_bytes": 100}, b"\xfeLNDLN\x00\x01" + bytes(101), "preauth_bytes"),
        ({}, b"\xfeLNDLN\x00\x01" + HEADER.pack(4097, FrameType.HELLO, 0), "protocol.control"),
    ],
)
async def test_a_greeting_over_a_limit(place: Place, limits: Any, said: bytes, limit: str) -> None:
    """It is refused, and counted under the limit that it went over."""
    await place.serve(limits=limited(**limits))
    wire = await place.line()
    wire.say(said)
    await wire.refusal()

    assert place.listening.hits == {limit: 1}


@pytest.mark.parametrize(
    ("limits", "said", "limit"),
    [
        ({"max_message": 1000}, HEADER.pack(1001, FrameType.BYTES, 0), "max_message"),
        ({"frame_timeout": 5.0}, HEADER.pack(1000, FrameType.BYTES, 0), "frame_timeout"),
        ({"heartbeat_interval": 5.0, "dead_after": 2.0}, b"", "dead_after"),
    ],
)
async def test_a_line_over_a_limit(place: Place, limits: Any, said: bytes, limit: str) -> None:
    """Its end is counted under the limit's name."""
    await place.serve(limits=limited(**limits))
    wire, _ = await place.session()
    wire.say(said)
    await wire.over()

    assert place.listening.hits == {limit: 1}


async def test_who_sends_beyond_the_window(place: Place, wired: Any) -> None:
    """The peer's mistake, not its program's: that waits for credit."""

    async def idle(session: landline.Session) -> None:
        place.sessions.append(session)
        place._news.set()
        await session.wait_closed()

    await place.serve(program=idle, limits=limited(window=4096))
    wire, _ = await place.session()
    for _ in range(20):
        wire.say(wired.text("x" * 1000))
    await wire.close()

    assert place.listening.hits == {"window": 1}


async def test_sessions(place: Place) -> None:
    """One that makes room, one that finds none, and one to which nobody comes back."""
    await place.serve(limits=limited(max_sessions=2, resume_window=60.0))
    first, _ = await place.session()
    second, _ = await place.session()
    first.transport.abort()
    await asyncio.sleep(0.1)
    await place.session()
    assert place.listening.hits == {"max_sessions": 1}
    wire = await place.line()
    wire.hello()
    await wire.refusal()
    assert place.listening.hits == {"max_sessions": 2}
    second.transport.abort()
    await asyncio.sleep(61)

    assert place.listening.hits == {"max_sessions": 2, "resume_window": 1}


async def test_a_welcome_that_nobody_confirms(place: Place) -> None:
    """Its session is forgotten, and that is counted as a handshake that took too long."""
    await place.serve(limits=limited(handshake_timeout=5.0))
    wire = await place.line()
    wire.hello()
    await wire.welcome()
    wire.transport.abort()
    await asyncio.sleep(6)

    assert place.listening.hits == {"handshake_timeout": 1}


@pytest.mark.parametrize(
    ("limits", "limit"),
    [({"outbox_messages": 2}, "outbox_messages"), ({"outbox_bytes": 32}, "outbox_bytes")],
)
async def test_a_full_outbox(place: Place, limits: Any, limit: str) -> None:
    """Who is told, and who waits, under the bound that was reached."""
    done = asyncio.Event()

    async def chatter(session: landline.Session) -> None:
        place.sessions.append(session)
        place._news.set()
        for _ in range(2):
            _ = session.send_nowait("0123456")
        with pytest.raises(landline.Full):
            _ = session.send_nowait("no")
        waiting = asyncio.ensure_future(session.send("in the end"))
        await asyncio.sleep(1)
        assert not waiting.done()
        waiting.cancel()
        done.set()

    await place.serve(program=chatter, limits=limited(**limits))
    await place.session(window=0)
    await done.wait()

    assert place.listening.hits == {limit: 2}
