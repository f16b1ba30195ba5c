"""The client's half of a subscription: where it is, after each thing that it is told."""

from __future__ import annotations

import pytest

from landline.errors import ProtocolError
from landline.history import (
    BEHIND,
    DAMAGED,
    EXPIRED,
    HISTORY_REPLACED,
    SUPERSEDED,
    TOO_LARGE,
    Gap,
    Position,
    Publication,
)
from landline.protocol.codec import BYTES, PACKED, TEXT, Packed
from landline.protocol.subscription import (
    After,
    Item,
    Mark,
    Missing,
    Place,
    Subscribe,
    decode_subscribe,
    encode,
    unwrap,
    wrap,
)


def item(offset: int, data: bytes = b"\x21hi") -> bytes:
    return encode(Item("t", offset, data))


def at(offset: int, epoch: str = "e") -> Position:
    return Position(epoch, offset)


@pytest.mark.parametrize("after", [After.START, After.NOW, After.LAST])
def test_a_subscription_begins_where_it_is_asked_to(after: After) -> None:
    """And again there, as long as it was told no position."""
    subscription = Place("t", after)

    assert decode_subscribe(subscription.begin()) == Subscribe("t", after)
    assert subscription.position is None
    assert decode_subscribe(subscription.begin()) == Subscribe("t", after)


def test_a_subscription_goes_on_where_it_had_come_to() -> None:
    """After a position that was given, a mark, or a publication."""
    subscription = Place("t", at(5))
    assert decode_subscribe(subscription.begin()) == Subscribe("t", After.POSITION, "e", 5)
    assert subscription.receive(encode(Mark("f", 7))) is None
    assert decode_subscribe(subscription.begin()) == Subscribe("t", After.POSITION, "f", 7)
    subscription.receive(encode(Mark("f", 7)))
    assert subscription.receive(item(9)) == Publication("t", at(9, "f"), "hi")

    assert subscription.position == at(9, "f")
    assert decode_subscribe(subscription.begin()) == Subscribe("t", After.POSITION, "f", 9)


def test_a_publication_needs_the_name_of_its_epoch() -> None:
    """Anew in each flow: the last one's server may have been another."""
    subscription = Place("t", After.NOW)
    subscription.begin()
    subscription.receive(encode(Mark("e", 1)))
    subscription.receive(item(2))
    subscription.begin()

    with pytest.raises(ProtocolError, match="before its epoch was named"):
        subscription.receive(item(3))


@pytest.mark.parametrize("reason", [HISTORY_REPLACED, BEHIND, SUPERSEDED, TOO_LARGE])
def test_a_gap_up_to_whose_end_all_was_told_is_a_place_to_go_on_from(reason: str) -> None:
    """One that says that the history is another even leads back."""
    subscription = Place("t", at(9, "other"))
    gap = subscription.receive(encode(Missing("t", "other", 9, "e", 4, reason)))

    assert gap == Gap("t", at(9, "other"), at(4), reason)
    assert subscription.position == at(4)


@pytest.mark.parametrize("reason", [EXPIRED, DAMAGED, "a reason of a later version"])
def test_a_gap_that_may_reach_further_than_what_follows_is_none(reason: str) -> None:
    """Of a pattern's topics another may have something before its end."""
    subscription = Place("*", at(1))
    assert subscription.receive(encode(Missing("t", "e", 1, "e", 8, reason))) == Gap(
        "t", at(1), at(8), reason
    )

    assert subscription.position == at(1)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        encode([3]),
        encode([0, "t", -1, b""]),
        encode([0, "t", 1, "text"]),
        encode([1, "e", 1 << 63]),
        encode([2, "t", "e", 1, "e", 2]),
    ],
)
def test_what_cannot_be_read_is_an_error(payload: bytes) -> None:
    """And moves nothing."""
    subscription = Place("t", at(1))
    subscription.receive(encode(Mark("e", 2)))

    with pytest.raises(ProtocolError, match="a publication that cannot be read"):
        subscription.receive(payload)
    assert subscription.position == at(2)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        encode(["t"]),
        encode(["t", 4]),
        encode(["t", 0, "e", -1]),
        encode(["t", 0, "e" * 256]),
        encode([b"t", 1]),
    ],
)
def test_a_wish_that_cannot_be_read_is_an_error(payload: bytes) -> None:
    """Every field has its type and its range."""
    with pytest.raises(ProtocolError, match="a subscription that cannot be read"):
        decode_subscribe(payload)


def test_what_was_published_arrives_as_what_it_was() -> None:
    """Its type is stored with it; something packed is unpacked by who takes it; nothing at all is no bytes."""
    packed = unwrap(wrap(PACKED, b"\x01"))

    assert (unwrap(wrap(TEXT, b"hi")), unwrap(wrap(BYTES, b"hi")), unwrap(b"")) == ("hi", b"hi", b"")
    assert isinstance(packed, Packed)
    assert packed.unpack() == 1
    with pytest.raises(ProtocolError):
        unwrap(wrap(TEXT, b"\xff"))
