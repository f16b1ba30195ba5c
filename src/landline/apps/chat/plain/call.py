"""``landline chat --plain HOST:PORT``: a call to a classic socket server, from a terminal or a pipe.

The rule is in ``classic``; here are the line, the clock and whoever types. What is heard goes to stdout, what is said about the call to
stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from landline.apps.chat.client.line_screen import lines_of
from landline.apps.chat.plain.classic import ClassicCall, Ended, Heard, Notice
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.apps.chat.plain.caller import Caller
    from landline.settings import Settings


async def run(settings: Settings, stop: asyncio.Event) -> int:
    """Call the classic server at ``settings.chat.plain`` and talk until either side ends it; return the exit code.

    Raises:
        ConnectError: nobody answers there.
        SettingsError: no address was given.
    """
    import landline

    address = settings.chat.plain
    if not address:
        raise SettingsError("say whom to call: landline chat --plain HOST:PORT", key="chat.plain")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows a question mark, and no traceback.
            stream.reconfigure(errors="replace")
    caller = await landline.dial(address)
    attended = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    try:
        conversation = _Conversation(caller, ClassicCall(attended=attended), stop)
        _say(
            f"Connected to {caller.peer}. Every line is sent as typed when you press Enter, /commands too; "
            "only bye ends the call."
        )
        if attended and os.environ.get("TERM") != "dumb":
            await conversation.run_on_terminal()
        else:
            await conversation.run(_typed_lines())
    finally:
        await caller.close()
    return 0


class _Conversation:
    """Drives one ``ClassicCall``."""

    def __init__(self, caller: Caller, call: ClassicCall, stop: asyncio.Event) -> None:
        self._caller = caller
        self._call = call
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()  # a pipe is read no faster than its lines go out
        self._show_prompt: Callable[[], None] = lambda: None

    async def run(self, lines: AsyncGenerator[str, None]) -> None:
        """Talk until the call is over."""
        tasks = [
            asyncio.create_task(work, name=name)
            for work, name in (
                (self._type(lines), "typing"),
                (self._listen(), "listening"),
                (self._hang_up_on_stop(), "stopping"),
            )
        ]
        try:
            while not self._call.closed:
                self._changed.clear()
                self._advance()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._call.timeout_at()):
                        await self._changed.wait()
                self._call.handle_timeout(self._loop.time())
            self._advance()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run_on_terminal(self) -> None:
        """The same, with a prompt below what is heard."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.patch_stdout import patch_stdout

        session: PromptSession[str] = PromptSession()
        self._show_prompt = session.app.invalidate

        def prompt() -> str:
            return f"({self._call.waiting} waiting) " if self._call.waiting else "> "

        async def lines() -> AsyncGenerator[str, None]:
            while True:
                try:
                    yield await session.prompt_async(prompt, handle_sigint=False)
                except EOFError:
                    return
                except KeyboardInterrupt:
                    self._stop.set()
                    return

        with patch_stdout():
            await self.run(lines())

    def _advance(self) -> None:
        for data in self._call.data_to_send():
            self._caller.send(data)
        for event in self._call.events():
            match event:
                case Heard(text):
                    print(text, flush=True)
                case Notice(text) | Ended(text):
                    _say(text)
        if self._call.waiting:
            self._has_room.clear()
        else:
            self._has_room.set()
        self._show_prompt()

    async def _type(self, lines: AsyncGenerator[str, None]) -> None:
        async with contextlib.aclosing(lines):
            async for line in lines:
                self._call.typed(line, self._loop.time())
                self._changed.set()
                if not self._call.attended:
                    await self._has_room.wait()
        self._call.typing_ended(self._loop.time())
        self._changed.set()

    async def _listen(self) -> None:
        data = b"-"
        while data:
            try:
                data = await self._caller.receive()
            except OSError as error:
                self._call.connection_lost(str(error) or "no reason was given")
                self._changed.set()
                return
            self._call.receive_data(data, self._loop.time())
            self._changed.set()

    async def _hang_up_on_stop(self) -> None:
        await self._stop.wait()
        self._call.hang_up(self._loop.time())
        self._changed.set()


async def _typed_lines() -> AsyncGenerator[str, None]:
    if sys.stdin is None:
        return  # it was closed when the program began, and its descriptor may be a socket of ours by now
    async with contextlib.aclosing(lines_of(sys.stdin.fileno())) as lines:
        async for line in lines:
            yield line.decode(errors="replace")


def _say(text: str) -> None:
    print(f"* {text}", file=sys.stderr, flush=True)
