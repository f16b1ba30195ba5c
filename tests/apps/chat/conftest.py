"""What the tests of the chat share: people who write down what they are told, and a server in memory with its visitors."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import pytest

import landline
from landline.apps.chat import credentials, wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server import people
from landline.apps.chat.server.chat import Chat
from landline.apps.chat.server.doors import Doors
from landline.apps.chat.server.people import Telling
from landline.apps.chat.server.serve import open_chat
from landline.storage import MemoryStorage, Storage
from tests.apps.chat.reading import Said
from tests.apps.chat.visitor import Visitor


class Listener(people.Listener):
    """Somebody who writes down what they are told and what they hear."""

    kind: ClassVar[str] = "session"

    def __init__(self, name: str = "", client: int = 0) -> None:
        super().__init__(client)
        self.name = name
        self._tellings: list[Telling | Said] = []

    def tell(self, telling: Telling) -> None:
        self._tellings.append(telling)

    def hear(self, room: str, line: wire.Line) -> None:
        self._tellings.append(Said(room, line))

    def tellings(self) -> list[Telling | Said]:
        """What they were told since the last look, as it came."""
        tellings, self._tellings = self._tellings, []
        return tellings

    def heard(self) -> list[wire.Told | Said]:
        """The messages that they were told since the last look."""
        return [telling if isinstance(telling, Said) else telling.message for telling in self.tellings()]


@pytest.fixture
def listener() -> Callable[..., Listener]:
    """Makes people: ``listener("ana")``, ``listener(client=7)``."""
    return Listener


class OpenChat:
    """A chat server within the test, and ways to visit it."""

    def __init__(self, chat: Chat, address: str, stack: contextlib.AsyncExitStack) -> None:
        self.chat = chat
        self.address = address
        self._stack = stack
        self._clients = itertools.count(1001)

    async def visit(self, client: int | None = None, limits: landline.Limits | None = None) -> Visitor:
        """Open a session, without entering."""
        client = next(self._clients) if client is None else client
        session = await landline.connect(self.address, credentials=credentials.show(client), limits=limits)
        visitor = Visitor(session, client)
        self._stack.push_async_callback(visitor.close)
        return visitor

    async def request(self, method: str, path: str, body: bytes = b"", **fields: str) -> tuple[int, bytes]:
        """Ask over HTTP; return the status and the body of the answer."""
        caller = await landline.dial(self.address)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        head = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            "Connection: close",
            f"Content-Length: {len(body)}",
        ]
        caller.send("\r\n".join([*head, *lines, "", ""]).encode() + body)
        answer = b""
        while chunk := await caller.receive(10):
            answer += chunk
        await caller.close()
        start, _, said = answer.partition(b"\r\n\r\n")
        return int(start.split()[1]), said

    async def enter(
        self,
        name: str,
        *rooms: str,
        client: int | None = None,
        seen: dict[str, wire.Seen | None] | None = None,
        limits: landline.Limits | None = None,
    ) -> Visitor:
        """Enter and join the lobby or these rooms; everything up to the last of their histories is heard."""
        visitor = await self.visit(client, limits)
        wished = dict.fromkeys(rooms or ("lobby",)) if seen is None else seen
        await visitor.ask(wire.Enter(name, wished))
        for room in wished:
            await visitor.lines(room)
        return visitor


@pytest.fixture
async def open_chat_with() -> AsyncIterator[Callable[..., Awaitable[OpenChat]]]:
    """Opens chat servers in memory, over a storage and with limits of the test's own."""
    async with contextlib.AsyncExitStack() as stack:
        numbers = itertools.count()

        async def open_one(
            storage: Storage | None = None,
            limits: ChatLimits | None = None,
            connection: landline.Limits | None = None,
            doors: Doors | None = None,
        ) -> OpenChat:
            chat, listening = await stack.enter_async_context(
                open_chat(
                    storage or MemoryStorage(),
                    (f"memory://chat-{next(numbers)}",),
                    limits or ChatLimits(rate=1e6, burst=1e6),
                    connection,
                    doors=doors or Doors(),
                )
            )
            return OpenChat(chat, listening.addresses[0], stack)

        yield open_one


@pytest.fixture
async def open_one(open_chat_with: Callable[..., Awaitable[OpenChat]]) -> OpenChat:
    """A chat server in memory that slows nobody."""
    return await open_chat_with()


class WrittenLine:
    """A plain line, or a console, that writes down what it is told, a tuple for each call."""

    peer = "tcp://192.0.2.1:4000"

    def __init__(self) -> None:
        self._calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self._calls.append((name, *args))

    def calls(self) -> list[tuple[Any, ...]]:
        """What it was told since the last look."""
        calls, self._calls = self._calls, []
        return calls


@pytest.fixture
def written_line() -> Callable[[], WrittenLine]:
    """Makes lines that write down what they are told."""
    return WrittenLine
