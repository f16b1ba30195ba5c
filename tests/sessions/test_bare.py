"""The bare session: signals, lines that come and go, flows, and an end that comes once."""

from __future__ import annotations

import asyncio

import pytest

from landline.errors import FlowReset, SessionClosed, SessionLost
from landline.limits import SESSION, Limits
from landline.protocol.events import RoomMade
from landline.protocol.frames import CloseCode, ResetCode
from landline.protocol.session import Session
from landline.protocol.states import State
from landline.sessions.bare import BareSession
from landline.sessions.flow import PENDING, RENEWED
from landline.sessions.keeper import Alone

VIRTUAL_TIME = True


class Told(Alone):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def ended(self, session: object) -> None:
        self.told.append("ended")

    def hit(self, session: object, limit: str, what: str) -> None:
        self.told.append(limit)


@pytest.fixture
async def bare() -> BareSession:
    state = Session(Limits(), peer_window=1 << 18, peer_max_message=1 << 20, peer_max_flows=1)
    return BareSession(state, session_id=b"i" * 16, principal="", limits=Limits())


async def test_a_session_ends_once(bare: BareSession) -> None:
    """The first end is the one that everybody is told, and who keeps it is told once."""
    keeper = bare.keeper = Told()
    bare.lose(CloseCode.EXPIRED, "first")
    bare.end(SessionClosed("second"))
    bare.lose(CloseCode.FAILED, "third")
    await bare.close("fourth")

    assert isinstance(bare.ended, SessionLost)
    assert bare.ended.reason == "first"
    assert bare.state is State.LOST
    assert keeper.told == ["ended"]


async def test_a_close_has_its_time(bare: BareSession) -> None:
    """Without a line and with something to deliver, it is a loss after ``close_timeout`` seconds."""
    bare.set_state(State.CONNECTED)
    bare.core.send(bare.core.messages, 0x20, b"unsaid")
    begun = asyncio.get_running_loop().time()
    await bare.close("bye")

    assert asyncio.get_running_loop().time() - begun == Limits().close_timeout
    assert isinstance(bare.ended, SessionLost)


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
    keeper = bare.keeper = Told()
    bare.set_state(State.CONNECTED)
    bare.core.send(bare.open_flow("talk").core, 0x20, b"unsaid")
    begun = asyncio.get_running_loop().time()
    await bare.close("bye")

    assert asyncio.get_running_loop().time() - begun == Limits().close_timeout
    assert isinstance(bare.ended, SessionLost)
    assert keeper.told == ["close_timeout", "ended"]


async def test_a_close_that_a_loss_overtakes_hit_no_limit(bare: BareSession) -> None:
    """It ended for another reason, and had time left."""
    keeper = bare.keeper = Told()
    bare.set_state(State.CONNECTED)
    bare.core.send(bare.core.messages, 0x20, b"unsaid")
    closing = asyncio.ensure_future(bare.close("bye"))
    await asyncio.sleep(0)
    bare.lose(CloseCode.REVOKED, "stolen")
    await closing

    assert keeper.told == ["ended"]


# Another life of the server...


def make_state() -> Session:
    return Session(Limits(), peer_window=1 << 18, peer_max_message=1 << 20, peer_max_flows=4)


async def test_another_life_of_the_server_begins_both_directions_again(bare: BareSession) -> None:
    """Flows end as renewed and wake who waits in them; who sends goes on at once; the old state counts no more."""
    renewed: list[str] = []
    bare.on_renewed = [lambda: renewed.append("told")]
    talk, messages, old = bare.open_flow("talk"), bare.messages, bare.core
    bare.core.send(talk.core, 0x20, b"unsaid")
    bare.core.send(messages.core, 0x20, b"unsaid")
    waiting = [asyncio.ensure_future(flow.wait_handled(0)) for flow in (talk, messages)]
    waiting += [asyncio.ensure_future(wait()) for wait in (talk.arrived.wait, bare.room.wait)]
    await asyncio.sleep(0)
    state = make_state()
    bare.renew(state)
    await asyncio.gather(*waiting)

    assert renewed == ["told"]
    assert bare.core is state
    assert bare.messages.core is state.messages
    assert [type(flow.why_unwritable()) for flow in (talk, messages)] == [FlowReset] * 2
    assert [getattr(flow.why_unreadable(), "code", "") for flow in (talk, messages)] == [RENEWED] * 2
    assert bare.messages.why_unreadable() is bare.messages.why_unwritable() is None
    old.writer.schedule()  # nobody listens to it any more
    assert bare.open_flow("talk").core.number == 1


async def test_what_was_abandoned_before_stays_so(bare: BareSession) -> None:
    """A flow that was reset says why it was, not that the server was restarted since."""
    flow = bare.open_flow("talk")
    flow.reset(ResetCode.UNWANTED, "enough")
    bare.renew(make_state())

    error = flow.why_unreadable()
    assert isinstance(error, FlowReset)
    assert (error.code, error.reason) == (ResetCode.UNWANTED.text, "enough")


@pytest.mark.limit("session.pending")
@pytest.mark.parametrize(("size", "takes"), [(PENDING - 1, True), (PENDING, False)])
async def test_who_fills_a_flow_keeps_most_of_it_to_itself(bare: BareSession, size: int, takes: bool) -> None:
    """So many bytes wait to be written; the rest may still be dropped where it is."""
    flow = bare.open_flow("talk")
    assert flow.takes_more
    bare.core.send_frame(flow.core, bytes(size))

    assert flow.takes_more is takes


async def test_who_fills_a_flow_is_told_of_room(bare: BareSession) -> None:
    """When some of it was written, and when it takes nothing any more."""
    filled: list[bool] = []
    flow = bare.open_flow("talk")
    bare.on_room[flow] = lambda: filled.append(flow.takes_more)
    bare.deliver(RoomMade())
    flow.reset()

    assert filled == [True, False]
    flow.put(b"nobody takes it")
    assert flow.core.pending_bytes == 0
