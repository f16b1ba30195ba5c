"""What travels: every message survives the way, and nothing else is taken for one."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest

from landline.apps.chat import text, wire

LINE = wire.Line(7, 1000.5, "ana", "hello\nthere é 😀", 2**63 - 1)

REQUESTS: list[Any] = [
    wire.Enter("ana", {"lobby": None, "tea": wire.Seen("e1", 9)}, run=2**63 - 1, asked=7),
    wire.Join(2, "tea"),
    wire.Leave(3, "tea"),
    wire.Rename(4, "eva"),
    wire.ListRooms(5),
    wire.ListMembers(6, "tea"),
    wire.Earlier(12, "tea", 90, 100),
    wire.Whisper(7, "ben", "psst"),
    wire.Ring(8, "ben"),
    wire.Accept(9),
    wire.Hangup(10),
    wire.Talk(11, "hello"),
    wire.OfferFile(13, 2**63 - 1, "a b.pdf", 4 << 30, to="ben"),
    wire.TakeFile(14, 2**63 - 1),
    wire.DropFile(15, 2**63 - 1),
]
TOLD: list[Any] = [
    wire.Entered("ana", "e1", "a notice"),
    wire.Joined(
        "tea", [wire.Member("ana"), wire.Member("guest-1", True, "plain")], wire.Seen("e1", 6), 9, "missing"
    ),
    wire.Barred("a b", "why"),
    wire.Came("tea", "ana"),
    wire.Went("tea", "ana", "why"),
    wire.Renamed("ana", "eva"),
    wire.Away("ana", True),
    wire.RoomList(1, [wire.Room("tea", 2)]),
    wire.MemberList(2, "tea", [wire.Member("ana")]),
    wire.EarlierLines(12, "tea", [wire.Line(7, 1000.5, "ana", "hello", 5)], 6, True, "why"),
    wire.Whispered("ana", "psst"),
    wire.Rang("ana"),
    wire.CallBegan("ana"),
    wire.Talked("ana", "hello"),
    wire.CallEnded("ana", "why"),
    wire.FileOffered(2**63 - 1, "ana", "a b.pdf", 4 << 30, "tea"),
    wire.FileWanted(2**63 - 1, 2**63 - 2, "ben"),
    wire.FileRefused(2**63 - 1, "ben"),
    wire.FileGone(2**63 - 1, "why"),
    wire.Done(3),
    wire.Sorry(4, "why"),
    wire.Notice("hello"),
]


def kind(message: Any) -> str:
    return type(message).__name__


@pytest.mark.parametrize("message", REQUESTS, ids=kind)
def test_a_request_arrives_as_it_was_sent(message: Any) -> None:
    """And is nothing that a server says."""
    assert wire.decode_request(wire.encode(message)) == message
    with pytest.raises(ValueError, match="not a chat message"):
        wire.decode_told(wire.encode(message))


@pytest.mark.parametrize("message", TOLD, ids=kind)
def test_what_the_server_says_arrives_as_it_was_sent(message: Any) -> None:
    """And is no request."""
    assert wire.decode_told(wire.encode(message)) == message
    with pytest.raises(ValueError, match="not a chat message"):
        wire.decode_request(wire.encode(message))


@pytest.mark.limit("chat.file_name")
def test_a_files_name_is_bounded() -> None:
    """By code points; a longer one is no message, and a size below nothing is none."""
    longest = wire.OfferFile(1, 2, "é" * 255, 0, to="ben")
    assert wire.decode_request(wire.encode(longest)) == longest
    for wrong in (wire.OfferFile(1, 2, "é" * 256, 0, to="ben"), wire.OfferFile(1, 2, "a", -1, to="ben")):
        with pytest.raises(ValueError, match="not a chat message"):
            wire.decode_request(wire.encode(wrong))


SAY = wire.Say(2**63 - 1, "lobby", "hello", 2**63 - 1, 7)
KEPT = wire.Kept(1000.5, "ana", "hello\nthere", 2**63 - 1, "a room")


def test_a_line_is_published_and_kept_as_what_it_is() -> None:
    """No line is taken for a request, and nothing but a line is kept."""
    assert wire.decode_say(wire.encode(SAY)) == SAY
    assert wire.decode_kept(wire.encode(KEPT)) == KEPT
    with pytest.raises(ValueError, match="not a chat message"):
        wire.decode_request(wire.encode(SAY))
    with pytest.raises(ValueError, match="not a chat message"):
        wire.decode_kept(wire.encode(SAY))


def test_a_kept_line_keeps_its_fields_by_name() -> None:
    """Later versions add fields; those that are there keep theirs."""
    assert wire.Kept.__struct_fields__ == ("at", "name", "text", "id", "room")


def test_no_message_is_left_out_of_these_tests() -> None:
    """A new message needs its example here."""
    assert {type(message) for message in REQUESTS} == set(typing.get_args(wire.Request))
    assert {type(message) for message in TOLD} == set(typing.get_args(wire.Told))


@pytest.mark.parametrize(
    "data",
    [
        "text",
        None,
        5,
        b"",
        b"\xc1",
        b"\xa1\xff",
        b"\x91" * 100_000,
        msgspec.msgpack.encode({"t": "msg", "id": "1", "to": "x", "text": "y"}),
        msgspec.msgpack.encode({"t": "msg", "id": 1, "to": "x", "text": b"\xff"}),
    ],
)
def test_anything_else_is_refused_as_one_error(data: object) -> None:
    """Another type, rubbish, text that is no UTF-8, nesting without end, a field of another type."""
    with pytest.raises(ValueError, match=r"chat message|can't decode"):
        wire.decode_request(data)


def test_nesting_without_end_in_a_field_that_is_not_known_is_refused_as_well() -> None:
    """It is passed over, as far as that can be done."""
    request = wire.encode(wire.Whisper(1, "x", "y"))
    one_field_more = bytes([request[0] + 1]) + request[1:] + msgspec.msgpack.encode("mood")

    assert wire.decode_request(one_field_more + b"\xc0") == wire.Whisper(1, "x", "y")
    with pytest.raises(ValueError, match="recursion"):
        wire.decode_request(one_field_more + b"\x91" * 100_000 + b"\xc0")


def test_fields_that_are_not_known_are_passed_over() -> None:
    """A later version may add some."""
    data = msgspec.msgpack.encode({"t": "msg", "id": 1, "to": "x", "text": "y", "mood": "good"})

    assert wire.decode_request(data) == wire.Whisper(1, "x", "y")


@pytest.mark.parametrize(
    ("data", "id"),
    [
        (msgspec.msgpack.encode({"t": "sing", "id": 4}), 4),
        (msgspec.msgpack.encode({"t": "sing"}), None),
        (msgspec.msgpack.encode({"id": "4"}), None),
        (b"\x91" * 100_000, None),
        ("text", None),
    ],
)
def test_the_number_of_what_is_no_request_is_found_where_it_has_one(data: object, id: int | None) -> None:
    """So that the refusal can name it."""
    assert wire.request_id(data) == id


def strings(message: Any) -> list[tuple[str, ...]]:
    """Where a message holds text."""
    if isinstance(message, str):
        return [()]
    if isinstance(message, dict):
        return [(key, *rest) for key in message for rest in strings(message[key])]
    if isinstance(message, list):
        return [("[]", *rest) for rest in strings(message[0])] if message else []
    return []


def lengthened(message: Any, path: tuple[str, ...], size: int) -> Any:
    if not path:
        return "x" * size
    if path[0] == "[]":
        return [lengthened(message[0], path[1:], size)]
    return {**message, path[0]: lengthened(message[path[0]], path[1:], size)}


LONG = [
    (message, path)
    for message in REQUESTS + TOLD
    for path in strings(msgspec.to_builtins(message))
    if path != ("t",)
]


@pytest.mark.parametrize(
    ("message", "path"), LONG, ids=lambda part: kind(part) if type(part) is not tuple else ".".join(part)
)
def test_no_text_is_longer_than_it_can_be(message: Any, path: tuple[str, ...]) -> None:
    """In either direction, whatever field it is in: nobody's program stops over what another one sent."""
    decode: Any = wire.decode_request if message in REQUESTS else wire.decode_told
    plain = msgspec.to_builtins(message)
    assert decode(msgspec.msgpack.encode(lengthened(plain, path, 60)))

    with pytest.raises(ValueError, match="length <="):
        decode(msgspec.msgpack.encode(lengthened(plain, path, text.RAW_TEXT + 1)))


