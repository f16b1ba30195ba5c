"""Files at the page: from page to page and to a terminal, by button and by drop, accepted, refused, and over a line that is dropped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

from playwright.async_api import expect

from tests.apps.chat.page.browsing import BOUND, Reader, a_browser, somebody
from tests.apps.chat.page.served import served_chat
from tests.patterns.files.house import content, make_file

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.timeout(120)]

SIZE = 8 << 20


async def saved(reader: Reader, to: Path) -> tuple[str, bytes]:
    """Accept what is offered, and return what the browser downloads: how it is called, and what it is."""
    async with reader.page.expect_download(timeout=4 * BOUND) as downloading:
        await reader.page.click("#files >> text=Accept")
    download = await downloading.value
    await download.save_as(to)
    return download.suggested_filename, await asyncio.to_thread(to.read_bytes)


async def test_a_file_goes_from_page_to_page(tmp_path: Path) -> None:
    """Chosen, offered with its name and size, accepted, and downloaded: the same bytes; the page's rules are not in its way."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(chat.page, "ana")
        await ben.come(chat.page, "ben")
        await ana.page.set_input_files("#file", make_file(tmp_path / "my file.bin", SIZE))
        await ana.sees("You offer my file.bin to #lobby.")
        await ben.sees("ana offers my file.bin to #lobby")
        assert "8.4 MB" in await ben.page.inner_text("#files")

        name, got = await saved(ben, tmp_path / "got")

        assert (name, got) == ("my file.bin", content(SIZE))
        await ana.sees("ben has my file.bin, whole and verified.")
        assert ana.errors + ben.errors == []


async def test_a_file_goes_to_a_terminal_and_back_over_a_dropped_line(tmp_path: Path) -> None:
    """In private, while the page's line is hung up in between."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        cleo = await chat.terminal("cleo")
        await ana.say("/msg cleo here it comes")
        await cleo.until("here it comes")
        await ana.page.set_input_files("#file", make_file(tmp_path / "a.bin", 4 * SIZE))
        await cleo.until("/accept 1 receives it")
        await cleo.say("/accept")
        await cleo.until("Receiving a.bin")
        await ana.say("/drop 0.5")
        received = await cleo.until(r"Received (.*) \(34 MB|Received (.*) \(33.6 MB")
        assert Path(received[1] or received[2]).read_bytes() == content(4 * SIZE)
        Path(received[1] or received[2]).unlink()
        await ana.sees("cleo has a.bin")

        await cleo.say(f"/send {make_file(tmp_path / 'back.bin', SIZE, 2)} @ana")
        await ana.sees("cleo offers back.bin")
        assert await saved(ana, tmp_path / "got") == ("back.bin", content(SIZE, 2))
        await cleo.until("ana has back.bin")
        assert ana.errors == []


async def test_a_dropped_file_is_offered_and_can_be_refused(tmp_path: Path) -> None:
    """Dropped anywhere on the page; refused, its sender is told, and nothing is downloaded."""
    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(chat.page, "ana")
        await ben.come(chat.page, "ben")
        held = await ana.page.evaluate_handle(
            "() => { const held = new DataTransfer(); held.items.add(new File(['hello'], '<b>x</b>\\u202egpj.exe')); return held; }"
        )
        await ana.page.dispatch_event("#log", "drop", {"dataTransfer": held})
        await ben.sees("ana offers <b>x</b>gpj.exe to #lobby")
        await ben.page.click("#files >> text=Refuse")

        await ana.sees("ben does not want <b>x</b>gpj.exe.")
        await expect(ben.page.locator("#files")).to_be_hidden(timeout=BOUND)
        assert await ben.page.locator("#files b").count() == 0
        await ana.page.click("#files >> text=Take back")
        await expect(ana.page.locator("#files")).to_be_hidden(timeout=BOUND)
        assert ana.errors + ben.errors == []
