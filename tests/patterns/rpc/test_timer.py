"""One timer for many deadlines: each that waits is rung for at its time, and nobody else."""

from __future__ import annotations

import asyncio

from landline.patterns.rpc.timer import DeadlineTimer

VIRTUAL_TIME = True


class Waiting:
    """Numbers that wait, and when they were rung for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.living: dict[int, str] = {}
        self.rung: list[tuple[float, int]] = []
        self.timer = DeadlineTimer(self.living, self.ring)

    def add(self, seconds: float, number: int) -> None:
        self.living[number] = ""
        self.timer.add(self.began + seconds, number)

    def ring(self, number: int) -> None:
        del self.living[number]
        self.rung.append((round(self.loop.time() - self.began, 1), number))


async def test_each_is_rung_for_at_its_time() -> None:
    """In whatever order they came; who is done by then is not."""
    waiting = Waiting()
    for seconds, number in [(5.0, 1), (2.0, 2), (9.0, 3), (4.0, 4)]:
        waiting.add(seconds, number)
    del waiting.living[4]
    await asyncio.sleep(20)

    assert waiting.rung == [(2.0, 2), (5.0, 1), (9.0, 3)]


async def test_one_that_is_stopped_rings_for_nobody_until_another_is_added() -> None:
    """What was added before is rung for then, too, if it still waits."""
    waiting = Waiting()
    waiting.add(2.0, 1)
    waiting.timer.stop()
    await asyncio.sleep(3)
    assert waiting.rung == []
    waiting.add(4.0, 2)
    await asyncio.sleep(3)

    assert sorted(waiting.rung) == [(4.0, 1), (4.0, 2)]
