"""What fails of a server's own functions on what a client says: the log has it once, and then how often, however often the client says it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import landline
from landline.patterns.messages import Messages
from landline.protocol.grants import CREDENTIALS_PURPOSE

HOME = "memory://failures"
TIMES = 30

VIRTUAL_TIME = True


def authenticate(credentials: Any) -> str:
    return credentials["name"]  # type: ignore[no-any-return]


def authorize(principal: str, verb: str, what: str) -> bool:
    if what.startswith("bad."):
        raise KeyError(what)
    return True


async def middleware(call: landline.Call, proceed: Callable[[landline.Call], Awaitable[Any]]) -> Any:
    return await proceed(call) if call.verb != "publish" or call.object != "t.around" else call.data["around"]


async def later(session: landline.Session, topic: str, data: Any) -> Any:
    return data["later"]


async def keep(session: landline.Session) -> None:
    async for message in session:
        raise KeyError(message)


async def hook(session: landline.Session) -> None:
    raise OSError("its database is away")


def serving() -> landline.Server:
    server = landline.Server(keep, authenticate=authenticate, authorize=authorize)
    server.topic("bad.*")
    server.topic("t.around")
    server.topic("t.vetted", vet=lambda session, topic, data: data["vetted"])
    server.topic("t.later", vet=later)
    server.presence("bad.*")
    server.middleware(middleware)
    server.method(name="bad.call")(hook)
    return server


async def refresh(session: landline.Session) -> None:
    messages = Messages(session._bare, session._bare.open_flow(CREDENTIALS_PURPOSE))
    _ = await messages.send([1])
    await messages.receive()


async def join(session: landline.Session) -> None:
    async with session.presence("bad.group", state=1):
        pass


async def fail_the_program(session: landline.Session) -> None:
    async with landline.connect(HOME, credentials={"name": "ben"}) as other:
        _ = await other.send("anything")
        await other.receive()


async def come_with_rubbish(session: landline.Session) -> None:
    async with landline.connect(HOME, credentials=[1]):
        pass


WAYS: dict[str, Callable[[landline.Session], Awaitable[Any]]] = {
    "authenticate": come_with_rubbish,
    "authenticate again": refresh,
    "authorize a publish": lambda session: session.publish("bad.topic", 1),
    "authorize a call": lambda session: session.call("bad.call"),
    "authorize a subscription": lambda session: anext(session.subscribe("bad.topic")),
    "authorize a presence": join,
    "vet": lambda session: session.publish("t.vetted", 5),
    "vet later": lambda session: session.publish("t.later", 5),
    "a middleware": lambda session: session.publish("t.around", 5),
    "the program": fail_the_program,
}


@pytest.mark.limit("hits.interval")
@pytest.mark.parametrize("way", WAYS)
async def test_what_a_client_can_make_fail_is_logged_once_and_counted(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever function it is; the end of the server tells how many more there were."""
    server = serving()
    async with server.listen(HOME), landline.connect(HOME, credentials={"name": "ana"}) as session:
        for _ in range(TIMES):
            with contextlib.suppress(landline.LandlineError):
                await WAYS[way](session)
            await asyncio.sleep(0.01)
        failed = [record for record in caplog.records if record.levelname == "ERROR"]
        assert len(failed) == 1
        assert failed[0].exc_info and failed[0].exc_info[0]
        kind = failed[0].exc_info[0].__name__
    assert caplog.messages[-1] == f"{failed[0].message}: {kind}, 29 more since the last such line"


async def test_hooks_that_fail_for_everybody_are_logged_once_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who comes and goes makes no more of it."""
    server = serving()
    server.on_open(hook)
    async with server.listen(HOME):
        for _ in range(TIMES):
            async with landline.connect(HOME, credentials={"name": "ana"}) as session:
                await session.flush()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "a hook of the server failed",
        "a hook of the server failed: OSError, 29 more since the last such line",
    ]
