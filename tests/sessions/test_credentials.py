"""What a client shows: a value or a function of the program's, asked at every dial, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import landline
from landline import State
from landline.sessions.credentials import current

VIRTUAL_TIME = True

GATE = "memory://gate"
QUICK = landline.Limits(redial_min=0.01, redial_max=0.02, connect_timeout=2.0)


class Gate:
    """What a server's ``authenticate`` was shown."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def __call__(self, credentials: Any) -> str:
        self.shown.append(credentials)
        return "ana"


class Tokens:
    """A function that returns another token each time, or raises what it is to raise."""

    def __init__(self) -> None:
        self.given = 0
        self.failures: list[BaseException] = []

    def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop()
        self.given += 1
        return f"token {self.given}"

    async def later(self) -> str:
        await asyncio.sleep(0.01)
        return self()


async def keep(session: landline.Session) -> None:
    async for _ in session:
        pass


async def back(session: landline.Session) -> None:
    """Wait until the session is on a line again."""
    async for change in session.states():
        if change.state is State.CONNECTED:
            return


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_is_asked_at_every_dial(is_async: bool) -> None:
    """The first one, and each that goes on with the session."""
    gate, tokens = Gate(), Tokens()
    function: Callable[[], Any] = tokens.later if is_async else tokens
    async with landline.serve(keep, GATE, authenticate=gate):
        async with landline.connect(GATE, credentials=function, limits=QUICK) as session:
            for _ in range(2):
                session.drop()
                await back(session)

    assert gate.shown == ["token 1", "token 2", "token 3"]


async def test_what_it_raises_the_first_dial_raises() -> None:
    """It is the program's own."""
    tokens = Tokens()
    tokens.failures.append(KeyError("no such key"))
    async with landline.serve(keep, GATE):
        with pytest.raises(KeyError, match="no such key"):
            await landline.connect(GATE, credentials=tokens)


async def test_one_that_takes_too_long_is_no_answer() -> None:
    """As a server that does not answer."""

    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    async with landline.serve(keep, GATE):
        with pytest.raises(landline.ConnectTimeout, match="credentials took too long"):
            await landline.connect(GATE, credentials=never, limits=QUICK)


def _cancelled_elsewhere() -> Awaitable[str]:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future


async def _late() -> str:
    await asyncio.sleep(60)
    return ""


async def _awaits_what_was_cancelled() -> str:
    return await _cancelled_elsewhere()


@pytest.mark.parametrize(
    "fault",
    [_cancelled_elsewhere, _awaits_what_was_cancelled, _late, lambda: "x" * 4000, object],
)
async def test_a_redial_without_credentials_is_tried_again(
    fault: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever hands them out may be away for the same reason as the line."""
    gate = Gate()
    given: list[Callable[[], Any]] = [lambda: "fourth", fault, fault, lambda: "first"]

    def following() -> Any:
        return given.pop()()

    async with landline.serve(keep, GATE, authenticate=gate):
        async with landline.connect(GATE, credentials=following, limits=QUICK) as session:
            session.drop()
            await back(session)

    assert gate.shown == ["first", "fourth"]
    assert caplog.text.count("there are no credentials") == 2


async def test_a_client_that_is_closed_asks_no_more() -> None:
    """A function that takes its time is cancelled with the redial."""
    cancelled = asyncio.Event()
    given = ["first"]

    async def once() -> str:
        if given:
            return given.pop()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    async with landline.serve(keep, GATE):
        async with landline.connect(GATE, credentials=once) as session:
            session.drop()
            await asyncio.sleep(1)
    assert cancelled.is_set()


@pytest.mark.parametrize("value", [None, "word", b"\x00", {"name": "ana"}, ["a", 1]])
async def test_a_value_is_itself(value: object) -> None:
    """As it was given, each time."""
    assert await current(value, 0.0) is value


@pytest.mark.limit("session.credentials")
async def test_what_a_function_returns_is_as_limited_as_a_value() -> None:
    """3 KiB, with what their encoding adds."""
    assert await current(lambda: "x" * 3072, 1.0)
    with pytest.raises(landline.DataError, match="3,073 bytes is over the limit"):
        await current(lambda: "x" * 3073, 1.0)
