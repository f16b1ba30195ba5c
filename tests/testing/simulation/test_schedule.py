"""Schedules: drawn whole from a seed, each with its own mix, and shrunk without shifting what is left."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from landline.testing.simulation.schedule import (
    FAULTS,
    FILE_FAULTS,
    LINE_FAULTS,
    TRAFFIC,
    Step,
    draw_shape,
    draw_steps,
    draw_world,
    shape_of,
    shrink,
)


def test_a_seed_means_one_schedule() -> None:
    """The same seed draws the same; a longer schedule begins as the shorter one would not, and that is said nowhere."""
    assert draw_world(5, 100) == draw_world(5, 100)
    assert draw_world(5, 100) != draw_world(6, 100)


def test_seeds_mix_their_faults_differently() -> None:
    """Over some seeds each fault is left out at times, and there at times; traffic is always there."""
    shape = msgspec.structs.replace(
        draw_shape(random.Random(1)),
        commit_pause=0.001,
        has_topics=True,
        has_calls=True,
        has_presence=True,
        has_files=True,
    )
    mixes = [{name for name, _, _ in draw_steps(random.Random(seed), 2000, shape)} for seed in range(40)]

    for name in ("slice", "late", "cut", "thief", "stall"):
        assert any(name in mix for mix in mixes)
        assert any(name not in mix for mix in mixes)
    assert all({"send", "take", "flow", "tick"} <= mix for mix in mixes)
    assert set().union(*mixes) == TRAFFIC.keys() | FAULTS.keys()


def test_what_can_do_nothing_in_a_shape_is_left_out() -> None:
    """Nothing happens to a disk that is not there, and nobody publishes without topics, nor calls in a world without calls, nor joins where there are no groups, nor sends files where there are none."""
    bare = msgspec.structs.replace(
        draw_shape(random.Random(1)),
        commit_pause=None,
        has_topics=False,
        has_calls=False,
        has_presence=False,
        has_files=False,
    )
    stored = msgspec.structs.replace(bare, commit_pause=0.001)
    drawn = [
        {name for seed in range(40) for name, _, _ in draw_steps(random.Random(seed), 2000, shape)}
        for shape in (bare, stored)
    ]

    left_out = {"topic", "durable", "call", "stream", "presence", "file"}
    assert drawn == [
        (TRAFFIC.keys() | LINE_FAULTS.keys()) - left_out,
        (TRAFFIC.keys() | FAULTS.keys()) - left_out - FILE_FAULTS.keys(),
    ]


def test_groups_are_drawn_apart() -> None:
    """In a seventh of the worlds, none of them with topics or calls; the others are what they were without them."""
    shapes = [(shape_of(seed), draw_shape(random.Random(f"shape {seed}"))) for seed in range(400)]

    assert 40 < sum(shape.has_presence for shape, _ in shapes) < 80
    assert not any(shape.has_presence and (shape.has_topics or shape.has_calls) for shape, _ in shapes)
    assert all(shape == before for shape, before in shapes if not (shape.has_presence or shape.has_files))


def test_files_are_drawn_apart() -> None:
    """In a ninth of the worlds, none of them with anything else but messages; the steps of the others are what they were without them."""
    shapes = [shape_of(seed) for seed in range(400)]
    with_files = [shape for shape in shapes if shape.has_files]

    assert 30 < len(with_files) < 60
    assert not any(shape.has_topics or shape.has_calls or shape.has_presence for shape in with_files)
    names = {
        name for seed in range(20) for name, _, _ in draw_steps(random.Random(seed), 2000, with_files[0])
    }
    assert names >= FILE_FAULTS.keys() | {"file"}


def test_shrinking_keeps_what_it_takes_to_fail() -> None:
    """Two steps far apart are all that is left, unchanged and in order."""
    steps: list[Step] = [("send", number, 0) for number in range(200)]
    steps[40], steps[160] = ("cut", 40, 1), ("flow", 160, 2)

    def fails(some: Sequence[Step]) -> bool:
        return steps[40] in some and steps[160] in some

    assert shrink(steps, fails) == [("cut", 40, 1), ("flow", 160, 2)]


def test_shrinking_drops_faults_first() -> None:
    """Where a fault and a message would each do, the message stays."""
    steps: list[Step] = [("cut", 1, 0), ("send", 2, 0)] * 20

    assert shrink(steps, lambda some: len(some) > 0) == [("send", 2, 0)]


def test_shrinking_gives_up_after_its_tries() -> None:
    """What is left then still fails."""
    steps: list[Step] = [("send", number, 0) for number in range(64)]
    asked: list[int] = []

    def fails(some: Sequence[Step]) -> bool:
        asked.append(len(some))
        return len(some) >= 10

    left = shrink(steps, fails, tries=3)
    assert len(asked) == 3
    assert fails(left)
