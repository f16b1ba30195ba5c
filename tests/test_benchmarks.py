"""The benchmarks run: jobs with every peer, at their smallest. What they measure is nobody's test."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import comparison
from benchmarks.comparison import Comparison
from benchmarks.jobs import JOBS
from benchmarks.peers import OVER
from benchmarks.peers.peer import Peer
from benchmarks.processes import PeerFailed
from benchmarks.table import tables

ROOT = Path(__file__).resolve().parents[1]
CALLS = "calls, one after the other, 64 B"


def options(**others: Any) -> argparse.Namespace:
    """What the command line has, for calls over TCP in two rounds."""
    return argparse.Namespace(
        **{
            "short": True,
            "rounds": 2,
            "loop": "asyncio",
            "over": "tcp",
            "only": CALLS,
            "json": None,
            **others,
        }
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The peers in the order in which they are measured; nothing is missing, rpyc fails, and the others are as quick as their names are long."""
    asked: list[str] = []

    def measure(peer: Peer, *_: Any, **__: Any) -> float:
        asked.append(peer.name)
        if peer.name == "rpyc":
            raise PeerFailed("it fell over")
        return float(len(peer.name))

    monkeypatch.setattr(comparison, "measure", measure)
    monkeypatch.setattr(Peer, "missing", lambda _: None)
    return asked


@pytest.mark.long
@pytest.mark.parametrize("over", ["tcp", "websocket"])
@pytest.mark.parametrize("job", ["round trip, 64 B", CALLS])
def test_a_job_runs_with_every_peer(tmp_path: Path, over: str, job: str) -> None:
    """Whoever plays it has figures in the file, or is left out by name."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--short", "--rounds", "1", "--only", job, "--over", over]

    ended = subprocess.run(
        [*command, "--json", str(figures)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )

    assert ended.returncode == 0, ended.stderr
    account = json.loads(figures.read_text())
    assert account["figures"][job]["landline"][0] > 0
    players = {peer.name for peer in OVER[over] if JOBS[job].kind in peer.plays}
    assert account["figures"][job].keys() | account["left_out"].keys() == players
    assert all(f"left out: {name}" in ended.stdout for name in account["left_out"])


@pytest.mark.long
@pytest.mark.parametrize("job", ["bulk, 256 KiB, one core", "file, one core"])
def test_much_is_brought_to_the_other_end(job: str) -> None:
    """Messages and a file: the other end says how much has come, and a figure comes of it."""
    command = [sys.executable, "-m", "benchmarks", "--short", "--rounds", "1", "--only", job]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert ended.returncode == 0, ended.stderr
    assert f"| {job}: MB/s, more is better |" in ended.stdout


def test_rounds_are_interleaved_and_who_fails_is_left_out(
    measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The others go on, the reason is told, and it is no failure of the run."""
    assert Comparison(options()).run() == 0

    once = ["landline", "grpcio", "rpyc", "nats-py", "python-socketio"]
    assert measured == [*once, *(name for name in once if name != "rpyc")]
    assert f"left out: rpyc: {CALLS}: it fell over" in capsys.readouterr().out


def test_when_ours_fails_the_run_has_failed(
    measured: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit code is 1, and the others are measured."""

    def fall_over(peer: Peer, *_: Any, **__: Any) -> float:
        if peer.is_ours:
            raise PeerFailed("it fell over")
        return 1.0

    monkeypatch.setattr(comparison, "measure", fall_over)

    assert Comparison(options()).run() == 1
    assert "left out: landline" in capsys.readouterr().out


def test_who_is_not_installed_is_left_out_by_name(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never started."""
    monkeypatch.setattr(Peer, "missing", lambda peer: "no such thing" if peer.name == "grpcio" else None)
    run = Comparison(options())

    assert run.run() == 0
    assert "grpcio" not in measured
    assert run.left_out["grpcio"].startswith("no such thing")


def test_what_is_missing_is_named() -> None:
    """A module that cannot be imported, a program that is not there; nothing where all is."""
    assert Peer("x", {}, modules=("json", "not_there")).missing() == "not_there is not installed"
    assert Peer("x", {}, programs=("not-there",)).missing() == "there is no not-there"
    assert Peer("x", {}, modules=("json",), programs=("sh",)).missing() is None


def test_ratios_come_first_then_medians_and_their_spread(
    measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in the table of a job that not everybody of its kind has played."""
    peers = [peer for peer in OVER["tcp"] if peer.name in {"landline", "grpcio", "rpyc"}]
    figures = {CALLS: {"landline": [3.0, 1.0, 2.0], "grpcio": [4.0, 4.0, 1500.0]}}

    head, _, row, _ = tables(figures, peers)

    assert head == "| work | landline ÷ grpcio | landline | grpcio |"
    assert row == f"| {CALLS}: µs, less is better | 0.50× | 2.0 (1.0–3.0) | 4.0 (4.0–1,500) |"


@pytest.mark.long
def test_a_server_goes_when_its_input_ends() -> None:
    """So nothing is left of a run that was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--serve", "landline", CALLS],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None and server.stdout is not None
        assert server.stdout.readline().startswith("tcp://")
        server.stdin.close()

        assert server.wait(timeout=30) == 0
