"""The client's end at the wire, against a server that does what the test says; the clock is virtual, so every pause is exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import landline
from landline import State
from landline.limits import SESSION, Limits
from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.handshake import Close, Hello, Refusal, Resume, Welcome, decode_payload, encode_payload
from landline.sessions.reconnect import full_jitter
from landline.transports import Transport, open_listener, parse_address

VIRTUAL_TIME = True

ADDRESS = "memory://played"


class Call:
    """One dial as the server sees it; the test says what is answered."""

    def __init__(self, transport: Transport, told: Callable[[], None]) -> None:
        self.transport = transport
        self.at = asyncio.get_running_loop().time()
        self.frames: list[tuple[int, int, bytes]] = []
        self._decoder = FrameDecoder(1 << 20)
        self._is_magic_seen = False
        self._told = told
        transport.start(self)

    def data_received(self, data: bytes) -> None:
        if not self._is_magic_seen:
            assert data.startswith(MAGIC)
            self._is_magic_seen = True
            data = data[len(MAGIC) :]
        self.frames += self._decoder.feed(data)
        self._told()

    def data_ended(self) -> None:
        self.transport.close()

    def writable(self) -> None: ...

    def lost(self, error: Exception | None) -> None: ...

    @property
    def resume(self) -> Resume:
        assert self.frames[0][0] == FrameType.RESUME
        return decode_payload(Resume, self.frames[0][2])

    def welcome(self, token: bytes = b"t" * 32, *, received: int = 0, **fields: Any) -> None:
        is_hello = self.frames[0][0] == FrameType.HELLO
        if is_hello:
            assert decode_payload(Hello, self.frames[0][2]).window
        made = Welcome(
            session=b"s" * 16, token=token, received=received, resumed=not is_hello, window=1 << 18,
            max_message=1 << 20, heartbeat=25.0, dead_after=8.0, **{"resume_window": 300.0, "life": b"l" * 16, **fields},
        )  # fmt: skip
        self.transport.write(MAGIC + encode_payload(FrameType.WELCOME, made))

    def refuse(self, code: CloseCode, **fields: Any) -> None:
        self.transport.write(MAGIC + encode_payload(FrameType.REFUSE, Refusal(code=code, **fields)))
        self.transport.close()

    def close(self, code: CloseCode, **fields: Any) -> None:
        self.transport.write(encode_payload(FrameType.CLOSE, Close(code=code, **fields)))


class Played:
    """A server whose every answer is the test's."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.news = asyncio.Event()

    def accept(self, transport: Transport) -> None:
        self.calls.append(Call(transport, self.news.set))

    async def call(self, number: int) -> Call:
        """The dial of that number, once its first frame is there."""
        async with asyncio.timeout(1000):
            while len(self.calls) <= number or not self.calls[number].frames:
                self.news.clear()
                await self.news.wait()
        return self.calls[number]

    async def session(self, *others: str, **options: Any) -> landline.Session:
        connecting = asyncio.ensure_future(_connect(*others, **options))
        (await self.call(len(self.calls))).welcome()
        return await connecting


async def _connect(*others: str, **options: Any) -> landline.Session:
    return await landline.connect(ADDRESS, *others, **options)


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    played = Played()
    listener = await open_listener(parse_address(ADDRESS), played.accept, backlog=1)
    yield played
    listener.close()
    for call in played.calls:
        call.transport.abort()


def no_pause(number: int) -> float:
    return 0.0


async def test_the_token_is_shown_and_the_attempt_rises(played: Played) -> None:
    """Every dial has a higher number, and the token of the last welcome."""
    session = await played.session(pause=no_pause)
    for number in range(1, 5):
        played.calls[-1].transport.abort()
        call = await played.call(number)
        assert call.resume.attempt == number + 1
        assert call.resume.token == (b"t" * 32 if number == 1 else bytes([number - 1]) * 32)
        call.welcome(bytes([number]) * 32)
        await connected(session)
    assert await confirmed(played.calls[-1])
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def connected(session: landline.Session) -> None:
    """Wait until the session is on a line again."""
    if session.state is not State.CONNECTED:
        async for change in session.states():
            if change.state is State.CONNECTED:
                return


