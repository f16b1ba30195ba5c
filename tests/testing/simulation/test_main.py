"""The command: what it prints, and its exit code."""

from __future__ import annotations

import pytest

from landline.protocol.session import Session
from landline.testing.simulation.__main__ import main


def test_a_run_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    """Seeds, faults by kind, the rate with and without the cheapest kind."""
    assert main(["--seeds", "3", "--steps", "200", "--first", "5"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("3 seeds from 5 of 200 steps")
    assert "0 failed" in said
    assert "faults, " in said
    assert "faults a minute on one core" in said


def test_a_failure_is_printed_with_its_schedule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 1, and the replay command is there."""
    monkeypatch.setattr(Session, "has_room_in", lambda self, flow: True)

    assert main(["--seeds", "40", "--steps", "200"]) == 1
    said = capsys.readouterr().out
    assert "the outbox holds" in said
    assert "shrunk to" in said
    assert "replay: python -m landline.testing.simulation --first" in said


def test_a_trace_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """For comparing processes."""
    assert main(["--trace", "--first", "2", "--steps", "50"]) == 0

    assert len(capsys.readouterr().out.strip()) == 32


def test_time_bounds_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of so many minutes stops after the seeds that it was at."""
    assert main(["--seeds", "100000", "--steps", "50", "--minutes", "0.000001"]) == 0

    assert "20 seeds" in capsys.readouterr().out
