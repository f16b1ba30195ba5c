"""The page where a browser keeps nothing, and where others act at the worst moment: nothing typed is lost, or goes where it was not meant to."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import expect

from tests.apps.chat.page.browsing import BOUND, a_browser, somebody
from tests.apps.chat.page.served import served_chat

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.timeout(120)]

DENIED = """for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, {get() { throw new DOMException("denied", "SecurityError"); }});
}"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
HIDE = """() => {
    window.requestAnimationFrame = () => 0;
    document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", altKey: true}));
    Object.defineProperty(document, "visibilityState", {configurable: true, get: () => "hidden"});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
"""What a browser does to a page in the moment in which it has asked for a frame."""


@pytest.mark.parametrize("storage", [DENIED, FULL], ids=["denied", "full"])
async def test_a_browser_that_keeps_nothing_talks_all_the_same(tmp_path: Path, storage: str) -> None:
    """Only a reload forgets."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.page.add_init_script(storage)
        await ana.come(chat.page, "ana")
        await ana.say("hello")

        await ana.until_lines(["hello"])
        assert ana.errors == []


async def test_a_storage_that_becomes_full_loses_no_line(tmp_path: Path) -> None:
    """What cannot be kept is said to be not sent, and can be typed again."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        await ana.page.evaluate(f"() => {{ {FULL} }}")
        await ana.say("hello")

        await expect(ana.page.locator(".line")).to_have_count(1)
        await expect(ana.page.locator(".line.failed")).to_contain_text("Not sent to #lobby", timeout=BOUND)
        await ana.page.click("text=Put it back to type")
        assert await ana.page.input_value("#say") == "hello"
        assert ana.errors == []


async def test_what_is_typed_to_somebody_follows_them_to_another_name(tmp_path: Path) -> None:
    """It stays in the field, or where it was left."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        ben = await chat.terminal("ben")
        await ana.say("/msg ben hello")
        await ana.sees("hello")
        await ana.page.type("#say", "for your ears")
        await ben.say("/nick bob")
        await expect(ana.page.locator("#title")).to_have_text("bob", timeout=BOUND)
        assert await ana.page.input_value("#say") == "for your ears"
        await ana.page.click("#panes >> text=#lobby")
        await ben.say("/nick bill")
        await ana.sees("bob is called bill now")
        await ana.page.click("#panes >> text=bill")

        assert await ana.page.input_value("#say") == "for your ears"
        await ana.page.press("#say", "Enter")
        await ben.until("ana to you: for your ears")


async def test_what_is_typed_in_a_call_that_ends_goes_to_no_room(tmp_path: Path) -> None:
    """Keys that are pressed as it ends lead nowhere, until one chooses to type elsewhere."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(chat.page, "ana")
        await ben.come(chat.page, "ben")
        await ana.page.click("[aria-label='Call ben']")
        await ben.page.click("text=Accept")
        await ana.sees("You are talking with ben alone")
        await ana.page.type("#say", "only for ")
        await ben.page.click("text=Hang up")
        await ana.sees("The call with ben is over: they hung up.")
        await ana.page.keyboard.type("ben")
        await ana.page.keyboard.press("Enter")
        await ana.say("to all")
        await ben.until_lines(["to all"])

        await ana.page.click("#panes >> text=ben")
        assert await ana.page.input_value("#say") == "only for "


async def test_a_page_that_is_hidden_counts_what_comes(tmp_path: Path) -> None:
    """Also where it had asked for a frame that will not come."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        ben = await chat.terminal("ben")
        await ana.sees("ben joined")
        await ana.page.evaluate(HIDE)
        await ben.say("one")

        await ana.until_title("(1) #lobby – Landline")


async def test_the_keyboard_stays_where_it_is_when_a_list_is_drawn_anew(tmp_path: Path) -> None:
    """Where somebody whose button it is on goes away, and where the order changes."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        ben, cleo = await chat.terminal("ben"), await chat.terminal("cleo")
        await ana.page.focus("[aria-label='Call ben']")
        await ben.say("/drop 500")
        await expect(ana.page.locator("#people-list .mark.away")).to_have_count(1, timeout=BOUND)
        assert await ana.page.evaluate("document.activeElement.ariaLabel") == "Call ben"
        await cleo.say("/msg ana one")
        await ana.page.locator("#panes button", has_text="cleo").first.focus()
        await cleo.say("/msg ana two")

        await expect(ana.page.locator("#panes .badge")).to_contain_text("2", timeout=BOUND)
        assert await ana.page.evaluate("document.activeElement.innerText.startsWith('cleo')")


async def test_a_link_with_a_wrong_invitation_locks_nobody_out(tmp_path: Path) -> None:
    """The one that let us in is shown after it; one that is followed while the page is open is taken out of the address."""
    async with served_chat(tmp_path, "--invite", "yes") as chat, a_browser() as browser:
        invite = (tmp_path / "invite").read_text().strip()
        ana = await somebody(browser)
        await ana.page.goto(f"{chat.page}#invite=wrong")
        await ana.page.fill("#asked", "ana")
        await ana.page.keyboard.press("Enter")
        await expect(ana.page.locator("dialog h2")).to_have_text("An invitation, please")
        await ana.page.evaluate(f"location.hash = '#invite={invite}'")
        await ana.connected()
        await ana.page.goto("about:blank")
        await ana.page.goto(f"{chat.page}#invite=wrong")
        await ana.connected()
        await ana.page.evaluate("location.hash = '#invite=wrong'")

        await expect(ana.page).to_have_url(chat.page, timeout=BOUND)
        await ana.say("hello")
        await ana.until_lines(["hello"])
