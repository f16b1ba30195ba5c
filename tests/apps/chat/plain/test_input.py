"""What a plain caller sends, cut into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat.limits import PLAIN
from landline.apps.chat.plain import input as plain_input
from landline.apps.chat.plain.input import InputLine, PlainInput

LF, CR = 10, 13


def lines_of(data: PlainInput) -> list[InputLine]:
    lines = []
    while (line := data.next_line()) is not None:
        lines.append(line)
    return lines


def read(*chunks: bytes, max_line: int = 10) -> PlainInput:
    data = PlainInput(max_line)
    for chunk in chunks:
        data.receive_data(chunk)
    return data


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], [(b"a", LF), (b"b", LF)]),
        ([b"a\r\nb\r\n"], [(b"a", CR), (b"b", CR)]),
        ([b"a\r", b"\nb\r", b"\0c\r"], [(b"a", CR), (b"b", CR), (b"c", CR)]),
        ([b"a\r\r\n\n"], [(b"a", CR), (b"", CR), (b"", LF)]),
        ([b"a\xff", b"\xf1b\xff\xfb", b"\x01c\n"], [(b"abc", LF)]),
        ([b"\xff\xfa\x18\x01\n\xff\xff\xff", b"\xf0x\n"], [(b"x", LF)]),
        ([b"a\xff\xffb\n"], [(b"a\xffb", LF)]),
        ([b"half"], []),
    ],
)
def test_lines(chunks: list[bytes], lines: list[tuple[bytes, int]]) -> None:
    """Every line end, and telnet's commands wherever they are cut."""
    assert [(line.data, line.end) for line in lines_of(read(*chunks))] == lines


def test_a_goodbye_gives_the_line_up() -> None:
    """Ctrl-C and its telnet form are told apart from line ends."""
    first, second, third = lines_of(read(b"a\x03b\xff\xf4c\n"))

    assert first.goodbye_key == second.goodbye_key == "Ctrl-C"
    assert third.goodbye_key == ""


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"\xc3\xff\xf3\xff\xfd\x06", "Ü"),
        (b"\xc3\xff\xf4\xff\xfd\x06", "Ã"),
        (b"\xc3\xff\xf5\xff\xfd\x06", "Ï"),
        (b"\xc3\xff\xed\xff\xfd\x06", "Ú"),
        (b"\xe6\xff\xf3\xff\xfd\x06\xac", "本"),
        (b"Z\xff\xf3x", "Zx"),
    ],
)
def test_what_telnet_took_for_a_key_is_put_back(sent: bytes, text: str) -> None:
    """Inside a character only, however it is cut; elsewhere a break is nothing."""
    for data in (read(sent + b"\n"), read(*[bytes([byte]) for byte in sent], b"\n")):
        assert [(line.data.decode(), line.goodbye_key) for line in lines_of(data)] == [(text, "")]


def test_what_is_too_long_is_not_kept() -> None:
    """A line of the limit is whole, one byte more leaves only the fact, and the next line is whole again."""
    data = read(b"0123456789\n01234567890\nx\n")
    assert [(line.data, line.too_long) for line in lines_of(data)] == [
        (b"0123456789", False),
        (b"", True),
        (b"x", False),
    ]

    data = read(*[b"0123456"] * 1000)
    assert data.has_rest
    assert len(data._buffer) <= 10
    assert data.take_rest().too_long
    assert not data.has_rest


@pytest.mark.limit("chat.plain.subnegotiation")
def test_a_subnegotiation_without_end_is_given_up() -> None:
    """What goes on after its bound is text again, and is judged as such."""
    data = PlainInput(2000)
    data.receive_data(b"\xff\xfa" + b"x" * plain_input.MAX_SUBNEGOTIATION + b"yz\n")

    assert [line.data for line in lines_of(data)] == [b"z"]


def test_a_command_ends_a_subnegotiation_that_is_too_long_as_well() -> None:
    """Whatever the byte that is one too many, it is not text."""
    data = PlainInput(2000)
    data.receive_data(b"\xff\xfa" + b"x" * plain_input.MAX_SUBNEGOTIATION + b"\xffz\n")

    assert [line.data for line in lines_of(data)] == [b"z"]


