"""Files that go from one member of a chat to another, over the server in memory: whole, by ticket only, and given up in silence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.errors import TransferError, TransferRefused
from tests.patterns.files.house import content, make_file

pytestmark = pytest.mark.timeout(60)

FILE = 0xABC
SIZE = 3 << 20


async def accepted(ana: Any, ben: Any, size: int = SIZE) -> str:
    """Ana offers the file to ben, who accepts; return the name to send it under."""
    await ana.ask(wire.OfferFile(1, FILE, "a.bin", size, to="ben"))
    await ben.hear_until(wire.FileOffered)
    await ben.ask(wire.TakeFile(1, FILE))
    return f"{(await ana.hear_until(wire.FileWanted)).ticket:x}"


async def test_a_file_goes_from_one_to_the_other(open_one: Any, tmp_path: Path) -> None:
    """As the person said who accepted it: the server asks nothing but the ticket, and names it by its number."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    source = make_file(tmp_path / "a.bin", SIZE)
    name = await accepted(ana, ben)

    sending = asyncio.create_task(ana.session.send_file(source, name=name))
    async with ben.session.files() as offers:
        offer = await anext(offers)
        assert (offer.name, offer.size) == (f"{FILE:x}", SIZE)
        received = await offer.accept(tmp_path / "to", name="a.bin")
    await sending

    assert received.path.read_bytes() == content(SIZE)
    with pytest.raises(TransferRefused, match="may not send"):
        await ana.session.send_file(source, name=name)


async def test_nothing_comes_without_a_ticket(open_one: Any, tmp_path: Path) -> None:
    """``authorize`` says so, whoever it is and whatever it is called; nor of another size, nor a folder."""
    ana, ben, cleo = [await open_one.enter(name) for name in ("ana", "ben", "cleo")]
    source = make_file(tmp_path / "a.bin", 10)
    name = await accepted(ana, ben, size=11)
    for visitor, called in ((cleo, name), (ana, "a.bin"), (ana, "1")):
        with pytest.raises(TransferRefused, match="may not send"):
            await visitor.session.send_file(source, name=called)
    with pytest.raises(TransferRefused, match="a folder is not a file"):
        await ana.session.send_file(tmp_path, name=name)
    with pytest.raises(TransferRefused, match="not of the size"):
        await ana.session.send_file(source, name=name)


async def test_who_changes_their_mind_stops_it(open_one: Any, tmp_path: Path) -> None:
    """Refused in the middle of it, it ends for both."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    source = make_file(tmp_path / "a.bin", SIZE)
    sending = asyncio.create_task(ana.session.send_file(source, name=await accepted(ana, ben)))
    async with ben.session.files() as offers:
        await anext(offers)
        await ben.ask(wire.DropFile(2, FILE))
        with pytest.raises(TransferError, match="not passed on"):
            await sending
    assert (await ana.hear_until(wire.FileRefused)).by == "ben"


@pytest.mark.limit("chat.file_silence")
async def test_what_stands_still_is_given_up(open_chat_with: Any, tmp_path: Path) -> None:
    """Whoever accepts and takes nothing holds its sender for a while only; what moves within it does not hit that."""
    open_one = await open_chat_with(limits=ChatLimits(rate=1e6, burst=1e6, file_silence=0.3))
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    source = make_file(tmp_path / "a.bin", SIZE)
    name = await accepted(ana, ben)
    sending = asyncio.create_task(ana.session.send_file(source, name=name))
    async with ben.session.files() as offers:
        await anext(offers)
        with pytest.raises(TransferError, match="not passed on"):
            await sending
    assert open_one.chat.hits.counts["chat.file_silence"] == 1

    name = await accepted(ana, ben)
    sending = asyncio.create_task(ana.session.send_file(source, name=name))
    async with ben.session.files() as offers:
        await (await anext(offers)).accept(tmp_path / "to")
    await sending


@pytest.mark.limit("chat.file_turn")
async def test_who_takes_nothing_does_not_hold_up_the_others(open_chat_with: Any, tmp_path: Path) -> None:
    """While nobody waits for the same sender it has its time; then the other one's turn comes, and it goes on by itself behind."""
    limits = ChatLimits(rate=1e6, burst=1e6, files_each=1, file_turn=1.0)
    open_one = await open_chat_with(limits=limits)
    ana, ben, cleo = [await open_one.enter(name) for name in ("ana", "ben", "cleo")]
    source = make_file(tmp_path / "a.bin", SIZE)
    stuck = asyncio.create_task(ana.session.send_file(source, name=await accepted(ana, ben)))
    async with ben.session.files() as bens, cleo.session.files() as cleos:
        await anext(bens)
        await asyncio.wait([stuck], timeout=1.2)
        assert not stuck.done()

        await ana.ask(wire.OfferFile(2, FILE + 1, "a.bin", SIZE, to="cleo"))
        await cleo.hear_until(wire.FileOffered)
        await cleo.ask(wire.TakeFile(1, FILE + 1))
        name = f"{(await ana.hear_until(wire.FileWanted)).ticket:x}"
        with pytest.raises(TransferError, match="not passed on"):
            await stuck
        assert open_one.chat.hits.counts["chat.file_turn"] == 1
        again = await ana.hear_until(wire.FileWanted)
        assert (again.file, again.by) == (FILE, "ben")
        for called, offers in ((name, cleos), (f"{again.ticket:x}", bens)):
            sending = asyncio.create_task(ana.session.send_file(source, name=called))
            received = await (await anext(offers)).accept(tmp_path / called)
            await sending
            assert received.path.read_bytes() == content(SIZE)


