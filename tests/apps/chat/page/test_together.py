"""The page among others: people at two pages, at a terminal and at ``nc``, in one room of a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import expect

from tests.apps.chat.page.browsing import a_browser, somebody
from tests.apps.chat.page.served import served_chat

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium", "nc")]


async def test_two_pages_a_terminal_and_nc_read_the_same_room(tmp_path: Path) -> None:
    """Everybody reads every line, in one order, and sees who is there."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(chat.page, "ana")
        await ben.come(chat.page, "ben")
        cleo, dan = await chat.terminal("cleo"), await chat.nc("dan")
        await ana.say("from ana")
        await cleo.until("ana: from ana")
        await ben.say("from ben")
        await cleo.until("ben: from ben")
        await cleo.say("from cleo")
        await dan.until("cleo: from cleo")
        await dan.say("from dan")
        await cleo.until("dan: from dan")

        said = ["from ana", "from ben", "from cleo", "from dan"]
        await ana.until_lines(said)
        await ben.until_lines(said)
        people = await ana.page.inner_text("#people-list")
        assert [name for name in ("ana", "ben", "cleo", "dan") if name not in people] == []
        assert ana.errors + ben.errors == []


async def test_people_are_told_apart_where_there_is_little_room(tmp_path: Path) -> None:
    """Of the name and what is said about it, the name is whole."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser, viewport={"width": 1100, "height": 760})
        await chat.nc("plain-caller")
        await ana.come(chat.page, "ana")
        name = ana.page.locator("#people-list bdi", has_text="plain-caller")
        await expect(name).to_be_visible()

        assert await name.evaluate("(node) => node.scrollWidth <= node.clientWidth")


async def test_what_is_said_in_private_reaches_one_person(tmp_path: Path) -> None:
    """From page to page, from page to terminal and back; whoever looks elsewhere sees that there is something to read."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(chat.page, "ana")
        await ben.come(chat.page, "ben")
        cleo = await chat.terminal("cleo")
        await ana.say("/msg ben for ben alone")
        await ben.until_title("(1) #lobby – Landline")
        await ben.page.click("#panes >> text=ana")
        await ben.sees("for ben alone")
        await ben.say("back to ana")
        await ana.sees("back to ana")
        await ana.page.click("#panes >> text=#lobby")
        await ana.say("/msg cleo for cleo")
        await cleo.until("ana to you: for cleo")
        await cleo.say("/msg ana from cleo")

        await ana.sees("from cleo")
        assert "for ben alone" not in "".join(cleo.read)
        await ben.until_title("ana – Landline")
        assert ana.errors + ben.errors == []


async def test_a_call_from_ring_to_goodbye(tmp_path: Path) -> None:
    """It is offered, taken, talked in and ended, by buttons alone; the room goes on beside it."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(chat.page, "ana")
        await ben.come(chat.page, "ben")
        await ana.page.click("[aria-label='Call ben']")
        await ben.page.click("text=Accept")
        await ana.sees("You are talking with ben alone")
        await ana.say("only for ben")
        await ben.sees("only for ben")
        await ben.say("only for ana")
        await ana.sees("only for ana")
        await ben.page.click("text=Hang up")
        await ana.sees("The call with ben is over: they hung up.")

        await ben.until_lines([])
        await ana.page.click("[aria-label='Call ben']")
        await ben.page.click("text=Decline")
        await ana.sees("No call with ben: they declined.")
        assert ana.errors + ben.errors == []


async def test_rooms_are_joined_left_listed_and_people_renamed(tmp_path: Path) -> None:
    """By commands and by buttons; the others see it."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        cleo = await chat.terminal("cleo")
        await cleo.say("/join garden")
        await cleo.until("You are in #garden")
        await ana.page.click("text=Join a room…")
        await ana.page.click("dialog >> text=#garden")
        await ana.sees("You are in #garden with cleo.")
        await ana.say("/nick eva")
        await cleo.until("ana is called eva now")
        await ana.say("hello garden")
        await cleo.until("eva: hello garden")
        await ana.page.click("[aria-label='Leave #garden']")
        await cleo.until("eva left")
        await ana.say("/who")

        await ana.sees("In #lobby: ")
        await ana.say("/rooms")
        await ana.sees("Rooms: ")
        await ana.say("/nosuch")
        await ana.sees("There is no command /nosuch.")
        assert await ana.page.input_value("#say") == "/nosuch"
        assert ana.errors == []
