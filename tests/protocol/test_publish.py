"""Publishing exactly once: what a client's outbox says again, what a server knows of it, and what of that is stored."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from landline.errors import ProtocolError
from landline.history import Position
from landline.limits import PROTOCOL
from landline.protocol.publish import (
    MOST_UNANSWERED,
    Answer,
    Code,
    Opened,
    Opening,
    Origin,
    Publish,
    Published,
    Publisher,
    Unpublished,
    decode_answer,
    decode_publish,
    decode_record,
    encode,
    encode_record,
)

ID = b"o" * 16
KNOWN, UNKNOWN = encode(Opened(known=True)), encode(Opened(known=False))


def at(offset: int, epoch: str = "e") -> Position:
    return Position(epoch, offset)


def stored(number: int, offset: int = 1) -> bytes:
    return encode(Published(number, "e", offset))


def opened(count: int, **life: Any) -> Publisher:
    """An outbox with so many publishes, in a flow that a server has opened."""
    publisher = Publisher(ID, **life)
    for number in range(count):
        publisher.publish("t", b"%d" % number)
    publisher.begin()
    publisher.receive(KNOWN)
    return publisher


def said(publisher: Publisher) -> list[int]:
    """The numbers that it says now."""
    numbers = []
    while (message := publisher.next_message()) is not None:
        publish = decode_publish(message)
        assert isinstance(publish, Publish)
        numbers.append(publish.number)
    return numbers


# The client...


def test_nothing_is_said_before_the_outbox_is_opened() -> None:
    """The server may not know it, and then what was said before must not be said again."""
    publisher = Publisher(ID)
    publisher.publish("t", b"data")

    assert decode_publish(publisher.begin()) == Opening(ID)
    assert publisher.next_message() is None
    assert publisher.receive(KNOWN) == []
    assert publisher.next_message() == encode(Publish(1, 0, "t", b"data"))
    assert publisher.next_message() is None


def test_what_was_not_answered_is_said_again_in_order_with_its_number() -> None:
    """In the next flow, what was added meanwhile after it; what was answered is not."""
    publisher = opened(3)
    assert said(publisher) == [1, 2, 3]
    assert publisher.receive(stored(2)) == [Published(2, "e", 1)]
    publisher.begin()
    publisher.publish("t", b"later")
    publisher.receive(KNOWN)

    assert said(publisher) == [1, 3, 4]


def test_the_server_is_told_up_to_where_answers_arrived() -> None:
    """One that is missing holds back those after it."""
    publisher = opened(4)
    assert publisher.answered == 0
    for number, answered in ((2, 0), (1, 2), (4, 2), (3, 4)):
        publisher.receive(stored(number))
        assert publisher.answered == answered
    publisher.publish("t", b"")

    assert publisher.next_message() == encode(Publish(5, 4, "t", b""))


def test_a_server_that_forgot_the_outbox_is_not_told_again_what_it_may_have_stored() -> None:
    """That is unknown; what was never said still goes out."""
    publisher = opened(3)
    publisher.next_message()
    publisher.next_message()
    publisher.begin()
    lost = publisher.receive(UNKNOWN)

    assert [(answer.number, answer.code) for answer in lost if isinstance(answer, Unpublished)] == [
        (1, Code.UNKNOWN),
        (2, Code.UNKNOWN),
    ]
    assert said(publisher) == [3]


def test_a_server_that_never_knew_it_is_told_all() -> None:
    """Nothing was said yet, so nothing can be in doubt."""
    publisher = Publisher(ID)
    publisher.publish("t", b"")
    publisher.begin()

    assert publisher.receive(UNKNOWN) == []
    assert said(publisher) == [1]


@pytest.mark.parametrize(("was_opened", "lost"), [(False, []), (True, [7, 9])])
def test_an_outbox_of_an_earlier_process_goes_on(was_opened: bool, lost: list[int]) -> None:
    """Its numbers go on; whether any of it was said is known by whether a server opened it."""
    publisher = Publisher(ID, {9: ("t", b"nine"), 7: ("t", b"seven")}, was_opened=was_opened)
    assert (list(publisher.unanswered), publisher.size, publisher.answered) == ([7, 9], 9, 6)
    publisher.begin()

    assert [answer.number for answer in publisher.receive(UNKNOWN)] == lost
    assert publisher.publish("t", b"") == 10
    assert said(publisher) == [number for number in (7, 9, 10) if number not in lost]
    assert Publisher(ID, answered=5).publish("t", b"") == 6


@pytest.mark.limit("protocol.publishes")
def test_an_outbox_has_room_for_so_many() -> None:
    """One answer makes room for one more."""
    publisher = opened(MOST_UNANSWERED - 1)
    has_room = [publisher.has_room]
    publisher.publish("t", b"data")
    has_room.append(publisher.has_room)
    publisher.receive(stored(1))
    has_room.append(publisher.has_room)

    assert has_room == [True, False, True]


def test_its_size_is_what_waits() -> None:
    """In bytes of data; nothing when it is given up."""
    publisher = Publisher(ID)
    publisher.publish("t", b"12345")
    publisher.publish("t", b"123")
    assert publisher.size == 8
    publisher.begin()
    publisher.receive(KNOWN)
    publisher.receive(encode(Unpublished(1, Code.REFUSED, "no")))
    assert publisher.size == 3
    publisher.clear()

    assert (publisher.size, publisher.unanswered, publisher.answered) == (0, {}, 2)


def test_answers_that_cannot_be_are_errors() -> None:
    """To what was never asked, twice to the same, or another beginning in the middle."""
    publisher = opened(1)
    publisher.receive(stored(1))
    for payload in (stored(1), stored(2), KNOWN):
        with pytest.raises(ProtocolError):
            publisher.receive(payload)


# What is said...


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        encode([2, 1, 0, "t", b""]),
        encode([0, b"too short"]),
        encode([0, bytes(17)]),
        encode([1, 0, 0, "t", b""]),
        encode([1, -1, 0, "t", b""]),
        encode([1, 1 << 63, 0, "t", b""]),
        encode([1, 1, -1, "t", b""]),
        encode([1, 1, 0, b"t", b""]),
        encode([1, 1, 0, "t", "text"]),
        encode([1, 1, 0, "t"]),
        encode({"number": 1}),
    ],
)
def test_what_is_no_publish_is_an_error(payload: bytes) -> None:
    """Every field has its type and its range."""
    with pytest.raises(ProtocolError, match="a publish that cannot be read"):
        decode_publish(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        encode([3]),
        encode([0, 1]),
        encode([1, 0, "e", 1]),
        encode([1, 1, "e", -1]),
        encode([2, 1, 3, ""]),
        encode([2, 1, 0, "x" * (PROTOCOL.reason + 1)]),
    ],
)
def test_what_is_no_answer_is_an_error(payload: bytes) -> None:
    """The same at the other end."""
    with pytest.raises(ProtocolError, match="an answer that cannot be read"):
        decode_answer(payload)


def test_what_a_later_version_adds_is_passed_over() -> None:
    """Fields at the end."""
    assert decode_publish(encode([1, 1, 0, "t", b"d", "new"])) == Publish(1, 0, "t", b"d")
    assert decode_answer(encode([0, True, "new"])) == Opened(known=True)


# ... and the server.


def ask(origin: Origin, number: int, answered: int = 0) -> Answer | bool:
    return origin.receive(Publish(number, answered, "t", b""))


def test_what_is_new_is_stored_and_a_repeat_gets_the_first_position() -> None:
    """While it is being stored, a repeat waits with it."""
    origin = Origin()
    assert ask(origin, 1) is True
    assert ask(origin, 1) is False
    assert origin.stored(1, at(7)) == Published(1, "e", 7)
    assert ask(origin, 1) == Published(1, "e", 7)
    assert ask(origin, 2) is True


def test_positions_are_kept_until_their_answers_have_arrived() -> None:
    """Then a repeat cannot come from an honest client, and nothing is made up for another."""
    origin = Origin()
    for number in (1, 2, 3):
        ask(origin, number)
        origin.stored(number, at(number))
    assert ask(origin, 4, answered=2) is True

    assert list(origin.kept) == [3]
    assert ask(origin, 2) == Unpublished(2, Code.UNKNOWN, "it was answered before")
    assert ask(origin, 5, answered=1) is True
    assert origin.answered == 2


@pytest.mark.parametrize("code", [Code.FULL, Code.UNKNOWN])
def test_a_repeat_of_what_failed_is_told_the_same(code: Code) -> None:
    """It is never stored later, when those after it may be: that would be out of order."""
    origin = Origin()
    ask(origin, 1)
    assert origin.failed(1, code, "why") == Unpublished(1, code, "why")
    ask(origin, 2)
    origin.stored(2, at(1))
    again = ask(origin, 1)

    assert isinstance(again, Unpublished)
    assert again.code is code
    assert ask(origin, 3, answered=1) is True
    assert origin.doubtful == set()


@pytest.mark.limit("protocol.publishes")
@pytest.mark.parametrize("how", ["waiting", "kept", "doubtful"])
def test_so_many_of_an_outbox_may_wait(how: str) -> None:
    """Whether they wait for the disk or for the client to say that it has their answers; a repeat is no more."""
    origin = Origin()
    for number in range(1, MOST_UNANSWERED + 1):
        assert ask(origin, number) is True
        if how == "kept":
            origin.stored(number, at(number))
        elif how == "doubtful":
            origin.failed(number, Code.UNKNOWN, "")
    with pytest.raises(ProtocolError) as caught:
        ask(origin, MOST_UNANSWERED + 1)
    ask(origin, MOST_UNANSWERED)

    assert caught.value.limit == "protocol.publishes"
    if how != "waiting":
        assert ask(origin, MOST_UNANSWERED + 1, answered=1) is True


def test_a_client_that_claims_answers_it_cannot_have_harms_itself_alone() -> None:
    """Numbers that were never asked are not answered."""
    origin = Origin()
    assert ask(origin, 1, answered=100) is True
    assert origin.answered == 0
    origin.stored(1, at(1))

    assert ask(origin, 2, answered=100) is True
    assert (origin.answered, origin.kept) == (1, {})


# What is stored...


def test_what_is_stored_of_an_outbox_is_what_the_next_life_knows() -> None:
    """Positions of several lives, and those of its own transaction, which nobody knew when it was written."""
    origin = Origin({3: at(10, "old"), 4: at(12, "old")}, last=4, answered=2)
    ask(origin, 5)
    ask(origin, 6)
    data = encode_record(origin, [(5, 3), (6, 0)], 99.0)
    restored, when = decode_record(data, at(50, "new"))

    assert when == 99.0
    assert restored.kept == {
        3: at(10, "old"),
        4: at(12, "old"),
        5: at(47, "new"),
        6: at(50, "new"),
    }
    assert (restored.last, restored.answered) == (6, 2)
    assert ask(restored, 5) == Published(5, "new", 47)
    assert ask(restored, 7) is True


def test_what_failed_or_waits_is_not_stored_with_the_others() -> None:
    """It is new to the next life, if it comes again; what was skipped before something that was stored is not."""
    origin = Origin()
    for number in (1, 2, 3):
        ask(origin, number)
    origin.failed(1, Code.FULL, "")
    restored, _ = decode_record(encode_record(origin, [(2, 0)], 0.0), at(1))

    assert restored.kept == {2: at(1)}
    again = ask(restored, 1)
    assert isinstance(again, Unpublished)
    assert again.code is Code.FULL
    assert ask(restored, 3) is True


def test_an_outbox_of_which_nothing_is_kept_begins_after_what_was_answered() -> None:
    """Or at the very beginning."""
    restored, _ = decode_record(encode_record(Origin(last=9, answered=9), [], 0.0), at(1))
    assert (restored.last, restored.answered) == (9, 9)
    fresh, _ = decode_record(encode_record(Origin(), [], 0.0), at(0))
    assert ask(fresh, 1) is True


@pytest.mark.parametrize("data", [b"", b"\xc1", msgspec.msgpack.encode([1.0])])
def test_a_record_that_cannot_be_read_is_an_error(data: bytes) -> None:
    """Whoever reads it says so."""
    with pytest.raises(ValueError):
        decode_record(data, at(1))


def test_a_kept_outbox_calls_answered_what_is_forgotten() -> None:
    """Else the server would forget the position of what the next process may say again; and it says only what is kept."""
    publisher = Publisher(bytes(16), is_kept=True)
    for _ in range(3):
        publisher.publish("t", b"")
    publisher.begin()
    publisher.receive(encode(Opened(known=False)))
    assert publisher.next_message() is None

    publisher.kept(2)
    assert publisher.next_message() is None
    publisher.kept(1)
    for number in (1, 2):
        said = publisher.next_message()
        assert said is not None
        assert decode_publish(said) == Publish(number, 0, "t", b"")
        publisher.receive(encode(Published(number, "epoch", number)))
    assert publisher.next_message() is None
    publisher.forgotten(1)
    publisher.kept(3)
    said = publisher.next_message()
    assert said is not None
    assert decode_publish(said) == Publish(3, 1, "t", b"")


def test_numbers_that_an_earlier_life_may_have_used_are_skipped() -> None:
    """Some above those that it left may have been answered."""
    publisher = Publisher(ID, {3: ("t", b"three")}, was_opened=True)
    publisher.skip()

    assert publisher.publish("t", b"") == 3 + MOST_UNANSWERED + 1
