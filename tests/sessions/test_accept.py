"""The server's end, spoken to at the wire: greeting, resume, fencing, tokens, and what the server remembers."""

# A receipt that nobody awaits costs nothing: most of these are not looked at.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import landline
from landline.protocol.frames import MAGIC, CloseCode, FrameType, encode_frame
from landline.sessions.admission import FIRST_WORDS
from landline.sessions.bare import FAREWELL

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True

ABOUT = (FrameType.ACK, FrameType.CREDIT, FrameType.HANDLED, FrameType.ASK)


# A new session...


async def test_a_hello_is_welcomed_and_confirmed(place: Place, wired: Any) -> None:
    """The session begins with the confirmation, and not before."""
    await place.serve()
    wire = await place.line()
    wire.hello()
    welcome = await wire.welcome()

    assert not welcome.resumed
    assert welcome.received == 0
    assert place.sessions == []

    wire.confirm(welcome)
    await place.until(lambda: len(place.sessions) == 1)

    assert place.sessions[0].id == welcome.session.hex()
    assert place.sessions[0].state is landline.State.CONNECTED


async def test_the_server_never_speaks_first(place: Place) -> None:
    """Silence is answered with silence, and half a magic too."""
    await place.serve()
    wire = await place.line()
    await asyncio.sleep(1)
    wire.say(MAGIC[:3])
    await asyncio.sleep(1)

    assert wire.raw == b""


async def test_bytes_one_by_one_are_the_same(place: Place, wired: Any) -> None:
    """Nothing depends on how the bytes were cut."""
    await place.serve()
    wire = await place.line()
    for byte in wired.hello():
        wire.say(bytes([byte]))
    welcome = await wire.welcome()
    for byte in encode_frame(FrameType.CONFIRM, 0, welcome.token) + wired.text("hällo"):
        wire.say(bytes([byte]))
    await place.until(lambda: bool(place.got))

    assert place.got == ["hällo"]


async def test_a_wrong_token_does_not_confirm(place: Place) -> None:
    """Who cannot show the token does not begin a session; who can, may still come."""
    await place.serve()
    wire = await place.line()
    wire.hello()
    welcome = await wire.welcome()
    wire.frame(FrameType.CONFIRM, 0, b"x" * 32)

    assert (await wire.close()).code is CloseCode.UNAUTHORIZED
    await wire.over()
    assert place.sessions == []
    await place.still_serves()
    assert welcome.session.hex() not in [session.id for session in place.sessions]


async def test_a_welcome_that_got_lost_loses_no_session(place: Place) -> None:
    """A client may hold a welcome whose confirmation never arrived: for it, the session exists."""
    await place.serve()
    wire = await place.line()
    wire.hello()
    welcome = await wire.welcome()
    wire.transport.abort()
    await asyncio.sleep(1)
    again = await place.line()
    again.resume(welcome, 2)
    second = await again.welcome()
    again.confirm(second)
    await place.until(lambda: len(place.sessions) == 1)

    assert second.resumed
    assert second.session == welcome.session


async def test_a_welcome_that_nobody_confirms_is_forgotten(place: Place) -> None:
    """Such a session is kept for a moment only, and its program never runs."""
    await place.serve(limits=landline.Limits(handshake_timeout=5))
    wire = await place.line()
    wire.hello()
    welcome = await wire.welcome()
    assert place.listening.sessions == 1
    wire.transport.abort()
    await asyncio.sleep(4)
    assert place.listening.sessions == 1
    await asyncio.sleep(2)

    assert place.listening.sessions == 0
    assert place.sessions == []
    again = await place.line()
    again.resume(welcome, 2)
    assert (await again.refusal()).code is CloseCode.EXPIRED


@pytest.mark.limit("handshake_timeout")
async def test_a_silent_confirmer_is_hung_up_on(place: Place) -> None:
    """A caller that was welcomed and says nothing has ``handshake_timeout`` seconds for its confirmation."""
    await place.serve(limits=landline.Limits(handshake_timeout=5))
    wire = await place.line()
    wire.hello()
    await wire.welcome()

    assert (await wire.close()).code is CloseCode.TIMED_OUT
    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=0.1)


# ... and one that goes on.


