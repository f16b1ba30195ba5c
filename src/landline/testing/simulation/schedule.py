"""What a seed means: the shape of its world and the list of what happens in it, both drawn before anything runs.

A step is ``(operation, a, b)`` with two free numbers that the world interprets by its state at that moment. So a step can be left out
without shifting the chances of the others, and a failing schedule can be shrunk.
"""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable, Sequence

import msgspec

from ...limits import Limits

Step = tuple[str, int, int]
"""Name of the operation, and two numbers below 65,536."""

TRAFFIC: dict[str, float] = {
    "send": 6, "take": 4, "flow": 4.5, "strand": 5, "topic": 4, "durable": 6, "call": 16, "stream": 10,
    "presence": 12, "file": 12, "tick": 1.5, "ask": 0.3, "close": 0.03,
}  # fmt: skip
"""What programs and a perfect network do, and its weight."""

LINE_FAULTS: dict[str, float] = {
    "slice": 10,
    "late": 4,
    "cut": 1.4,
    "redial": 1.4,
    "block": 0.8,
    "silence": 0.08,
    "stall": 0.4,
    "jump": 0.06,
    "lazy": 0.4,
    "refuse": 0.15,
    "thief": 0.9,
    "rubbish": 0.6,
    "client_dies": 0.03,
    "server_dies": 0.02,
    "bar": 0.01,
}
"""What goes wrong, and how often where it does at all."""

DISK_FAULTS: dict[str, float] = {
    "crash_when_asked": 0.2,
    "crash_when_committed": 0.2,
    "crash_when_told": 0.2,
    "slow_disk": 0.1,
    "full_disk": 0.1,
    "failing_disk": 0.1,
    "old_backup": 0.15,
    "second_server": 0.02,
}
"""The same, of what takes a disk."""

FILE_FAULTS: dict[str, float] = {
    "death_amid_file": 1.0,
    "power_cut_amid_file": 1.0,
    "power_cut": 0.2,
    "full_shelf": 0.2,
}
"""The same, of what takes files."""

FAULTS: dict[str, float] = {**LINE_FAULTS, **DISK_FAULTS, **FILE_FAULTS}
"""All that goes wrong."""

_PLENTY = 1 << 28
"""Bytes of memory that no world fills."""

_SWARM = (0.0, 0.5, 1.0, 2.0, 4.0)


class Shape(msgspec.Struct, frozen=True):
    """What is drawn once for a world.

    Attributes:
        limits: of both ends.
        clients: how many there are.
        capacity: bytes that one direction of a line holds before its writer has to wait.
        auth_delay: seconds that the server takes to decide who somebody is.
        base: how many messages went before, each way: counts are large in sessions that live long.
        commit_pause: seconds that the server's disk takes to commit; None: it has none, and what it knows dies with it.
        has_topics: programs publish and subscribe.
        has_calls: programs call each other, once and in streams.
        has_presence: there are groups, in which clients are and which they watch.
        has_files: programs send each other files and folders.
    """

    limits: Limits
    clients: int
    capacity: int
    auth_delay: float
    base: int
    commit_pause: float | None = None
    has_topics: bool = False
    has_calls: bool = False
    has_presence: bool = False
    has_files: bool = False


def draw_world(seed: int, steps: int) -> tuple[Shape, list[Step]]:
    """Return the shape and the schedule of a seed."""
    shape = shape_of(seed)
    return shape, draw_steps(random.Random(f"steps {seed}"), steps, shape)


def shape_of(seed: int) -> Shape:
    """Return the shape of a seed's world."""
    shape = draw_shape(random.Random(f"shape {seed}"))
    shape = with_groups(shape, random.Random(f"groups {seed}"))
    return with_files(shape, random.Random(f"files {seed}"))


def draw_shape(chance: random.Random) -> Shape:
    """Return the shape of a world."""
    pick = chance.choice
    fast = chance.random() < 0.5
    limits = Limits(
        max_message=1024,
        window=pick((1, 150, 1000, 1 << 18)),
        credit=pick((5000, 1 << 20)),
        max_flows=pick((1, 3, 64)),
        flow_outbox=pick((300, 1 << 16)),
        memory=pick((500, 2000, _PLENTY, _PLENTY)),
        stalled_after=pick((0.5, 5.0)),
        outbox_messages=pick((1, 5, 20, 100)),
        outbox_bytes=pick((200, 3000, 1 << 20)),
        connect_timeout=pick((2.0, 10.0)),
        handshake_timeout=pick((3.0, 10.0)),
        frame_timeout=pick((5.0, 30.0)),
        write_timeout=pick((4.0, 10.0)),
        close_timeout=pick((5.0, 40.0)),
        heartbeat_interval=5.0 if fast else 25.0,
        dead_after=3.0 if fast else 8.0,
        redial_min=pick((0.001, 0.001, 0.05, 0.2)),
        redial_max=2.0,
        redial_reset=pick((0.001, 0.001, 60.0)),
        resume_window=pick((12.0, 60.0, 300.0)),
        tombstone_window=pick((20.0, 86_400.0)),
        max_tombstones=pick((1, 3, 10_000)),
        max_sessions=pick((2, 3, 10_000)),
        preauth_bytes=512,
    )
    shape = Shape(
        limits=limits,
        clients=pick((1, 1, 1, 2)),
        capacity=pick((300, 2000, 1 << 16)),
        auth_delay=pick((0.0, 0.0, 0.0, 0.05)),
        base=pick((0, 0, 0, (1 << 16) - 3, (1 << 32) - 5)),
        commit_pause=pick((None, None, None, 0.001, 0.02)),
    )
    if shape.commit_pause is not None and not pick((True, False, False)):
        # What topics hold is bounded by other limits than these, which would keep programs from having any.
        limits = dataclasses.replace(limits, max_flows=64, memory=_PLENTY)
        shape = msgspec.structs.replace(shape, limits=limits, has_topics=True)
    if pick((True, False, False)):
        limits = dataclasses.replace(shape.limits, max_calls=pick((1, 3, 64)))
        shape = msgspec.structs.replace(shape, limits=limits, has_calls=True)
    return shape


