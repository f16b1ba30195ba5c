"""Passing on: a file goes from one session over another end to a second session, whole, resumed and bounded, and each of the three hears how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.errors import LandlineError, SessionEnded, TransferDamaged, TransferError, TransferRefused
from landline.limits import FILES
from landline.patterns.messages import Messages
from landline.protocol.files import Accept, Done, Offer
from landline.protocol.frames import CloseCode
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow
from landline.testing.network import Faults
from landline.testing.pair import Pair, pair
from tests.patterns.files.house import CHUNK, QUICK, Forged, content, make_file, settled

pytestmark = pytest.mark.timeout(60)

SIZE = 20 * CHUNK + 17
ID = b"0123456789abcdef"


class Post:
    """A sender, a receiver, and who passes on between them."""

    def __init__(self, sending: Pair, receiving: Pair, folder: Path) -> None:
        self.sending = sending
        self.receiving = receiving
        self.folder = folder
        self.passed: list[landline.Progress] = []
        self.watch: Callable[[landline.Progress], object] = self.passed.append

    async def pass_one(self, **options: Any) -> None:
        """Take the next offer of the sender and pass it on."""
        async with self.sending.server.files() as offers:
            offer = await anext(offers)
            await self.receiving.server.pass_on(offer, progress=self.watch, **options)

    def hold_flows(self) -> list[BareFlow]:
        """Let the test itself be the receiver: return the flows that come, as they come."""
        held: list[BareFlow] = []

        def take(_: BareSession, flow: BareFlow) -> bool:
            held.append(flow)
            return True

        self.receiving.client._bare.takers = (take, *self.receiving.client._bare.takers)
        return held

    async def take_one(self, **options: Any) -> landline.ReceivedFile:
        async with self.receiving.client.files() as offers:
            return await (await anext(offers)).accept(self.folder, **options)


@contextlib.asynccontextmanager
async def post(folder: Path, over: Any = "memory", limits: landline.Limits = QUICK) -> AsyncIterator[Post]:
    async with pair(over, limits=limits) as sending, pair(over, limits=limits) as receiving:
        yield Post(sending, receiving, folder)


def flows(*sessions: landline.Session) -> int:
    """How many flows are open besides the messages."""
    return sum(len(session._bare.core.flows) - 1 for session in sessions)


async def test_a_file_is_passed_on_whole(tmp_path: Path) -> None:
    """Under the name that was said on the way; the sender hears what it is called, and nothing stays in between."""
    source = make_file(tmp_path / "big.bin", SIZE)
    async with post(tmp_path / "to") as at:
        sent, _, received = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(name="other.bin"), at.take_one()
        )
        ends = (at.sending.client, at.sending.server, at.receiving.client, at.receiving.server)
        await settled(lambda: flows(*ends) == 0)

    assert received.path == tmp_path / "to" / "other.bin"
    assert received.path.read_bytes() == content(SIZE)
    assert sent.name == "other.bin"
    assert at.passed[-1] == landline.Progress("other.bin", SIZE, SIZE, 0, 1, 0)


async def test_it_goes_on_over_drops_of_either_line(tmp_path: Path) -> None:
    """Both lines are cut again and again meanwhile: the same bytes, once."""
    source = make_file(tmp_path / "big.bin", SIZE)
    async with post(tmp_path / "to", Faults()) as at:

        def cut(progress: landline.Progress) -> None:
            if progress.done % (5 * CHUNK) == 0:
                at.sending.client.drop(0)
                at.receiving.client.drop(0)

        at.watch = cut
        _, _, received = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(), at.take_one()
        )

    assert received.path.read_bytes() == content(SIZE)


async def test_what_came_before_is_gone_on_with(tmp_path: Path) -> None:
    """Passed on again after it was broken off, only the rest travels."""
    source = make_file(tmp_path / "big.bin", SIZE)
    async with post(tmp_path / "to") as at:

        def break_off(progress: landline.Progress) -> None:
            if progress.done > SIZE // 2:
                raise RuntimeError("enough")

        at.watch = break_off
        sent, passed, received = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(), at.take_one(), return_exceptions=True
        )
        assert isinstance(passed, RuntimeError)
        assert isinstance(sent, TransferError)
        assert isinstance(received, TransferError)
        at.watch = at.passed.append
        again, _, received = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(), at.take_one()
        )

    assert isinstance(received, landline.ReceivedFile)
    assert received.path.read_bytes() == content(SIZE)
    assert received.resumed == again.resumed > 0
    assert at.passed[-1].done == SIZE - received.resumed


async def test_a_slow_receiver_slows_the_sender(tmp_path: Path) -> None:
    """What is on the way in between is bounded by credit and outbox, however large the file."""
    limits = dataclasses.replace(QUICK, window=4 * CHUNK, credit=16 * CHUNK, flow_outbox=2 * CHUNK)
    size = 200 * CHUNK
    source = make_file(tmp_path / "big.bin", size)
    async with post(tmp_path / "to", limits=limits) as at:
        sending = asyncio.create_task(at.sending.client.send_file(source))
        passing = asyncio.create_task(at.pass_one())
        onward = at.hold_flows()
        await settled(lambda: bool(onward))
        forged = Messages(at.receiving.client._bare, onward[0])
        await forged.receive()
        _ = await forged.send(Accept(0, 0))
        inbox = onward[0].core.inbox
        before = -1
        while before != (before := at.passed[-1].done if at.passed else 0) or not before:
            for _ in range(2000):
                await asyncio.sleep(0)

        assert before <= 4 * CHUNK + 2 * CHUNK + 4 * CHUNK + CHUNK
        assert len(inbox) < 20
        onward[0].reset()
        with pytest.raises(TransferError):
            await sending
        with pytest.raises(TransferError):
            await passing


async def test_a_no_is_passed_back(tmp_path: Path) -> None:
    """The sender hears the receiver's words, and that it is refused."""
    source = make_file(tmp_path / "a", 5)
    async with post(tmp_path / "to") as at:

        async def refuse() -> None:
            async with at.receiving.client.files() as offers:
                await (await anext(offers)).refuse("no room in here")

        sent, passed, _ = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(), refuse(), return_exceptions=True
        )

    assert isinstance(sent, TransferRefused)
    assert isinstance(passed, TransferRefused)
    assert str(sent) == "no room in here"