async def test_a_resume_replays_what_the_client_lacks(place: Place, wired: Any) -> None:
    """First what was lost, then what is new; the counts on the wire say from where."""
    await place.serve()
    wire, welcome = await place.session()
    session = place.sessions[0]
    for word in ("one", "two", "three"):
        session.send_nowait(word)
    for expected in (b"one", b"two", b"three"):
        assert await wire.expect(FrameType.TEXT) == expected
    wire.transport.abort()
    again = await place.line()
    again.resume(welcome, 2, received=1)
    second = await again.welcome()
    session.send_nowait("four")
    again.confirm(second)

    assert [await again.expect(FrameType.TEXT) for _ in range(3)] == [b"two", b"three", b"four"]


async def test_a_resume_says_what_the_server_has(place: Place, wired: Any) -> None:
    """The welcome carries the server's count, so that the client replays the rest only."""
    await place.serve()
    wire, welcome = await place.session()
    wire.say(wired.text("a") + wired.text("b"))
    await place.until(lambda: len(place.got) == 2)
    wire.transport.abort()
    again = await place.line()
    again.resume(welcome, 2)
    second = await again.welcome()

    assert second.received == 2
    again.confirm(second)
    again.say(wired.text("c"))
    await place.until(lambda: len(place.got) == 3)
    assert place.got == ["a", "b", "c"]


async def test_the_old_line_is_fenced_off(place: Place, wired: Any) -> None:
    """It is told ``replaced``, and what it still says counts no more."""
    await place.serve()
    old, welcome = await place.session()
    new = await place.line()
    new.resume(welcome, 2)
    second = await new.welcome()
    old.say(wired.text("from the grave"))

    assert (await old.close()).code is CloseCode.REPLACED
    await old.over()
    new.confirm(second)
    new.say(wired.text("alive"))
    await place.until(lambda: bool(place.got))
    assert place.got == ["alive"]


async def test_an_attempt_that_is_not_higher_is_stale(place: Place) -> None:
    """A late old dial changes nothing, and a holder of the token is told the highest attempt."""
    await place.serve()
    old, welcome = await place.session()
    fifth = await place.line()
    fifth.resume(welcome, 5)
    second = await fifth.welcome()
    fifth.confirm(second)
    for attempt in (1, 4, 5):
        late = await place.line()
        late.resume(second, attempt)
        refusal = await late.refusal()

        assert (refusal.code, refusal.attempt) == (CloseCode.STALE, 5)
    await old.over()
    assert not fifth.is_over
    assert place.sessions[0].state is landline.State.CONNECTED


async def test_the_old_token_is_good_until_the_new_one_is_shown(place: Place) -> None:
    """The answer that carried the new token may have been lost."""
    await place.serve()
    wire, welcome = await place.session()
    wire.transport.abort()
    second = await place.line()
    second.resume(welcome, 2)
    await second.welcome()
    second.transport.abort()
    third = await place.line()
    third.resume(welcome, 3)

    assert (await third.welcome()).resumed


async def test_the_offered_token_is_good_although_it_was_never_confirmed(place: Place) -> None:
    """The confirmation may have been lost; showing the token with the next dial confirms it."""
    await place.serve()
    wire, welcome = await place.session()
    wire.transport.abort()
    second = await place.line()
    second.resume(welcome, 2)
    offered = await second.welcome()
    second.transport.abort()
    third = await place.line()
    third.resume(offered, 3)

    assert (await third.welcome()).resumed


async def test_a_stolen_token_that_was_retired_revokes_the_session(place: Place) -> None:
    """Thief or owner, one of them shows a token that was replaced: nobody keeps the session."""
    await place.serve()
    wire, welcome = await place.session()
    wire.transport.abort()
    owner = await place.line()
    owner.resume(welcome, 2)
    owner.confirm(await owner.welcome())
    await owner.expect(FrameType.CREDIT)
    thief = await place.line()
    thief.resume(welcome, 3)

    assert (await thief.refusal()).code is CloseCode.REVOKED
    assert (await owner.close()).code is CloseCode.REVOKED
    await place.until(lambda: bool(place.ends))
    assert isinstance(place.ends[0], landline.SessionLost)
    assert place.listening.sessions == 0


