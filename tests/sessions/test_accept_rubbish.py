"""Bad input at the server's door and in a session: one line ends with a reason, and nobody else is disturbed."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import landline
from landline.protocol.frames import COUNT, HEADER, MAGIC, CloseCode, FrameType, encode_frame

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True

TLS_HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"r" * 100
HUGE = struct.pack("!IBI", 0xFFFFFFFF, FrameType.TEXT, 0)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (MAGIC[:-1] + b"\x63", CloseCode.VERSION),
        (MAGIC + b"\x00\x00\x00\x01\x77\x00\x00\x00\x00?", CloseCode.PROTOCOL_ERROR),
        (MAGIC + HUGE, CloseCode.TOO_LARGE),
        (MAGIC + HEADER.pack(4097, FrameType.HELLO, 0), CloseCode.TOO_LARGE),
        (MAGIC + encode_frame(FrameType.HELLO, 0, b"\xc1"), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.HELLO, 0, b"\x80"), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.HELLO, 0, b"\x91" * 2000), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.RESUME, 0, b"\x80"), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.PING), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.TEXT, 0, b"too early"), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.CONFIRM, 0, b"c" * 32), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.CLOSE, 0, b"\x81\xa4code\x00"), CloseCode.PROTOCOL_ERROR),
        (MAGIC + encode_frame(FrameType.WELCOME, 0, b"\x80"), CloseCode.PROTOCOL_ERROR),
        (MAGIC + b"\0" * 5000, CloseCode.TOO_LARGE),
    ],
)
async def test_a_greeting_that_breaks_a_rule(said: bytes, code: CloseCode, place: Place) -> None:
    """It is refused with a reason and hung up on; the next caller gets in."""
    await place.serve()
    wire = await place.line()
    wire.say(said)
    refusal = await wire.refusal()

    assert refusal.code is code
    assert refusal.reason
    await wire.over()
    await place.still_serves()


@pytest.mark.parametrize(
    "said", [TLS_HELLO, b"\xff\xfe\xfd", b"\0\0\0\0", b"hello\n", MAGIC[:1] + b"x" * 20], ids=repr
)
async def test_who_speaks_something_else_is_hung_up_on(said: bytes, place: Place) -> None:
    """Without a plain-text door there is nothing to say to it."""
    await place.serve()
    wire = await place.line()
    wire.say(said)
    await wire.over()

    assert wire.raw == b""
    await place.still_serves()


@pytest.mark.parametrize("size", [1, 5, len(MAGIC), 20, 60])
async def test_a_hello_that_is_never_finished(size: int, wired: Any, place: Place) -> None:
    """It has ``handshake_timeout`` seconds from its first byte, however slowly it goes on."""
    await place.serve(limits=landline.Limits(handshake_timeout=10))
    wire = await place.line()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for byte in wired.hello()[:size]:
        wire.say(bytes([byte]))
        await asyncio.sleep(0.05)
    await wire.over()

    assert loop.time() - begun == pytest.approx(10, abs=0.1)
    await place.still_serves()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (encode_frame(FrameType.TEXT, 0, b"\xff\xfe"), CloseCode.BAD_DATA),
        (encode_frame(FrameType.TEXT, 0, "\ud800".encode("utf-8", "surrogatepass")), CloseCode.BAD_DATA),
        (encode_frame(FrameType.PACKED, 0, b"\xc1"), CloseCode.BAD_DATA),
        (encode_frame(FrameType.PACKED, 0, b""), CloseCode.BAD_DATA),
        (encode_frame(FrameType.PACKED, 0, b"\x01\x02"), CloseCode.BAD_DATA),
        (encode_frame(FrameType.PACKED, 0, b"\x91" * 100_000), CloseCode.BAD_DATA),
        (encode_frame(FrameType.TEXT, 9, b"no such flow"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(0x23, 0, b"no such type"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(0xFF, 0, b"no such type"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(0x1F, 0, b"no such type"), CloseCode.PROTOCOL_ERROR),
        (HUGE, CloseCode.TOO_LARGE),
        (HEADER.pack((1 << 20) + 1, FrameType.BYTES, 0), CloseCode.TOO_LARGE),
        (encode_frame(FrameType.ACK, 0, b"short"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.ACK, 0, b"\xff" * 16), CloseCode.MISCOUNT),
        (encode_frame(FrameType.HANDLED, 0, COUNT.pack(1)), CloseCode.MISCOUNT),
        (encode_frame(FrameType.HANDLED, 0, COUNT.pack(1 << 63)), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.CREDIT, 0, COUNT.pack(1)), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.CREDIT, 3, COUNT.pack(1)), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.HELLO, 0, b"\x80"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.CONFIRM, 0, b"c" * 32), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.CLOSE, 0, b"\x81\xa4code\xcc\xff"), CloseCode.PROTOCOL_ERROR),
        (encode_frame(FrameType.CLOSE, 0, b"\x81"), CloseCode.PROTOCOL_ERROR),
    ],
)
async def test_a_frame_that_breaks_a_rule_ends_its_session_alone(
    frame: bytes, code: CloseCode, place: Place
) -> None:
    """The line is closed with the reason, the program is told, and the neighbour's session goes on."""
    await place.serve()
    neighbour, _ = await place.session()
    wire, welcome = await place.session()
    wire.say(frame)
    close = await wire.close()

    assert close.code is code
    assert close.reason
    await wire.over()
    await place.until(lambda: bool(place.ends))
    end = place.ends[0]
    assert isinstance(end, landline.SessionLost)
    assert code.text in end.reason
    assert place.sessions[0].state is landline.State.CONNECTED
    again = await place.line()
    again.resume(welcome, 2)
    assert (await again.refusal()).code is code
    neighbour.say(encode_frame(FrameType.TEXT, 0, b"undisturbed"))
    await place.until(lambda: "undisturbed" in place.got)


