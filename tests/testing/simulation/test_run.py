"""Running seeds: the same seed is the same world everywhere, and a seed that fails is told so that it can be replayed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from landline.protocol.flow import Flow
from landline.protocol.resume import SessionTable
from landline.protocol.session import Session
from landline.testing.simulation.run import Failure, Total, find_fault, run, run_batch, run_many
from landline.testing.simulation.safeguards import _judge_any_principal
from landline.testing.simulation.schedule import FAULTS


def test_the_same_seed_has_the_same_trace() -> None:
    """Twice in one process, to the last byte and the last moment; another seed is another world."""
    assert run(7, 300) == run(7, 300)
    assert run(7, 300).trace != run(8, 300).trace


@pytest.mark.parametrize("seed", [3, 11])
@pytest.mark.long
def test_a_trace_does_not_depend_on_the_order_of_hashes(seed: int) -> None:
    """Two processes whose strings hash differently play the same world."""
    command = [sys.executable, "-m", "landline.testing.simulation", "--trace", "--first", str(seed)]
    traces = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("1", "4242")
    }

    assert traces == {run(seed).trace}


def test_a_failing_seed_is_shrunk_and_says_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions given to any principal: one thief is enough, and the flow that lets the session's owner in first."""
    monkeypatch.setattr(SessionTable, "judge", _judge_any_principal)

    failures = [each for seed in range(10) if isinstance(each := find_fault(seed, 300), Failure)]

    assert failures
    failure = failures[0]
    assert failure.what == "a session went to somebody else"
    assert failure.schedule is not None
    assert len(failure.schedule) <= 5
    assert [name for name, _, _ in failure.schedule if name in FAULTS] == ["thief"]
    assert f"python -m landline.testing.simulation --first {failure.seed} --seeds 1 --steps 300" in str(
        failure
    )
    assert all(f"  {name} {a} {b}" in str(failure) for name, a, b in failure.schedule)


def test_the_first_failure_ends_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many seeds stop where one fails; an exception out of the protocol is a failure too."""

    def explode(self: Session, flow: Flow) -> object:
        raise RuntimeError("out of the blue")

    monkeypatch.setattr(Session, "take", explode)
    total = run_many(0, 1000, 100)

    assert total.seeds < 1000
    assert "RuntimeError: out of the blue" in total.failures[0].what


def test_several_processes_find_what_one_finds() -> None:
    """Seeds are counted once each, and so are their faults."""
    told: list[int] = []
    alone, together = (
        run_batch(0, 50, 50),
        run_many(0, 50, 50, processes=2, tell=lambda total: told.append(total.seeds)),
    )

    assert together.seeds == 50
    assert together.faults == alone.faults
    assert together.delivered == alone.delivered
    assert told[-1] == 50


def test_totals_add_up() -> None:
    """Two halves are the whole."""
    whole, halves = run_batch(0, 6, 100), Total()
    halves.add(run_batch(0, 3, 100))
    halves.add(run_batch(3, 3, 100))

    assert (halves.seeds, halves.faults, halves.delivered, halves.sessions) == (
        whole.seeds,
        whole.faults,
        whole.delivered,
        whole.sessions,
    )
