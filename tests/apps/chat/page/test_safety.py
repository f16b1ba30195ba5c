"""The page among people who mean harm: whatever they call themselves and say is text, and nothing of it runs or leads astray."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

PAGE = Path(__file__).resolve().parents[4] / "src" / "landline" / "apps" / "chat" / "page"
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b|new Function"
    r"|setTimeout\(\s*[\"'`]|\bon[a-z]+=|javascript:|style=|<style|https?://(?!www\.w3\.org/2000/svg)"
)

CORPUS: Final = (
    "<script>hit(1)</script>",
    "<img src=x onerror=hit(2)>",
    "<svg/onload=hit(3)>",
    '"><iframe srcdoc="<script>parent.hit(4)</script>">',
    "javascript:hit(5)",
    "[x](javascript:hit(6))",
    'https://example.com/"onmouseover="hit(7)',
    "https://example.com/'><script>hit(8)</script>",
    "http://a@evil.example/ https://user:pass@evil.example/",
    "data:text/html,<script>hit(9)</script>",
    "</div></main><a href=javascript:hit(10)>x</a>",
    "&lt;script&gt;hit(11)&lt;/script&gt; &#x3c;b&#x3e;",
    "{{constructor.constructor('hit(12)')()}} ${hit(13)}",
    "\u202egnp.exe \u2066\u2067 \u200f\u061c right to left",
    "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308 climbs",
    "\x1b[2J\x1b]0;title\x07 \x00 \x9b31m",
    "line\nben: forged\n12:00 ben\nforged again",
    "__proto__ constructor toString",
)


def test_no_text_becomes_markup_or_program() -> None:
    """The sources have none of the ways in which it could; nor styles and programs that the page's rules would refuse."""
    found = {
        f"{path.name}: {match[0]}"
        for path in sorted(PAGE.iterdir())
        if path.suffix in {".js", ".html"}
        for match in FORBIDDEN.finditer(path.read_text(encoding="utf-8"))
    }

    assert found - {"theme.js: https://"} == set()


@pytest.mark.browser
@pytest.mark.needs("chromium")
@pytest.mark.timeout(120)
async def test_nothing_that_others_say_runs_or_misleads(tmp_path: Path) -> None:
    """In lines, private lines, calls, names and rooms; in titles, lists, questions and labels."""
    pytest.importorskip("playwright", reason="needs playwright: make setup-browser")
    from playwright.async_api import expect

    from tests.apps.chat.page.browsing import a_browser, somebody
    from tests.apps.chat.page.served import served_chat

    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.page.add_init_script("window.hits = []; window.hit = (what) => window.hits.push(what);")
        await ana.come(chat.page, "ana")
        # The chat takes two requests a second from one person, so several share the work.
        speaker, whisperer, impostor = [await somebody(browser) for _ in range(3)]
        for number, each in enumerate((speaker, whisperer, impostor)):
            await each.come(chat.page, f"mallory-{number}")
        for text in CORPUS:
            await speaker.say(text)
            await whisperer.say(f"/msg ana {text}")
            await impostor.say(f"/nick {text.split()[0]}")
            await impostor.say(f"/join {text.split()[0]}")
            await impostor.page.click("#panes .entry >> nth=0")
        await speaker.say("the end")
        await impostor.say("no more of this")
        await expect(ana.page.locator("#log")).to_contain_text("the end", timeout=60_000)
        await expect(ana.page.locator("#log")).to_contain_text("no more of this", timeout=60_000)
        shown = await ana.lines.all_inner_texts()
        await ana.page.click("text=Join a room…")
        await ana.page.wait_for_selector("dialog .list li")
        await ana.page.keyboard.press("Escape")
        await ana.page.evaluate("document.querySelector('[aria-label=\"Private talk\"] .entry').click()")
        await ana.sees("climbs")

        assert await ana.page.evaluate("window.hits") == []
        assert ana.errors == []
        assert "<script>hit(1)</script>" in shown
        links = await ana.page.eval_on_selector_all(
            "a", "links => links.map((link) => [link.href, link.rel, link.target])"
        )
        outward = [link for link in links if not link[0].endswith("#say")]
        assert [link for link in outward if not re.match(r"https?://example\.com/", link[0])] == []
        assert {tuple(link[1:]) for link in outward} == {("noopener noreferrer nofollow", "_blank")}
        text = await ana.page.inner_text("body")
        assert not set(text) & set(
            "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\u061c\x1b\x00\x07\x9b"
        )
        # Who said a line stands apart from it: a forged one is still inside the text of who said it.
        names = await ana.page.eval_on_selector_all(".name", "names => names.map((name) => name.innerText)")
        assert "ben" not in names


@pytest.mark.browser
@pytest.mark.needs("chromium")
async def test_who_has_no_invitation_is_asked_for_it_and_one_in_the_address_is_taken_out_of_it(
    tmp_path: Path,
) -> None:
    """It is kept for this server, and seen by nobody who looks over one's shoulder."""
    pytest.importorskip("playwright", reason="needs playwright: make setup-browser")
    from playwright.async_api import expect

    from tests.apps.chat.page.browsing import a_browser, somebody
    from tests.apps.chat.page.served import served_chat

    async with served_chat(tmp_path, "--invite", "yes") as chat, a_browser() as browser:
        invite = (tmp_path / "invite").read_text().strip()
        ana, ben = await somebody(browser), await somebody(browser)
        await ana.come(f"{chat.page}#invite={invite}", "ana")
        assert ana.page.url == chat.page
        await ana.page.reload()
        await ana.connected()
        await ben.page.goto(f"{chat.page}#invite=wrong")
        await ben.page.fill("#asked", "ben")
        await ben.page.keyboard.press("Enter")
        await expect(ben.page.locator("dialog h2")).to_have_text("An invitation, please")
        await ben.page.fill("#asked", f"{chat.page}#invite={invite}")
        await ben.page.keyboard.press("Enter")
        await ben.connected()

        await ana.sees("ben joined")


@pytest.mark.browser
@pytest.mark.needs("chromium")
async def test_a_chat_at_home_works_without_what_browsers_keep_for_secure_pages(tmp_path: Path) -> None:
    """Over plain http under a name: no locks of tabs and no SHA-256 of the browser's; a reload is the same person, another tab is not."""
    pytest.importorskip("playwright", reason="needs playwright: make setup-browser")
    from tests.apps.chat.page.browsing import Reader, a_browser, somebody
    from tests.apps.chat.page.served import served_chat

    async with (
        served_chat(tmp_path, "--host-name", "chat.test") as chat,
        a_browser("--host-resolver-rules=MAP chat.test 127.0.0.1") as browser,
    ):
        address = chat.page.replace("127.0.0.1", "chat.test")
        ana = await somebody(browser)
        await ana.come(address, "ana")
        assert not await ana.page.evaluate("isSecureContext")
        room = "\U00020000" * 64
        await ana.say(f"/join {room}")
        await ana.sees(f"You are in #{room}")
        await ana.say("hello")
        await ana.until_lines(["hello"])
        await ana.page.reload()
        await ana.connected()
        assert await ana.page.inner_text("#me") == "ana"
        assert await ana.page.locator("#panes .entry").count() == 2
        other = Reader(await ana.page.context.new_page())
        await other.page.goto(address)

        await other.sees("ana is taken, so you are ana-2")
        assert ana.errors == []
