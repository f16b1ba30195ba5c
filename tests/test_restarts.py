"""Restarts with callers all the time, real processes and real sockets: nobody is refused or reset, and everybody who dials gets through.

A short part; ``make restarts`` plays more of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="neither the signal nor the sockets are there")
def test_nobody_is_refused_while_a_server_is_started_anew(tmp_path: Path) -> None:
    """Twice in place and once under a parent that holds the sockets; by plain text and with sessions, over TCP and a Unix socket."""
    figures = tmp_path / "figures.json"
    command = (sys.executable, "-m", "benchmarks.restarts", "--short", "--json", str(figures))

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)

    assert ended.returncode == 0, ended.stderr
    in_place, under_a_parent = rows = json.loads(figures.read_text())
    assert (in_place["restarts"], under_a_parent["restarts"]) == (2, 1)
    for row in rows:
        assert row["failures"] == {}
        assert row["connects"] >= 30 * (row["restarts"] + 1)
        assert row["heard"].get("plain, hung up on", 0) == 0, row
        assert row["heard"]["plain, served"] and row["heard"]["session, closed"], row