def test_the_name_of_a_room_in_a_list_is_bounded_too() -> None:
    """It is a key there."""
    with pytest.raises(ValueError, match="length <="):
        wire.decode_request(wire.encode(wire.Enter("ana", {"x" * 300: None})))


def test_the_longest_that_is_fine_travels() -> None:
    """Whatever ``text`` lets through, and what it will refuse with a sentence of its own."""
    kept = wire.Kept(1.0, "é" * text.MAX_NAME, "x" * text.MAX_TEXT, 2**63 - 1, "r" * text.MAX_ROOM)
    assert wire.decode_kept(wire.encode(kept)) == kept
    for request in (
        wire.Whisper(1, "r", "x" * (text.MAX_TEXT + 1)),
        wire.Rename(1, "x" * (text.MAX_NAME + 1)),
    ):
        assert wire.decode_request(wire.encode(request)) == request


def test_what_is_refused_is_not_quoted_at_length() -> None:
    """The sentence goes back, and has to fit."""
    with pytest.raises(ValueError, match="xxx") as refusal:
        wire.decode_request(msgspec.msgpack.encode({"t": "x" * 500_000}))

    assert len(str(refusal.value)) < 300


@pytest.mark.limit("chat.raw_text", "chat.word")
def test_the_longest_fields_travel_and_longer_ones_do_not() -> None:
    """A text that a sentence will refuse, and the name of a history's life."""
    for message, longer in (
        (wire.Whisper(1, "r", "x" * text.RAW_TEXT), wire.Whisper(1, "r", "x" * (text.RAW_TEXT + 1))),
        (
            wire.Enter("ana", {"r": wire.Seen("e" * 64, 1)}),
            wire.Enter("ana", {"r": wire.Seen("e" * 65, 1)}),
        ),
    ):
        assert wire.decode_request(wire.encode(message)) == message
        with pytest.raises(ValueError, match="length <="):
            wire.decode_request(wire.encode(longer))


@pytest.mark.limit("chat.quoted")
def test_so_much_of_what_is_refused_is_quoted() -> None:
    """A long complaint is cut at the limit, a short one is whole."""
    quotes = []
    for size in (10, 500_000):
        with pytest.raises(ValueError, match="xxx") as refusal:
            wire.decode_request(msgspec.msgpack.encode({"t": "x" * size}))
        quotes.append(str(refusal.value).removeprefix("not a chat message: "))

    assert "x" * 10 + "'" in quotes[0]
    assert len(quotes[0]) < len(quotes[1]) == 200
