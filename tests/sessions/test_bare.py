"""The bare session: signals, the table of states, watchers, and an end that comes once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from landline.errors import SessionClosed, SessionLost
from landline.limits import SESSION, Limits
from landline.protocol.frames import CloseCode
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
    assert bare._watchers == []


async def test_a_session_ends_once(bare: BareSession) -> None:
    """The first end is the one that everybody is told, and who keeps it is told once."""
    ended: list[str] = []
    bare.on_end = lambda: ended.append("told")
    bare.lose(CloseCode.EXPIRED, "first")
    bare.end(SessionClosed("second"))
    bare.lose(CloseCode.FAILED, "third")
    await bare.close("fourth")

    assert isinstance(bare.ended, SessionLost)
    assert bare.ended.reason == "first"
    assert bare.state is State.LOST
    assert ended == ["told"]


async def test_a_close_has_its_time(bare: BareSession) -> None:
    """Without a line and with something to deliver, it is a loss after ``close_timeout`` seconds."""
    bare.set_state(State.CONNECTED)
    bare.core.send(bare.core.messages, 0x20, b"unsaid")
    begun = asyncio.get_running_loop().time()
    await bare.close("bye")

    assert asyncio.get_running_loop().time() - begun == Limits().close_timeout
    assert isinstance(bare.ended, SessionLost)


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


@pytest.mark.limit("session.farewell")
async def test_a_close_with_nothing_to_deliver_does_not_wait_for_long(bare: BareSession) -> None:
    """The line is down and nobody misses anything: a moment, and it is closed, not lost."""
    bare.set_state(State.CONNECTED)
    begun = asyncio.get_running_loop().time()
    await bare.close("bye")

    assert asyncio.get_running_loop().time() - begun == SESSION.farewell
    assert isinstance(bare.ended, SessionClosed)


async def test_a_close_waits_for_what_waits_in_any_flow(bare: BareSession) -> None:
    """Also for what was never written, because the peer had given no credit; then it is a loss, and a hit."""
    hits: list[str] = []
    bare.on_limit = lambda limit, what: hits.append(limit)
    bare.set_state(State.CONNECTED)
    bare.core.send(bare.open_flow("talk").core, 0x20, b"unsaid")
    begun = asyncio.get_running_loop().time()
    await bare.close("bye")

    assert asyncio.get_running_loop().time() - begun == Limits().close_timeout
    assert isinstance(bare.ended, SessionLost)
    assert hits == ["close_timeout"]


async def test_a_close_that_a_loss_overtakes_hit_no_limit(bare: BareSession) -> None:
    """It ended for another reason, and had time left."""
    hits: list[str] = []
    bare.on_limit = lambda limit, what: hits.append(limit)
    bare.set_state(State.CONNECTED)
    bare.core.send(bare.core.messages, 0x20, b"unsaid")
    closing = asyncio.ensure_future(bare.close("bye"))
    await asyncio.sleep(0)
    bare.lose(CloseCode.REVOKED, "stolen")
    await closing

    assert hits == []
