"""The gate: what it lets through and what not, and that targets that are not reached are not hidden."""

from __future__ import annotations

import pytest

from benchmarks.jobs import JOBS
from benchmarks.peers import OVER
from benchmarks.peers.peer import Peer
from benchmarks.targets import TARGETS, Target, gate_table, judged, lets_through, wanted_of

MORE = Target("pipelined", "websockets", 9)
LESS = Target("round trip", "websockets", 0.4)
NOT_YET = Target("pipelined", "websockets", 9, reached=3)
SLOWER = Target("pipelined", "websockets", 9, reached=3, worst=2)
ALONE = Target("idle, 10,000 connections", None, 6)


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "passes"),
    [
        (MORE, 6.3, 1.0, True),
        (MORE, 6.2, 1.0, False),
        (LESS, 0.57, 1.0, True),
        (LESS, 0.58, 1.0, False),
        (NOT_YET, 2.1, 1.0, True),
        (NOT_YET, 2.0, 1.0, False),
        (SLOWER, 1.41, 1.0, True),
        (SLOWER, 1.39, 1.0, False),
        (ALONE, 8.5, 1000.0, True),
        (ALONE, 8.6, 1000.0, False),
    ],
)
def test_the_gate_is_at_seven_tenths(target: Target, ours: float, theirs: float, passes: bool) -> None:
    """Of the target, of what was reached, or of what it was on the worst machine; by the medians."""
    figures = {target.job: {"landline": [0.0, ours, 1e6], "websockets": [0.0, theirs, 1e6]}}

    assert [found for *_, found in judged(figures, [target])] == [passes]


def test_a_peer_that_cannot_be_had_passes() -> None:
    """It is no failure of ours; that ours was not measured is, and so it is of what can be had anywhere."""
    figures = {MORE.job: {"landline": [1.0]}}
    anywhere = [Target(MORE.job, name, 1) for name in ("C epoll", "bare protocol", "raw loop")]

    assert [(measured, passes) for _, measured, passes in judged(figures, [MORE])] == [(None, True)]
    assert not any(passes for *_, passes in judged(figures, [LESS, ALONE, *anywhere]))


@pytest.mark.parametrize(("there", "is_enough"), [(2, True), (1, False)])
def test_with_fewer_than_half_of_its_targets_the_gate_says_nothing(there: int, is_enough: bool) -> None:
    """However good those are."""
    peers = ["websockets", "picows", "redis", "grpcio"]
    figures = {MORE.job: {"landline": [100.0], **{peer: [1.0] for peer in peers[:there]}}}
    targets = [Target(MORE.job, peer, 1) for peer in peers]

    assert all(passes for *_, passes in judged(figures, targets))
    assert lets_through(figures, targets) is is_enough
    assert f"{there} of 4 targets were measured" in [*gate_table(figures, targets)][-1]


def test_where_nothing_is_to_be_judged_the_gate_lets_nothing_through() -> None:
    """However many figures there are."""
    assert not lets_through({"stream of items": {"landline": [1.0]}}, [])


def test_a_peer_can_be_had_anywhere_that_takes_no_installation() -> None:
    """But for a C compiler, which the load takes as well."""
    assert Peer("x", {}).is_anywhere
    assert Peer("x", {}, programs=("cc",)).is_anywhere
    assert not Peer("x", {}, programs=("cc", "redis-server")).is_anywhere
    assert not Peer("x", {}, modules=("grpc",)).is_anywhere


def test_a_target_that_is_not_reached_is_printed_beside_what_was() -> None:
    """In every table."""
    assert NOT_YET.words() == "≥ 9×; not yet, had 3×"
    assert MORE.words() == "≥ 9×"
    assert ALONE.words() == "≤ 6 KiB"
    assert SLOWER.words() == "≥ 9×; not yet, had 3×, at worst 2×"
    assert SLOWER.words(9.0) == "≥ 9×"
    assert MORE.words(8.9) == "≥ 9×; not here"
    assert Target(MORE.job, "websockets", 9, worst=2).words() == "≥ 9×, at worst 2×"
    assert any("not yet, had" in line and "not measured" in line for line in gate_table({}))


def test_targets_are_about_jobs_and_peers_that_there_are() -> None:
    """Else they would never be measured."""
    names = {peer.name: peer for peer in OVER["tcp"]}
    for target in TARGETS:
        for name in filter(None, (target.ours, target.beside)):
            assert JOBS[target.job].kind in names[name].plays, target


def test_what_was_reached_is_less_than_the_target() -> None:
    """Where it is as much, the target is the gate's."""
    for target in TARGETS:
        if target.reached is not None:
            is_short = (
                target.reached < target.wanted
                if JOBS[target.job].is_more_better
                else target.reached > target.wanted
            )
            assert is_short, target


def test_the_gate_measures_no_more_than_it_needs() -> None:
    """The peers of its targets, ours among them; not what a disk does."""
    wanted = wanted_of()

    assert wanted["round trip"] == {"landline", "websockets"}
    assert "durable, 100 publishers" not in wanted
