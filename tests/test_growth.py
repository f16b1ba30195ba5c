"""The benchmarks of growth, of a storm, of one that stands still and of persistence run, at their smallest. What they measure is nobody's test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import storm
from benchmarks.growth.axes import AXES
from benchmarks.growth.report import svg, tables
from landline import LandlineError

ROOT = Path(__file__).resolve().parents[1]


def played(*arguments: str) -> str:
    """Run one; return what it printed."""
    ended = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=160, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_an_axis_goes_up_by_tens() -> None:
    """From its least to its most, or to what is asked for."""
    axis = next(axis for axis in AXES if axis.title == "Sessions")

    assert axis.sizes(10_000_000) == [10, 100, 1000, 10_000]
    assert axis.sizes(500) == [10, 100]


def test_a_table_says_how_far_a_line_bends() -> None:
    """The last figure over the first; a measure may begin later than others. The picture has a panel for each unit."""
    account = {
        "Topics": {
            "publish": {"1": {"both": 50.0, "server": 20.0, "passed": 90.0}, "100": {"both": 75.0}},
            "memory of a topic": {"10": {"value": 2.0}, "100": {"value": 2.5}},
            "read": {"100": {"both": 3.0}},
        }
    }

    head, _, publish, memory, read, _ = tables(account)

    assert head == "| Topics | 1 | 10 | 100 | last ÷ first |"
    assert publish == "| publish, µs | 50 |  | 75 | 1.50× |"
    assert memory == "| memory of a topic, KiB |  | 2 | 2.5 | 1.25× |"
    assert read == "| read, µs |  |  | 3 |  |"
    titles = [
        text.text for text in ElementTree.fromstring(svg(account)).iter() if text.get("class") == "head"
    ]
    assert titles == ["Topics, µs", "Topics, KiB"]
    assert ">read<" not in svg(account)


@pytest.mark.long
@pytest.mark.timeout(200)
def test_every_axis_grows(tmp_path: Path) -> None:
    """As far as ten, which is not far enough for one of them; the figures are kept, and drawn."""
    figures, picture = tmp_path / "figures.json", tmp_path / "picture.svg"

    printed = played(
        "benchmarks.growth", "--short", "--most", "10", "--json", str(figures), "--svg", str(picture)
    )

    account = json.loads(figures.read_text())
    for axis in AXES:
        sizes = {size for row in account[axis.title].values() for size in row}
        assert sizes == {str(size) for size in axis.sizes(10)}
        assert f"| {axis.title} |" in printed
    assert ElementTree.fromstring(picture.read_text("utf-8")).tag.endswith("svg")


@pytest.mark.long
def test_after_a_storm_all_are_back() -> None:
    """And work went on meanwhile."""
    printed = played("benchmarks.storm", "--sessions", "50", "--loop", "asyncio")

    assert printed.startswith("50 sessions, all lines dropped within ")
    assert ": 50 resumed\n" in printed
    assert "| answers a second |" in printed


async def test_a_storm_counts_whose_line_was_to_hold_and_whose_session_was_lost() -> None:
    """Else its silence would be taken for work that went on."""

    class Lost:
        async def send(self, data: bytes) -> None:
            raise LandlineError("it is gone")

    work = storm.Work([])
    lost: Any = Lost()

    await work._talk(lost)

    assert work.failures == {"LandlineError on a line that held": 1}


@pytest.mark.parametrize(("failures", "code"), [({}, 0), ({"Refused": 1}, 1)])
def test_a_storm_in_which_somebody_was_refused_ends_with_1(
    failures: dict[str, int],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Although all that lost their lines are back."""
    times = dict.fromkeys(("dropped within", "half back", "99 % back", "all back"), 1.0)

    async def play(count: int, loop: str) -> dict[str, Any]:
        ends = {"resumed": count}
        return {"sessions": count, "ends": ends, **times, "before": {}, "meanwhile": {}, "failures": failures}

    monkeypatch.setattr(storm, "play", play)
    monkeypatch.setattr(sys, "argv", ["storm", "--sessions", "5", "--loop", "asyncio"])

    assert storm.main() == code
    assert f"refused or failed meanwhile: {failures or 'nobody'}" in capsys.readouterr().out


@pytest.mark.long
def test_one_that_stands_still_is_measured_in_each_way() -> None:
    """Beside rounds in which it reads."""
    printed = played("benchmarks.stalled", "--short")

    assert [line.split(" | ")[0] for line in printed.splitlines()[2:]] == [
        "| it reads",
        "| its program does not read",
        "| its process is stopped",
    ]


@pytest.mark.long
def test_what_persistence_buys_is_drawn(tmp_path: Path) -> None:
    """From what the command measures."""
    played("benchmarks.persistent", "--short", "--svg", str(tmp_path / "picture.svg"))

    assert "TLS: a new session each time" in (tmp_path / "picture.svg").read_text("utf-8")
