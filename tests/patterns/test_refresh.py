"""New credentials over a live session: in time and by themselves, on request, refused, over drops; and what a server grants runs out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import landline
from landline.limits import SESSION
from landline.patterns.messages import Messages
from landline.patterns.refresh import Refreshing
from landline.protocol.grants import CREDENTIALS_PURPOSE

VIRTUAL_TIME = True

GATE = "memory://gate"
QUICK = landline.Limits(redial_min=0.01, redial_max=0.02)

Answer = Callable[[Any], Any]


class Gate:
    """What a server's ``authenticate`` was shown, and when.

    Attributes:
        answer: what it answers.
    """

    def __init__(self, answer: Answer) -> None:
        self.shown: list[tuple[float, Any]] = []
        self.answer = answer

    async def __call__(self, credentials: Any) -> Any:
        self.shown.append((round(asyncio.get_running_loop().time(), 3), credentials))
        return self.answer(credentials)

    @property
    def words(self) -> list[Any]:
        return [word for _, word in self.shown]


def for_a_minute(credentials: Any) -> landline.Grant:
    return landline.Grant("ana", expires_in=60.0)


@asynccontextmanager
async def line(gate: Gate, credentials: Any = None, **options: Any) -> AsyncIterator[landline.Session]:
    """A session with a server whose program keeps it."""

    async def keep(session: landline.Session) -> None:
        async for _ in session:
            pass

    async with landline.serve(keep, GATE, authenticate=gate, **options):
        async with landline.connect(GATE, credentials=credentials, limits=QUICK) as session:
            yield session


def counter() -> Callable[[], int]:
    """Return credentials that are another number each time."""
    numbers = iter(range(1000))
    return lambda: next(numbers)


def refreshing_of(session: landline.Session) -> Refreshing:
    assert session._client is not None
    return session._client.refreshing


# By itself...


async def test_a_session_stays_for_as_long_as_its_client_has_credentials() -> None:
    """They are shown after 60 to 80 % of each grant, again and again; the line never drops for it."""
    gate = Gate(for_a_minute)
    async with line(gate, counter()) as session:
        states = asyncio.ensure_future(_states(session))
        await asyncio.sleep(3600)
        assert not session.is_closed
        assert not states.done()
    assert await states == [landline.State.CLOSING, landline.State.CLOSED]
    times = [at for at, _ in gate.shown]
    assert gate.words == list(range(len(times)))
    assert all(36.0 <= later - sooner <= 48.1 for sooner, later in itertools.pairwise(times))
    assert len(times) > 3600 / 48


async def _states(session: landline.Session) -> list[landline.State]:
    return [change.state async for change in session.states()]


async def test_without_new_credentials_the_session_ends_when_they_ran_out() -> None:
    """Both ends are told why, and when it was time, to the instant."""
    ended: list[tuple[float, str]] = []
    gate = Gate(lambda credentials: landline.Grant("ana", 10.0) if len(gate.shown) == 1 else None)
    server = landline.Server(authenticate=gate)
    server.topic("t")

    @server.on_close
    def closed(session: landline.Session, why: landline.SessionEnded) -> None:
        ended.append((asyncio.get_running_loop().time(), str(why)))

    async with server.listen(GATE), landline.connect(GATE, credentials="once", limits=QUICK) as session:
        with pytest.raises(landline.SessionLost, match="the credentials ran out"):
            await session.receive()
        assert asyncio.get_running_loop().time() == pytest.approx(10.0)

    ((at, why),) = ended
    assert at == pytest.approx(10.0)
    assert "the credentials ran out" in why


async def test_what_was_refused_is_not_shown_again() -> None:
    """A server charges for credentials that are not good; others are shown as soon as there are some."""
    word = shown = "old"
    gate = Gate(lambda credentials: landline.Grant("ana", 60.0) if credentials == word else None)
    async with line(gate, lambda: shown) as session:
        word = "new"
        await asyncio.sleep(50)
        assert gate.words == ["old", "old"]
        shown = "new"
        await asyncio.sleep(60)
        assert not session.is_closed

    assert gate.words[2:] == ["new", "new"]


async def test_credentials_that_are_not_to_be_had_are_asked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever hands them out may be away for a while."""
    failures = [OSError("away"), OSError("away")]
    gate = Gate(for_a_minute)

    def credentials() -> str:
        if gate.shown and failures:
            raise failures.pop()
        return "word"

    async with line(gate, credentials) as session:
        await asyncio.sleep(600)
        assert not session.is_closed
    assert not failures
    assert caplog.text.count("OSError: away") == 2


