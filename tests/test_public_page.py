"""The page on a phone, from another machine: a certificate that the server made itself, an invite, and a WebSocket under TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import async_playwright, expect

from tests.apps.chat.page.browsing import ARGUMENTS, BOUND, CHROMIUM, PHONE, somebody
from tests.cable import Cable, lay_or_skip, link

pytestmark = [pytest.mark.browser, pytest.mark.needs("ip", "chromium")]


@pytest.fixture(scope="module")
def cable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cable]:
    cable = Cable(tmp_path_factory.mktemp("public"))
    try:
        lay_or_skip(cable)
        yield cable
    finally:
        cable.cut()


async def test_a_phone_joins_by_the_address_that_it_scanned(cable: Cable, tmp_path: Path) -> None:
    """Once its owner has taken the certificate; the invite leaves the address bar, a reload needs none, and without it nobody gets in."""
    address = link(cable.serve(), pinned=False)
    there = tmp_path / "chromium-there"
    there.write_text(f'#!/bin/sh\nexec ip netns exec {cable.other} {CHROMIUM} "$@"\n')
    there.chmod(0o755)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=there, args=[*ARGUMENTS])
        phone = await somebody(browser, ignore_https_errors=True, viewport=PHONE, has_touch=True)
        await phone.come(address, "phone")
        await phone.page.fill("#say", "from the phone")
        await phone.page.click("#send")  # Enter breaks the line there
        await phone.until_lines(["from the phone"])
        assert phone.page.url == address.partition("#")[0]
        await phone.page.reload()
        await phone.connected()
        await phone.until_lines(["from the phone"])

        stranger = await (await browser.new_context(ignore_https_errors=True)).new_page()
        await stranger.goto(address.partition("#")[0].replace("https://", "http://"))
        assert stranger.url.startswith("https://")
        await stranger.fill("#asked", "stranger")
        await stranger.keyboard.press("Enter")
        await expect(stranger.locator("dialog[open]")).to_contain_text("wants an invite", timeout=BOUND)
        await stranger.fill("#asked", "not-the-invite")
        await stranger.keyboard.press("Enter")
        await expect(stranger.locator("dialog[open]")).to_contain_text("not good here", timeout=BOUND)
        await stranger.fill("#asked", address)
        await stranger.keyboard.press("Enter")
        await stranger.wait_for_selector("#state.good", timeout=BOUND)
        await browser.close()

    assert phone.errors == []
