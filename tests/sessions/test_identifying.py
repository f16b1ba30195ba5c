"""Finding out who callers are, by itself: what is asked of ``authenticate`` when, and what becomes of odd answers. Its floods: ``test_accept_floods``."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

import landline
from landline.hits import Failures
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Refusal
from landline.sessions.auth import Grant
from landline.sessions.driver import Driver
from landline.sessions.identifying import Identifying, door_of
from landline.sessions.penalties import Fault

VIRTUAL_TIME = True


class Door:
    """What stands around it; callers are words."""

    def __init__(self, authenticate: Any, **limits: Any) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.entering: set[str] = {"ana", "ben"}
        self.identifying = Identifying(
            authenticate,
            lambda principal, driver: principal in self.entering,
            landline.Limits(**limits),
            admit=lambda driver, grant: self.log.append(("admit", driver, grant)),
            refuse=lambda driver, refusal, limit: self.refused(driver, refusal),
            charge=lambda driver, fault: self.log.append(("charge", driver, fault)),
            failures=Failures(logging.getLogger("landline.sessions"), asyncio.get_running_loop().time),
        )

    def refused(self, driver: Driver, refusal: Refusal) -> None:
        self.log.append(("refuse", driver, refusal.code, refusal.reason))

    def begin(self, name: str, credentials: Any = None) -> Driver:
        driver = cast("Driver", name)
        self.identifying.begin(driver, credentials)
        return driver


async def turns() -> None:
    """Let everything happen that may happen now."""
    await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("peer", "door"),
    [("tcp://127.0.0.1:5", "tcp"), ("wss://[::1]:5", "wss"), ("unix:///s", "unix"), ("", ""), ("odd", "")],
)
def test_the_door_is_the_kind_of_the_address(peer: str, door: str) -> None:
    """Empty where that is not known."""
    assert door_of(peer) == door


@pytest.mark.parametrize("answer", ["ana", Grant("ana", 60.0)])
@pytest.mark.parametrize("is_async", [False, True])
async def test_who_is_found_is_admitted(answer: str | Grant, is_async: bool) -> None:
    """For as long as it was granted."""

    async def later(credentials: Any) -> Any:
        return answer

    door = Door(later if is_async else lambda credentials: answer)
    door.begin("first")
    await turns()

    assert door.log == [("admit", "first", answer if isinstance(answer, Grant) else Grant(answer))]


async def test_who_may_not_come_in_here_is_told_so() -> None:
    """Whatever its credentials are; nobody in particular is asked about too."""
    door = Door(str)
    door.begin("first", "eve")
    door.begin("second", "")

    assert door.log == [
        ("refuse", "first", CloseCode.UNAUTHORIZED, "you may not enter"),
        ("refuse", "second", CloseCode.UNAUTHORIZED, "you may not enter"),
    ]


async def test_who_was_asked_about_before_a_revocation_has_to_come_again() -> None:
    """Of that principal alone; and who is asked about after it is let in, while others are being decided about still."""
    answers: dict[str, asyncio.Future[str]] = {}

    def authenticate(credentials: str) -> asyncio.Future[str]:
        answers[credentials] = asyncio.get_running_loop().create_future()
        return answers[credentials]

    door = Door(authenticate)
    for name in ("before", "other"):
        door.begin(name, name)
    await turns()
    door.identifying.revoke("ana")
    door.begin("after", "after")
    await turns()
    for name, principal in (("after", "ana"), ("before", "ana"), ("other", "ben")):
        answers[name].set_result(principal)
        await turns()

    assert door.log == [
        ("admit", "after", Grant("ana")),
        ("refuse", "before", CloseCode.BUSY, "what is known of you has just changed"),
        ("admit", "other", Grant("ben")),
    ]
    assert not door.identifying._revoked


async def test_a_revocation_while_nobody_is_decided_about_is_not_remembered() -> None:
    """Or they would gather."""
    door = Door(str)
    door.identifying.revoke("ana")
    assert not door.identifying._revoked
    door.begin("first", "ana")
    assert door.log == [("admit", "first", Grant("ana"))]


# New credentials of who is there...


async def test_who_stays_the_same_is_granted_anew() -> None:
    """With a line or without."""
    door = Door(lambda credentials: Grant("ana", 5.0))
    for driver in (None, cast("Driver", "line")):
        assert await door.identifying.ask(driver, "ana", None) == Grant("ana", 5.0)
    assert door.log == []


@pytest.mark.parametrize("found", [None, "ben", "eve", Grant("ana", 0.0), landline.NotAllowed("no")])
async def test_who_does_not_is_refused_and_charged(found: Any) -> None:
    """As at the door; where there is no line nobody is there to be charged."""

    def authenticate(credentials: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    door = Door(authenticate)
    for driver in (None, cast("Driver", "line")):
        with pytest.raises(landline.NotAllowed):
            await door.identifying.ask(driver, "ana", None)
    assert door.log == [("charge", "line", Fault.UNAUTHORIZED)]


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_authenticate_that_fails_over_new_credentials_is_charged_a_little(is_async: bool) -> None:
    """As at the door: whoever can make it fail could have it called without end."""

    async def later(credentials: Any) -> Any:
        return credentials["name"]

    door = Door(later if is_async else lambda credentials: credentials["name"])
    for driver in (None, cast("Driver", "line")):
        with pytest.raises(TypeError):
            await door.identifying.ask(driver, "ana", [1])
    assert door.log == [("charge", "line", Fault.LEFT)]


async def test_who_may_no_longer_come_in_is_refused() -> None:
    """By the door that it stands at."""
    door = Door(lambda credentials: "ana")
    door.entering.clear()
    with pytest.raises(landline.NotAllowed, match="you may not enter"):
        await door.identifying.ask(cast("Driver", "line"), "ana", None)


@pytest.mark.limit("handshake_timeout")
@pytest.mark.parametrize(("seconds", "is_in_time"), [(9.9, True), (10.1, False)])
async def test_that_takes_no_longer_than_at_the_door(seconds: float, is_in_time: bool) -> None:
    """``handshake_timeout``."""

    async def slow(credentials: Any) -> str:
        await asyncio.sleep(seconds)
        return "ana"

    door = Door(slow, handshake_timeout=10.0)
    if is_in_time:
        assert await door.identifying.ask(None, "ana", None) == Grant("ana")
    else:
        with pytest.raises(TimeoutError):
            await door.identifying.ask(None, "ana", None)
