"""The second account notices a judge who is wrong, and an end without a reason."""

from __future__ import annotations

import dataclasses
import random

import pytest

from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Refusal, Resume
from landline.protocol.resume import Record, SessionTable
from landline.testing.simulation.account import Account
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.line import Violation
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World

Made = tuple[World, Account, Record]


@pytest.fixture
def made() -> Made:
    """A world at rest, the account of its session, and what the host knows of it."""
    world = new_world(1, draw_shape(random.Random(1)))
    for name in ["flow", "tick"] * 4:
        world._operations[name](0, 0)
        world._settle()
    (account, *_) = world.server.book.accounts.values()
    return world, account, world.server.host.kept[account.id]


def judge(world: World, account: Account, principal: str = "", **changes: object) -> None:
    """Somebody asks for the session: the watched table judges."""
    usual = {
        "session": account.id,
        "token": account.shown[-1],
        "attempt": account.attempt + 1,
        "life": world.server.life,
        "received": 0,
    }
    asked = Resume(**{**usual, **changes})  # type: ignore[arg-type]
    world.server.host._table.judge(asked, principal or account.principal, world.server.node.now)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"token": b"?" * 32}, "never given"),
        ({"principal": "somebody else"}, "somebody else"),
        ({"attempt": 1}, "attempt 1 was accepted after 1"),
    ],
)
def test_a_judge_who_accepts_too_much_is_found(
    monkeypatch: pytest.MonkeyPatch, made: Made, changes: dict[str, str], what: str
) -> None:
    """Whatever is asked for is granted: the account says that it must not be."""
    world, account, record = made
    monkeypatch.setattr(SessionTable, "judge", lambda self, resume, principal, now: record)

    with pytest.raises(Violation, match=what):
        judge(world, account, **changes)


def test_a_retired_token_that_is_accepted_is_found(monkeypatch: pytest.MonkeyPatch, made: Made) -> None:
    """It was given once, and its successor was shown since."""
    world, account, record = made
    old = account.shown[-1]
    account.give(b"n" * 32)
    account.show(b"n" * 32)
    monkeypatch.setattr(SessionTable, "judge", lambda self, resume, principal, now: record)

    with pytest.raises(Violation, match="had been retired"):
        judge(world, account, token=old)


def test_a_resume_after_the_window_is_found(monkeypatch: pytest.MonkeyPatch, made: Made) -> None:
    """However late the sweep is."""
    world, account, record = made
    account.detached_at = world.server.node.now - world.limits.resume_window - 1
    monkeypatch.setattr(SessionTable, "judge", lambda self, resume, principal, now: record)

    with pytest.raises(Violation, match="after its window"):
        judge(world, account)


@pytest.mark.parametrize(
    ("code", "is_theft", "what"),
    [
        (CloseCode.REVOKED, False, "a token that is good"),
        (CloseCode.UNAUTHORIZED, True, "was answered unauthorized"),
    ],
)
def test_a_judge_who_takes_a_thief_for_honest_or_the_other_way_is_found(
    monkeypatch: pytest.MonkeyPatch, made: Made, code: CloseCode, is_theft: bool, what: str
) -> None:
    """Only a retired token with a new attempt revokes, and it always does."""
    world, account, _ = made
    old = account.shown[-1]
    if is_theft:
        account.show(b"n" * 32)
    refusal = Refusal(code=code, reason="")
    monkeypatch.setattr(SessionTable, "judge", lambda self, resume, principal, now: refusal)

    with pytest.raises(Violation, match=what):
        judge(world, account, token=old)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (CloseCode.EXPIRED, "the resume window passed"),
        (CloseCode.EXPIRED, "the server needed the room"),
        (CloseCode.EXPIRED, "it was never confirmed"),
        (CloseCode.REVOKED, "a token was used that had been replaced"),
        (CloseCode.MISCOUNT, "the peer has received 9 frames, which cannot be"),
    ],
)
def test_a_session_that_is_lost_without_a_reason_is_found(made: Made, code: CloseCode, reason: str) -> None:
    """What the host says is no proof: it must be so in the account too."""
    _, account, _ = made

    with pytest.raises(Violation, match=reason):
        account.end.lose(code, reason)


def test_a_loss_with_a_reason_is_excused(made: Made) -> None:
    """The window did pass, and the books say so."""
    world, account, _ = made
    account.detached_at = world.server.node.now - world.limits.resume_window
    account.end.lose(CloseCode.EXPIRED, "the resume window passed")

    assert account.talk.excuses == {"expired"}
    assert world.server.book.buried == {account.id: world.server.node.now}


def test_more_sessions_than_there_may_be_are_found(made: Made) -> None:
    """The table's bound is looked at from outside."""
    world, _, record = made
    table = world.server.host._table
    table._limits = dataclasses.replace(table._limits, max_sessions=1)

    with pytest.raises(Violation, match="holds 2 sessions"):
        table.add(dataclasses.replace(record, id=b"2" * 16))


@pytest.mark.long
def test_more_tombstones_than_there_may_be_are_found(monkeypatch: pytest.MonkeyPatch, made: Made) -> None:
    """A table that forgets to forget them grows for ever."""
    world, _, record = made
    table = world.server.host._table
    for number in range(world.limits.max_tombstones + 1):
        table._tombstones[number.to_bytes(4, "big")] = None  # type: ignore[assignment]
    monkeypatch.setattr(SessionTable, "remove", lambda *_: None)

    with pytest.raises(Violation, match=f"remembers {world.limits.max_tombstones + 1} ended"):
        table.remove(record, CloseCode.NORMAL, "", 0.0)
