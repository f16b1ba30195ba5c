"""Commands, read from what was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import commands
from landline.apps.chat.commands import (
    Call,
    Drop,
    History,
    Join,
    Leave,
    Message,
    Mistake,
    Nick,
    Nothing,
    Rooms,
    Say,
    Who,
    help_text,
    parse,
)
from landline.apps.chat.plain.turns import MAX_SEND


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("hello", Say("hello")),
        ("  code\n", Say("  code")),
        ("good bye", Say("good bye")),
        ("", Nothing()),
        (" \r\n", Nothing()),
        ("bye", commands.Bye()),
        ("  BYE \r\n", commands.Bye()),
        ("/bye", commands.Bye()),
        ("/bye now", commands.Bye()),
        ("/quit", commands.Bye()),
        ("//etc/hosts", Say("/etc/hosts")),
        ("//", Say("/")),
        ("/nick ana", Nick("ana")),
        ("/NICK  ana ", Nick("ana")),
        ("/join garden", Join("garden")),
        ("/leave", Leave("")),
        ("/part garden", Leave("garden")),
        ("/rooms", Rooms()),
        ("/who", Who("")),
        ("/who garden", Who("garden")),
        ("/history", History(20)),
        ("/history 100", History(100)),
        ("/history 1", History(1)),
        ("/msg ben hello  there", Message("ben", "hello  there")),
        ("/msg ben one\ntwo", Message("ben", "one\ntwo")),
        ("/w ben psst", Message("ben", "psst")),
        ("/call ben", Call("ben")),
        ("/help", commands.Help()),
        ("/help me", commands.Help()),
        ("/?", commands.Help()),
        ("/drop", Drop(5.0)),
        ("/drop 2.5", Drop(2.5)),
        ("/drop 10s", Drop(10.0)),
    ],
)
def test_a_line_is_a_command(line: str, command: commands.Command) -> None:
    """What was typed becomes one small thing."""
    assert parse(line, with_session=True) == command


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("/nick", "/nick NAME"),
        ("/nick two words", "A name is one word: /nick NAME"),
        ("/join", "/join ROOM"),
        ("/leave a b", "/leave [ROOM]"),
        ("/rooms all", "/rooms"),
        ("/msg", "/msg NAME TEXT"),
        ("/msg ben", "/msg NAME TEXT"),
        ("/call", "/call NAME"),
        ("/drop soon", "/drop [SECONDS]"),
        ("/drop -1", "/drop [SECONDS]"),
        ("/drop -3", "from 0 to 600"),
        ("/drop abc", "from 0 to 600"),
        ("/drop 100000", "from 0 to 600"),
        ("/join a b", "A room's name is one word"),
        ("/drop nan", "/drop [SECONDS]"),
        ("/drop 1e9", "/drop [SECONDS]"),
        ("/history 0", "from 1 to 100"),
        ("/history 101", "from 1 to 100"),
        ("/history ten", "from 1 to 100"),
        ("/history " + "9" * 5000, "from 1 to 100"),
        ("/history 5 6", "/history [LINES]"),
        ("/jion garden", "Did you mean /join?"),
        ("/whoo", "Did you mean /who?"),
        ("/etc/hosts", "begin it with //"),
        ("/", "/help lists"),
        ("/" + "x" * 999, "…"),
    ],
)
def test_a_mistake_says_what_to_do(line: str, part: str) -> None:
    """A command that cannot be understood is answered by a sentence."""
    mistake = parse(line, with_session=True)

    assert isinstance(mistake, Mistake)
    assert part in mistake.why
    assert len(mistake.why) < 200


@pytest.mark.parametrize("name", ["/drop", "/history"])
def test_some_commands_need_a_session(name: str) -> None:
    """Somebody without a session beneath is told so, and does not see them in the list."""
    mistake = parse(name)

    assert isinstance(mistake, Mistake)
    assert f"There is no {name} here: it needs a session" in mistake.why
    assert name not in help_text()
    assert name in help_text(with_session=True)


def test_help_lists_every_command_and_fits_one_send() -> None:
    """A turn-taking caller sees all of it at once."""
    shown = help_text()

    for word in ("nick", "join", "leave", "rooms", "who", "msg", "call", "help", "bye"):
        assert f"/{word}" in shown
    assert len(shown.encode()) + 2 * shown.count("\n") + 2 < MAX_SEND


@given(st.text())
def test_anything_can_be_read(line: str) -> None:
    """No line is an error of ours."""
    assert parse(line) is not None
    assert parse("/" + line, with_session=True) is not None


@pytest.mark.limit("chat.client.drop")
@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/send a.pdf", commands.Send("a.pdf")),
        ("/send my file.pdf @ben", commands.Send("my file.pdf", "ben")),
        ("/send 'my file.pdf' @ben", commands.Send("my file.pdf", "ben")),
        ('/send "it is @home"', commands.Send("it is @home")),
        ("/send @ben", commands.Send("@ben")),
        ("/send a @", commands.Send("a @")),
        ("/file ~/x  @ben", commands.Send("~/x", "ben")),
        ("/accept", commands.Accept()),
        ("/accept 12", commands.Accept(12)),
        ("/take 1", commands.Accept(1)),
        ("/refuse", commands.Refuse()),
        ("/decline 3", commands.Refuse(3)),
        ("/files", commands.Files()),
    ],
)
def test_commands_about_files_are_read(line: str, command: commands.Command) -> None:
    """A file's name may have blanks; whom it is for stands last."""
    assert parse(line, with_session=True) == command


@pytest.mark.parametrize(
    "line", ["/send", "/send ", "/accept 0", "/accept x", "/refuse 1 2", "/accept -1", "/files x"]
)
def test_commands_about_files_that_are_wrong_say_how_they_go(line: str) -> None:
    """And name the command; without a session there is none of them."""
    mistake = parse(line, with_session=True)
    assert isinstance(mistake, Mistake)
    assert line.split(maxsplit=1)[0] in mistake.why
    assert "needs a session" in parse(line).why  # type: ignore[union-attr]


@pytest.mark.parametrize("line", ['/send "my file.pdf', '/send "my file.pdf @ben', "/send 'x", '/send "'])
def test_a_quote_that_is_not_closed_is_told(line: str) -> None:
    """Else the file would be looked for with the quote in its name."""
    mistake = parse(line, with_session=True)
    assert isinstance(mistake, Mistake)
    assert "is not closed" in mistake.why


def test_the_longest_drop_and_more() -> None:
    """Ten minutes are fine, a moment more is explained."""
    assert parse("/drop 600", with_session=True) == Drop(600.0)
    mistake = parse("/drop 600.1", with_session=True)

    assert isinstance(mistake, Mistake)
    assert "from 0 to 600" in mistake.why
