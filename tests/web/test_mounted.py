"""An open server as an ASGI application, told by hand what another server would tell it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from landline.transports import Transport
from landline.web.answers import answer
from landline.web.mounted import Mounted, Open
from landline.web.origin import Origins
from landline.web.security import SECURITY

if TYPE_CHECKING:
    from .conftest import Calls


async def routes(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, f"routes {scope['path']}")


class Somewhere:
    """A server, and the application that serves it."""

    def __init__(self) -> None:
        self.taken: list[Transport] = []
        self.told: list[str] = []
        self.open: Open | None = Open(routes, self.take, Origins())
        self.error: Exception | None = None
        self.app = Mounted(lambda: self.open, self.lifespan)

    def take(self, transport: Transport) -> None:
        self.taken.append(transport)
        transport.abort()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        if self.error is not None:
            raise self.error
        self.told.append("opened")
        yield
        self.told.append("closed")

    async def ask(self, kind: str, *arriving: str, **scope: Any) -> list[Any]:
        """Run it for one scope; return what it sent."""
        sent: list[Any] = []
        waiting: asyncio.Queue[Any] = asyncio.Queue()
        for each in arriving:
            waiting.put_nowait({"type": each})

        async def send(message: Any) -> None:
            sent.append(message)

        fields = [(b"host", b"localhost"), *scope.pop("headers", [])]
        async with asyncio.timeout(10):
            await self.app({"type": kind, "headers": fields, "path": "/", **scope}, waiting.get, send)
        return sent


async def test_a_request_is_answered_by_the_servers_routes(call: Calls) -> None:
    """With what every answer has."""
    status, fields, body = await call(Somewhere().app, "/x", headers={"Host": "localhost"})

    assert (status, body) == (200, b"routes /x\n")
    assert dict(SECURITY).items() <= fields.items()


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("GET", {"Host": "evil.example"}, 421),
        ("GET", {}, 421),
        ("POST", {"Host": "localhost", "Origin": "http://evil.example"}, 403),
        ("POST", {"Host": "localhost", "Origin": "http://localhost"}, 200),
    ],
)
async def test_the_same_names_and_pages_are_ours(
    call: Calls, method: str, fields: dict[str, str], expected: int
) -> None:
    """As at the server's own door."""
    status, said, _ = await call(Somewhere().app, method=method, headers=fields)

    assert status == expected
    assert dict(SECURITY).items() <= said.items()


async def test_a_websocket_is_taken_as_a_transport() -> None:
    """Once it was accepted."""
    place = Somewhere()
    sent = await place.ask("websocket", "websocket.connect")

    assert sent == [{"type": "websocket.accept"}]
    assert len(place.taken) == 1


@pytest.mark.parametrize(
    "fields", [[(b"origin", b"http://evil.example")], [(b"origin", b"null")], [(b"host", b"evil.example")]]
)
async def test_a_websocket_of_another_page_is_refused(fields: Any) -> None:
    """Before it is accepted."""
    place = Somewhere()
    sent = await place.ask("websocket", "websocket.connect", headers=fields)

    assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1008)]
    assert len(sent[0]["reason"].encode()) <= 123  # what a Close holds
    assert place.taken == []


async def test_over_tls_only_pages_over_tls_are_ours() -> None:
    """The outer server knows how it was reached."""
    place = Somewhere()
    for scheme, origin in (
        ("wss", b"https://localhost"),
        ("wss", b"http://localhost"),
        ("ws", b"http://localhost"),
    ):
        await place.ask("websocket", "websocket.connect", scheme=scheme, headers=[(b"origin", origin)])

    assert len(place.taken) == 2


async def test_a_server_that_is_not_open_says_what_is_missing(call: Calls) -> None:
    """An outer application runs no lifespan of what is mounted in it."""
    place = Somewhere()
    place.open = None

    with pytest.raises(RuntimeError, match=r"FastAPI\(lifespan=landline.lifespan\(server\)\)"):
        await call(place.app, headers={"Host": "localhost"})


async def test_run_by_itself_it_opens_and_closes_with_its_lifespan() -> None:
    """As uvicorn has it."""
    place = Somewhere()
    sent = await place.ask("lifespan", "lifespan.startup", "lifespan.shutdown")

    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
    assert place.told == ["opened", "closed"]


async def test_what_cannot_be_opened_is_said_to_whoever_runs_it() -> None:
    """Else it would wait for ever."""
    place = Somewhere()
    place.error = OSError("no such folder")
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(OSError, match="no such folder"):
        await place.app({"type": "lifespan"}, receive, send)

    assert sent == [{"type": "lifespan.startup.failed", "message": "no such folder"}]
