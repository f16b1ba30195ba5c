"""The benchmarks run: one job with every peer, at its smallest. What they measure is nobody's test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.long
def test_one_job_runs_with_every_peer(tmp_path: Path) -> None:
    """The table names the unit and the ratios, and the figures are written down."""
    figures = tmp_path / "figures.json"
    command = (sys.executable, "-m", "benchmarks", "--short", "--rounds", "1", "--only", "round trip")

    ended = subprocess.run(
        [*command, "--json", str(figures)], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert "landline ÷ websockets" in ended.stdout
    assert all(
        min(values) > 0 for values in json.loads(figures.read_text())["figures"]["round trip, 64 B"].values()
    )
