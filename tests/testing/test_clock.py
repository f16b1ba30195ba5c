"""Virtual time: it jumps to what is due, costs nothing, and refuses what lives in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import landline
from landline.testing.clock import VirtualLoop, run

HOST = "localhost"


def test_a_day_costs_nothing_and_is_exact() -> None:
    """Sleepers wake in the order of their times, each at its moment."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, asyncio.get_running_loop().time()))

    async def main() -> str:
        await asyncio.gather(sleeper("day", 86_400), sleeper("moment", 0.001), sleeper("hour", 3600))
        return "done"

    assert run(main()) == "done"
    assert woken == [("moment", 0.001), ("hour", 3600.0), ("day", 86_400.0)]


def test_a_session_over_memory_lives_in_it() -> None:
    """Heartbeats, time-outs and redials are all this loop's."""

    async def main() -> float:
        async with (
            landline.serve(lambda session: session.wait_closed(), "memory://virtual"),
            landline.connect("memory://virtual") as session,
        ):
            session.drop(200.0)
            async for change in session.states():
                if change.state is landline.State.CONNECTED:
                    break
            return change.lasted

    assert 200 <= run(main()) < 210


REAL: list[Callable[[], Coroutine[Any, Any, Any]]] = [
    lambda: asyncio.open_connection(HOST, 1),
    lambda: asyncio.start_server(lambda reader, writer: None, HOST, 0),
    lambda: asyncio.open_unix_connection("/nowhere.sock"),
    lambda: asyncio.create_subprocess_exec("true"),
    lambda: asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, (HOST, 0)),
    lambda: asyncio.to_thread(print),
]


@pytest.mark.parametrize("number", range(len(REAL)))
def test_what_lives_in_real_time_is_refused(number: int) -> None:
    """They would seem to hang, or time would run away from them."""

    async def main() -> None:
        await REAL[number]()

    with pytest.raises(RuntimeError, match="memory://"):
        run(main())


def test_the_loop_can_be_a_factory() -> None:
    """For test plug-ins that want one."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.sleep(5))
        assert runner.get_loop().time() == 5.0
