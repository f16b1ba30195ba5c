"""What a server's own code may do wrong while it is asked about a client's publish or subscription: nobody waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import landline

pytestmark = pytest.mark.timeout(30)


class Wordless(ValueError):
    """An error of a program that cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Odd(BaseException):
    """Not what programs should raise."""


async def _waits_for_what_was_cancelled(*facts: Any) -> None:
    waited = asyncio.get_running_loop().create_future()
    waited.cancel()
    await waited


def _is_cancelled_at_once(*facts: Any) -> None:
    raise asyncio.CancelledError


def _has_no_words(*facts: Any) -> None:
    raise Wordless


def _is_odd(*facts: Any) -> None:
    raise Odd


async def _is_odd_later(*facts: Any) -> None:
    raise Odd


@pytest.mark.parametrize(
    ("vet", "outcome"),
    [
        (_waits_for_what_was_cancelled, landline.PublishFailed),
        (_is_cancelled_at_once, landline.PublishFailed),
        (_has_no_words, landline.PublishFailed),
        (_is_odd, landline.PublishUnknown),
        (_is_odd_later, landline.PublishUnknown),
    ],
)
async def test_a_vet_that_ends_in_any_other_way_is_told_and_publishing_goes_on(
    vet: Any, outcome: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells the program's author; the client is told no more than that it is the server's mistake."""
    server = landline.Server()
    server.topic("t.*")
    server.topic("t.vetted", vet=vet)
    async with (
        server.listen("memory://vetted"),
        landline.connect("memory://vetted") as session,
        asyncio.timeout(10),
    ):
        with pytest.raises(outcome, match="internal error"):
            await session.publish("t.vetted", "asked about")
        await session.publish("t.free", "not asked about")

        assert [item.data for item in (await server.last("t.*")).publications] == ["not asked about"]
    assert "Traceback" in caplog.text


async def test_an_authorize_that_ends_in_an_odd_way_allows_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever asked is told so: a subscription that is served by nobody would wait for ever."""

    def authorize(principal: str, verb: str, what: str) -> bool:
        if verb != "enter":
            raise Odd
        return True

    server = landline.Server(authorize=authorize)
    server.topic("t")
    async with (
        server.listen("memory://odd"),
        landline.connect("memory://odd") as session,
        asyncio.timeout(10),
    ):
        with pytest.raises(landline.NotAllowed, match="you may not subscribe"):
            await anext(session.subscribe("t"))
    assert "Traceback" in caplog.text
