"""The thread of a transfer: in order, and to the end also where nobody waits any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from landline.patterns.files.disk import DiskThread


async def test_what_was_begun_is_done_before_the_last() -> None:
    """A cancelled write is over before its file is closed."""
    done: list[str] = []
    go, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def write() -> None:
        loop.call_soon_threadsafe(begun.set)
        go.wait(20)
        done.append("written")

    disk = DiskThread()
    task = asyncio.create_task(disk.do(write))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closing = asyncio.create_task(disk.close(lambda: done.append("closed")))
    await asyncio.sleep(0)
    assert not done
    go.set()
    await closing

    assert done == ["written", "closed"]


async def test_the_last_is_waited_for_also_by_who_is_cancelled_again() -> None:
    """What comes after it may rely on it; the cancel is not lost."""
    done: list[str] = []
    go = threading.Event()

    def close() -> None:
        go.wait(20)
        done.append("closed")

    disk = DiskThread()
    closing = asyncio.create_task(disk.close(close))
    for _ in range(3):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.sleep(0)
    assert not closing.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert done == ["closed"]


async def test_an_error_of_the_last_is_told_with_the_cancel() -> None:
    """It is not said twice, by the loop."""
    go = threading.Event()

    def close() -> None:
        go.wait(20)
        raise OSError("the disk failed")

    disk = DiskThread()
    closing = asyncio.create_task(disk.close(close))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError) as told:
        await closing

    assert isinstance(told.value.__cause__, OSError)


async def test_an_error_is_whose_work_it_was() -> None:
    """And the next is done all the same."""
    disk = DiskThread()

    with pytest.raises(ZeroDivisionError):
        await disk.do(lambda: 1 // 0)
    assert await disk.do(int, "7") == 7
    await disk.close(lambda: None)
