"""The page in a real browser: people at it, who see and do what a person can."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

CHROMIUM: Final = "/usr/bin/chromium"
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BOUND: Final = 15_000
"""Milliseconds that anything here may take before it counts as failed."""
DESKTOP: Final = {"width": 1200, "height": 760}
PHONE: Final = {"width": 320, "height": 640}


class Reader:
    """Somebody at the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console", lambda message: self.errors.append(message.text) if message.type == "error" else None
        )
        page.on("dialog", lambda dialog: self.errors.append(f"a dialog: {dialog.message}"))
        page.set_default_timeout(BOUND)

    async def come(self, address: str, name: str) -> None:
        """Open the page, say who one is, and wait until one is in."""
        await self.page.goto(address)
        await self.page.fill("#asked", name)
        await self.page.keyboard.press("Enter")
        await self.connected()

    async def connected(self) -> None:
        """Wait until the line is there."""
        await self.page.wait_for_selector("#state.good")

    async def say(self, text: str) -> None:
        """Type a line or a command and press Enter."""
        await self.page.fill("#say", text)
        await self.page.press("#say", "Enter")

    async def sees(self, text: str) -> None:
        """Wait until this stands in the log."""
        await expect(self.page.locator("#log")).to_contain_text(text, timeout=BOUND)

    @property
    def lines(self) -> Locator:
        """What is said in the place that is looked at, without what waits."""
        return self.page.locator(".line:not(.waiting, .going, .failed) .text")

    async def until_lines(self, wanted: list[str]) -> None:
        """Wait until exactly these lines stand there, in this order."""
        await expect(self.lines).to_have_text(wanted, timeout=BOUND)

    async def until_title(self, title: str) -> None:
        """Wait until the page is called so."""
        await expect(self.page).to_have_title(title, timeout=BOUND)


@contextlib.asynccontextmanager
async def a_browser(*arguments: str) -> AsyncIterator[Browser]:
    """Run a browser until the block is left."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            await browser.close()


async def somebody(browser: Browser, **context: Any) -> Reader:
    """Return somebody with a browser of their own: nothing is shared with others."""
    place: BrowserContext = await browser.new_context(**({"viewport": DESKTOP} | context))
    return Reader(await place.new_page())