@pytest.mark.parametrize(
    "flood",
    [
        b"\xff\xf1",
        b"\xff\xfb\x01",
        b"\xff\xfa\x18\xff\xf0",
        b"x\xff\xf1",
        b"\xff\xfa\xff\x18",
        b"\xff\xfa" + b"x" * 900,
    ],
)
def test_telnet_commands_without_end_are_endless(flood: bytes) -> None:
    """They are no part of a line, but they are counted."""
    data = PlainInput(10)
    data.receive_data(flood * (plain_input.MAX_COMMANDS // len(flood) // 4))
    assert not data.is_endless
    for _ in range(7):
        data.receive_data(flood * (plain_input.MAX_COMMANDS // len(flood) // 4 + 1))

    assert data.is_endless


@pytest.mark.long
def test_a_line_accounts_for_some_telnet_commands_and_no_more() -> None:
    """A long conversation over telnet is never endless, and a line before the flood does not excuse it."""
    data = PlainInput(10)
    for _ in range(1000):
        data.receive_data(b"\xff\xf1" * 500 + b"x\n")
        assert len(lines_of(data)) == 1
    assert not data.is_endless
    for _ in range(20):
        data.receive_data(b"x\n" + b"\xff\xf1" * 10_000)
        lines_of(data)

    assert data.is_endless


def test_a_message_that_was_too_long_is_forgotten_when_it_was_taken() -> None:
    """Whoever sends no line ends may be told so often."""
    data = PlainInput(10)
    for _ in range(3):
        data.receive_data(b"x" * plain_input.MAX_ENDLESS)
        assert data.take_rest().too_long

    assert not data.is_endless


def test_the_rest_is_what_has_no_end_yet() -> None:
    """A message without a line end can be taken as it is."""
    data = read(b"a\nhello")
    assert (data.has_line, data.has_rest) == (True, False)
    data.next_line()
    assert (data.has_line, data.has_rest) == (False, True)

    assert data.take_rest() == InputLine(b"hello", 0)
    assert not data.has_rest


def test_timing_marks_are_counted_once() -> None:
    """Only DO TIMING-MARK is one."""
    data = read(b"\xff\xfd\x06\xff\xfd\x01\xff\xfb\x06\xff\xfd", b"\x06")

    assert data.timing_marks() == 2
    assert data.timing_marks() == 0


@pytest.mark.parametrize(
    ("tail", "is_inside"),
    [
        ("é".encode()[:1], True),
        ("é".encode(), False),
        ("漢".encode()[:2], True),
        ("漢".encode(), False),
        ("🦊".encode()[:1], True),
        ("🦊".encode()[:3], True),
        ("🦊".encode(), False),
        (b"", False),
        (b"\x80\x80\x80", False),
        (b"a\x80", False),
    ],
)
def test_whether_a_character_is_complete(tail: bytes, is_inside: bool) -> None:
    """Looked at from its end, however short it is."""
    assert read(b"x" + tail).ends_inside_character() is is_inside


@given(
    st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"\0", b"\xff", b"\xfa", b"\xf0", b"\xfd", b"\x06", b"a", b"bcd", b"\x03"]
        ),
        max_size=40,
    )
)
def test_chunks_decide_nothing(parts: list[bytes]) -> None:
    """Byte by byte or all at once, the lines are the same."""
    at_once, bytewise = read(*parts), read()
    lines = []
    for byte in b"".join(parts):
        bytewise.receive_data(bytes([byte]))
        lines += lines_of(bytewise)

    assert lines_of(at_once) == lines
    assert at_once.take_rest() == bytewise.take_rest()


@pytest.mark.limit("chat.plain.endless")
def test_the_longest_line_that_has_an_end_and_one_byte_more() -> None:
    """At the limit its end is still waited for."""
    data = PlainInput(10)
    data.receive_data(b"x" * (PLAIN.endless - 11))
    data.receive_data(b"x" * 11)
    assert not data.is_endless
    data.receive_data(b"x" * 11)

    assert data.is_endless


@pytest.mark.limit("chat.plain.commands", "chat.plain.commands_a_line")
def test_the_most_telnet_commands_and_one_more() -> None:
    """At the limit they are fine, past it endless; a line makes room for so many more."""
    for lines, allowed in ((0, PLAIN.commands), (1, PLAIN.commands + PLAIN.commands_a_line)):
        data = PlainInput(10)
        data.receive_data(b"\xff\xf1" * (PLAIN.commands // 2) + b"x\n" * lines)
        assert len(lines_of(data)) == lines
        data.receive_data(b"\xff\xf1" * ((allowed - PLAIN.commands) // 2))
        assert not data.is_endless
        data.receive_data(b"\xff\xf1")

        assert data.is_endless
