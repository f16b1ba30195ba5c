"""The JavaScript client in Chromium: the same test vectors as in Node, and a ledger with a real server while its line is dropped."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs playwright: make setup-browser")

import landline
from landline.web.answers import answer
from landline.web.assets import Assets
from tests.apps.chat.page.browsing import a_browser

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SHIM = "/tests/javascript/chromium.js"
PAGE = f"""<!doctype html>
<script type="importmap">
{json.dumps({"imports": {f"node:{name}": SHIM for name in ("assert/strict", "test", "fs")}})}
</script>
"""

LEDGER = """async (count) => {
  const { connect } = await import("/landline/index.js");
  const session = await connect(location.origin, { pause: () => 0.01 });
  const heard = [];
  const hearing = (async () => {
    while (heard.length < count) heard.push(await session.receive());
  })();
  let drops = 0;
  const receipts = [];
  for (let number = 0; number < count; number++) {
    receipts.push(await session.send(number));
    if (number % 97 === 0) {
      session.drop();
      drops++;
    }
  }
  await hearing;
  await session.flush();
  const outcomes = await Promise.all(receipts.map((receipt) => receipt.outcome));
  await session.close();
  return { drops, heard, acked: outcomes.filter(({ status }) => status === "acked").length };
}"""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that repeats what sessions say, and serves the tests' own files; and what it heard."""
    heard: list[Any] = []

    async def repeat(session: landline.Session) -> None:
        async for message in session:
            heard.append(message)
            _ = await session.send(message)

    files = {"/docs/protocol-vectors.json": (ROOT / "docs" / "protocol-vectors.json").read_bytes()}
    for path in [*HERE.glob("*.js"), *(ROOT / "src" / "landline" / "javascript").rglob("*.js")]:
        files[f"/{path.relative_to(ROOT)}"] = path.read_bytes()
    assets = Assets(files)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            csp = b"default-src 'self' 'unsafe-inline'"
            html = b"text/html; charset=utf-8"
            await answer(
                send, 200, PAGE.encode(), content_type=html, headers=[(b"content-security-policy", csp)]
            )
        else:
            await assets(scope, receive, send)

    server = landline.Server(repeat, web=landline.Web(app=serve))
    async with server.listen("tcp://127.0.0.1:0") as listening:
        yield listening.addresses[0].replace("tcp://", "http://"), heard


async def test_the_vectors_are_played_in_a_browser(place: tuple[str, list[Any]]) -> None:
    """Every frame, every conversation and the bad input, as Node plays them."""
    async with a_browser() as browser:
        page = await browser.new_page()
        await page.goto(place[0])
        found = await page.evaluate(
            f"""async () => {{
              await import("/tests/javascript/vectors.test.js");
              return (await import("{SHIM}")).outcome();
            }}"""
        )

    assert found["failed"] == []
    assert found["passed"] > 60


async def test_nothing_is_lost_doubled_or_reordered_in_a_browser(place: tuple[str, list[Any]]) -> None:
    """Two thousand numbered messages each way, while the line is dropped every ninety-seven."""
    async with a_browser() as browser:
        page = await browser.new_page()
        await page.goto(place[0])
        found = await page.evaluate(LEDGER, 2000)

    assert found["heard"] == place[1] == list(range(2000))
    assert found["acked"] == 2000
    assert found["drops"] == 21
