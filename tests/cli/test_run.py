"""Signals: the first drains, the second is now, and a stuck program ends as well. Real processes, real signals."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from landline.cli.restart import Restart
from landline.cli.run import loop_factory, run
from landline.errors import SettingsError

BEGINNING: Final = """
import asyncio, sys, time
from landline.cli.run import run

def say(text):
    print(text, flush=True)
"""

DRAINS: Final = """
async def main(stop):
    say(type(asyncio.get_running_loop()).__module__)
    await stop.wait()
    say("drained")
    return 0
"""

IGNORES_STOP: Final = """
async def main(stop):
    say("ready")
    await stop.wait()
    say("asked")
    try:
        await asyncio.Event().wait()
    finally:
        say("cleaned up")
    return 0
"""

IGNORES_CANCEL: Final = """
async def main(stop):
    say("ready")
    await stop.wait()
    say("asked")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("no")
"""

STUCK: Final = """
async def main(stop):
    say("ready")
    while True:  # never back to the loop
        pass
"""

RELOADS: Final = """
import functools

async def main(stop):
    say("ready")
    await stop.wait()
    return 0
"""

LOOPS: Final = ("asyncio", "uvloop")


@contextmanager
def program(main: str, loop: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs ``main`` as the command line would."""
    code = f"{BEGINNING}\n{main}\nsys.exit(run(main, loop={loop!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains(number: signal.Signals, loop: str) -> None:
    """The program returns by itself; its code is the exit code."""
    with program(DRAINS, loop) as process:
        assert line(process).split(".")[0] == loop
        process.send_signal(number)

        assert line(process) == "drained"
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_the_second_signal_is_now(loop: str) -> None:
    """The program is cancelled, and may restore the terminal; the code is 130."""
    with program(IGNORES_STOP, loop) as process:
        assert line(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert line(process) == "asked"
        process.send_signal(signal.SIGINT)

        assert line(process) == "cleaned up"
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.limit("cli.cancel_timeout")
@pytest.mark.parametrize("loop", LOOPS)
def test_what_does_not_end_is_left(loop: str) -> None:
    """A program that swallows its cancellation, after a moment."""
    with program(IGNORES_CANCEL, loop) as process:
        assert line(process) == "ready"
        process.send_signal(signal.SIGINT)
        assert line(process) == "asked"
        process.send_signal(signal.SIGINT)

        assert line(process) == "no"
        assert process.wait(30) == 130


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stuck_loop_ends_too(loop: str) -> None:
    """Ctrl-C again and again ends what no longer answers, as people expect."""
    with program(STUCK, loop) as process:
        assert line(process) == "ready"
        while process.poll() is None:  # signals that arrive together count as one
            process.send_signal(signal.SIGINT)

        assert process.wait(30) == 130


# Starting anew...

RESTARTS: Final = """
import os, signal
import click
from landline.cli.restart import Restart

before = signal.getsignal(signal.SIGUSR2)

async def main(stop):
    say(f"{os.getpid()} {type(asyncio.get_running_loop()).__module__} {before.name}")
    await stop.wait()
    say("asked")
    await asyncio.to_thread(sys.stdin.readline)
    restart.leave(Nothing)
    return 0

class Nothing:
    hand_over = staticmethod(list)

def check():
    pass
"""


@contextmanager
def restarting(loop: str, *more: str, command: str = "None") -> Iterator[subprocess.Popen[str]]:
    """A process that may start anew, and drains until it is sent a line."""
    ending = f"""
restart = Restart(check, {command})
try:
    sys.exit(run(main, loop={loop!r}, restart=restart))
except click.ClickException as error:
    sys.exit(error.format_message())
"""
    code = "\n".join([BEGINNING, RESTARTS, *more, ending])
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finish_draining(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.long
def test_the_program_starts_anew_in_its_own_place(loop: str) -> None:
    """As often as it is asked, in the same process, once it has drained; asking again meanwhile changes nothing, and is passed over while it starts."""
    with restarting(loop) as process:
        for number in range(3):
            said = line(process)
            assert said.startswith(f"{process.pid} {loop}")
            assert said.endswith("SIG_IGN" if number else "SIG_DFL")
            process.send_signal(signal.SIGUSR2)
            assert line(process) == "asked"
            process.send_signal(signal.SIGUSR2)
            finish_draining(process)
        line(process)
        process.send_signal(signal.SIGTERM)
        assert line(process) == "asked"
        finish_draining(process)

        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_a_hang_up_reloads_and_ends_nothing(loop: str) -> None:
    """As often as it comes; who can reload nothing is ended by it, as ever."""
    with program(f"{RELOADS}\nrun = functools.partial(run, reload=lambda: say('reloaded'))", loop) as process:
        line(process)
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
            assert line(process) == "reloaded"
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_to_end_is_said_last(loop: str) -> None:
    """SIGTERM while it drains for a restart ends it instead; it is not interrupted."""
    with restarting(loop) as process:
        line(process)
        process.send_signal(signal.SIGUSR2)
        assert line(process) == "asked"
        process.send_signal(signal.SIGTERM)
        finish_draining(process)

        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_what_could_not_start_is_not_started() -> None:
    """The log says why, and the program goes on."""
    no = "from landline.errors import SettingsError\ndef check():\n    raise SettingsError('no such port')"
    with restarting("asyncio", no) as process:
        line(process)
        process.send_signal(signal.SIGUSR2)
        assert process.stderr is not None
        assert process.stderr.readline() == "not restarted: no such port\n"
        process.send_signal(signal.SIGTERM)
        assert line(process) == "asked"
        finish_draining(process)

        assert process.wait(30) == 0


def test_what_cannot_start_after_all_is_said_so(tmp_path: Path) -> None:
    """It was there when it was asked for."""
    program = tmp_path / "program"
    program.write_text("#!/nowhere/at/all\n")
    program.chmod(0o700)
    with restarting("asyncio", command=f"[{str(program)!r}]") as process:
        line(process)
        process.send_signal(signal.SIGUSR2)
        assert line(process) == "asked"
        finish_draining(process)

        assert process.wait(30) == 1
        assert process.stderr is not None
        assert process.stderr.read() == (
            f"it has drained, and cannot start {program} anew: No such file or directory\n"
        )


def test_the_code_and_the_error_come_through() -> None:
    """What the program returns or raises is the caller's to judge; the signals are as they were."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
    before = [signal.getsignal(number) for number in numbers]

    async def seven(_stop: asyncio.Event) -> int:
        return 7

    async def fails(_stop: asyncio.Event) -> int:
        raise LookupError("x")

    restart = Restart(lambda: None)
    assert run(seven, loop="asyncio", restart=restart) == 7
    with pytest.raises(LookupError):
        run(fails, loop="asyncio", restart=restart)
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_program_that_cancels_itself_is_not_interrupted() -> None:
    """130 means a person pressed Ctrl-C twice."""

    async def main(_stop: asyncio.Event) -> int:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(main, loop="asyncio")


def test_the_loop_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto takes uvloop where it is installed; demanded and missing is an error."""
    import uvloop

    assert loop_factory("asyncio") is asyncio.new_event_loop
    assert loop_factory("auto") is loop_factory("uvloop") is uvloop.new_event_loop
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory("auto") is asyncio.new_event_loop
    with pytest.raises(SettingsError, match="uvloop is not installed: choose --loop asyncio") as caught:
        loop_factory("uvloop")
    assert caught.value.key == "loop"
