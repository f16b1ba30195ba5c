"""Joins one plain caller's connection to its conversation, and the conversation to the chat.

The rules are in ``plain``; here are the socket, the clock and the chat. ``Desk`` and ``Guest`` are what the chat server is to a plain
caller; ``PlainLine`` is what a plain caller is to the chat server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from landline.apps.chat.commands import Command
from landline.apps.chat.limits import PLAIN, ChatLimits
from landline.apps.chat.plain.conversation import PlainConversation
from landline.apps.chat.plain.events import Arrived, Asked, Event, HungUp, Left, Said

UNREAD_WAIT: Final = PLAIN.unread_timeout

_log = logging.getLogger("landline.apps.chat")


class Refused(Exception):
    """What the caller wants cannot be done; ``str()`` is the sentence that it is told."""


class Caller(Protocol):
    """What is needed of ``landline.Caller``."""

    @property
    def peer(self) -> str:
        """The address of the other end."""

    async def receive(self, timeout: float | None = None) -> bytes:
        """Return a chunk as it arrived, ``b""`` at the end."""

    def send(self, data: bytes) -> None:
        """Write ``data`` as one send."""

    async def drain(self) -> None:
        """Wait until most of what was sent has gone."""

    async def close(self) -> None:
        """Send what there is and hang up."""


class Guest(Protocol):
    """One plain caller's place in the chat. Its methods are awaited one at a time, in order."""

    async def say(self, text: str) -> int:
        """Say it in the current room or the call; return when it is stored, to how many others. Raises ``Refused``."""

    async def do(self, command: Command) -> None:
        """Carry out a command that concerns the chat; answer by ``PlainLine.told``. Raises ``Refused``."""

    async def hang_up(self) -> None:
        """End the call; the caller stays."""

    async def leave(self, reason: str) -> None:
        """They have gone. Awaited exactly once."""


class Desk(Protocol):
    """The chat as a plain caller finds it."""

    async def enter(self, line: PlainLine) -> Guest:
        """Let a caller in: give it a name, put it into the lobby, call ``line.welcome``. Raises ``Refused``."""

    def hit(self, limit: str, what: str) -> None:
        """Count that a caller hit the limit of that name; ``what`` is for the log."""


