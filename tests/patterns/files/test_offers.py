"""Offers: given to the program that takes files, answered once, and refused where nobody does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import landline
from landline.errors import LandlineError, SessionClosed, SessionLost, TransferError, TransferRefused
from landline.limits import FILES
from landline.patterns.messages import Messages
from landline.protocol.files import FILE_PURPOSE, Offer
from landline.protocol.frames import CloseCode
from landline.testing.pair import pair
from tests.patterns.files.house import QUICK, make_file, names

pytestmark = pytest.mark.timeout(60)


async def test_an_offer_says_what_it_is(tmp_path: Path) -> None:
    """With a name that can be shown."""
    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(client.send_file(make_file(tmp_path / "a", 5), name="../e\x1b[2Jvil"))
        async with server.files() as offers:
            offer = await anext(offers)
            assert (offer.name, offer.size, offer.files, offer.is_folder) == ("e[2Jvil", 5, 1, False)
            assert repr(offer) == "<landline.FileOffer 'e[2Jvil' of 5 bytes>"
            assert (await offer.accept(tmp_path / "to", name="../mine")).path == tmp_path / "to" / "mine"
        assert (await sending).name == "mine"


async def test_the_same_file_is_known_again_by_its_id(tmp_path: Path) -> None:
    """Over another session, under another name; another file of the same name is another one."""
    seen: list[bytes] = []
    for path, name in (("a", "a"), ("a", "b"), ("b", "a")):
        async with pair(limits=QUICK) as (client, server):
            source = tmp_path / path
            sending = asyncio.create_task(
                client.send_file(source if source.exists() else make_file(source, 5), name=name)
            )
            async with server.files() as offers:
                offer = await anext(offers)
                seen.append(offer.id)
                await offer.refuse()
            with pytest.raises(TransferRefused):
                await sending

    assert seen[0] == seen[1] != seen[2]


async def test_an_offer_is_answered_once(tmp_path: Path) -> None:
    """A second answer is the program's mistake."""
    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(client.send_file(make_file(tmp_path / "a", 5)))
        async with server.files() as offers:
            offer = await anext(offers)
            await offer.refuse()
            for answer in (offer.refuse(), offer.accept(tmp_path)):
                with pytest.raises(LandlineError, match="answered once"):
                    await answer
            with pytest.raises(TransferRefused, match="does not want it"):
                await sending


async def test_what_came_before_the_program_takes_files_waits_for_it(tmp_path: Path) -> None:
    """A client may offer in its first breath."""
    async with pair(limits=QUICK) as (client, server):
        sending = asyncio.create_task(client.send_file(make_file(tmp_path / "a", 5)))
        while not server._files._early:  # noqa: ASYNC110 - it comes without an event
            await asyncio.sleep(0)
        async with server.files() as offers:
            await (await anext(offers)).accept(tmp_path / "to")
        await sending


