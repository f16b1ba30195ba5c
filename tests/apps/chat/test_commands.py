"""Commands, read from what was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import commands
from landline.apps.chat.commands import (
    Call,
    Drop,
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
    assert parse(line, with_drop=True) == command


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
        ("/jion garden", "Did you mean /join?"),
        ("/whoo", "Did you mean /who?"),
        ("/etc/hosts", "begin it with //"),
        ("/", "/help lists"),
        ("/" + "x" * 999, "…"),
    ],
)
def test_a_mistake_says_what_to_do(line: str, part: str) -> None:
    """A command that cannot be understood is answered by a sentence."""
    mistake = parse(line, with_drop=True)

    assert isinstance(mistake, Mistake)
    assert part in mistake.why
    assert len(mistake.why) < 200


def test_drop_needs_a_session() -> None:
    """Somebody without a session beneath is told so, and does not see it in the list."""
    mistake = parse("/drop")

    assert isinstance(mistake, Mistake)
    assert "needs a session" in mistake.why
    assert "/drop" not in help_text()
    assert "/drop" in help_text(with_drop=True)


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
    assert parse("/" + line, with_drop=True) is not None


@pytest.mark.limit("chat.client.drop")
def test_the_longest_drop_and_more() -> None:
    """Ten minutes are fine, a moment more is explained."""
    assert parse("/drop 600", with_drop=True) == Drop(600.0)
    mistake = parse("/drop 600.1", with_drop=True)

    assert isinstance(mistake, Mistake)
    assert "from 0 to 600" in mistake.why