class PlainLine:
    """One plain caller, as the chat server sees it.

    Every method returns at once, never raises, and does nothing when the caller has gone. What the caller does not read in time is
    bounded: the oldest lines go, and it is told how many.
    """

    def __init__(self, peer: str, conversation: PlainConversation, changed: asyncio.Event) -> None:
        self.peer = peer
        self._conversation = conversation
        self._changed = changed
        self._loop = asyncio.get_running_loop()

    def welcome(
        self, name: str, room: str, others: Sequence[str], recent: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Greet the caller by its name; ``recent`` are the (name, text) that were said last, oldest first."""
        self._conversation.welcome(name, room, others, recent, self._loop.time())
        self._changed.set()

    def room_said(self, name: str, text: str) -> None:
        """Somebody else said this in the caller's room."""
        self._conversation.room_said(name, text, self._loop.time())
        self._changed.set()

    def whispered(self, name: str, text: str) -> None:
        """Somebody said this to the caller alone."""
        self._conversation.whispered(name, text, self._loop.time())
        self._changed.set()

    def talked(self, name: str, text: str) -> None:
        """The other one in the call said this."""
        self._conversation.talked(name, text, self._loop.time())
        self._changed.set()

    def told(self, text: str) -> None:
        """An answer to the caller's command, or something it must know."""
        self._conversation.told(text, self._loop.time())
        self._changed.set()

    def recalled(self, lines: Sequence[tuple[str, str]]) -> None:
        """What was said earlier in the room that the caller moved to: (name, text), oldest first."""
        self._conversation.recalled(lines, self._loop.time())
        self._changed.set()

    def noticed(self, text: str) -> None:
        """Small news of the room, such as who came: a turn-taking caller is spared them."""
        self._conversation.noticed(text, self._loop.time())
        self._changed.set()

    def called(self, name: str) -> None:
        """The caller's name is this now."""
        self._conversation.renamed(name)

    def moved(self, room: str) -> None:
        """The caller's current room is this now."""
        self._conversation.moved(room)

    def call_began(self, name: str) -> None:
        """The caller is in a call with ``name`` from here; ``bye`` ends it."""
        self._conversation.call_began(name, self._loop.time())
        self._changed.set()

    def call_ended(self, name: str, why: str) -> None:
        """The caller's call, or ringing, is over; ``why`` is a clause or empty."""
        self._conversation.call_ended(name, why, self._loop.time())
        self._changed.set()

    def operator_present(self, present: bool) -> None:
        """Whether somebody sits at the server who may answer: a turn-taking caller then waits longer for a word."""
        self._conversation.operator_present(present, self._loop.time())
        self._changed.set()

    def close(self, reason: str) -> None:
        """Tell the caller why, and hang up."""
        self._conversation.close(reason)
        self._changed.set()


async def serve(caller: Caller, desk: Desk, limits: ChatLimits | None = None) -> None:
    """Serve one plain caller until it has gone; the connection is closed in every case.

    An error of the chat's own ends this caller's connection with a sentence, and is logged; nobody else's is touched.
    """
    visit = _Visit(caller, desk, limits)
    reading = asyncio.create_task(visit.read(), name=f"reading the plain caller {caller.peer}")
    try:
        await visit.run()
    except Exception:  # noqa: BLE001 - logged with its traceback; one caller's trouble is nobody else's
        _log.exception("the conversation with the plain caller %s failed", caller.peer)
        visit.apologise()
    finally:
        reading.cancel()
        try:
            await asyncio.wait([reading])
            await visit.leave("hung up")
        finally:
            await caller.close()


class _Visit:
    """One plain caller's time in the chat: the driver of its conversation."""

    def __init__(self, caller: Caller, desk: Desk, limits: ChatLimits | None) -> None:
        self._caller = caller
        self._desk = desk
        self._guest: Guest | None = None
        self._loop = asyncio.get_running_loop()
        self._conversation = PlainConversation(self._loop.time(), limits)
        self._changed = asyncio.Event()
        self._line = PlainLine(caller.peer, self._conversation, self._changed)
        self._wants_data = asyncio.Event()

    async def run(self) -> None:
        """Write what the conversation wants sent, carry out its events, wait for its deadline."""
        while True:
            self._changed.clear()
            self._write()
            while events := self._conversation.events():  # carrying one out may make the next
                for event in events:
                    await self._carry_out(event)
                    self._write()
            self._count()
            if self._conversation.closed:
                return
            if self._conversation.wants_data:
                self._wants_data.set()
            try:
                async with asyncio.timeout(UNREAD_WAIT):
                    await self._caller.drain()
            except OSError as error:  # TimeoutError is one
                if isinstance(error, TimeoutError):
                    self._conversation.hits.append("chat.plain.unread_timeout")
                self._conversation.connection_lost(
                    "stopped reading" if isinstance(error, TimeoutError) else "hung up"
                )
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._conversation.timeout_at()):
                    await self._changed.wait()
            self._conversation.handle_timeout(self._loop.time())

    async def read(self) -> None:
        """Give the conversation what arrives, no faster than it wants it."""
        data = b"-"
        while data:
            await self._wants_data.wait()
            self._wants_data.clear()
            try:
                data = await self._caller.receive()
            except OSError:
                data = b""
            self._conversation.receive_data(data, self._loop.time())
            self._changed.set()

    async def leave(self, reason: str) -> None:
        """Tell the chat that the caller has gone, once."""
        guest, self._guest = self._guest, None
        if guest is not None:
            await guest.leave(reason)

    def apologise(self) -> None:
        """Say that the fault is not the caller's."""
        self._conversation.close("Something went wrong at this end. Please call again.")
        self._conversation.end()
        self._write()

    def _write(self) -> None:
        for data in self._conversation.data_to_send():
            self._caller.send(data)

    def _count(self) -> None:
        while self._conversation.hits:
            self._desk.hit(self._conversation.hits.pop(), f"the caller {self._caller.peer}")

    async def _carry_out(self, event: Event) -> None:
        if isinstance(event, Left):
            await self.leave(event.reason)
            self._conversation.end()
        elif isinstance(event, Arrived):
            await self._enter()
        elif self._guest is not None:
            await self._do(event, self._guest)

    async def _enter(self) -> None:
        try:
            self._guest = await self._desk.enter(self._line)
        except Refused as refused:
            self._conversation.close(str(refused))

    async def _do(self, event: Said | Asked | HungUp, guest: Guest) -> None:
        others = None
        try:
            match event:
                case Said(text):
                    others = await guest.say(text)
                case Asked(command):
                    await guest.do(command)
                case HungUp():
                    await guest.hang_up()
        except Refused as refused:
            self._line.told(str(refused))
        self._conversation.finished(self._loop.time(), others=others)
