"""The one daemon thread of a process: begun at first use, not shared with forked children, ended with its sessions at the exit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import landline
from landline import sync
from landline.limits import SyncLimits
from landline.sync import daemon as module
from landline.sync.daemon import Daemon, daemon

pytestmark = pytest.mark.timeout(60)


class Listener:
    """A server that gathers what each session said, and how it ended."""

    def __init__(self) -> None:
        self.address = ""
        self.said: list[tuple[list[object], str]] = []
        self.ended = asyncio.Event()

    async def program(self, session: landline.Session) -> None:
        said: list[object] = []
        try:
            while True:
                said.append(await session.receive())
        except landline.SessionEnded as error:
            self.said.append((said, type(error).__name__))
            self.ended.set()
            raise


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with landline.serve(listener.program, "tcp://127.0.0.1:0") as listening:
        listener.address = listening.addresses[0]
        yield listener


async def run(program: str, listener: Listener, *more: str) -> tuple[str, str, int | None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        listener.address,
        *more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said, errors = await process.communicate()
    return said.decode(), errors.decode(), process.returncode


async def test_all_sessions_share_one_thread(listener: Listener) -> None:
    """However many threads begin at the same time."""

    def talk() -> None:
        with sync.connect(listener.address) as session:
            session.send_many(range(3))

    await asyncio.gather(*(asyncio.to_thread(talk) for _ in range(8)))

    assert [thread.name for thread in threading.enumerate()].count("landline sync") == 1
    assert listener.said == [([0, 1, 2], "SessionClosed")] * 8
    assert daemon()._sessions == {}


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_program_does_not_end_the_thread(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Raised on its loop it is logged: every session of the process would wait for ever."""

    def leave() -> None:
        raise error

    async def turn() -> int:
        return 1

    bridge = daemon().bridge
    bridge.post(leave)

    assert bridge.run(turn, 10) == 1
    assert "cannot end the program" in caplog.text


def test_threads_that_begin_together_begin_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one makes it the others wait."""
    made: list[object] = []

    class Slow:
        def __init__(self) -> None:
            threading.Event().wait(0.1)
            made.append(self)

    monkeypatch.setattr(module, "_daemon", None)
    monkeypatch.setattr(module, "Daemon", Slow)
    monkeypatch.setattr("atexit.register", made.append)
    threads = [threading.Thread(target=daemon) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [module._daemon, module._exit]


EXITS = """
import sys
import landline.sync
session = landline.sync.connect(sys.argv[1])
session.send_many(range(100))
other = landline.sync.connect(sys.argv[1])
"""


async def test_an_exit_closes_sessions_in_good_order(listener: Listener) -> None:
    """What was sent is delivered, and the peer is told that they are closed, not lost."""
    assert await run(EXITS, listener) == ("", "", 0)
    while len(listener.said) < 2:
        listener.ended.clear()
        await listener.ended.wait()

    assert {len(said): (said, how) for said, how in listener.said} == {
        0: ([], "SessionClosed"),
        100: (list(range(100)), "SessionClosed"),
    }


EXITS_WHILE_A_THREAD_WAITS = """
import sys, threading
import landline.sync
session = landline.sync.connect(sys.argv[1])
asked = threading.Event()
def wait():
    asked.set()
    try:
        session.receive()
    except landline.SessionClosed:
        pass
threading.Thread(target=wait, daemon=True).start()
asked.wait()
sys.exit(3)
"""


async def test_a_daemon_thread_that_waits_holds_up_no_exit(listener: Listener) -> None:
    """Nothing is printed, and the exit's code is the program's."""
    assert await run(EXITS_WHILE_A_THREAD_WAITS, listener) == ("", "", 3)


ENDS_ITS_MAIN_THREAD = """
import sys, threading
import landline.sync
session = landline.sync.connect(sys.argv[1])
def work():
    threading.main_thread().join()
    print(session.send_file(landline.__file__).size > 0)
    session.drop()
    print(session.send("still here").wait(20).status)
