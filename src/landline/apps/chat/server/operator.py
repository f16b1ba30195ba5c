"""The operator: somebody at the server's own terminal, who is in the lobby as ``host``.

``Console`` writes to them as ``plain`` does to a caller, so that an operator is a guest with another name and another line. The typed
line stays whole at the bottom while the talk goes by above it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import ClassVar, Final

from landline.apps.chat import commands
from landline.apps.chat.client.line_screen import lines_of
from landline.apps.chat.plain import caller as plain_caller
from landline.apps.chat.server.chat import Chat
from landline.apps.chat.server.guest import Guest
from landline.apps.chat.text import safe_text

NAME: Final = "host"

Print = Callable[[str], None]
Lines = Callable[[Callable[[], str]], AsyncGenerator[str, None]]
"""Yields what is typed, line by line, given what tells the prompt; it ends when the person wants to leave."""


class Console:
    """The operator's terminal: what is written on it.

    Args:
        write: prints one or several whole lines.
    """

    def __init__(self, write: Print) -> None:
        self._write = write
        self.call = ""

    @property
    def prompt(self) -> str:
        """What stands before the line being typed."""
        return f"{NAME} (to {self.call} alone): " if self.call else f"{NAME}: "

    def welcome(
        self, name: str, room: str, others: Sequence[str], recent: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Say how it begins."""
        self.recalled(recent)
        self._note(
            f"You are {name}: what you type is said in {room}. /help says what else there is, Ctrl-C ends the chat."
        )

    def room_said(self, name: str, text: str) -> None:
        """Somebody said this in the room."""
        self._spoken(name, text)

    def whispered(self, name: str, text: str) -> None:
        """Somebody said this to the operator alone."""
        self._spoken(f"{name} (to you)", text)

    def talked(self, name: str, text: str) -> None:
        """The other one in the call said this."""
        self._spoken(f"{name} (call)", text)

    def told(self, text: str) -> None:
        """An answer."""
        self._note(text)

    def noticed(self, text: str) -> None:
        """Small news."""
        self._note(text)

    def called(self, name: str) -> None:
        """Nothing to do: the operator's name stays."""

    def moved(self, room: str) -> None:
        """Nothing to do: the answer to the command says so."""

    def recalled(self, lines: Sequence[tuple[str, str]]) -> None:
        """Say what was said before."""
        if lines:
            self._note("Said before:")
        for name, text in lines:
            self._spoken(name, text)

    def call_began(self, name: str) -> None:
        """What is typed goes to one person alone from here."""
        self.call = safe_text(name, keep="")
        self._note(f"You are in a call with {name}: only they hear you. bye ends it.")

    def call_ended(self, name: str, why: str) -> None:
        """What is typed goes to the room again."""
        self.call = ""
        self._note(f"The call with {name} is over" + (f": {why}." if why else "."))

    def operator_present(self, present: bool) -> None:
        """Nothing to do: that is this person."""

    def close(self, reason: str) -> None:
        """Say why it ends."""
        self._note(reason)

    def _spoken(self, name: str, text: str) -> None:
        # What follows a line end is indented, so that nobody can write a line that looks like another's.
        self._write(f"{safe_text(name, keep='')}: {safe_text(text)}".replace("\n", "\n    "))

    def _note(self, text: str) -> None:
        self._write("\n".join(f"* {line}" for line in safe_text(text).split("\n")))


class Operator(Guest):
    """Whoever sits at the server.

    Args:
        console: their terminal.
        chat: what they are in.
    """

    kind: ClassVar[str] = "operator"

    def __init__(self, console: Console, chat: Chat) -> None:
        super().__init__(console, chat)
        self._console = console
        self._asked_to_end = False

    def _claim_name(self) -> None:
        self._house.enter_as_operator(self, NAME)

    async def run(self, lines: Lines) -> None:
        """Carry out what is typed until they want the chat to end; they must have entered."""
        async with contextlib.aclosing(lines(lambda: self._console.prompt)) as typed:
            async for line in typed:
                try:
                    if not await self._typed(line):
                        return
                except plain_caller.Refused as refused:
                    self._console.told(str(refused))

    async def _typed(self, line: str) -> bool:
        """Carry out one line; return False when the chat shall end."""
        command = commands.parse(safe_text(line))
        if not isinstance(command, commands.Bye | commands.Nothing):
            self._asked_to_end = False
        match command:
            case commands.Say(text):
                if not await self.say(text):
                    self._console.told("It is kept, but nobody else is in the room to hear it.")
            case commands.Nothing():
                pass
            case commands.Help():
                self._console.told(commands.help_text())
            case commands.Mistake(why):
                self._console.told(why)
            case commands.Bye() if self.call is not None:
                await self.hang_up()
            case commands.Bye():
                return self._stays()
            case _:
                await self.do(command)
        return True

    def _stays(self) -> bool:
        """Say whether they stay: the end of the chat for others is asked for twice."""
        others = len(self._house.names) - 1
        if not others or self._asked_to_end:
            return False
        self._asked_to_end = True
        people = "1 person is" if others == 1 else f"{others} people are"
        self._console.told(f"That ends the chat for everybody, and {people} here. /bye again ends it.")
        return True


def is_present() -> bool:
    """Say whether somebody can sit here: stdin and stdout are a terminal, and we are in its foreground."""
    try:
        descriptors = (sys.stdin.fileno(), sys.stdout.fileno())
        if not all(os.isatty(descriptor) for descriptor in descriptors):
            return False
        # In the background of a shell, touching the terminal would stop the whole server.
        return os.name == "nt" or os.tcgetpgrp(descriptors[0]) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # closed, or replaced by something without a descriptor
        return False


def write(text: str) -> None:
    """Print on the terminal, above the line being typed."""
    print(text, flush=True)


async def terminal_lines(prompt: Callable[[], str]) -> AsyncGenerator[str, None]:
    """Yield what is typed at the terminal; ends with Ctrl-C or Ctrl-D on an empty line. A pasted block is one line."""
    if os.environ.get("TERM", "dumb") in ("", "dumb", "unknown") and os.name != "nt":
        async for line in lines_of(sys.stdin.fileno()):
            yield line.decode(errors="replace")
        return
    from prompt_toolkit import PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    session: PromptSession[str] = PromptSession(
        prompt,
        prompt_continuation="    ",
        complete_while_typing=False,
        reserve_space_for_menu=0,
        enable_suspend=True,
    )
    with patch_stdout():
        while True:
            try:
                yield await session.prompt_async(handle_sigint=False)
            except (EOFError, KeyboardInterrupt):
                return
