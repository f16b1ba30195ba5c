"""The page on bad lines: cut, frozen, its server killed, the page itself reloaded; everything said meanwhile is there once and in order."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import expect

from landline.testing.network import Proxy, bad_network
from tests.apps.chat.page.browsing import BOUND, DESKTOP, PHONE, Reader, a_browser, somebody
from tests.apps.chat.page.served import Program, ServedChat, served_chat

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.timeout(120)]


SCROLL_TO_THE_START = """() => new Promise((reached) => {
    function step() {
        if (!document.querySelector(".top button")) return reached();
        document.getElementById("log").scrollTop = 0;
        requestAnimationFrame(step);
    }
    step();
})"""
"""What somebody does who scrolls up and up."""


class Scene(NamedTuple):
    """Somebody at a page behind a bad network, and somebody at a terminal on a good one."""

    chat: ServedChat
    network: Proxy
    ana: Reader
    ben: Program
    page: str


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with (
        served_chat(folder) as chat,
        bad_network(f"tcp://127.0.0.1:{chat.port}") as network,
        a_browser() as browser,
    ):
        page = network.address.replace("tcp://", "http://") + "/"
        ana = await somebody(browser)
        await ana.come(page, "ana")
        yield Scene(chat, network, ana, await chat.terminal("ben"), page)


def numbered(who: str, *numbers: int) -> list[str]:
    return [f"{who} {number}" for number in numbers]


async def test_a_line_that_is_cut_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """What is said while it is down waits, is said to wait, and goes out by itself; what others said arrives."""
    async with scene(tmp_path) as (_, network, ana, ben, _page):
        await ana.say("ana 1")
        await ben.until("ana: ana 1")
        network.is_refusing = True
        network.cut()
        await expect(ana.page.locator("#state")).to_contain_text("reconnecting", timeout=BOUND)
        for line in numbered("ana", 2, 3):
            await ana.say(line)
        await expect(ana.page.locator(".line.waiting .under").first).to_have_text("… waiting", timeout=BOUND)
        assert await ana.page.inner_text("#waiting") == "· 2 lines waiting"
        for line in numbered("ben", 1, 2):
            await ben.say(line)
            await ben.until(f"ben: {line}")  # stored before what ana says when her line is back
        network.is_refusing = False
        await ana.connected()
        await ben.until("ana: ana 3")
        await ana.say("ana 4")
        await ben.until("ana: ana 4")

        await ana.until_lines(["ana 1", "ben 1", "ben 2", "ana 2", "ana 3", "ana 4"])
        assert await ana.page.locator(".line.waiting").count() == 0
        await ana.sees("The line is back after")


async def test_a_server_that_is_killed_and_started_again_under_the_page(tmp_path: Path) -> None:
    """The page goes on by itself, in the same room under the same name; what waited is said once."""
    async with scene(tmp_path) as (chat, _, ana, ben, _page):
        await ana.say("ana 1")
        await ben.until("ana: ana 1")
        await chat.kill()
        for line in numbered("ana", 2, 3):
            await ana.say(line)
        await ben.say("ben 1")
        await chat.start()
        await ana.connected()
        await ana.sees("the server was started again meanwhile")
        await ana.say("ana 4")
        await ben.until("ana: ana 4")

        await expect(ana.lines).to_have_count(5, timeout=BOUND)
        lines = await ana.lines.all_inner_texts()
        assert [line for line in lines if line.startswith("ana")] == numbered("ana", 1, 2, 3, 4)
        assert lines.count("ben 1") == 1
        assert (await ana.page.inner_text("#log")).count("The line is back") == 1
        assert "ana, you" not in await ana.page.inner_text("#people-list")


async def test_a_reload_comes_back_as_the_same_with_what_was_waiting(tmp_path: Path) -> None:
    """Under the same name, in the same rooms, with the draft; what waited is said once, although its page is gone."""
    async with scene(tmp_path) as (_, network, ana, ben, _page):
        await ana.say("/join garden")
        await ana.sees("You are in #garden")
        await ana.page.click("#panes >> text=#lobby")
        await ana.say("ana 1")
        await ben.until("ana: ana 1")
        network.freeze()
        await ana.say("ana 2")
        await ana.page.fill("#say", "a draft")
        network.cut()
        network.thaw()
        await ana.page.reload()
        await ana.connected()
        await ben.until("ana: ana 2")

        await ana.until_lines(numbered("ana", 1, 2))
        await expect(ana.page.locator("#panes .entry")).to_have_text(["#lobby", "#garden"])
        assert await ana.page.input_value("#say") == "a draft"
        assert await ana.page.inner_text("#me") == "ana"
        assert not [line for line in ben.read if "ana left" in line or "ana-2" in line]


async def test_a_tab_that_was_closed_is_taken_up_by_the_next(tmp_path: Path) -> None:
    """With the line that had not gone out; two tabs at once are two people."""
    async with scene(tmp_path) as (_, network, ana, ben, page):
        network.is_refusing = True
        network.cut()
        await ana.say("ana 1")
        await expect(ana.page.locator(".line.waiting")).to_have_count(1, timeout=BOUND)
        context = ana.page.context
        await ana.page.close()
        network.is_refusing = False
        again = Reader(await context.new_page())
        await again.page.goto(page)
        await again.connected()
        await ben.until("ana: ana 1")
        await again.until_lines(["ana 1"])
        other = Reader(await context.new_page())
        await other.page.goto(page)
        await other.connected()

        await other.sees("ana is taken, so you are ana-2")
        await other.say("two of us")
        await ben.until("ana-2: two of us")
        await again.until_lines(["ana 1", "two of us"])


async def test_a_laptop_that_slept_asks_at_once_whether_its_line_is_there(tmp_path: Path) -> None:
    """Nothing moved for a while, timers included; it wakes up, and what was said meanwhile is there."""
    async with scene(tmp_path) as (_, network, ana, ben, _page):
        session = await ana.page.context.new_cdp_session(ana.page)
        await session.send("Page.setWebLifecycleState", {"state": "frozen"})
        network.freeze()
        network.cut()
        network.thaw()
        for line in numbered("ben", 1, 2):
            await ben.say(line)
        await session.send("Page.setWebLifecycleState", {"state": "active"})
        await ana.connected()

        await ana.until_lines(numbered("ben", 1, 2))
        await ana.say("ana 1")
        await ben.until("ana: ana 1")


async def test_a_person_who_does_not_want_to_wait_has_it_dialled_now(tmp_path: Path) -> None:
    """The page says when it dials next, and a button does it at once."""
    async with scene(tmp_path) as (_, _network, ana, ben, _page):
        await ana.say("/drop 500")
        await expect(ana.page.locator("#countdown")).to_contain_text(
            re.compile(r"in (4\d\d|500) s"), timeout=BOUND
        )
        await ben.until("ana's line is down")
        await ana.page.click("#try-now")
        await ana.connected()

        await ben.until("ana's line is back")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_scrolling_back_shows_all_there_is(tmp_path: Path, viewport: dict[str, int]) -> None:
    """To the start of the room, in order, without a hole; what comes meanwhile moves nothing, and one button leads to it."""
    async with served_chat(tmp_path, lines=330) as chat, a_browser() as browser:
        ana = await somebody(browser, viewport=viewport)
        await ana.come(chat.page, "ana")
        ben = await chat.terminal("ben")
        await expect(ana.lines.last).to_have_text("line 330")
        await expect(ana.lines.last).to_be_in_viewport()
        await ana.page.evaluate(SCROLL_TO_THE_START)
        await ana.sees("This is the start of #lobby.")
        await ana.until_lines([f"line {number}" for number in range(1, 331)])
        place = await ana.lines.nth(60).bounding_box()
        await ben.say("and now")
        await expect(ana.page.locator("#newest")).to_have_text("1 new ↓", timeout=BOUND)
        assert await ana.lines.nth(60).bounding_box() == place
        await ana.page.click("#newest")

        await expect(ana.lines.last).to_have_text("and now")
        await expect(ana.lines.last).to_be_in_viewport()
        assert ana.errors == []


async def test_the_line_that_is_read_stays_where_it_is_when_earlier_ones_come(tmp_path: Path) -> None:
    """Not a whole pixel further."""
    async with served_chat(tmp_path, lines=330) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        await expect(ana.lines.last).to_have_text("line 330")
        count = await ana.lines.count()
        read = ana.lines.filter(has_text=re.compile(f"^line {331 - count + 4}$"))
        await ana.page.evaluate("document.getElementById('log').scrollTop = 200")
        before = await read.bounding_box()
        await expect(ana.lines).not_to_have_count(count, timeout=BOUND)
        after = await read.bounding_box()

        assert before is not None and after is not None
        # A browser scrolls by whole pixels, and rows may be a fraction of one high.
        assert abs(after["y"] - before["y"]) < 1
