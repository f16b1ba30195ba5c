"""The page for everybody: axe finds nothing wrong in any view of it, light or dark, on a phone or a desktop; all of it works by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import expect

from landline.testing.network import bad_network
from tests.apps.chat.page.browsing import BOUND, DESKTOP, PHONE, Reader, a_browser, somebody
from tests.apps.chat.page.served import served_chat

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

AXE = (
    Path(__file__).resolve().parents[4] / ".cache" / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
)


async def wrong(reader: Reader) -> list[str]:
    """Return what axe finds wrong in what is seen now."""
    if not await reader.page.evaluate("'axe' in window"):
        await reader.page.add_script_tag(path=AXE)
    found: dict[str, Any] = await reader.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: make setup-javascript")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_nothing_is_wrong_in_any_view(tmp_path: Path, viewport: dict[str, int], scheme: str) -> None:
    """Coming in, alone, busy, with lists open, in a call, at questions, with the line down, and gone."""
    is_phone = viewport == PHONE
    async with (
        served_chat(tmp_path, lines=60) as chat,
        bad_network(f"tcp://127.0.0.1:{chat.port}") as network,
        a_browser() as browser,
    ):
        # Without the page's own rules of security, which would keep axe out as well.
        look: dict[str, Any] = {
            "viewport": viewport,
            "color_scheme": scheme,
            "bypass_csp": True,
            "reduced_motion": "reduce",
        }
        ana, ben = await somebody(browser, **look), await somebody(browser)
        page = ana.page
        await page.goto(network.address.replace("tcp://", "http://"))
        await page.wait_for_selector("dialog[open]")
        seen = {"coming in": await wrong(ana)}
        await page.fill("#asked", "ana")
        await page.keyboard.press("Enter")
        await ana.connected()
        await ana.sees("line 60")
        seen["a room"] = await wrong(ana)
        await ben.come(chat.page, "ben")
        await ben.say("look at https://example.com/ and\nsay what you think")
        await ben.say("/msg ana hello")
        await expect(page).to_have_title("(1) #lobby – Landline", timeout=BOUND)
        await ana.say("/nosuch command")
        await page.fill("#say", "")
        if is_phone:
            await page.click("#open-people")
            seen["people"] = await wrong(ana)
            await page.keyboard.press("Escape")
            await page.click("#open-rooms")
        seen["busy"] = await wrong(ana)
        await page.click("#panes >> text=ben")
        seen["private"] = await wrong(ana)
        await ana.say("/join garden")
        await page.keyboard.press("Alt+ArrowUp")
        await ben.page.click("[aria-label='Call ana']")
        await expect(page.locator("#call")).to_contain_text("ben is calling", timeout=BOUND)
        seen["ringing"] = await wrong(ana)
        await page.click("#call >> text=Accept")
        await ana.sees("You are talking with ben alone")
        seen["a call"] = await wrong(ana)
        await page.click("#call >> text=Hang up")
        for opener in ("#help", "#rename", "#panes >> text=Join a room…"):
            if is_phone:
                await page.click("#open-rooms")
            await page.click(opener)
            seen[opener] = await wrong(ana)
            await page.keyboard.press("Escape")
            await page.keyboard.press("Escape")
        network.is_refusing = True
        network.cut()
        await ana.say("this waits")
        await expect(page.locator(".under")).to_have_text("… waiting", timeout=BOUND)
        seen["down"] = await wrong(ana)
        await ana.say("/bye")
        await ana.say("/bye")
        await page.wait_for_selector("dialog[open]")
        seen["gone"] = await wrong(ana)

        assert {view: found for view, found in seen.items() if found} == {}


async def test_everything_is_done_by_keyboard(tmp_path: Path) -> None:
    """From coming in to a private line: nothing needs a mouse, and what has the keyboard is seen."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ben.come(chat.page, "ben")
        page = ana.page
        await page.goto(chat.page)
        await page.wait_for_selector("dialog[open]")
        await page.keyboard.type("ana")
        await page.keyboard.press("Enter")
        await ana.connected()
        await expect(page.locator("#say")).to_be_focused()
        await page.keyboard.type("by hand")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("in two lines")
        await page.keyboard.press("Enter")
        await ben.sees("in two lines")
        assert await ben.lines.all_inner_texts() == ["by hand\nin two lines"]
        reached = []
        for _ in range(30):
            await page.keyboard.press("Tab")
            focus = await page.evaluate(
                "[document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.innerText,"
                " getComputedStyle(document.activeElement).outlineStyle, document.activeElement.tagName]"
            )
            reached.append(focus)
            if focus[0] == "ben":
                await page.keyboard.press("Enter")
                break
        await expect(page.locator("#title")).to_have_text("ben")
        await page.keyboard.type("only you")
        await page.keyboard.press("Enter")

        await ben.until_title("(1) #lobby – Landline")
        assert {focus[0] for focus in reached} >= {"send", "Call ben"} or reached[-1][0] == "ben"
        assert [focus for focus in reached if focus[1] == "none" and focus[2] != "BODY"] == []