def with_groups(shape: Shape, chance: random.Random) -> Shape:
    """Return the same shape, or one with groups: of several clients, whose sessions outlive them no longer than a world takes to come to rest."""
    pick = chance.choice
    if shape.has_topics or shape.has_calls or not pick((True, False, False)):
        return shape  # worlds with topics and calls are what they were: their safeguards are found in as few of them
    limits = dataclasses.replace(
        shape.limits,
        presence_grace=pick((0.05, 2.0, 10.0)),
        max_flows=64,
        max_sessions=max(shape.limits.max_sessions, 3),
        resume_window=min(shape.limits.resume_window, 60.0),
    )
    return msgspec.structs.replace(shape, limits=limits, clients=pick((2, 3)), has_presence=True)


def with_files(shape: Shape, chance: random.Random) -> Shape:
    """Return the same shape, or one in which files are sent, where there is nothing else but messages, and memory enough."""
    has_others = shape.has_topics or shape.has_calls or shape.has_presence
    if has_others or shape.limits.memory < _PLENTY or not chance.choice((True, True, False)):
        return shape  # pressure on memory is found in as few worlds as without files
    limits = dataclasses.replace(
        shape.limits, max_flows=64, resume_window=min(shape.limits.resume_window, 60.0)
    )
    return msgspec.structs.replace(shape, limits=limits, has_files=True)


def draw_steps(chance: random.Random, steps: int, shape: Shape) -> list[Step]:
    """Return what happens; each seed has its own mix of faults, so that rare ones meet. What can do nothing in a shape is left out."""
    weights = dict(TRAFFIC)
    weights["strand"] *= chance.choice((0.0, 0.0, 1.0, 2.0))  # many have nothing but messages
    for name, weight in (*LINE_FAULTS.items(), *DISK_FAULTS.items()):
        weights[name] = weight * chance.choice(_SWARM)
    if not shape.has_topics:
        del weights["topic"], weights["durable"]
    if not shape.has_calls:
        del weights["call"], weights["stream"]
    if not shape.has_presence:
        del weights["presence"]
    if not shape.has_files:
        del weights["file"]
    else:
        weights["tick"] *= 4  # disks take their time
        for name, weight in FILE_FAULTS.items():
            weights[name] = weight * chance.choice(_SWARM)
    if shape.commit_pause is None:
        for name in DISK_FAULTS:
            del weights[name]
    names = chance.choices(list(weights), list(weights.values()), k=steps)
    numbers = struct.unpack(f"!{2 * steps}H", chance.randbytes(4 * steps))
    return list(zip(names, numbers[::2], numbers[1::2], strict=True))


def shrink(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool], tries: int = 2000) -> list[Step]:
    """Return a short schedule that still fails: first the faults are thinned out, then everything.

    Args:
        steps: a schedule that fails.
        fails: whether a schedule does.
        tries: how often ``fails`` may be asked.
    """
    left = [tries]
    steps = _thin(list(steps), lambda step: step[0] in FAULTS, fails, left)
    return _thin(steps, lambda _: True, fails, left)


def _thin(
    steps: list[Step],
    may_go: Callable[[Step], bool],
    fails: Callable[[Sequence[Step]], bool],
    left: list[int],
) -> list[Step]:
    """Leave out ever smaller runs of the steps that may go, as long as it fails without them."""
    size = max(1, len(steps) // 2)
    while True:
        is_smaller = False
        at = 0
        while at < len(steps) and left[0] > 0:
            end = at + size
            shorter = steps[:at] + [step for step in steps[at:end] if not may_go(step)] + steps[end:]
            if len(shorter) < len(steps):
                left[0] -= 1
                if fails(shorter):
                    steps, is_smaller = shorter, True
                    continue
            at = end
        if left[0] <= 0 or (size == 1 and not is_smaller):
            return steps
        size = max(1, size // 2)