async def test_a_guessed_token_gets_nothing(place: Place) -> None:
    """It is not told whether the attempt was good, and the session goes on undisturbed."""
    await place.serve()
    wire, welcome = await place.session()
    thief = await place.line()
    thief.resume(welcome, 99, token=b"g" * 32)
    refusal = await thief.refusal()

    assert refusal.code is CloseCode.UNAUTHORIZED
    assert refusal.attempt is refusal.received is refusal.handled is None
    assert place.sessions[0].state is landline.State.CONNECTED
    assert not wire.is_over


async def test_a_session_belongs_to_its_principal(place: Place) -> None:
    """A stolen token is no use to somebody who must log in as somebody else."""
    await place.serve(authenticate=lambda credentials: credentials)
    _, welcome = await place.session(credentials="ana")
    thief = await place.line()
    thief.resume(welcome, 2, credentials="mallory")
    stranger = await place.line()
    stranger.resume(welcome, 3)

    assert (await thief.refusal()).code is CloseCode.UNAUTHORIZED
    assert (await stranger.refusal()).code is CloseCode.UNAUTHORIZED
    assert place.sessions[0].principal == "ana"
    assert place.sessions[0].state is landline.State.CONNECTED


async def test_a_count_that_cannot_be_ends_the_session(place: Place) -> None:
    """A client that says it has more than was ever sent is not guessed at."""
    await place.serve()
    wire, welcome = await place.session()
    wire.transport.abort()
    again = await place.line()
    again.resume(welcome, 2, received=7)

    assert (await again.refusal()).code is CloseCode.MISCOUNT
    await place.until(lambda: bool(place.ends))
    assert isinstance(place.ends[0], landline.SessionLost)
    assert isinstance(place.ends[0], landline.SessionLost)
    assert place.ends[0].reason.startswith("miscount: ")


async def test_a_stranger_learns_nothing_of_a_session(place: Place) -> None:
    """One that never was and one that ended look the same to who has no token."""
    await place.serve()
    wire, welcome = await place.session()
    await asyncio.gather(place.sessions[0].close(), answer_close(wire))
    for token in (b"n" * 32, welcome.token):
        again = await place.line()
        again.resume(welcome, 2, token=token)
        refusal = await again.refusal()
        if token == welcome.token:
            assert (refusal.code, refusal.received, refusal.handled) == (CloseCode.NORMAL, 0, 0)
        else:
            assert refusal.code is CloseCode.UNKNOWN_SESSION
            assert refusal.received is None


async def test_a_tombstone_says_what_was_handled(place: Place, wired: Any) -> None:
    """After the session ended, its client can still learn what became of its words."""
    await place.serve(limits=landline.Limits(resume_window=60))
    wire, welcome = await place.session()
    wire.say(wired.text("a") + wired.text("b"))
    await place.until(lambda: len(place.got) == 2)
    wire.transport.abort()
    await asyncio.sleep(61)
    await place.until(lambda: bool(place.ends))
    again = await place.line()
    again.resume(welcome, 2)
    refusal = await again.refusal()

    assert (refusal.code, refusal.received, refusal.handled) == (CloseCode.EXPIRED, 2, 2)


async def test_a_session_that_is_told_to_be_expired_is_over(place: Place) -> None:
    """Also when the sweep is late: a line that was about to carry it cannot bring it back, or the counts we told would lie."""
    await place.serve(limits=landline.Limits(resume_window=60))
    wire, welcome = await place.session()
    wire.transport.abort()
    await asyncio.sleep(1)
    sweep = place.listening._acceptor._timer
    assert sweep is not None
    sweep.cancel()
    await asyncio.sleep(61)
    assert place.listening.sessions == 1
    again = await place.line()
    again.resume(welcome, 2)

    assert (await again.refusal()).code is CloseCode.EXPIRED
    assert place.listening.sessions == 0


async def test_a_session_without_a_line_ends_with_its_window(place: Place) -> None:
    """Each after its own window; one that came back has a new one."""
    await place.serve(limits=landline.Limits(resume_window=60, heartbeat_interval=1000))
    first, welcome = await place.session()
    second, _ = await place.session()
    first.transport.abort()
    await asyncio.sleep(30)
    second.transport.abort()
    again = await place.line()
    again.resume(welcome, 2)
    again.confirm(await again.welcome())
    await asyncio.sleep(59)
    assert place.listening.sessions == 2
    await asyncio.sleep(2)
    assert place.listening.sessions == 1
    again.transport.abort()
    await asyncio.sleep(59)
    assert place.listening.sessions == 1
    await asyncio.sleep(2)

    assert place.listening.sessions == 0
    assert [type(end) for end in place.ends] == [landline.SessionLost] * 2