async def test_a_message_that_is_never_finished(place: Place) -> None:
    """A frame has its time; the line is hung up, and the session may be resumed."""
    await place.serve(limits=landline.Limits(frame_timeout=10, heartbeat_interval=1000))
    wire, welcome = await place.session()
    wire.say(encode_frame(FrameType.TEXT, 0, b"x" * 100)[:50])

    assert (await wire.close()).code is CloseCode.TIMED_OUT
    again = await place.line()
    again.resume(welcome, 2)
    assert (await again.welcome()).resumed


async def test_who_sends_beyond_its_credit(place: Place, wired: Any) -> None:
    """The inbox is bounded whatever the other end does."""

    async def idle(session: landline.Session) -> None:
        place.sessions.append(session)
        place._news.set()
        await session.wait_closed()

    await place.serve(program=idle, limits=landline.Limits(window=4096))
    wire, _ = await place.session()
    for _ in range(20):
        wire.say(wired.text("x" * 1000))
    close = await wire.close()

    assert close.code is CloseCode.PROTOCOL_ERROR
    assert "credit" in close.reason


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_bytes_end_one_line_at_most(data: st.DataObject, place: Place, wired: Any) -> None:
    """Whatever is said, before or within a session, the server serves on, and nothing is raised in its loop."""
    if not place.address:
        await place.serve(limits=landline.Limits(resume_window=5))
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    kinds = st.sampled_from([*FrameType, 0, 0x1F, 0x23, 0xFF])
    frames = st.builds(encode_frame, kinds, st.sampled_from([0, 0, 1, 2**32 - 1]), st.binary(max_size=40))
    said = data.draw(st.lists(frames | st.binary(max_size=30), max_size=6).map(b"".join))
    if data.draw(st.booleans()):
        wire, _ = await place.session()
    else:
        wire = await place.line()
        said = data.draw(st.sampled_from([b"", MAGIC, wired.hello()])) + said
    cut = data.draw(st.integers(0, len(said)))
    wire.say(said[:cut])
    await asyncio.sleep(0.001)
    wire.say(said[cut:])
    await asyncio.sleep(0.001)
    await place.still_serves()
    wire.transport.abort()
    await asyncio.sleep(2000)

    assert errors == []
    assert place.listening.sessions == 0
