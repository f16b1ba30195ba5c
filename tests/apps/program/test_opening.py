"""A session with a server, as every command of this kind opens it."""

from __future__ import annotations

import asyncio

import pytest

import landline
from landline.apps.program.limits import PROGRAM
from landline.apps.program.opening import LIMITS, Server, opened
from landline.apps.standard import PipeError


async def test_the_credentials_are_shown_and_the_session_is_closed() -> None:
    """The server's ``authenticate`` sees them."""
    seen: list[object] = []

    def authenticate(credentials: object) -> str:
        seen.append(credentials)
        return "ana"

    async with landline.Server(landline.Session.wait_closed, authenticate=authenticate).listen(
        "memory://tokens"
    ):
        async with opened(
            Server(address="memory://tokens", credentials="secret"), asyncio.Event()
        ) as session:
            states = [session.is_closed]

    assert [*states, session.is_closed] == [False, True]
    assert seen == ["secret"]


async def test_a_stop_before_anybody_answered_is_no_success() -> None:
    """Nothing was done."""
    stop = asyncio.Event()
    stop.set()
    async with landline.Server().listen("memory://stopped"):
        with pytest.raises(PipeError, match="interrupted"):
            async with opened(Server(address="memory://stopped"), stop):
                raise AssertionError


def test_a_quiet_one_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """And another one speaks on stderr."""
    Server(address="memory://x", is_quiet=True).say("hush")
    Server(address="memory://x").say("hello")

    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.limit("program.redial_max", "program.redial_reset")
def test_a_line_is_dialled_again_soon() -> None:
    """Sooner than the library would; that a session holds to them at their edge is the library's to show."""
    for row in ("redial_max", "redial_reset"):
        assert getattr(LIMITS, row) == getattr(PROGRAM, row) < getattr(landline.Limits(), row)


@pytest.mark.limit("program.outbox_bytes")
def test_the_outbox_takes_all_that_may_be_under_way() -> None:
    """Three times what their lines may have: a number of three characters and what separates it take nine bytes. One more than fits is the library's to refuse."""
    assert LIMITS.outbox_bytes == PROGRAM.outbox_bytes
    assert PROGRAM.outbox_bytes > 3 * PROGRAM.in_flight_bytes + LIMITS.max_message
