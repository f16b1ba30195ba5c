"""Frames on the wire: bytes that never change."""

from __future__ import annotations

import pytest

from landline.protocol.frames import (
    FIRST_CREDIT,
    FRAME_COST,
    HEADER,
    LARGE,
    MAGIC,
    CloseCode,
    FrameType,
    LargeFrame,
    encode_data_frame,
    encode_frame,
    kind_of,
    number_of,
)


def test_a_frame_is_a_header_and_its_payload() -> None:
    """Length, type and number in network order, nine bytes, then the payload: these bytes are the protocol."""
    assert encode_frame(FrameType.TEXT, 7, b"hi") == bytes.fromhex("00000002 21 00000007 6869")
    assert encode_frame(FrameType.PING) == bytes.fromhex("00000000 06 00000000")


def test_the_numbers_that_both_ends_count_with() -> None:
    """They stand on no wire: an end that counted otherwise would send beyond its credit."""
    assert (FRAME_COST, FIRST_CREDIT) == (64, 4096)


def test_the_magic_begins_with_a_byte_that_no_text_has() -> None:
    """Nor does a TLS hello (0x16) or a telnet command (0xff), so one port can tell them apart by the first byte."""
    assert MAGIC == b"\xfeLNDLN\x00\x01"
    assert MAGIC[0] not in {0x16, 0xFF}
    with pytest.raises(UnicodeDecodeError):
        MAGIC.decode()


@pytest.mark.parametrize(
    ("size", "is_large"), [(0, False), (LARGE - 1, False), (LARGE, True), (LARGE + 1, True)]
)
def test_a_large_frame_is_header_and_payload(size: int, is_large: bool) -> None:
    """Its payload is the very object that was given; it looks like any other frame."""
    payload = bytes(size)
    frame = encode_data_frame(FrameType.TEXT, 7, payload)

    assert isinstance(frame, LargeFrame) is is_large
    assert (len(frame), kind_of(frame), number_of(frame)) == (HEADER.size + size, FrameType.TEXT, 7)
    if isinstance(frame, LargeFrame):
        assert frame.payload is payload
        assert frame.header + frame.payload == encode_frame(FrameType.TEXT, 7, payload)


def test_only_codes_after_which_the_session_lives_are_resumable() -> None:
    """A client redials after these and no other."""
    resumable = {code.name for code in CloseCode if code.resumable}

    assert resumable == {"GOING_AWAY", "DEAD", "BUSY", "TIMED_OUT"}


def test_codes_have_words() -> None:
    """As they stand in errors."""
    assert CloseCode.UNKNOWN_SESSION.text == "unknown session"
