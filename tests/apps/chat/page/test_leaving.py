"""The page's last words and its questions: they say what became of what was said, and there is no way around those that need an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import expect

from tests.apps.chat.page.browsing import PHONE, a_browser, somebody
from tests.apps.chat.page.served import served_chat

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.timeout(120)]


async def test_whoever_leaves_is_told_what_did_not_go_out(tmp_path: Path) -> None:
    """Nothing is called delivered that is not; it goes out when one comes back, and no key leads to a page that is dead."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.page.goto(chat.page)
        await ana.page.wait_for_selector("#asked")
        for _ in range(3):
            await ana.page.keyboard.press("Escape")
        await ana.page.fill("#asked", "ana")
        await ana.page.keyboard.press("Enter")
        await ana.connected()
        ben = await chat.terminal("ben")
        await ana.say("/drop 500")
        await ana.page.wait_for_selector("#state.bad")
        for line in ("one", "/bye", "/bye"):
            await ana.say(line)
        await expect(ana.page.locator("dialog[open]")).to_contain_text("1 line was not confirmed")
        for _ in range(3):
            await ana.page.keyboard.press("Escape")
        await ana.page.get_by_role("button", name="Come back").click()
        await ben.until("ana: one")

        await ana.until_lines(["one"])
        await ana.say("/bye")
        await expect(ana.page.locator("dialog[open]")).to_contain_text("Nothing that you said waits.")
        assert ana.errors == []


async def test_a_name_that_cannot_be_one_is_told_before_one_comes_in(tmp_path: Path) -> None:
    """The question stays until there is one that can; it says what closing the tab is."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.page.goto(chat.page)
        await ana.page.fill("#asked", "a b")
        await ana.page.keyboard.press("Enter")
        await expect(ana.page.locator("#why")).to_have_text(
            "There cannot be a space in a name: letters, digits and - _ . ' can."
        )
        await expect(ana.page.locator("dialog[open]")).to_contain_text("To go, press Leave:")
        await ana.page.fill("#asked", "ana")
        await ana.page.keyboard.press("Enter")
        await ana.connected()
        await expect(ana.page.locator("#me")).to_have_text("ana")
        assert ana.errors == []


async def test_escape_closes_a_list_and_does_nothing_else(tmp_path: Path) -> None:
    """Whoever has scrolled back stays there, and goes to the newest line with the next one."""
    async with served_chat(tmp_path, lines=60) as chat, a_browser() as browser:
        ana = await somebody(browser, viewport=PHONE)
        await ana.come(chat.page, "ana")
        await expect(ana.lines.last).to_have_text("line 60")
        await ana.page.evaluate("document.getElementById('log').scrollTop = 0")
        await expect(ana.page.locator("#newest")).to_be_visible()
        await ana.page.click("#open-people")
        await ana.page.keyboard.press("Escape")
        await expect(ana.page.locator("#people.open")).to_have_count(0)
        await expect(ana.page.locator("#newest")).to_be_visible()
        await ana.page.keyboard.press("Escape")

        await expect(ana.page.locator("#newest")).to_be_hidden()
        await expect(ana.lines.last).to_be_in_viewport()