@pytest.mark.limit("max_sessions")
async def test_a_full_server_ends_the_session_longest_without_a_line(place: Place) -> None:
    """Or, where every one has a line, says that it is busy."""
    await place.serve(limits=landline.Limits(max_sessions=2))
    first, _ = await place.session()
    await place.session()
    first.transport.abort()
    await asyncio.sleep(0.1)
    await place.session()
    assert place.listening.sessions == 2
    assert place.sessions[0].is_closed
    fourth = await place.line()
    fourth.hello()
    refusal = await fourth.refusal()

    assert refusal.code is CloseCode.BUSY
    assert refusal.retry_in
    assert place.listening.sessions == 2


# Who may enter...


async def test_authenticate_refuses(place: Place) -> None:
    """None is no principal."""
    await place.serve(authenticate=lambda credentials: None)
    wire = await place.line()
    wire.hello(credentials={"any": "thing"})

    assert (await wire.refusal()).code is CloseCode.UNAUTHORIZED
    await wire.over()
    assert place.listening.sessions == 0


async def test_authenticate_may_wait_but_not_for_ever(place: Place) -> None:
    """An authentication that hangs is a busy server, not a caller that waits for ever."""

    async def hang(credentials: Any) -> str | None:
        await asyncio.Event().wait()
        return None

    await place.serve(authenticate=hang)
    wire = await place.line()
    wire.hello()

    assert (await wire.refusal()).code is CloseCode.BUSY


async def test_who_is_judged_by_what_cannot_be_stopped_is_answered_in_time(place: Place) -> None:
    """An authenticate that ignores being cancelled keeps its caller no longer than any other."""
    verdict: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(credentials: Any) -> str:
        while not verdict.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(verdict)
        return verdict.result()

    await place.serve(authenticate=wait)
    wire = await place.line()
    wire.hello()
    refusal = await wire.refusal()
    await wire.over()
    verdict.set_result("ana")
    await asyncio.sleep(0.1)

    assert refusal.code is CloseCode.BUSY
    assert place.listening.sessions == 0
    assert place.listening.hits["handshake_timeout"] == 1