threading.Thread(target=work).start()
"""


async def test_threads_go_on_after_the_main_thread_has_ended(tmp_path: Path) -> None:
    """Files are sent, and names looked up to dial again."""

    async def program(session: landline.Session) -> None:
        async with session.files() as offers:
            await (await anext(offers)).accept(tmp_path)
        await session.receive()

    async with landline.serve(program, "tcp://localhost:0") as listening:
        listener = Listener()
        listener.address = f"tcp://localhost:{listening.addresses[0].rpartition(':')[2]}"

        assert await run(ENDS_ITS_MAIN_THREAD, listener) == ("True\nacked\n", "", 0)


@pytest.mark.limit("sync.threads")
async def test_so_many_threads_work_for_the_loop_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given to them beyond waits for one of them; they end with the loop."""
    monkeypatch.setattr(module, "SYNC", SyncLimits(threads=2))
    ending, gate = Daemon(), threading.Event()
    at_work: list[threading.Thread] = []

    def work() -> None:
        at_work.append(threading.current_thread())
        began.release()
        assert gate.wait(20)

    began = threading.Semaphore(0)
    given = [asyncio.run_coroutine_threadsafe(asyncio.to_thread(work), ending._loop) for _ in range(3)]
    assert began.acquire(timeout=20)
    assert began.acquire(timeout=20)
    assert not began.acquire(timeout=0.05)
    gate.set()
    for each in given:
        each.result(20)
    ending.end()
    for thread in at_work:
        thread.join(20)

    assert len(at_work) == 3
    assert len(set(at_work)) == 2
    assert not any(thread.is_alive() for thread in at_work)


@pytest.mark.limit("sync.exit")
async def test_an_exit_waits_for_a_close_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is closed within the time is; what is not is cancelled, and the thread ends."""

    class Slow:
        def __init__(self) -> None:
            self.how = "open"

        async def close(self) -> None:
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                self.how = "cancelled"
                raise
            self.how = "closed"

        async def wait_closed(self) -> None:
            await asyncio.Event().wait()

    for seconds, how in ((30.0, "closed"), (0.05, "cancelled")):
        monkeypatch.setattr(module, "SYNC", SyncLimits(exit=seconds))
        ending, slow = Daemon(), Slow()
        ending.bridge.call(ending.keep, slow)
        await asyncio.to_thread(ending.end)

        assert slow.how == how
        assert ending._loop.is_closed()
        assert not ending._thread.is_alive()


FORKS = """
import os, sys, warnings
warnings.filterwarnings("ignore", "This process", DeprecationWarning)  # of threads, from Python 3.12 on: what this is about
import landline, landline.sync
session = landline.sync.connect(sys.argv[1])
session.send("parent")
child = os.fork()
if not child:
    code = 1
    try:
        with session:
            session.send("inherited")
    except landline.LandlineError as error:
        if "forked" in str(error):
            with landline.sync.connect(sys.argv[1]) as own:
                own.send("child")
                own.flush(10)
            code = 0
    finally:
        session.close()
        os._exit(code)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
session.send("parent again")
session.flush(10)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
async def test_a_forked_child_leaves_its_parents_sessions_alone(listener: Listener) -> None:
    """To use one is an error that says so, to close it does nothing; the child has sessions of its own, and the parent's go on."""
    assert await run(FORKS, listener) == ("0\n", "", 0)
    while len(listener.said) < 2:
        listener.ended.clear()
        await listener.ended.wait()

    assert listener.said == [(["child"], "SessionClosed"), (["parent", "parent again"], "SessionClosed")]


FORKS_IN_BLOCKS = """
import os, sys, warnings
warnings.filterwarnings("ignore", "This process", DeprecationWarning)
import landline, landline.sync
from landline.sync.daemon import daemon
server = landline.Server()
server.presence("here")
server.topic("news")
child = 1
with landline.sync.serve(landline.sync.Session.wait_closed, "memory://own"):
    with daemon().bridge.hold(server.listen("tcp://127.0.0.1:0")) as listening:
        with (
            landline.sync.connect(listening.addresses[0]) as session,
            session.presence("here", "parent") as presence,
            session.subscribe("news") as news,
            session.states() as states,
            session.files() as files,
        ):
            presence.next(10)
            child = os.fork()
            if not child and sys.argv[2] == "exits":
                sys.exit(3)
            if child:
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                session.publish("news", "still here", timeout=10)
                print(news.next(10).data, [member.state for member in presence.members.values()])
if not child:
    sys.exit(3)
print(session.is_closed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("how", ["exits", "goes on"])
async def test_a_forked_child_leaves_its_parents_blocks_alone(how: str, listener: Listener) -> None:
    """Servers, memberships and iterators: leaving them there does nothing and says nothing, and they go on in the parent."""
    said = "3\nstill here ['parent']\nTrue\n"

    assert await run(FORKS_IN_BLOCKS, listener, how) == (said, "", 0)