@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_who_goes_away_ends_it_for_the_other(tmp_path: Path, who: str) -> None:
    """The other one hears whose session is over, and its own goes on."""
    source = make_file(tmp_path / "big.bin", SIZE)
    async with post(tmp_path / "to") as at:
        pairs = {"sender": at.sending, "receiver": at.receiving}

        def leave(_: landline.Progress) -> None:
            pairs[who].server._bare.lose(CloseCode.FAILED, "enough")

        at.watch = leave
        sent, passed, received = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(), at.take_one(), return_exceptions=True
        )
        said = f"the session of the {who} is over"
        gone, stays = (sent, received) if who == "sender" else (received, sent)
        assert isinstance(gone, SessionEnded | TransferError)
        assert (type(stays), str(stays)) == (TransferError, said)
        assert str(passed) == said


@pytest.mark.parametrize(
    "said",
    [
        [b"12345678901"],
        ["text"],
        [[9, 9]],
        [[2, ["a"], 10, 0]] * 7,
    ],
    ids=["too-much-data", "text", "rubbish", "too-many-words"],
)
async def test_a_sender_that_breaks_a_rule_is_stopped(tmp_path: Path, said: list[Any]) -> None:
    """More than was offered, or what cannot be read: both ends hear that it is over, and nothing of it comes through."""
    async with post(tmp_path / "to") as at:
        forged = Forged(at.sending.client)
        onward = at.hold_flows()
        passing = asyncio.create_task(at.pass_one())
        await forged.say(Offer(ID, "a", 10, 1, False), *said)

        assert "reset" in await forged.end()
        with pytest.raises(TransferError, match="the sender broke a rule"):
            await passing
        await settled(lambda: onward[0].is_over)


