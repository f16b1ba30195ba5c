"""What a server that does not know an outbox is told: only what no server can have heard before."""

from __future__ import annotations

from landline.protocol.publish import (
    OUTBOX_ID_SIZE,
    Code,
    Opened,
    Publish,
    Publisher,
    Unpublished,
    decode_publish,
    encode,
)


def test_what_was_said_before_is_not_said_to_who_does_not_know_the_outbox() -> None:
    """It may be stored there, where nobody can find it: that is told to who published it. What follows is said."""
    publisher = Publisher(b"o" * OUTBOX_ID_SIZE)
    publisher.begin()
    publisher.receive(encode(Opened(False)))
    first = publisher.publish("news", b"one")
    assert publisher.next_message() is not None
    second = publisher.publish("news", b"two")
    publisher.begin()
    (lost,) = publisher.receive(encode(Opened(False)))
    message = publisher.next_message()

    assert isinstance(lost, Unpublished)
    assert (lost.number, lost.code) == (first, Code.UNKNOWN)
    assert message is not None
    assert decode_publish(message) == Publish(second, first, "news", b"two")
    assert publisher.next_message() is None
