"""Connecting from blocking code: with the same parameters, and so that Ctrl-C leaves nothing open."""

from __future__ import annotations

import inspect
import signal
import socket
import subprocess
import sys

import pytest

import landline
from landline import sync

pytestmark = pytest.mark.timeout(60)


def test_it_takes_what_connect_takes() -> None:
    """The same parameters, for people and for type checkers, and the same errors."""
    assert inspect.signature(sync.connect).parameters == inspect.signature(landline.connect).parameters
    with pytest.raises(landline.AddressError):
        sync.connect()
    with pytest.raises(landline.AddressError):
        sync.connect("nowhere")
    with pytest.raises(TypeError):
        sync.connect("tcp://127.0.0.1:1", no_such_option=1)  # type: ignore[call-arg]


def test_nobody_there_is_an_error() -> None:
    """The one that ``landline.connect`` raises, in its time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(landline.ConnectTimeout):
            sync.connect(f"tcp://127.0.0.1:{port}", connect_timeout=0.05)
    with pytest.raises(landline.ConnectError):
        sync.connect(f"tcp://127.0.0.1:{port}")


INTERRUPTED = """
import asyncio, sys
import landline.sync
from landline.sync.daemon import daemon
try:
    landline.sync.connect(sys.argv[1], connect_timeout=60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
left = [task for task in daemon().bridge.call(asyncio.all_tasks) if "blocking call" not in task.get_name()]
print("left", left, flush=True)
"""


def test_ctrl_c_while_it_dials_leaves_nothing_open() -> None:
    """The call ends at once, the socket is closed, and no task is left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, f"tcp://127.0.0.1:{silent.getsockname()[1]}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            caller, _ = silent.accept()
            with caller:
                caller.settimeout(30)
                assert caller.recv(1024)  # its greeting: it waits for ours
                process.send_signal(signal.SIGINT)
                assert process.stdout is not None
                assert process.stdout.readline() == "interrupted\n"
                while caller.recv(1024):
                    pass
            said, errors = process.communicate("\n", timeout=30)

    assert (said, errors, process.returncode) == ("left []\n", "", 0)


RACED = """
import asyncio, signal, sys
import landline
from landline import sync
from landline.sync.daemon import daemon

interrupted = opened = 0

async def program(session):
    await session.wait_closed()

def interrupt(signum, frame):
    global interrupted
    while frame is not None:
        if frame.f_code.co_name == "run" and frame.f_code.co_filename.endswith("sync/bridge.py"):
            interrupted += 1
            raise KeyboardInterrupt
        frame = frame.f_back

home = daemon()
with home.bridge.hold(landline.serve(program, "tcp://127.0.0.1:0")) as listening:
    signal.signal(signal.SIGALRM, interrupt)
    for number in range(60):
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0001 * (number % 60))
        try:
            session = sync.connect(listening.addresses[0])
        except KeyboardInterrupt:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        opened += 1
        session.close()
    for _ in range(1000):
        if not listening.sessions and not home._sessions:
            break
        home.bridge.run(lambda: asyncio.sleep(0.01))
    print(listening.sessions, len(home._sessions), interrupted + opened >= 60)
"""


@pytest.mark.long
def test_ctrl_c_at_any_moment_leaves_no_session() -> None:
    """Also where it comes just when the session is there: the server holds none in the end."""
    done = subprocess.run(
        [sys.executable, "-c", RACED], capture_output=True, text=True, timeout=50, check=False
    )

    assert (done.stdout, done.stderr) == ("0 0 True\n", "")


async def test_a_server_on_the_loop_of_this_very_thread_cannot_answer() -> None:
    """Waiting blocks it: the time-out says what to do instead."""
    async with landline.serve(landline.Session.wait_closed, "tcp://127.0.0.1:0") as listening:
        with pytest.raises(
            landline.ConnectTimeout, match=r"stood still meanwhile.*`await landline\.connect`"
        ):
            sync.connect(listening.addresses[0], connect_timeout=0.1)
