"""The proof that the simulator can fail, in short: each safeguard off, found within a few worlds, and put back afterwards."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from landline.protocol.session import Session
from landline.testing.simulation.ablations import applied, report_ablations, seeds_to_find
from landline.testing.simulation.run import STEPS
from landline.testing.simulation.safeguards import ABLATIONS
from landline.testing.simulation.switched_off import Ablation

ROOT = Path(__file__).resolve().parents[3]
SLOW = {
    "a resume after the window, before the sweep",
    "pressure holds nobody back",
    "nobody is hung up on for unfinished frames",
    "how a session ended while it was stored is not told",
    "everything before a publish counts as answered",
    "the first positions are not stored",
    "what a page had is queued when it is told",
    "what a page had is told at once",
    "what a page had stays queued",
    "the cursor does not follow what is live",
    "the cursor does not follow what is told at once",
    "what retention removed is not told",
    "a replaced history is not told",
    "what was interrupted counts as given",
    "a full disk counts as one that took it",
    "every method is asked for again",
    "what may have run before is forgotten",
    "a request keeps its place of the flow before",
    "a reset calls all that arrived handled",
    "a name that was taken is not seen on the disk",
}
"""Take more worlds than a test should."""


@pytest.mark.long
@pytest.mark.parametrize(
    "ablation",
    [each for each in ABLATIONS if not each.masked_by and each.name not in SLOW],
    ids=lambda ablation: ablation.name,
)
def test_what_is_switched_off_is_found(ablation: Ablation) -> None:
    """Within sixty worlds; most in fewer than ten."""
    assert seeds_to_find(ablation, 60, STEPS) is not None


def test_what_is_found_by_its_own_crash_proves_nothing() -> None:
    """A function that takes other arguments than the one it stands for fails in every world."""

    def takes_nothing() -> None: ...

    misfit = Ablation("no acks", ((Session, "receive_ack", takes_nothing),))

    with pytest.raises(AssertionError, match="'no acks' does not fit the protocol: TypeError"):
        seeds_to_find(misfit, 60, STEPS)


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.name)
def test_everything_is_put_back(ablation: Ablation) -> None:
    """Outside the block, and after an error in it, the protocol is whole."""
    before = [target.__dict__[name] for target, name, _ in ablation.patches]
    with contextlib.suppress(ZeroDivisionError), applied(ablation):
        within = [target.__dict__[name] for target, name, _ in ablation.patches]
        raise ZeroDivisionError

    assert all(one is not other for one, other in zip(within, before, strict=True))
    assert [target.__dict__[name] for target, name, _ in ablation.patches] == before


def test_what_is_masked_is_tested_alone() -> None:
    """A defence that another one hides says where its own test is."""
    masked = [each for each in ABLATIONS if each.masked_by]

    assert masked
    assert all((ROOT / each.tested_in).is_file() for each in masked)


@pytest.mark.long
def test_the_report_says_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ablation that changes nothing is not found, and the exit code says so."""
    nothing = Ablation("nothing at all", ())
    monkeypatch.setattr("landline.testing.simulation.ablations.ABLATIONS", (nothing, ABLATIONS[0]))
    lines: list[str] = []

    assert report_ablations(lines.append, most=3, steps=300) == 1
    assert "NOT FOUND in 3 worlds" in lines[0]
    assert lines[-1].startswith("1 of 2 found")