async def test_a_caller_that_breaks_a_rule_in_the_breath_of_its_hello(place: Place, wired: Any) -> None:
    """It is refused before anybody began to judge it, and nothing is left that Python would warn of."""
    judged = 0

    async def judge(credentials: Any) -> str:
        nonlocal judged
        judged += 1
        return ""

    await place.serve(authenticate=judge)
    wire = await place.line()
    wire.say(wired.hello() + encode_frame(FrameType.PING))
    refusal = await wire.refusal()
    await wire.over()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        gc.collect()

    assert refusal.code is CloseCode.PROTOCOL_ERROR
    assert judged == 0
    assert [str(warning.message) for warning in warned] == []


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_authenticate_that_fails_lets_nobody_in(
    place: Place, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    """The caller learns nothing of the reason; the log does."""

    def fail(credentials: Any) -> str:
        raise RuntimeError("secret of the database")

    async def fail_later(credentials: Any) -> str:
        return fail(credentials)

    await place.serve(authenticate=fail_later if is_async else fail)
    wire = await place.line()
    wire.hello()
    refusal = await wire.refusal()

    assert refusal.code is CloseCode.FAILED
    assert "secret" not in refusal.reason
    assert "secret of the database" in caplog.text


@pytest.mark.parametrize(
    ("answer", "is_async"),
    [*itertools.product([7, b"ana", "\udcff"], [False, True]), (asyncio.CancelledError(), True)],
    ids=repr,
)
async def test_an_answer_that_is_none_lets_nobody_in(
    place: Place, caplog: pytest.LogCaptureFixture, answer: Any, is_async: bool
) -> None:
    """A principal is a str or None, in Unicode; and what an authenticate waits for may be cancelled: the caller is answered all the same."""

    async def later(credentials: Any) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    await place.serve(authenticate=later if is_async else lambda credentials: answer)
    wire = await place.line()
    wire.hello()

    assert (await wire.refusal()).code is CloseCode.FAILED
    assert "authentication failed" in caplog.text


async def test_a_caller_that_leaves_while_it_is_judged(place: Place) -> None:
    """Its verdict is for nobody, and no session comes of it, although this authenticate cannot be stopped."""
    verdict: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(credentials: Any) -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.shield(verdict)
        return await verdict

    await place.serve(authenticate=wait)
    wire = await place.line()
    wire.hello()
    await asyncio.sleep(0.1)
    wire.transport.abort()
    await asyncio.sleep(0.1)
    verdict.set_result("ana")
    await asyncio.sleep(0.1)

    assert place.listening.sessions == 0


async def test_who_left_is_judged_no_further(place: Place) -> None:
    """What decides about callers is bounded by how many are there, not by how many come and go."""
    asked = 0

    async def hang(credentials: Any) -> str:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        return ""

    await place.serve(authenticate=hang, limits=landline.Limits(max_handshakes=2))
    before = len(asyncio.all_tasks())
    for _ in range(20):
        wire = await place.line()
        wire.hello()
        await asyncio.sleep(0.1)
        wire.transport.abort()
    await asyncio.sleep(0.1)

    assert asked == 20
    assert len(asyncio.all_tasks()) == before


# The server goes...


@pytest.mark.parametrize("stage", ["half a hello", "judged", "welcomed"])
async def test_who_is_being_greeted_is_told_that_the_server_goes(
    stage: str, wired: Any, place: Place
) -> None:
    """In words that it can read, and with a time to come back."""

    async def hang(credentials: Any) -> str:
        await asyncio.Event().wait()
        return ""

    if stage == "judged":
        await place.serve(authenticate=hang)
    else:
        await place.serve()
    wire = await place.line()
    wire.say(wired.hello()[: 20 if stage == "half a hello" else None])
    await asyncio.sleep(0.1)
    await place.stop()
    if stage == "welcomed":
        await wire.welcome()
        close = await wire.close()
        assert close.code is CloseCode.GOING_AWAY
        assert close.retry_in is not None
    else:
        refusal = await wire.refusal()
        assert refusal.code is CloseCode.GOING_AWAY
        assert refusal.retry_in is not None
    await wire.over()


@pytest.mark.parametrize("who", ["session", "plain", "silent"])
async def test_who_came_this_very_moment_is_heard_out_when_the_server_goes(
    who: str, wired: Any, place: Place
) -> None:
    """Its greeting is on its way: a session is told when to come back, a plain caller is served; who says nothing is hung up on."""
    heard: list[bytes] = []

    async def plain(caller: landline.Caller) -> None:
        heard.append(await caller.receive())

    await place.serve(plain=plain)
    wire = await place.line()
    came = asyncio.get_running_loop().time()
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(place.stop())
    await asyncio.sleep(FIRST_WORDS - 0.2)
    assert not wire.is_over
    if who == "session":
        wire.say(wired.hello())
        assert (await wire.refusal()).code is CloseCode.GOING_AWAY
    elif who == "plain":
        wire.say(b"hello\n")
    await wire.over()
    await stopping

    assert heard == ([b"hello\n"] if who == "plain" else [])
    took = FIRST_WORDS if who == "silent" else FIRST_WORDS - 0.1
    assert asyncio.get_running_loop().time() - came == pytest.approx(took)


async def test_who_confirms_while_the_server_goes_comes_back(place: Place) -> None:
    """Another session keeps it from being gone yet: a client whose welcome was on its way is told as if it had been here for long."""
    await place.serve()
    await place.session()  # says nothing to its close, for five seconds
    late = await place.line()
    late.hello()
    welcome = await late.welcome()
    begun = asyncio.get_running_loop().time()
    stopping = asyncio.create_task(place.listening._acceptor.drain(retry_in=1))
    await asyncio.sleep(1)
    late.confirm(welcome)
    close = await late.close()

    assert close.code is CloseCode.GOING_AWAY
    assert close.retry_in is not None
    await stopping
    assert asyncio.get_running_loop().time() - begun <= landline.Limits().close_timeout + 2 * FAREWELL
    await place.stop()
    await late.over()
    assert [type(end) for end in place.ends] == [landline.SessionClosed] * 2


@pytest.mark.long
async def test_a_crowd_does_not_come_back_in_one_instant(place: Place) -> None:
    """Each session is told another time, from what was set to about twice that; so is who comes meanwhile."""
    await place.serve(retry_in=10.0)
    acceptor = place.listening._acceptor
    acceptor._chance = random.Random(7).random
    wires = [(await place.session())[0] for _ in range(1000)]
    greeting = await place.line()
    greeting.say(MAGIC)
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(place.stop())
    told = [(await wire.close()).retry_in or 0.0 for wire in wires]
    for wire in wires:
        wire.say(encode_frame(FrameType.CLOSE, 0, b"\x81\xa4code\x00"))
    told.append((await greeting.refusal()).retry_in or 0.0)
    await stopping

    assert len(set(told)) == 1001
    assert 10.0 <= min(told) < 10.1
    assert 19.9 < max(told) <= 20.0
    for tenth in range(10):
        assert 70 <= sum(10 + tenth <= seconds < 11 + tenth for seconds in told) <= 130


async def test_who_has_not_shown_the_magic_is_told_nothing_when_the_server_goes(place: Place) -> None:
    """Half of it might be anything: the server does not speak first, it hangs up."""
    await place.serve()
    wire = await place.line()
    wire.say(MAGIC[:3])
    await asyncio.sleep(0.1)
    await place.stop()
    await wire.over()

    assert wire.raw == b""


async def answer_close(wire: Any) -> None:
    """Answer the server's CLOSE with our own, as a peer does whose program is done."""
    await wire.close()
    wire.say(encode_frame(FrameType.CLOSE, 0, b"\x81\xa4code\x00"))


async def test_nothing_is_left_when_the_lines_are_gone(place: Place, wired: Any) -> None:
    """A hundred lines that end in a hundred ways leave no task, timer or transport behind."""
    await place.serve(limits=landline.Limits(resume_window=5))
    before = len(asyncio.all_tasks())
    for number in range(100):
        wire = await place.line()
        wire.say((wired.hello() * 2)[: number * 2])
        if number % 3:
            wire.transport.abort()
    await asyncio.sleep(1000)
    gc.collect()

    assert len(asyncio.all_tasks()) == before
    assert place.listening.sessions == 0
    assert place.listening._acceptor._admission._open == {}
    assert place.listening._acceptor._admission._silent == {}
    assert place.listening._acceptor._host._greeting == {}
    assert place.listening._acceptor._host._carried == {}


@pytest.mark.parametrize("who", ["silent", "dropped this very moment"])
async def test_a_drain_does_not_wait_for_who_has_nothing_to_say(who: str, place: Place) -> None:
    """A silent caller is hung up on, and a session whose line is gone cannot come back: neither takes any time."""
    await place.serve()
    if who == "silent":
        caller = await place.line()
        await asyncio.sleep(FIRST_WORDS)
    else:
        caller, _ = await place.session()
        caller.transport.abort()
    begun = asyncio.get_running_loop().time()
    await place.stop()

    assert asyncio.get_running_loop().time() == begun
    assert caller.is_over


@pytest.mark.limit("memory")
async def test_sessions_without_a_line_make_room_for_the_others(place: Place) -> None:
    """Too much in all of them together: the oldest without a line go first, until those hold a quarter of it; who has a line stays."""
    limits = landline.Limits(memory=100_000)
    await place.serve(limits=limits)
    clients = [await landline.connect(place.address, pause=lambda number: 1000.0) for _ in range(4)]
    await place.until(lambda: len(place.sessions) == 4)
    *gone, there = place.sessions
    for client in clients[:3]:
        client.drop(1000)
    await asyncio.sleep(1)
    assert {session.state for session in gone} == {landline.State.RECONNECTING}
    for session, size in zip(gone, (40_000, 30_000, 20_000), strict=True):
        session.send_nowait("x" * size)
    for _ in range(100):
        if there.is_closed or place.listening.hits.get("memory"):
            break
        there.send_nowait("y" * 5000)

    assert [session.is_closed for session in place.sessions] == [True, True, False, False]
    assert place.listening.hits["memory"] == 1
    with pytest.raises(landline.SessionLost, match="needed the memory"):
        await gone[0].receive()
    for client in clients:
        client._bare.lose(CloseCode.EXPIRED, "enough")