async def test_a_server_that_cannot_find_out_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """Its database may be away; the session goes on meanwhile."""

    def answer(credentials: Any) -> landline.Grant:
        if 1 < len(gate.shown) < 4:
            raise OSError("no database")
        return landline.Grant("ana", expires_in=60.0)

    gate = Gate(answer)
    async with line(gate, "word") as session:
        await asyncio.sleep(300)
        assert not session.is_closed
    assert caplog.text.count("OSError: no database") == 1  # in full; the other one is counted
    assert "OSError, 1 more" in caplog.text


async def test_over_a_dropped_line_the_resume_shows_them() -> None:
    """A grant that ran out while there was no line ends nothing; the new one counts from the resume on."""
    gate = Gate(for_a_minute)
    async with line(gate, counter()) as session:
        await session.flush()  # the server knows that its welcome arrived
        await asyncio.sleep(1)
        session.drop(99.0)
        await asyncio.sleep(98)
        assert gate.words == [0]
        await asyncio.sleep(60)
        assert not session.is_closed
        assert session.state is landline.State.CONNECTED

    assert gate.words[:2] == [0, 1]
    assert gate.shown[1][0] == pytest.approx(100.0, abs=0.5)
    assert 36.0 <= gate.shown[2][0] - gate.shown[1][0] <= 48.1


async def test_who_is_granted_for_good_shows_nothing_more() -> None:
    """Nor does anything wait for it at the client."""
    gate = Gate(lambda credentials: landline.Grant("ana"))
    async with line(gate) as session:
        assert refreshing_of(session)._timer is None
        await asyncio.sleep(10_000)

    assert gate.words == [None]


async def test_nothing_is_left_of_a_session_that_is_closed() -> None:
    """Neither its timer nor a refresh that is under way."""
    waits = asyncio.Event()

    async def slow() -> str:
        if gate.shown:
            waits.set()
            await asyncio.Event().wait()
        return "word"

    gate = Gate(for_a_minute)
    async with line(gate, slow) as session:
        await waits.wait()
        task = refreshing_of(session)._task
        assert task is not None
    await asyncio.wait([task])
    assert task.cancelled()
    assert refreshing_of(session)._timer is None


# On request...


async def test_refresh_shows_them_at_once() -> None:
    """It returns when the server took them."""
    gate = Gate(lambda credentials: "ana")
    async with line(gate, counter()) as session:
        await session.refresh()
        await asyncio.gather(session.refresh(), session.refresh())

    assert gate.words == [0, 1, 2, 3]


async def test_a_refresh_waits_for_a_line() -> None:
    """Its flow goes over the drop like everything else."""
    gate = Gate(for_a_minute)
    async with line(gate, counter()) as session:
        session.drop(5.0)
        await session.refresh()
        assert asyncio.get_running_loop().time() >= 5.0

    assert sorted(gate.words) == [0, 1, 2]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "the credentials are not good"),
        ("ben", "the session belongs to somebody else"),
        (landline.Grant("ben", 60.0), "the session belongs to somebody else"),
        (landline.Grant("ana", 0.0), "the credentials are not good"),
    ],
)
async def test_what_is_refused_leaves_the_session_as_it_was(answer: Any, said: str) -> None:
    """In the server's words; the grant before goes on."""
    gate = Gate(lambda credentials: answer if credentials == 1 else landline.Grant("ana", 60.0))
    async with line(gate, counter()) as session:
        with pytest.raises(landline.NotAllowed, match=said):
            await session.refresh()
        await asyncio.sleep(100)
        assert not session.is_closed


async def test_the_words_of_the_server_are_told() -> None:
    """As at the door."""

    def answer(credentials: Any) -> str:
        if credentials:
            raise landline.NotAllowed("that token is of yesterday")
        return "ana"

    async with line(Gate(answer), counter()) as session:
        with pytest.raises(landline.NotAllowed, match="of yesterday"):
            await session.refresh()


async def test_an_answer_that_says_less_time_counts() -> None:
    """The client comes in time for it."""
    gate = Gate(lambda credentials: landline.Grant("ana", 1000.0 if credentials == 0 else 10.0))
    async with line(gate, counter()) as session:
        await session.refresh()
        await asyncio.sleep(60)
        assert not session.is_closed

    assert len(gate.shown) > 6


