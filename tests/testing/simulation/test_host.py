"""The server in a world keeps its own account beside the protocol's, and notices a judge who is wrong."""

from __future__ import annotations

import random

import pytest

from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Refusal, Resume
from landline.protocol.resume import SessionTable
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.host import Kept
from landline.testing.simulation.line import Violation
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World


def make_world() -> tuple[World, Kept]:
    world = new_world(1, draw_shape(random.Random(1)))
    for name in ["flow", "tick"] * 4:
        world._operations[name](0, 0)
        world._settle()
    (kept, *_) = world.host.kept.values()
    return world, kept


def resume(world: World, kept: Kept, **changes: object) -> None:
    """Somebody asks for the session, and the judge accepts."""
    usual = {
        "session": kept.record.id,
        "token": kept.shown[-1],
        "attempt": kept.attempt + 1,
        "received": kept.talk.base,
    }
    principal = changes.pop("principal", kept.principal)
    port = world.host.accept(1000)
    world.host._resume(port, Resume(**{**usual, **changes}), principal)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"token": b"?" * 32}, "never given"),
        ({"principal": "somebody else"}, "somebody else"),
        ({"attempt": 1}, "attempt 1 was accepted after 1"),
    ],
)
def test_a_judge_who_accepts_too_much_is_found(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], what: str
) -> None:
    """Whatever is asked for is granted: the host's own account says that it must not be."""
    world, kept = make_world()
    monkeypatch.setattr(SessionTable, "judge", lambda self, resume, principal, now: kept.record)

    with pytest.raises(Violation, match=what):
        resume(world, kept, **changes)


def test_a_judge_who_revokes_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is good."""
    world, kept = make_world()
    revoked = Refusal(code=CloseCode.REVOKED, reason="")
    monkeypatch.setattr(SessionTable, "judge", lambda self, resume, principal, now: revoked)

    with pytest.raises(Violation, match="a token that is good"):
        resume(world, kept)


def test_a_resume_fences_the_line_before() -> None:
    """One carrier at a time; the one before is told that it was replaced, and nothing it says counts."""
    world, kept = make_world()
    before = kept.carrier
    resume(world, kept)

    assert before is not None
    assert kept.carrier is not before
    assert before.connection.session is None
    assert kept.attempt == 2


def test_a_line_that_was_not_confirmed_ends_with_its_session() -> None:
    """A session is lost while a new line waits for its token to be shown: that line is told, and does not live on without one."""
    world, kept = make_world()
    resume(world, kept)
    carrier = kept.carrier
    world.host._lose(kept, CloseCode.EXPIRED, "expired")
    world._settle()

    assert carrier is not None
    assert carrier.is_over
    assert kept.record.id not in world.host.kept


def test_a_host_that_dies_knows_nothing_any_more() -> None:
    """Its sessions are gone, and excused."""
    world, kept = make_world()
    world.host.die()

    assert not world.host.kept
    assert len(world.host.table) == 0
    assert kept.talk.excuses == {"server died"}
