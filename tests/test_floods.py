"""Floods over real sockets against a server in a process of its own: what it takes in memory, and whether honest clients get in meanwhile.

Small ones, and no word about time: ``make flood`` plays large ones, and compares times too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.flood.kinds import FLOODS, OTHER_DOORS
from landline.limits import Limits

ROOT = Path(__file__).resolve().parents[1]

MESSAGES = {"half messages": 26_000_000, "single bytes": 4 * 16_384, "plain single bytes": 20 * 1009}
"""What the server must have received at the least, where it has to read what is said; after 1,009 unread chunks a plain line is held."""


OF_DOORS = ["TLS rubbish", "HTTP kept alive", "HTTP never read", "WebSocket broken rules", "every door"]
"""Of the kinds at the other doors, those that have found something, and the mix; ``make flood`` plays all."""
KINDS = [kind for kind in FLOODS if kind in OF_DOORS or kind not in OTHER_DOORS]


@pytest.mark.flood
@pytest.mark.skipif(
    sys.platform != "linux", reason="floods come from all of 127.0.0.0/8, and memory is read from /proc"
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_costs_twice_what_it_says_and_keeps_nobody_out(kind: str, tmp_path: Path) -> None:
    """The server grows by twice what arrived and a little for each connection, whatever is declared; every honest client is served."""
    figures = tmp_path / "figures.json"
    command = (sys.executable, "-m", "benchmarks.flood", "--short", "--only", kind, "--json", str(figures))

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)

    assert ended.returncode == 0, ended.stderr
    row = next(row for row in json.loads(figures.read_text()) if row["flood"] == kind)
    assert row["growth"] <= row["allowed"], row
    assert row["left"] == 0 and not row["mistakes"], row
    assert row["failed"] == 0 and row["ok"] >= 20, row
    assert row["accepted"] >= 0.9 * row["connections"], row
    assert row["received"] >= MESSAGES.get(kind, 0), row
    if "hello" in kind:
        assert row["growth"] < row["connections"] * 4 * Limits().preauth_bytes + (4 << 20), row
