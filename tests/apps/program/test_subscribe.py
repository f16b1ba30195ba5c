"""What ``landline subscribe`` prints; processes and bad lines are in cli/test_subscribe.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import landline
from landline.apps.program import subscribe
from landline.apps.program.opening import Server
from landline.apps.program.positions import position_text, read_beginning
from landline.apps.program.subscribe import Subscribe

from .conftest import ADDRESS, Standard, subscribed

pytestmark = pytest.mark.timeout(30)


async def test_each_publication_is_a_line(standard: Standard, server: landline.Server) -> None:
    """With its topic, its position, which can be gone on from, and its data; it ends after as many as were asked for."""
    for data in ("a", b"\0", {"b": 1}):
        await server.publish("prices.acme", data)

    assert await subscribed(count=3) == 0
    first, second, third = standard.said()
    assert [first["data"], second["data"], third["data"]] == ["a", {"base64": "AA=="}, {"b": 1}]
    assert {said["topic"] for said in standard.said()} == {"prices.acme"}

    assert await subscribed(count=1, after=read_beginning(second["position"])) == 0
    assert standard.said()[3] == third


async def test_what_is_missing_is_a_line_too(standard: Standard) -> None:
    """And does not count as a publication."""
    server = landline.Server()
    server.topic("prices.*", history=1)
    async with server.listen(ADDRESS):
        first, *_, last = [await server.publish("prices.acme", number) for number in range(3)]
        assert await subscribed(after=landline.Position(first.epoch, 0), count=1) == 0

    gap, publication = standard.said()
    assert set(gap["gap"]) == {"topic", "after", "to", "reason"}
    assert gap["gap"]["reason"] == "expired"
    assert publication["position"] == position_text(last)


async def test_silence_ends_it(standard: Standard, server: landline.Server) -> None:
    """As success where no number was asked for; else it is too little."""
    await server.publish("prices.acme", 1)

    assert await subscribed(timeout=0.05) == 0
    with pytest.raises(TimeoutError, match=r"1 of 2 came, and then nothing for 0.05 s"):
        await subscribed(timeout=0.05, count=2)


async def test_what_is_not_allowed_is_the_librarys_error(standard: Standard, server: landline.Server) -> None:
    """A pattern that the server does not have."""
    with pytest.raises(landline.NotAllowed, match="no topic"):
        await subscribed(pattern="other")


async def test_a_stop_ends_it_as_success(standard: Standard, server: landline.Server) -> None:
    """What came was printed; nothing is left running."""
    stop = asyncio.Event()
    wanted = Subscribe(server=Server(address=ADDRESS), pattern="prices.*", after="start")
    await server.publish("prices.acme", 1)
    before = asyncio.all_tasks()
    running = asyncio.create_task(subscribe.run(wanted, stop))
    async with asyncio.timeout(20):
        while not standard.said():  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.01)
    stop.set()

    assert await running == 0
    assert {task.get_name() for task in asyncio.all_tasks() - before} & {
        "subscribe output",
        "line news",
    } == set()


async def test_a_server_that_ends_the_session_is_no_success(standard: Standard) -> None:
    """Whoever waits for more should know."""

    async def leave(session: landline.Session) -> None:
        return

    server = landline.Server(leave)
    server.topic("prices.*")
    async with server.listen(ADDRESS):
        with pytest.raises(landline.SessionEnded):
            await subscribed()


async def test_what_cannot_be_printed_says_where_to_go_on(
    standard: Standard, server: landline.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind it."""

    def shown(value: Any) -> Any:
        raise ValueError("it is nested too deep")

    monkeypatch.setattr("landline.apps.program.values.shown", shown)
    position = await server.publish("prices.acme", 1)
    with pytest.raises(landline.DataError, match=f"`--after {position_text(position)}` goes on behind it"):
        await subscribed()