@pytest.mark.limit("files.undecided")
async def test_it_waits_no_longer_than_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then whoever takes no files by now takes none of these; later ones it may."""
    monkeypatch.setattr("landline.patterns.files.offers.FILES", replace(FILES, undecided=0.01))
    async with pair(limits=QUICK) as (client, server):
        with pytest.raises(TransferRefused, match="nobody here takes files"):
            await client.send_file(make_file(tmp_path / "a", 5))
        sending = asyncio.create_task(client.send_file(tmp_path / "a"))
        with pytest.raises(TransferRefused):
            await sending
        async with server.files() as offers:
            sending = asyncio.create_task(client.send_file(tmp_path / "a"))
            await (await anext(offers)).accept(tmp_path / "to")
            await sending


async def test_leaving_refuses_what_waits(tmp_path: Path) -> None:
    """Given or not, unanswered is refused; what was accepted goes on, and another program may take over."""
    for name in "abc":
        make_file(tmp_path / name, 5)

    async with pair(limits=QUICK) as (client, server):
        tasks = [asyncio.create_task(client.send_file(tmp_path / name)) for name in "abc"]
        async with server.files() as offers:
            given = [await anext(offers), await anext(offers)]
            accepting = asyncio.create_task(given[0].accept(tmp_path / "to"))
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        received = await accepting
        with pytest.raises(StopAsyncIteration):
            await anext(offers)
        async with server.files():
            pass

    assert received.path.name == given[0].name
    # In which order they are offered is up to the disk.
    sent = dict(zip("abc", map(type, outcomes), strict=True))
    assert sent.pop(given[0].name) is landline.SentFile
    assert list(sent.values()) == [TransferRefused, TransferRefused]


async def test_one_takes_the_files_of_a_session() -> None:
    """A second one would take them away from the first."""
    async with pair(limits=QUICK) as (_, server):
        async with server.files():
            with pytest.raises(LandlineError, match="already"):
                server.files()


async def test_the_end_of_the_session_ends_the_iteration() -> None:
    """Closed by either end; a lost one says so."""
    async with pair(limits=QUICK) as (client, server):
        waiting = asyncio.create_task(collect(server))
        await asyncio.sleep(0)
        await client.close()
        assert await waiting == []
        with pytest.raises(SessionClosed):
            server.files()
    async with pair(limits=QUICK) as (client, server):
        waiting = asyncio.create_task(collect(server))
        await asyncio.sleep(0)
        server._bare.lose(CloseCode.FAILED, "test")
        with pytest.raises(SessionLost):
            await waiting


async def test_a_session_that_ends_in_the_middle_is_told_at_both_ends(tmp_path: Path) -> None:
    """What came is kept, and named by nothing."""
    begun = asyncio.Event()

    def tell(progress: landline.Progress) -> None:
        if progress.done:
            begun.set()

    # Not that what is on its way should come through meanwhile.
    async with pair(limits=replace(QUICK, close_timeout=0.05)) as (client, server):
        sending = asyncio.create_task(client.send_file(make_file(tmp_path / "a", 4 << 20)))
        async with server.files() as offers:
            accepting = asyncio.create_task((await anext(offers)).accept(tmp_path / "to", progress=tell))
            await begun.wait()
            await server.close()
            for task in (sending, accepting):
                with pytest.raises((landline.SessionEnded, TransferError)):
                    await task

    assert [name for name in names(tmp_path / "to") if not name.startswith(".landline-")] == []
    assert len(names(tmp_path / "to")) == 2


async def collect(session: landline.Session) -> list[landline.FileOffer]:
    return [offer async for offer in session.files()]


@pytest.mark.limit("max_flows")
async def test_offers_that_were_abandoned_are_not_held(tmp_path: Path) -> None:
    """While the program receives one, the other end makes others and leaves them; the next that stands is given out."""
    limits = replace(QUICK, max_flows=4)
    async with pair(limits=limits) as (client, server), server.files() as offers:
        for number in range(50):
            flow = client._bare.open_flow(FILE_PURPOSE)
            _ = await Messages(client._bare, flow).send(Offer(bytes([number]) * 16, "a", 1, 1, False))
            while number not in {offer._offer.id[0] for offer in offers._waiting}:  # noqa: ASYNC110 - it comes without an event
                await asyncio.sleep(0)
            flow.reset()
            assert len(offers._waiting) <= 2 * limits.max_flows
        sending = asyncio.create_task(client.send_file(make_file(tmp_path / "b", 5)))
        while (offer := await anext(offers)).name != "b":
            pass
        await offer.accept(tmp_path / "to")
        await sending


@pytest.mark.limit("max_flows")
async def test_what_is_offered_and_given_up_before_files_are_taken_is_not_held(tmp_path: Path) -> None:
    """However many come in the moment before the program decides; the one that stands is given out."""
    limits = replace(QUICK, max_flows=4)
    async with pair(limits=limits) as (client, server):
        early = server._files._early
        most = 0
        for _ in range(20):
            flow = client._bare.open_flow(FILE_PURPOSE)
            core = server._bare.core
            while flow.core.number not in core.flows:  # noqa: ASYNC110 - it comes without an event
                await asyncio.sleep(0)
            flow.reset()
            while flow.core.number in core.flows:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0)
            most = max(most, len(early))
        assert most == 2 * limits.max_flows
        sending = asyncio.create_task(client.send_file(make_file(tmp_path / "b", 5)))
        async with server.files() as offers:
            await (await anext(offers)).accept(tmp_path / "to")
        await sending
