"""What programs publish becomes what is stored, and back; and what the flows of topics carry."""

from __future__ import annotations

from typing import Any

import pytest

from landline.errors import DataError, ProtocolError, PublishFailed, PublishUnknown
from landline.history import Position
from landline.limits import PROTOCOL
from landline.patterns.publications import (
    MOST_STORED,
    decode_stored,
    encode_stored,
    heard,
    position_of,
)
from landline.protocol.feed import Behind, Entry
from landline.protocol.frames import HEADER
from landline.protocol.publish import Code, Publish, Published, Unpublished, encode
from landline.storage.names import MAX_NAME_BYTES

MESSAGE = 1 << 20


@pytest.mark.parametrize("value", [b"", b"bytes", "", "text", None, 0, [1, {"a": "b"}], {"n": 1.5}])
def test_what_is_published_is_read_as_it_was(value: Any) -> None:
    """Text as text, bytes as bytes, and everything else."""
    assert decode_stored(encode_stored(value, MESSAGE)) == value


@pytest.mark.limit("protocol.publish_overhead")
@pytest.mark.parametrize("more", [0, 1])
def test_what_is_published_fits_a_message_with_everything_around_it(more: int) -> None:
    """The longest name, the highest numbers: what the client says, and what a subscriber hears."""
    data = bytes(MESSAGE - PROTOCOL.publish_overhead + more)
    if more:
        with pytest.raises(DataError):
            encode_stored(data, MESSAGE)
        return
    stored, topic, most = encode_stored(data, MESSAGE), "t" * MAX_NAME_BYTES, (1 << 63) - 1

    assert len(encode(Publish(most, most, topic, stored))) <= MESSAGE
    assert len(Entry(topic, most, stored, Behind.HISTORY).frame(1)) - HEADER.size <= MESSAGE


@pytest.mark.parametrize("more", [0, 1])
def test_what_is_published_fits_one_write_of_a_storage(more: int) -> None:
    """However large messages may be."""
    data = bytes(MOST_STORED + more)
    if more:
        with pytest.raises(DataError):
            encode_stored(data, 1 << 30)
    else:
        assert decode_stored(encode_stored(data, 1 << 30)) == data


@pytest.mark.parametrize("data", [b"\x21\xff", b"\x7f", b"\x22", b"\x22\xa2\xed\xa0"])
def test_what_is_not_what_its_type_says_is_an_error(data: bytes) -> None:
    """Of something packed its content too."""
    with pytest.raises(ProtocolError):
        decode_stored(data)


def test_an_answer_is_a_position_or_an_error() -> None:
    """One that says whether it certainly is not stored."""
    assert position_of(Published(1, "e", 5)) == Position("e", 5)
    for code, error in (
        (Code.REFUSED, PublishFailed),
        (Code.FULL, PublishFailed),
        (Code.UNKNOWN, PublishUnknown),
    ):
        with pytest.raises(error, match="why not"):
            position_of(Unpublished(1, code, "why not"))


@pytest.mark.parametrize("said", ["text", None, [b"bytes"]])
def test_these_flows_carry_bytes(said: Any) -> None:
    """Anything else breaks a rule."""
    assert heard(b"bytes") == b"bytes"
    with pytest.raises(ProtocolError):
        heard(said)
