"""Threads for plain methods and the disk: kept for the next, never waited for by a process that ends."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import sys
import threading
from asyncio.subprocess import PIPE
from functools import partial

import pytest

import landline
from landline.patterns.threads import Threads

pytestmark = pytest.mark.timeout(60)

HANGING = """
import asyncio, threading, landline

server = landline.Server(limits=landline.Limits(close_timeout=0.5))

@server.method
def hang() -> None:
    print("hangs", flush=True)
    threading.Event().wait()

async def main():
    async with server.listen("tcp://127.0.0.1:0") as listening:
        print(listening.addresses[0], flush=True)
        await asyncio.Event().wait()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("drained", flush=True)
"""


async def test_a_method_that_hangs_does_not_hold_up_the_end_of_its_process() -> None:
    """Ctrl-C drains the server, which says what still runs; and that is the end of it."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HANGING, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    try:
        address = (await process.stdout.readline()).decode().strip()
        async with landline.connect(address, limits=landline.Limits(close_timeout=0.1)) as session:
            call = asyncio.create_task(session.call("hang"))
            assert await process.stdout.readline() == b"hangs\n"
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(30):
                out, errors = await process.communicate()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()

    assert (process.returncode, out) == (0, b"drained\n")
    assert "hang still run in their threads, which nobody can stop" in errors.decode()


def test_a_thread_is_kept_for_the_next() -> None:
    """One is enough for calls that come one after the other; each that comes meanwhile has its own."""
    threads, gate = Threads("test"), threading.Event()

    def name() -> str:
        return threading.current_thread().name

    first = {threads.begin("m", name).result(20) for _ in range(5)}
    held = [threads.begin("held", gate.wait) for _ in range(3)]
    threads.begin("m", name).result(20)  # also while those are held
    gate.set()

    assert len(first) == 1
    assert threads._threads == 4
    assert [each.result(20) for each in held] == [True] * 3
    threads.close()


def test_no_more_than_are_allowed_work_at_once() -> None:
    """What is begun beyond waits, in order."""
    threads, gate = Threads("test", 2), threading.Event()
    done: list[int] = []
    began = threading.Barrier(3)

    def hold() -> None:
        began.wait(20)
        gate.wait(20)

    held = [threads.begin("held", hold) for _ in range(2)]
    began.wait(20)
    later = [threads.begin("later", partial(done.append, number)) for number in range(3)]
    assert (threads.waiting, threads._threads, done) == (3, 2, [])
    gate.set()
    for each in (*held, *later):
        each.result(20)

    assert sorted(done) == [0, 1, 2]
    assert threads._threads == 2
    threads.close()


def test_what_no_thread_could_be_started_for_is_not_run_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked was told that it failed."""
    threads, ran = Threads("test"), []

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            threads.begin("m", lambda: ran.append(1))

    threads.begin("m", lambda: ran.append(2)).result(20)
    assert ran == [2]
    threads.close()


def test_it_tells_what_runs_and_what_came_of_it() -> None:
    """A result, or what was raised; in the context that it was begun in."""
    threads, gate = Threads("test"), threading.Event()
    word = contextvars.ContextVar("word", default="none")
    word.set("ours")
    began = threading.Barrier(3)

    def wait() -> None:
        began.wait(20)
        gate.wait(20)

    def fail() -> None:
        raise KeyError("why")

    waiting = [threads.begin(name, wait) for name in ("b", "a")]
    began.wait(20)
    assert threads.running == ["a", "b"]
    assert isinstance(threads.begin("fail", fail).exception(20), KeyError)
    assert threads.begin("word", word.get).result(20) == "ours"
    gate.set()
    for each in waiting:
        each.result(20)

    assert threads.running == []
    threads.close()


def test_what_runs_when_it_is_closed_runs_on_and_then_its_thread_ends() -> None:
    """None is left behind."""
    threads, gate, began = Threads("test"), threading.Event(), threading.Event()
    at_work: list[threading.Thread] = []

    def wait() -> str:
        at_work.append(threading.current_thread())
        began.set()
        gate.wait(20)
        return "done"

    waiting = threads.begin("m", wait)
    assert began.wait(20)
    threads.close()
    gate.set()

    assert waiting.result(20) == "done"
    at_work[0].join(20)
    assert not at_work[0].is_alive()