async def confirmed(call: Call) -> bool:
    await asyncio.sleep(1)
    return any(kind == FrameType.CONFIRM for kind, _, _ in call.frames)


async def test_a_welcome_with_a_count_that_cannot_be_ends_the_session(played: Played) -> None:
    """A server that has received more than was sent is not one to go on with; the reason begins with the code's name."""
    session = await played.session(pause=no_pause)
    played.calls[-1].transport.abort()
    (await played.call(1)).welcome(b"2" * 32, received=99)

    with pytest.raises(landline.SessionLost) as lost:
        await session.receive()
    assert lost.value.reason.startswith("miscount: ")


async def test_a_welcome_whose_line_drops_at_once_is_dialled_again(played: Played) -> None:
    """The end may follow the welcome before the client has looked at it."""
    connecting = asyncio.ensure_future(_connect(pause=no_pause))
    first = await played.call(0)
    first.welcome()
    first.transport.abort()
    try:
        session = await connecting
    except landline.ConnectError:
        return
    second = await played.call(1)
    second.welcome(b"u" * 32)
    await asyncio.sleep(1)

    assert session.state is State.CONNECTED
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def test_a_resumed_line_that_drops_at_once_is_dialled_again(played: Played) -> None:
    """And again, until one holds."""
    session = await played.session(pause=no_pause)
    played.calls[0].transport.abort()
    for number in range(1, 4):
        call = await played.call(number)
        call.welcome()
        call.transport.abort()
    last = await played.call(4)
    last.welcome()
    await asyncio.sleep(1)

    assert session.state is State.CONNECTED
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def test_pauses_grow_and_the_servers_word_is_honoured(played: Played) -> None:
    """A refusal as busy says when to come back; a going server too."""
    loop = asyncio.get_running_loop()
    session = await played.session(pause=lambda number: 0.25 * number)
    begun = loop.time()
    played.calls[0].transport.abort()
    first = await played.call(1)
    assert first.at - begun == pytest.approx(0.25)
    first.refuse(CloseCode.BUSY, retry_in=7.0)
    second = await played.call(2)
    assert 3.5 <= second.at - first.at <= 10.5  # spread, so that not all come back together
    second.transport.abort()
    third = await played.call(3)
    assert third.at - second.at == pytest.approx(0.75)
    third.welcome()
    await connected(session)
    third.close(CloseCode.GOING_AWAY, retry_in=10.0)
    fourth = await played.call(4)
    assert 5 <= fourth.at - third.at <= 15.1
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def test_a_stale_attempt_goes_on_above_the_highest(played: Played) -> None:
    """Somebody dialled meanwhile: this client's own late attempt, or a copy of it."""
    session = await played.session(pause=no_pause)
    played.calls[0].transport.abort()
    (await played.call(1)).refuse(CloseCode.STALE, attempt=40)

    assert (await played.call(2)).resume.attempt == 41
    session._bare.lose(CloseCode.EXPIRED, "enough")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (CloseCode.UNKNOWN_SESSION, landline.SessionLost),
        (CloseCode.EXPIRED, landline.SessionLost),
        (CloseCode.REVOKED, landline.SessionLost),
        (CloseCode.UNAUTHORIZED, landline.SessionLost),
        (CloseCode.VERSION, landline.SessionLost),
        (CloseCode.NORMAL, landline.SessionClosed),
    ],
)
async def test_a_refusal_ends_the_session(played: Played, code: CloseCode, error: type[Exception]) -> None:
    """What the server still knows settles the receipts, and nobody dials any more."""
    session = await played.session(pause=no_pause)
    receipts = [await session.send(word) for word in ("handled", "received", "lost on the way")]
    await asyncio.sleep(1)
    played.calls[0].transport.abort()
    (await played.call(1)).refuse(code, received=2, handled=1)
    with pytest.raises(error):
        await session.receive()

    assert [(await receipt).status for receipt in receipts] == ["acked", "unknown", "failed"]
    await asyncio.sleep(1000)
    assert len(played.calls) == 2