async def test_an_offer_ends_by_itself(open_chat_with: Any) -> None:
    """Both are told when it has stood for long enough, and it is counted."""
    open_one = await open_chat_with(limits=ChatLimits(rate=1e6, burst=1e6, file_stands=0.05))
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben")
    await ana.ask(wire.OfferFile(1, FILE, "a.bin", SIZE, to="ben"))
    for visitor in (ana, ben):
        assert (await visitor.hear_until(wire.FileGone)).file == FILE
    assert open_one.chat.hits.counts["chat.file_stands"] == 1


async def test_who_comes_later_is_told(open_one: Any) -> None:
    """By entering or joining, of what is offered in the room; by coming back, of what is offered to them."""
    ana, ben = await open_one.enter("ana", "lobby", "dev"), await open_one.enter("ben", client=7)
    await ana.ask(wire.OfferFile(1, 1, "a.bin", SIZE, room="dev"))
    await ana.ask(wire.OfferFile(2, 2, "b.bin", SIZE, to="ben"))
    await ben.hear_until(wire.FileOffered)

    await ben.ask(wire.Join(1, "dev"))
    assert (await ben.hear_until(wire.FileOffered)).file == 1
    again = await open_one.visit(client=7)
    await again.ask(wire.Enter("ben", {"dev": None}))
    told = [(await again.hear_until(wire.FileOffered)).file for _ in range(2)]

    assert sorted(told) == [1, 2]


async def test_what_goes_to_a_session_that_ends_is_gone_on_with_by_the_next(
    open_one: Any, tmp_path: Path
) -> None:
    """The offer stands; their client accepts again on its next session, and only the rest comes."""
    ana, ben = await open_one.enter("ana"), await open_one.enter("ben", client=7)
    source = make_file(tmp_path / "a.bin", SIZE)
    sending = asyncio.create_task(ana.session.send_file(source, name=await accepted(ana, ben)))
    halfway = asyncio.Event()
    offers = ben.session.files()
    offer = await anext(offers)
    accepting = asyncio.create_task(
        offer.accept(tmp_path / "to", progress=lambda p: halfway.set() if p.done > SIZE // 2 else None)
    )
    await halfway.wait()
    again = await open_one.enter("ben", client=7)
    with pytest.raises(landline.LandlineError):
        await accepting
    with pytest.raises(TransferError):
        await sending

    await again.ask(wire.TakeFile(1, FILE))
    name = f"{(await ana.hear_until(wire.FileWanted)).ticket:x}"
    sending = asyncio.create_task(ana.session.send_file(source, name=name))
    async with again.session.files() as offers:
        received = await (await anext(offers)).accept(tmp_path / "to")
    await sending

    assert received.path.read_bytes() == content(SIZE)
    assert received.resumed > 0