async def test_what_was_answered_before_the_line_came_back_is_not_relied_on() -> None:
    """Replayed, an answer comes after a welcome that may say less; the shorter time is safe."""
    may_answer = asyncio.Event()
    shown: list[tuple[float, Any]] = []

    async def authenticate(credentials: Any) -> landline.Grant:
        shown.append((asyncio.get_running_loop().time(), credentials))
        if credentials == 1:
            await may_answer.wait()
        return landline.Grant("ana", 1000.0)

    async with landline.serve(_wait, GATE, authenticate=authenticate):
        async with landline.connect(GATE, credentials=counter()) as session:
            refreshing = asyncio.ensure_future(session.refresh())
            await asyncio.sleep(1)
            refreshing_of(session).welcomed(10.0)  # as of a line that came back meanwhile
            may_answer.set()
            await refreshing
            await asyncio.sleep(10)

    assert [credentials for _, credentials in shown] == [0, 1, 2]
    assert shown[2][0] <= 9.1


async def test_one_that_takes_too_long_is_told() -> None:
    """The server waits for ``handshake_timeout``, as at the door."""

    async def authenticate(credentials: Any) -> str:
        if credentials:
            await asyncio.Event().wait()
        return "ana"

    async with landline.serve(_wait, GATE, authenticate=authenticate):
        async with landline.connect(GATE, credentials=counter()) as session:
            with pytest.raises(landline.FlowReset, match="took too long"):
                await session.refresh()
            assert not session.is_closed


async def _wait(session: landline.Session) -> None:
    await session.wait_closed()


async def test_only_a_client_has_credentials() -> None:
    """The server's end says so."""
    said: list[str] = []

    async def program(session: landline.Session) -> None:
        try:
            await session.refresh()
        except landline.LandlineError as error:
            said.append(str(error))

    async with landline.serve(program, GATE), landline.connect(GATE) as session:
        await session.wait_closed()

    assert said == ["only a client has credentials to show"]


# A client that does not keep to it...


async def ask(session: landline.Session, *values: Any) -> Messages:
    flow = session._bare.open_flow(CREDENTIALS_PURPOSE)
    messages = Messages(session._bare, flow)
    for value in values:
        _ = await messages.send(value)
    return messages


async def test_one_at_a_time_is_looked_at() -> None:
    """Who opens many such flows has no more looked at, also when it abandons them."""
    held = asyncio.Event()
    asked = 0

    async def authenticate(credentials: Any) -> str:
        nonlocal asked
        if credentials:
            asked += 1
            while not held.is_set():  # does not heed that it is cancelled
                with suppress(asyncio.CancelledError):
                    await held.wait()
        return "ana"

    async with landline.serve(_wait, GATE, authenticate=authenticate):
        async with landline.connect(GATE) as session:
            first = await ask(session, 1)
            await asyncio.sleep(0.1)
            with pytest.raises(landline.FlowReset, match="looked at just now"):
                await (await ask(session, 2)).receive()
            first._held.reset()
            await asyncio.sleep(0.1)
            with pytest.raises(landline.FlowReset, match="looked at just now"):
                await (await ask(session, 3)).receive()
            assert asked == 1
            held.set()
            await asyncio.sleep(0.1)
            assert await (await ask(session, 4)).receive() == {}


@pytest.mark.limit("session.credentials")
@pytest.mark.parametrize(
    ("size", "is_taken"), [(SESSION.credentials, True), (SESSION.credentials + 1, False)]
)
async def test_credentials_that_are_too_large_are_not_looked_at(size: int, is_taken: bool) -> None:
    """Nor does ``authenticate`` see them; the session goes on."""
    gate = Gate(lambda credentials: "ana")
    async with line(gate) as session:
        messages = await ask(session, "x" * size)
        if is_taken:
            assert await messages.receive() == {}
        else:
            with pytest.raises(landline.FlowReset, match="3,073 bytes is over the limit"):
                await messages.receive()
        assert not session.is_closed

    assert len(gate.shown) == 1 + is_taken


async def _to_the_end(messages: Messages) -> None:
    while True:
        await messages.receive()


async def test_who_says_more_than_its_credentials_is_told() -> None:
    """The flow ends for it."""
    async with line(Gate(lambda credentials: "ana")) as session:
        messages = await ask(session, 1, 2)
        with pytest.raises(landline.FlowReset, match="credentials are one message"):
            await _to_the_end(messages)
        assert not session.is_closed