@pytest.mark.parametrize("code", [CloseCode.REPLACED, CloseCode.FAILED, CloseCode.PROTOCOL_ERROR])
async def test_a_close_that_cannot_be_resumed_is_not_redialled(played: Played, code: CloseCode) -> None:
    """A client told ``replaced`` would only throw out its successor."""
    session = await played.session(pause=no_pause)
    played.calls[0].close(code, reason="because")
    with pytest.raises(landline.SessionLost, match=f"{code.text}: because"):
        await session.receive()
    await asyncio.sleep(1000)

    assert len(played.calls) == 1


async def test_a_server_that_stays_away_for_the_whole_window(played: Played) -> None:
    """The session is lost when the server has forgotten it anyway."""
    session = await played.session(pause=lambda number: 9.0)
    loop = asyncio.get_running_loop()
    played.calls[0].transport.abort()

    async def refuse() -> None:
        for number in range(1, 1000):
            (await played.call(number)).transport.abort()

    refusing = asyncio.ensure_future(refuse())
    begun = loop.time()
    with pytest.raises(landline.SessionLost, match="no server went on with it for 300 s"):
        await session.receive()
    refusing.cancel()

    assert loop.time() - begun == pytest.approx(300, abs=1)


async def test_a_silent_line_is_suspected_then_left(played: Played) -> None:
    """A ping after the server's interval, doubt, and within its bound another dial."""
    session = await played.session(pause=no_pause)
    seen: list[State] = []

    async def watch() -> None:
        seen.extend([change.state async for change in session.states()])

    watching = asyncio.ensure_future(watch())
    begun = asyncio.get_running_loop().time()
    second = await played.call(1)

    assert 25 * 0.8 + 8 <= second.at - begun <= 25 + 8 + 0.1
    assert any(kind == FrameType.PING for kind, _, _ in played.calls[0].frames)
    session._bare.lose(CloseCode.EXPIRED, "enough")
    await watching
    assert seen[:2] == [State.SUSPECT, State.RECONNECTING]


async def test_a_suspected_line_that_speaks_is_trusted_again(played: Played) -> None:
    """Any byte proves life."""
    session = await played.session(pause=no_pause)
    await anext(aiter(session.states()))
    doubted = session.state
    played.calls[0].transport.write(encode_frame(FrameType.PONG))
    await asyncio.sleep(0.1)

    assert (doubted, session.state) == (State.SUSPECT, State.CONNECTED)
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def test_a_dropped_line_stays_away_as_long_as_was_asked(played: Played) -> None:
    """Not a moment less, whatever the pauses are."""
    session = await played.session(pause=no_pause)
    begun = asyncio.get_running_loop().time()
    session.drop(42)

    assert (await played.call(1)).at - begun == pytest.approx(42)
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def test_a_closed_session_is_not_dialled_any_more(played: Played) -> None:
    """Nor is a task left that would."""
    before: set[Awaitable[Any]] = set(asyncio.all_tasks())
    session = await played.session(limits=Limits(close_timeout=5))
    played.calls[0].transport.abort()
    await asyncio.sleep(0.001)
    closing = asyncio.ensure_future(session.close())
    await closing
    count = len(played.calls)
    await asyncio.sleep(1000)

    assert len(played.calls) == count
    assert set(asyncio.all_tasks()) == before


def test_full_jitter_is_drawn_anew_for_every_dial() -> None:
    """Two clients that lost the same server do not come back together, and neither keeps to one time."""
    pause = full_jitter(Limits(redial_min=0.2, redial_max=20))
    pauses = {pause(8) for _ in range(100)}

    assert len(pauses) > 90
    assert all(0 <= seconds <= 20 for seconds in pauses)


