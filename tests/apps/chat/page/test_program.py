"""The page's program: its model's own tests, run by Node, its types, its files; and in a browser, once, whether it starts at all."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "src" / "landline" / "apps" / "chat" / "page"
TESTS = ROOT / "tests" / "javascript" / "page"
LONGEST: Final = 440
"""Lines of a file, as in ``tests/test_layout.py``."""

FILES = sorted(path for path in PAGE.iterdir() if path.suffix in {".js", ".css", ".html"})


@pytest.mark.needs("node")
def test_the_pages_model_in_node() -> None:
    """Everything that needs no page: what is typed and heard goes in, what is sent and seen comes out."""
    result = subprocess.run(
        ["node", "--no-warnings", "--test", *sorted(TESTS.glob("*.test.js"))],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    if result.returncode:
        pytest.fail(f"{result.stdout}\n{result.stderr}", pytrace=False)
    assert re.search(r"^(# |ℹ )pass [1-9]", result.stdout, re.MULTILINE)


@pytest.mark.needs("node", "npm")
@pytest.mark.timeout(180)
@pytest.mark.long
def test_the_types_of_the_page_hold() -> None:
    """Its JSDoc, strictly, with that of the library's client."""
    made = subprocess.run(
        ["make", "setup-javascript"], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    if made.returncode:
        pytest.skip(f"needs what npm could not install: {made.stderr[-500:]}")
    tsc = ROOT / ".cache" / "javascript" / "node_modules" / ".bin" / "tsc"
    result = subprocess.run([tsc, "-p", TESTS], capture_output=True, text=True, timeout=120, check=False)

    assert result.stdout == ""
    assert result.returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_a_file_says_what_it_is_for_and_holds_one_idea(path: Path) -> None:
    """Programs and styles open with a comment of more than a word; none is long."""
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= LONGEST
    if path.suffix != ".html":
        opening = re.match(r"/\*+\n(.*?)\*/", text, re.DOTALL)
        assert opening
        assert len(opening[1].split()) > 8


def test_the_page_loads_what_is_its_own_and_nothing_else() -> None:
    """Every module is reached, every name leads to a file, and the library is asked for at its own place."""
    reached: set[str] = {"index.html"}
    left = re.findall(r'(?:src|href)="/page/([^"]+)"', (PAGE / "index.html").read_text(encoding="utf-8"))
    while left:
        name = left.pop()
        if name in reached:
            continue
        reached.add(name)
        for named in re.findall(
            r'^(?:import|\} from).*?"([^"]+)";', (PAGE / name).read_text(encoding="utf-8"), re.MULTILINE
        ):
            if named.startswith("/landline/"):
                assert (ROOT / "src" / "landline" / "javascript" / named.removeprefix("/landline/")).exists()
            else:
                left.append(named.removeprefix("./"))

    assert reached == {path.name for path in FILES}


def test_a_wheel_has_the_page() -> None:
    """The kinds of its files are among the package's data."""
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["landline"]

    assert {f"apps/chat/page/*{path.suffix}" for path in FILES} <= set(shipped)


@pytest.mark.long
async def test_the_page_starts_and_a_line_arrives(tmp_path: Path) -> None:
    """The one test of it that runs with all others, where there is a Chromium and what drives it; `make browser` runs the rest."""
    pytest.importorskip("playwright", reason="needs playwright: make setup-browser")
    if shutil.which("chromium") is None:
        pytest.skip("needs chromium, which is not on PATH")
    from tests.apps.chat.page.browsing import a_browser, somebody
    from tests.apps.chat.page.served import served_chat

    async with served_chat(tmp_path) as chat, a_browser() as browser:
        ana = await somebody(browser)
        await ana.come(chat.page, "ana")
        await ana.say("hello")

        await ana.until_lines(["hello"])
        assert ana.errors == []
