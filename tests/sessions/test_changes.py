"""A session's state: it follows the table, and who watches it is told of each change, or of the newest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from landline.errors import SessionClosed
from landline.limits import Limits
from landline.protocol.session import Session
from landline.protocol.states import TRANSITIONS, State
from landline.sessions.bare import BareSession

VIRTUAL_TIME = True


@pytest.fixture
async def bare() -> BareSession:
    state = Session(Limits(), peer_window=1 << 18, peer_max_message=1 << 20, peer_max_flows=1)
    return BareSession(state, session_id=b"i" * 16, principal="", limits=Limits())


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
async def test_states_follow_the_table(bare: BareSession, before: State, after: State) -> None:
    """A step that the table does not have is a bug of ours."""
    bare.state = before
    if after is before or after in TRANSITIONS[before]:
        bare.set_state(after)
        assert bare.state is after
    else:
        with pytest.raises(AssertionError):
            bare.set_state(after)
        assert bare.state is before


async def test_each_watcher_sees_every_change_from_its_beginning(bare: BareSession) -> None:
    """With the time that was spent before it; the same state again is no news."""
    watching = bare.states()
    first: Any = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(3)
    bare.set_state(State.CONNECTED)
    bare.set_state(State.CONNECTED)
    await asyncio.sleep(4)
    bare.set_state(State.RECONNECTING, "the line dropped")
    bare.end(SessionClosed("done"))
    changes = [await first, *[change async for change in watching]]

    assert [(change.state, change.reason, change.lasted) for change in changes] == [
        (State.CONNECTED, "", 3),
        (State.RECONNECTING, "the line dropped", 4),
        (State.CLOSED, "done", 0),
    ]
    assert bare._watchers == ()


@pytest.mark.limit("session.changes")
@pytest.mark.parametrize("count", [64, 65])
async def test_a_watcher_that_does_not_look_misses_the_oldest(bare: BareSession, count: int) -> None:
    """Sixty-four changes wait for it; of one more the first goes."""
    watching = bare.states()
    first: Any = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    for number in range(count):
        bare.set_state(bare.state, "", number)
    seen = [(await first).retry_in, *[(await anext(watching)).retry_in for _ in range(63)]]

    assert seen == list(range(count))[-64:]
    bare.end(SessionClosed("done"))
    await watching.aclose()