async def test_a_pause_that_fails_ends_the_session_with_its_reason(played: Played) -> None:
    """It is the application's own function, and whoever waits for a message must hear of it."""

    def broken(number: int) -> float:
        raise ZeroDivisionError("no pause today")

    session = await played.session(pause=broken)
    played.calls[0].transport.abort()

    with pytest.raises(landline.SessionLost, match="no pause today"):
        await session.receive()


async def test_that_somebody_else_answers_is_told_while_it_is_redialled(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody there is what redialling is for, and a change without words; another certificate than the right one is for a person to hear of."""
    session = await played.session()
    errors = [landline.ConnectError(ADDRESS, "nobody"), landline.Untrusted(ADDRESS, "another certificate")]

    async def dial(*_: object, **__: object) -> None:
        raise errors.pop(0) if errors else landline.ConnectError(ADDRESS, "nobody")

    monkeypatch.setattr("landline.sessions.reconnect.dial_any", dial)
    played.calls[0].transport.abort()
    told = []
    async for change in session.states():
        if change.state is State.RECONNECTING:
            told.append(change.reason)
        if len(told) == 5:
            break

    assert "another certificate" in told.pop(3)
    assert not any("nobody" in reason or "another" in reason for reason in told)


async def test_an_unknown_session_elsewhere_is_not_lost(played: Played) -> None:
    """Another of our addresses may be another server: what it does not know, the one that had it may."""
    async with landline.serve(lambda session: session.wait_closed(), "memory://another"):
        session = await played.session("memory://another")
        played.calls[-1].transport.abort()
        (await played.call(1)).transport.abort()
        (await played.call(2)).welcome(b"2" * 32)
        async for change in session.states():
            if change.state is State.CONNECTED:
                break

        assert not session.is_closed
        played.calls[-1].transport.abort()
        (await played.call(3)).refuse(CloseCode.UNKNOWN_SESSION)
        with pytest.raises(landline.SessionLost, match="unknown session"):
            await session.receive()


# The first dial...


async def test_a_first_dial_comes_back_to_a_server_that_goes(played: Played) -> None:
    """After the time that it was told, half to one and a half of it, for as long as nobody is there, and within its own time."""
    dialling = asyncio.ensure_future(_connect(pause=no_pause))
    first = await played.call(0)
    first.refuse(CloseCode.GOING_AWAY, retry_in=2.0)
    second = await played.call(1)
    assert 1.0 <= second.at - first.at <= 3.0
    second.transport.abort()
    (await played.call(2)).welcome()
    session = await dialling

    assert session.state is State.CONNECTED
    played.calls[-1].transport.abort()
    third = await played.call(3)
    third.welcome()
    await session.close()


async def test_a_first_dial_waits_while_nobody_is_there_yet() -> None:
    """The server that went is gone before the next one listens."""
    played = Played()
    listener = await open_listener(parse_address(ADDRESS), played.accept, backlog=1)
    dialling = asyncio.ensure_future(_connect())
    (await played.call(0)).refuse(CloseCode.GOING_AWAY, retry_in=0.1)
    listener.close()
    await asyncio.sleep(3)
    assert not dialling.done()
    listener = await open_listener(parse_address(ADDRESS), played.accept, backlog=1)
    (await played.call(1)).welcome()
    session = await dialling
    listener.close()
    played.calls[-1].close(CloseCode.NORMAL)
    await session.close()


@pytest.mark.limit("session.first_pause")
async def test_first_dials_do_not_wait_long(played: Played) -> None:
    """Whatever the pause of later dials is: the time of the first ones is short."""
    dialling = asyncio.ensure_future(_connect(pause=lambda number: 9.0))
    first = await played.call(0)
    first.refuse(CloseCode.GOING_AWAY, retry_in=0.1)
    second = await played.call(1)
    assert second.at - first.at == SESSION.first_pause
    second.welcome()
    session = await dialling
    second.close(CloseCode.NORMAL)
    await session.close()


async def test_a_first_dial_has_its_time_and_no_more(played: Played) -> None:
    """A server that stays away for longer is a refusal at once; one that goes again and again is one at the end of that time."""
    begun = asyncio.get_running_loop().time()
    dialling = asyncio.ensure_future(_connect(connect_timeout=4.0))
    (await played.call(0)).refuse(CloseCode.GOING_AWAY, reason="going", retry_in=60.0)
    with pytest.raises(landline.Refused, match="going"):
        await dialling
    assert asyncio.get_running_loop().time() == begun

    async def keep_going() -> None:
        number = 1
        while True:
            (await played.call(number)).refuse(CloseCode.GOING_AWAY, retry_in=1.0)
            number += 1

    going = asyncio.create_task(keep_going())
    with pytest.raises(landline.Refused):
        await _connect(connect_timeout=4.0)
    going.cancel()
    assert 2.5 <= asyncio.get_running_loop().time() - begun <= 4.0
    assert len(played.calls) >= 4


async def test_a_first_dial_whose_line_drops_is_tried_once_more(played: Played) -> None:
    """A server that goes may have had no time to say so; whoever hangs up twice is told so."""
    dialling = asyncio.ensure_future(_connect())
    (await played.call(0)).transport.abort()
    (await played.call(1)).welcome()
    session = await dialling
    played.calls[-1].close(CloseCode.NORMAL)
    await session.close()

    dialling = asyncio.ensure_future(_connect())
    (await played.call(2)).transport.abort()
    (await played.call(3)).transport.abort()
    with pytest.raises(landline.ConnectError, match="the line dropped before the server answered"):
        await dialling
    assert len(played.calls) == 4


@pytest.mark.parametrize("code", [CloseCode.BUSY, CloseCode.UNAUTHORIZED])
async def test_a_refused_first_dial_stays_refused(played: Played, code: CloseCode) -> None:
    """Who is full, or does not want us, is not asked again."""
    dialling = asyncio.ensure_future(_connect())
    (await played.call(0)).refuse(code, retry_in=0.1)
    with pytest.raises(landline.Refused):
        await dialling
    assert len(played.calls) == 1


# Going elsewhere...


@pytest.mark.parametrize("is_refused", [True, False])
async def test_a_redirect_is_followed_to_an_address_of_ours(played: Played, is_refused: bool) -> None:
    """Whether it comes with the close of a line or with a refusal, after the time that was told."""
    there: list[Call] = []
    arrived = asyncio.Event()

    def accept(transport: Transport) -> None:
        there.append(Call(transport, arrived.set))

    listener = await open_listener(parse_address("memory://there"), accept, backlog=8)
    session = await played.session("memory://there")
    words: dict[str, Any] = {"retry_in": 10.0, "redirect": "memory://there"}
    left = asyncio.get_running_loop().time()
    if is_refused:
        played.calls[-1].transport.abort()
        (await played.call(1)).refuse(CloseCode.GOING_AWAY, **words)
    else:
        played.calls[-1].close(CloseCode.GOING_AWAY, **words)
    await arrived.wait()
    if not is_refused:  # a refusal asks the others at once
        assert there[0].at - left >= 5.0
    assert there[0].resume.session == b"s" * 16
    there[0].welcome(b"2" * 32)
    async for change in session.states():
        if change.state is State.CONNECTED:
            break

    assert session.peer == "memory://there"
    there[0].transport.abort()
    listener.close()
    await session.close()


@pytest.mark.parametrize(
    "code", [CloseCode.UNAUTHORIZED, CloseCode.FAILED, CloseCode.TOO_LARGE, CloseCode.UNKNOWN_SESSION]
)
async def test_another_servers_word_does_not_end_a_session(played: Played, code: CloseCode) -> None:
    """While its own server is away for a moment, another one may say what it likes: it holds no session of ours."""
    arrived = asyncio.Event()

    def accept(transport: Transport) -> None:
        there.append(Call(transport, arrived.set))

    there: list[Call] = []
    listener = await open_listener(parse_address("memory://there"), accept, backlog=8)
    session = await played.session("memory://there", pause=lambda number: 1.0)
    played.calls[-1].transport.abort()
    (await played.call(1)).transport.abort()
    await arrived.wait()
    there[0].refuse(code)
    (await played.call(2)).welcome()
    await connected(session)

    listener.close()
    session._bare.lose(CloseCode.EXPIRED, "enough")


@pytest.mark.parametrize("is_new_life", [False, True])
async def test_a_server_is_at_each_address_that_carried_the_session(
    played: Played, is_new_life: bool
) -> None:
    """One that carried it earlier may end it, too, as several are of one server; but not once the server of that time is gone."""
    arrived = asyncio.Event()

    def accept(transport: Transport) -> None:
        there.append(Call(transport, arrived.set))

    there: list[Call] = []
    listener = await open_listener(parse_address("memory://there"), accept, backlog=8)
    session = await played.session("memory://there", pause=lambda number: 1.0)
    played.calls[-1].transport.abort()
    (await played.call(1)).transport.abort()
    await arrived.wait()
    there[0].welcome(b"2" * 32, life=b"m" * 16 if is_new_life else b"l" * 16)
    if is_new_life:
        with pytest.raises(landline.SessionInterrupted):
            await session.receive()
    await connected(session)
    listener.close()
    there[0].transport.abort()
    (await played.call(2)).refuse(CloseCode.UNKNOWN_SESSION)
    if is_new_life:
        (await played.call(3)).welcome(life=b"m" * 16)
        await connected(session)
        session._bare.lose(CloseCode.EXPIRED, "enough")

    with pytest.raises(landline.SessionLost, match="enough" if is_new_life else "unknown session"):
        await session.receive()


async def test_a_redirect_to_nowhere_is_logged_once(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """Not with every redial; another one is news again."""
    session = await played.session(pause=lambda number: 1.0)
    played.calls[-1].transport.abort()
    for number, redirect in enumerate(("rubbish", "rubbish", "memory://evil", "memory://evil"), 1):
        (await played.call(number)).refuse(CloseCode.BUSY, redirect=redirect)
    (await played.call(5)).welcome()
    await connected(session)

    told = [record.args for record in caplog.records if "not among the addresses" in record.message]
    assert told == [("rubbish",), ("memory://evil",)]
    session._bare.lose(CloseCode.EXPIRED, "enough")


async def test_a_server_that_goes_names_another(played: Played) -> None:
    """``redirect`` of a server reaches its clients when it drains, and must be an address."""
    del played
    with pytest.raises(landline.AddressError):
        landline.Server(redirect="nowhere")
    async with landline.serve(lambda session: session.wait_closed(), "memory://next"):
        async with landline.serve(
            lambda session: session.wait_closed(), "memory://going", redirect="memory://next"
        ):
            session = await landline.connect("memory://going", "memory://next")
            await asyncio.sleep(1)
        left = asyncio.get_running_loop().time()
        with pytest.raises(landline.SessionLost, match="unknown session"):  # which is the home's word now
            await session.receive()
        assert asyncio.get_running_loop().time() - left < 60

        async with landline.connect("memory://going", "memory://next") as anew:
            assert anew.peer == "memory://next"


@pytest.mark.limit("redial_reset")
async def test_a_line_that_held_for_long_starts_the_pauses_anew(played: Played) -> None:
    """For exactly as long it does; for less the pauses go on growing."""
    numbers: list[int] = []

    def pause(number: int) -> float:
        numbers.append(number)
        return 0.0

    session = await played.session(pause=pause, limits=Limits(redial_reset=20))
    for number, held in enumerate((1, 19.9, 20, 1), 1):
        await asyncio.sleep(held)
        played.calls[-1].transport.abort()
        (await played.call(number)).welcome()
        await connected(session)

    assert numbers == [1, 2, 1, 2]
    session._bare.lose(CloseCode.EXPIRED, "enough")
