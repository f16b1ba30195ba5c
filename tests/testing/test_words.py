"""Frames in words and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import COUNT, FrameType, encode_frame
from landline.testing.words import does_say, fields, frame_words, words_frame

WORDS = [
    "PING",
    "PONG",
    "ACK received=3 sent=5",
    "HANDLED 0 2",
    "CREDIT 7 589824",
    "ASK 0 4",
    "WAITING 3 4096",
    "TEXT 0 'Grüße, und \"mehr\"'",
    "BYTES 1 b'\\x00\\xff'",
    "PACKED 0 [1, None, {'a': 2.5}]",
    "CLOSE code=1 reason='going now' retry_in=1.5",
    "OPEN 1 purpose='prices' window=4096",
    "END 1",
    "DONE 1",
    "RESET 1 code=0 handled=1 taken=2",
    "CONFIRM b'tttt'",
]


@pytest.mark.parametrize("words", WORDS)
def test_words_become_a_frame_and_the_frame_those_words(words: str) -> None:
    """Nothing is lost either way."""
    (frame,) = FrameDecoder(1 << 20).feed(words_frame(words))

    assert frame_words(frame) == words
    assert does_say(words, frame)


def test_every_type_of_frame_has_words() -> None:
    """Whatever the protocol adds is spoken of here at once."""
    for kind in FrameType:
        assert frame_words((kind, 0, b"")).startswith(kind.name)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "ping",
        "PING 3",
        "NONSENSE",
        "ACK",
        "HANDLED 0",
        "TEXT 0 unquoted",
        "CLOSE 5",
        "ACK received=1",
        "BYTES 0 5",
        "TEXT 0 1.5",
        "PACKED 0 {1, (2,), object}",
        "PACKED 0 1j",
        "HANDLED 0 -1",
        "ACK received='a' sent=1",
        "END 4294967296",
        "CLOSE code=1j",
    ],
)
def test_what_is_no_frame_says_so(words: str) -> None:
    """A typing error in a test is not the peer's."""
    with pytest.raises(ValueError, match="is n"):
        words_frame(words)


def test_of_a_map_only_named_fields_are_looked_at() -> None:
    """A later version may add some."""
    (frame,) = FrameDecoder(1 << 20).feed(words_frame("CLOSE code=1 reason='x' retry_in=2.0"))

    assert does_say("CLOSE code=1", frame)
    assert not does_say("CLOSE code=2", frame)
    assert not does_say("REFUSE code=1", frame)


def test_values_may_hold_spaces_and_equals() -> None:
    """They are Python's literals."""
    assert fields("reason='a b=c' code=1") == {"reason": "a b=c", "code": 1}


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=60))
def test_any_frame_has_words(kind: int, number: int, payload: bytes) -> None:
    """Also one that no peer should send."""
    assert frame_words((kind, number, payload))


def test_a_count_of_the_wrong_size_is_shown_as_it_is() -> None:
    """Nothing is guessed."""
    assert (
        frame_words((FrameType.CREDIT, 0, COUNT.pack(1)[1:])) == r"CREDIT 0 b'\x00\x00\x00\x00\x00\x00\x01'"
    )
    assert encode_frame(FrameType.PING) == words_frame("PING")
