"""Values as payloads: what goes in comes out, and one bad value is its sender's error and never a crash of the receiver."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import DataError, ProtocolError
from landline.protocol.codec import BYTES, PACKED, SMALL, SPARE_CALLS, TEXT, Packed, decode_data, encode_data

BIG = 1 << 20

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def taken(kind: int, payload: bytes) -> Any:
    """What the program is given in the end."""
    value = decode_data(kind, payload)
    return value.unpack() if isinstance(value, Packed) else value


def test_a_packed_value_stays_bytes_until_it_is_taken() -> None:
    """A megabyte of empty maps is seventy megabytes of objects: nobody makes them who may never look. Its form is checked at once."""
    kind, payload = encode_data([{}] * 1000, BIG)

    assert isinstance(decode_data(kind, payload), Packed)
    with pytest.raises(ProtocolError):
        decode_data(PACKED, payload[:-1])


@pytest.mark.parametrize("letter", ["x", "ß", "я", "字", "👋"])
@pytest.mark.parametrize("size", [0, 10, 1000, 100_000])
def test_a_text_that_waits_takes_at_most_twice_its_bytes(letter: str, size: int) -> None:
    """One wide character among many narrow ones would make it four times: then the bytes wait, and become text when it is taken."""
    text = letter + "x" * size
    payload = text.encode()
    waiting = decode_data(TEXT, payload)

    held = waiting._payload if isinstance(waiting, Packed) else waiting
    assert sys.getsizeof(held) <= 2 * len(payload) + SMALL
    assert taken(TEXT, payload) == text
    assert isinstance(waiting, Packed) is (letter == "👋" and size >= 1000)


@given(values)
def test_values_come_out_as_they_went_in(value: Any) -> None:
    """Of the same type too: ``str`` as ``str``, ``bytes`` as ``bytes``."""
    there = taken(*encode_data(value, BIG))

    assert there == value
    assert type(there) is type(value)


@pytest.mark.parametrize(
    ("value", "kind", "payload"),
    [
        (b"raw", BYTES, b"raw"),
        (bytearray(b"raw"), BYTES, b"raw"),
        (memoryview(b"raw"), BYTES, b"raw"),
        ("Grüße", TEXT, "Grüße".encode()),
        (None, PACKED, b"\xc0"),
        ([1, "a"], PACKED, b"\x92\x01\xa1a"),
    ],
)
def test_each_kind_of_value_has_its_frame_type(value: Any, kind: int, payload: bytes) -> None:
    """Bytes and text travel as they are, everything else as msgpack."""
    assert encode_data(value, BIG) == (kind, payload)


def test_times_travel() -> None:
    """With their zone."""
    value = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

    assert taken(*encode_data(value, BIG)) == value


@pytest.mark.parametrize(
    "value", ["\ud800", "a\udfffb", object(), {"a": "\ud800"}, 2**64, -(2**63) - 1, {1, object()}]
)
def test_what_cannot_travel_is_the_senders_error(value: Any) -> None:
    """Lone surrogates, foreign objects, numbers beyond 64 bits."""
    with pytest.raises(DataError):
        encode_data(value, BIG)


def test_what_cannot_travel_is_named_without_an_article() -> None:
    """Whose name begins with a vowel reads as well as any other."""
    with pytest.raises(DataError, match=r"^cannot send this object: "):
        encode_data(object(), BIG)


def test_what_contains_itself_is_the_senders_error() -> None:
    """A list within itself has no end."""
    value: list[Any] = []
    value.append(value)

    with pytest.raises(DataError):
        encode_data(value, BIG)


@dataclasses.dataclass(frozen=True)
class Named:
    """Becomes a map, so that it is no key."""

    name: str


class Fields(msgspec.Struct, frozen=True):
    """As above."""

    name: str


@pytest.mark.parametrize("beside", [0, 1000])
@pytest.mark.parametrize(
    "value",
    [
        {Named("a"): 1},
        {Fields("a"): 1},
        [{(1, Named("a")): 1}],
        msgspec.Raw(b""),
        msgspec.Raw(b"\xc1"),
        [msgspec.Raw(b"\xa1\xff")],
        [msgspec.Raw(b"\x01\x02")],
        {"a": msgspec.msgpack.Ext(-1, b"abc")},
    ],
)
def test_what_the_receiver_could_not_read_is_the_senders_error(value: Any, beside: int) -> None:
    """It can be written as msgpack, and would cost both ends their session when it is taken: alone or in something large."""
    with pytest.raises(DataError, match="could not read it"):
        encode_data([*range(beside), value] if beside else value, BIG)


@pytest.mark.parametrize(
    ("value", "there"),
    [
        (Named("a"), {"name": "a"}),
        ([Fields("a")], [{"name": "a"}]),
        ({(1, (2, 3)): 1}, {(1, (2, 3)): 1}),
        (msgspec.Raw(b"\x91\x01"), [1]),
    ],
)
def test_what_is_unusual_and_can_be_read_travels(value: Any, there: Any) -> None:
    """Only what would be lost is refused."""
    assert taken(*encode_data(value, BIG)) == there
    assert taken(*encode_data([value] * 300, BIG)) == [there] * 300


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = wrap(value)
    return value


def taken_in_calls(calls: int, kind: int, payload: bytes) -> Any:
    """What a program is given that is so deep in calls."""
    return taken_in_calls(calls - 1, kind, payload) if calls else taken(kind, payload)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: [inner],
        lambda inner: {1: inner},
        lambda inner: ["x", inner, "\x90"],
        lambda inner: ["x" * 20, inner],
    ],
)
@pytest.mark.parametrize("levels", [*range(50, 1050, 50), 985, 2000, 10_000, 100_000])
def test_what_is_nested_too_deep_is_the_senders_error(wrap: Callable[[Any], Any], levels: int) -> None:
    """What may be sent can be read, also by a program that is deep in calls itself."""
    value = nested(levels, wrap)
    try:
        packed = encode_data(value, BIG)
    except DataError:
        assert levels > 500
    else:
        taken_in_calls(SPARE_CALLS - 20, *packed)


def test_many_that_stand_side_by_side_are_not_deep() -> None:
    """How many lists and maps there are is not how deep they are."""
    value = [{"number": number, "parts": [[], {}]} for number in range(-3000, 3000)]

    assert taken(*encode_data(value, BIG)) == value


@pytest.mark.limit("max_message")
@pytest.mark.parametrize("value", [b"x" * 10, "x" * 10, "ä" * 5, ["x" * 8]])
def test_the_limit_counts_payload_bytes(value: Any) -> None:
    """At the limit it passes, one byte below it is the sender's error."""
    assert len(encode_data(value, 10)[1]) == 10

    with pytest.raises(DataError, match="over the limit of 9 bytes"):
        encode_data(value, 9)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (TEXT, b"\xff"),
        (TEXT, b"\xc0\x80"),
        (TEXT, b"\xed\xa0\x80"),  # a lone surrogate
        (TEXT, b"caf\xc3"),
        (PACKED, b""),
        (PACKED, b"\xc1"),  # never used by msgpack
        (PACKED, b"\x01\x02"),  # something after the value
        (PACKED, b"\xa2\xed\xa0"),
        (PACKED, b"\xdd\xff\xff\xff\xff"),  # four thousand million items, and none
        (PACKED, b"\xdf\xff\xff\xff\xff"),
        (PACKED, b"\xc6\xff\xff\xff\xff"),
        (PACKED, b"\x91" * 100_000 + b"\x00"),
        (PACKED, b"\x81\x80\x00"),  # a map as a key
        (PACKED, b"\xd7\xff" + b"\xff" * 8),  # a time that is none
    ],
)
def test_a_payload_that_is_not_what_it_says_is_bad_data(kind: int, payload: bytes) -> None:
    """Invalid UTF-8, cut or endless or unhashable msgpack: one error, whatever is wrong."""
    with pytest.raises(ProtocolError) as caught:
        taken(kind, payload)
    assert caught.value.code == "bad-data"


@given(st.sampled_from([BYTES, TEXT, PACKED]), st.binary())
def test_any_payload_is_a_value_or_bad_data(kind: int, payload: bytes) -> None:
    """Nothing else escapes."""
    try:
        taken(kind, payload)
    except ProtocolError as error:
        assert error.code == "bad-data"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 8, 16, 17, 300, 70_000])
@pytest.mark.parametrize("code", [-128, -1, 0, 76, 127])
def test_an_extension_is_told_by_its_first_bytes(size: int, code: int) -> None:
    """Whatever its size; nothing else is one."""
    item = decode_data(PACKED, msgspec.msgpack.encode(msgspec.msgpack.Ext(code, bytes(size))))

    assert item.extension == code


@pytest.mark.parametrize("value", [None, 76, [1], {"a": 1}, 2**63, "x" * 300])
def test_what_is_no_extension_has_no_code(value: Any) -> None:
    """Nor has text whose first byte would be one's."""
    assert decode_data(PACKED, msgspec.msgpack.encode(value)).extension is None
    assert Packed("\u01ccx".encode(), lambda text: text).extension is None