async def test_a_receiver_that_breaks_a_rule_is_stopped(tmp_path: Path) -> None:
    """It is not the sender's fault, and the sender hears so."""
    source = make_file(tmp_path / "a", 5)
    async with post(tmp_path / "to") as at:
        onward = at.hold_flows()
        sending = asyncio.create_task(at.sending.client.send_file(source))
        passing = asyncio.create_task(at.pass_one())
        await settled(lambda: bool(onward))
        messages = Messages(at.receiving.client._bare, onward[0])
        _ = await messages.send(b"data")

        with pytest.raises(TransferError, match="the receiver broke a rule"):
            await passing
        with pytest.raises(TransferError, match="the other end broke a rule") as told:
            await sending
        assert not isinstance(told.value, TransferDamaged)


@pytest.mark.parametrize("who", ["receiver", "sender"])
async def test_who_never_ends_its_flow_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """The file is there, as the receiver said: what has been passed on is not held up by an end that says no more, and leaves no flow."""
    monkeypatch.setattr("landline.patterns.files.relaying.FILES", dataclasses.replace(FILES, confirm=0.01))
    limits = dataclasses.replace(QUICK, resume_window=0.05)
    async with post(tmp_path / "to", limits=limits) as at:
        forged = Forged(at.sending.client)
        onward = at.hold_flows()
        passing = asyncio.create_task(at.pass_one())
        await forged.say(Offer(ID, "a", 10, 1, False))
        await settled(lambda: bool(onward))
        receiver = Messages(at.receiving.client._bare, onward[0])
        await receiver.receive()
        _ = await receiver.send(Done("a"))
        assert await forged.hear() == [6, "a"]
        (forged.flow if who == "receiver" else onward[0]).end()

        await asyncio.wait_for(passing, 5)
        await settled(lambda: flows(at.sending.server, at.receiving.server) == 0)


async def test_one_sender_cannot_go_on_with_anothers(tmp_path: Path) -> None:
    """To the receiver all comes from the same end: what two senders number alike is told apart on the way."""
    seen: list[bytes] = []
    for principal in ("ana", "ben"):
        async with post(tmp_path / "to") as at:
            at.sending.server._bare.principal = principal
            forged = Forged(at.sending.client)
            onward = at.hold_flows()
            passing = asyncio.create_task(at.pass_one())
            await forged.say(Offer(ID, "a", 10, 1, False))
            await settled(partial(bool, onward))
            messages = Messages(at.receiving.client._bare, onward[0])
            seen.append((await messages.receive())[1])
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
            assert "not passed on any more" in await forged.end()

    assert len({ID, *seen}) == 3


async def test_an_offer_that_was_answered_is_not_passed_on(tmp_path: Path) -> None:
    """An offer is answered once, whichever way."""
    source = make_file(tmp_path / "a", 5)
    async with post(tmp_path / "to") as at:
        sending = asyncio.create_task(at.sending.client.send_file(source))
        async with at.sending.server.files() as offers:
            offer = await anext(offers)
            await offer.refuse()
            with pytest.raises(LandlineError, match="answered once"):
                await at.receiving.server.pass_on(offer)
        with pytest.raises(TransferRefused):
            await sending


async def test_a_receiver_with_no_flow_left_is_said_so(tmp_path: Path) -> None:
    """The sender is told at once, and may offer it again."""
    source = make_file(tmp_path / "a", 5)
    limits = dataclasses.replace(QUICK, max_flows=1)
    async with post(tmp_path / "to", limits=limits) as at:
        at.receiving.client._bare.takers = (
            lambda _, flow: flow.purpose == "something",
            *at.receiving.client._bare.takers,
        )
        taken = at.receiving.server._bare.open_flow("something")
        sent, passed = await asyncio.gather(
            at.sending.client.send_file(source), at.pass_one(), return_exceptions=True
        )
        taken.reset()

    assert str(sent) == str(passed) == "the receiver has too much under way"
    assert isinstance(sent, TransferError)
