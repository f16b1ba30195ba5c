"""The chat on a terminal: a line being typed at the bottom, the talk going by above it, the state of the line below.

One prompt lives as long as the chat. Above the cursor stand our lines that are not confirmed yet; a confirmed line goes up into the talk
at the place that it has for everybody. What others say is printed between erasing and redrawing the prompt, so it never mixes into a
half-typed line, and ``show`` has taken out whatever could move a cursor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import CPR_Support, print_formatted_text
from prompt_toolkit.styles import Style

from landline.apps.chat.client.columns import Pieces, wrapped
from landline.apps.chat.client.events import Aim, Arrived, Heard, NotSent, Talked, Waiting, Whispered
from landline.apps.chat.client.link import Link
from landline.apps.chat.client.model import Client
from landline.apps.chat.client.show import STYLES, prompt, show, status

REDRAW_INTERVAL: Final = 0.5
"""Seconds; the countdown of a redial is the fastest thing that moves by itself."""
PLACING_INTERVAL: Final = 0.02
"""Seconds between two looks whether the terminal has said where its cursor is..."""
PLACING_TRIES: Final = 10
"""... and how many; then the talk goes on without."""


class PromptScreen:
    """A terminal with a cursor.

    Args:
        client: whose screen it is.
        colour: whether colours may be used.
        keys: the terminal's keys, if not stdin; for tests.
        output: the terminal's screen, if not stdout; for tests.
    """

    def __init__(
        self, client: Client, *, colour: bool = True, keys: Input | None = None, output: Output | None = None
    ) -> None:
        self._client = client
        self._link: Link | None = None
        self._aim: Aim | None = None
        self._unprinted: Pieces = []
        self._bell = False
        self._is_printing_soon = False
        self._style = Style.from_dict(STYLES)
        self._depth = None if colour else ColorDepth.DEPTH_1_BIT
        self._session: PromptSession[str] = PromptSession(
            self._before_cursor,
            bottom_toolbar=self._toolbar,
            style=self._style,
            color_depth=self._depth,
            key_bindings=self._bindings(),
            prompt_continuation="      ",
            enable_suspend=True,
            complete_while_typing=False,
            reserve_space_for_menu=0,
            refresh_interval=REDRAW_INTERVAL,
            erase_when_done=True,
            input=keys,
            output=output,
        )
        self._session.default_buffer.on_text_changed += self._on_typing
        # A terminal that does not say where its cursor is has no row at the bottom; we put that above the prompt instead of complaining.
        self._session.app.renderer.cpr_not_supported_callback = lambda: None

    def changed(self) -> None:
        """Take the client's events, to be printed above the prompt."""
        for event in self._client.events():
            # What waits stands above the cursor, and goes up into the talk when it arrives: no words are needed for either.
            is_seen = isinstance(event, Waiting) or (isinstance(event, Arrived) and not event.doubted)
            shown = None if is_seen else show(event, self._client)
            if shown is not None:
                # What the program says begins with a mark and a space, what people say with a time.
                indent = "      " if isinstance(event, Heard | Talked | Whispered) else "  "
                self._unprinted += wrapped(shown.pieces, self._width(), indent=indent)
                self._bell = self._bell or shown.bell
            if isinstance(event, NotSent) and event.back and not self._session.default_buffer.text:
                self._session.default_buffer.insert_text(event.text)
        if not self._is_printing_soon:  # everything of this turn of the loop is printed at once
            self._is_printing_soon = True
            asyncio.get_running_loop().call_soon(self._print_when_placed, PLACING_TRIES)

    async def run(self, link: Link, stop: asyncio.Event) -> int:
        """Chat until the person leaves or ``stop`` is set; return the exit code."""
        self._link = link
        app = self._session.app
        with patch_stdout():
            prompting = asyncio.create_task(
                self._session.prompt_async(handle_sigint=False, set_exception_handler=False)
            )
            linking = asyncio.create_task(link.run(stop))
            try:
                await asyncio.wait([linking, prompting], return_when=asyncio.FIRST_COMPLETED)
                if prompting.done():
                    stop.set()  # the terminal is gone, or somebody ended the prompt
                await linking
            finally:
                linking.cancel()
                if app.is_running and not app.is_done:
                    app.exit(result="")
                ended, _ = await asyncio.gather(prompting, linking, return_exceptions=True)
                self._print()
        if isinstance(ended, Exception) and not isinstance(ended, EOFError | OSError):
            raise ended
        return 0

    # What is drawn...

    def _before_cursor(self) -> FormattedText:
        width = self._width()
        pieces = prompt(self._client, self._aim or self._client.aim, self._now(), width=width)
        has_toolbar = self._session.app.renderer.cpr_support != CPR_Support.NOT_SUPPORTED
        if not has_toolbar and (self._client.line.is_down or not self._client.entered):
            pieces = [*status(self._client, self._now(), width=width), ("", "\n"), *pieces]
        return FormattedText(pieces)

    def _toolbar(self) -> FormattedText:
        return FormattedText(status(self._client, self._now(), width=self._width()))

    def _width(self) -> int:
        return self._session.output.get_size().columns

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # ... what is printed...

    def _print_when_placed(self, tries: int) -> None:
        """Print, but let the terminal first say where its cursor is, if it was asked: the answer must not be of an older screen."""
        renderer = self._session.app.renderer
        if tries and renderer.waiting_for_cpr and renderer.cpr_support != CPR_Support.NOT_SUPPORTED:
            asyncio.get_running_loop().call_later(PLACING_INTERVAL, self._print_when_placed, tries - 1)
        else:
            self._print()

    def _print(self) -> None:
        """Print above the prompt, which is drawn anew below.

        All in one go and in the terminal's raw mode: what is typed meanwhile stays in the keyboard's buffer and is not echoed.
        """
        self._is_printing_soon = False
        app = self._session.app
        is_drawn = app.is_running and not app.is_done
        pieces, self._unprinted = self._unprinted, []
        with contextlib.suppress(OSError):  # the terminal was closed, and the end of its input is on the way
            if pieces and is_drawn:
                app.renderer.erase()
            if pieces:
                self._write(pieces)
            if pieces and is_drawn:
                app.renderer.request_absolute_cursor_position()
            if self._bell:
                self._bell = False
                self._session.output.bell()
                self._session.output.flush()
        if is_drawn:
            app.invalidate()

    def _write(self, pieces: Pieces) -> None:
        # Not the function of the same name in prompt_toolkit.shortcuts: that one leaves raw mode, and what is typed meanwhile is echoed.
        print_formatted_text(
            self._session.output, FormattedText(pieces), self._style, color_depth=self._depth
        )

    # ... and what is typed.

    def _on_typing(self, buffer: Buffer) -> None:
        """Remember where a line was meant to go when it was begun: a call that ends meanwhile must not turn it to a room."""
        if not buffer.text:
            self._aim = None
        elif self._aim is None:
            self._aim = self._client.aim

    def _bindings(self) -> KeyBindings:
        bound = KeyBindings()

        @bound.add("enter")
        @bound.add("c-j")
        def enter(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            line, aim = buffer.text, self._aim
            if line.strip():
                buffer.append_to_history()
            buffer.reset()
            self._aim = None
            if self._link is not None:
                self._client.typed(line, self._now(), aim=aim)
                self._link.advance()

        @bound.add("escape", "enter")
        def new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @bound.add("c-d")
        def end(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.delete()
            elif self._link is not None:
                self._client.leave(self._now(), at_once=self._client.leaving)
                self._link.advance()

        @bound.add("c-c")
        def interrupt(event: KeyPressEvent) -> None:
            # The terminal is in raw mode and sends no signal: send it, so that the first and the second Ctrl-C mean what they mean everywhere.
            os.kill(os.getpid(), signal.SIGINT)

        return bound
