"""Whether somebody counts as here: with a line, and for a grace without one; and when that is over."""

from __future__ import annotations

import pytest

from landline.protocol.lease import LOST, REVOKED, Lease
from landline.protocol.states import State


def without_line(grace: float = 2.0) -> Lease:
    """One whose line went at 10 s."""
    lease = Lease(grace)
    lease.look(State.CONNECTED, 0.0)
    lease.look(State.RECONNECTING, 10.0)
    return lease


def test_a_line_that_is_back_within_the_grace_was_never_missed() -> None:
    """Nobody is shown anything, and no moment is left to wait for."""
    lease = without_line()
    assert lease.is_here
    assert lease.timeout_at == 12.0
    lease.look(State.CONNECTED, 11.0)

    assert lease.is_here
    assert lease.timeout_at is None


def test_news_of_the_same_state_do_not_draw_out_the_grace() -> None:
    """Each dial that fails is told as one."""
    lease = without_line()
    lease.look(State.RECONNECTING, 11.5)

    assert lease.timeout_at == 12.0


def test_after_the_grace_it_is_shown_as_reconnecting_until_a_line_is_there() -> None:
    """Once; a line that is merely silent counts as one."""
    lease = without_line()
    lease.handle_timeout()
    seen = [(lease.is_here, lease.timeout_at)]
    for state in (State.RECONNECTING, State.SUSPECT):
        lease.look(state, 20.0)
        seen.append((lease.is_here, lease.timeout_at))

    assert seen == [(False, None), (False, None), (True, None)]
    assert not lease.is_over


@pytest.mark.parametrize(
    ("state", "reason"), [(State.CLOSING, ""), (State.CLOSED, ""), (State.LOST, LOST)], ids=str
)
def test_it_is_over_with_the_session(state: State, reason: str) -> None:
    """Also within the grace, and with a reason only where nobody wanted it."""
    lease = without_line()
    lease.look(state, 11.0)

    assert lease.is_over
    assert lease.reason == reason
    assert lease.timeout_at is None


def test_a_session_that_has_no_line_yet_keeps_what_it_is() -> None:
    """It was not lost."""
    lease = Lease(2.0)
    lease.look(State.CONNECTING, 0.0)

    assert lease.is_here
    assert not lease.is_over
    assert lease.timeout_at is None


def test_who_may_no_longer_be_has_not_lost_a_line() -> None:
    """The others are told what it was; of a session that was closed in peace nothing is said in any case."""
    lost, closed = without_line(), without_line()
    lost.look(State.LOST, 11.0, was_revoked=True)
    closed.look(State.CLOSED, 11.0, was_revoked=True)

    assert (lost.is_over, lost.reason) == (True, REVOKED)
    assert (closed.is_over, closed.reason) == (True, "")


@pytest.mark.parametrize(
    ("now", "is_here", "timeout_at"), [(11.9, True, 12.0), (12.0, False, None), (99.0, False, None)]
)
def test_who_joins_without_a_line_has_what_is_left_of_the_grace(
    now: float, is_here: bool, timeout_at: float | None
) -> None:
    """It counts from when the line went, and not from when somebody looks first."""
    lease = Lease(2.0)
    lease.look(State.RECONNECTING, now, since=10.0)

    assert (lease.is_here, lease.timeout_at) == (is_here, timeout_at)
