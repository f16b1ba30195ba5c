"""Runs an app on the event loop until it returns or is told to stop.

The first Ctrl-C or SIGTERM asks it to drain; the second cancels it; and a loop that does not even notice that is left behind. SIGUSR2
asks a program that can do so to drain and start anew (``restart``), SIGHUP one that can to read anew what can change while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final

from landline.cli.exits import Exit
from landline.cli.limits import CLI
from landline.cli.restart import SIGNAL as RESTART_SIGNAL
from landline.cli.restart import Restart
from landline.errors import SettingsError

if TYPE_CHECKING:
    from types import FrameType

CANCEL_TIMEOUT: Final = CLI.cancel_timeout

Main = Callable[[asyncio.Event], Awaitable[int]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(
    main: Main,
    *,
    loop: str = "auto",
    restart: Restart | None = None,
    reload: Callable[[], None] | None = None,
) -> int:
    """Run ``main(stop)`` and return its exit code, or 130 when it was interrupted twice.

    When it was told to restart instead, it does not return: once ``main`` has, the process is another program.

    Args:
        main: the app; ``stop`` is set by the first SIGINT or SIGTERM, and it then drains and returns.
        loop: ``auto`` (uvloop when it is installed), ``asyncio`` or ``uvloop``.
        restart: what SIGUSR2 asks for; without it, that signal ends the process as ever.
        reload: called in the loop at each SIGHUP; likewise.

    Raises:
        SettingsError: uvloop is demanded and not installed.
        Exception: whatever ``main`` raised.
    """
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        code = runner.run(_supervise(main, restart, reload))
    if restart is not None and code == Exit.OK:
        restart.go()
    return code


def loop_factory(loop: str) -> LoopFactory:
    """Return what makes the event loop of this name.

    Raises:
        SettingsError: uvloop is demanded and not installed.
    """
    if loop == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        if loop == "uvloop":
            message = "uvloop is not installed: choose --loop asyncio, or install landline[fast]"
            raise SettingsError(message, key="loop") from None
        return asyncio.new_event_loop
    factory: LoopFactory = uvloop.new_event_loop
    return factory


async def _supervise(main: Main, restart: Restart | None, reload: Callable[[], None] | None) -> int:
    stop = asyncio.Event()
    app = asyncio.ensure_future(main(stop))
    interrupted = False

    def asked() -> None:
        nonlocal interrupted
        if not stop.is_set():
            stop.set()
        elif restart is not None and restart.is_asked:
            restart.is_asked = False  # while it drained for that: it ends instead, and is not interrupted
        elif not interrupted:
            interrupted = True
            app.cancel()
            asyncio.get_running_loop().call_later(CANCEL_TIMEOUT, leave_now)

    def asked_to_restart() -> None:
        if not stop.is_set() and restart is not None and restart.ask():
            stop.set()

    with _signals(asked), _restart_signal(asked_to_restart, restart), _reload_signal(reload):
        try:
            return await app
        except asyncio.CancelledError:
            if not interrupted:
                raise
            return Exit.INTERRUPTED


@contextlib.contextmanager
def _signals(asked: Callable[[], None]) -> Iterator[None]:
    """Have ``asked`` called in the loop at each SIGINT or SIGTERM.

    Not by ``loop.add_signal_handler`` alone: Windows has none, and a handler set this way still runs, and counts, when the loop is stuck.
    But that call makes the loop wake up for the signal; without it, one that comes just before the loop begins to wait is not seen until
    something else happens.
    """
    loop = asyncio.get_running_loop()
    waiting = 0

    def arrived() -> None:
        nonlocal waiting
        waiting -= 1
        asked()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal waiting
        waiting += 1
        if waiting > 2:  # the loop has not even heard of the two before
            leave_now()
        loop.call_soon_threadsafe(arrived)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, _woken)
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)


@contextlib.contextmanager
def _restart_signal(asked: Callable[[], None], restart: Restart | None) -> Iterator[None]:
    """Have ``asked`` called in the loop at each SIGUSR2. To be used within ``_signals``, which make the loop wake up for this one as well.

    From the first one that is obeyed until the next program listens to it, it is ignored: it would end what is just starting.
    """
    if RESTART_SIGNAL is None or restart is None:
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.signal(RESTART_SIGNAL, lambda *_: loop.call_soon_threadsafe(asked))
    try:
        yield
    finally:
        signal.signal(RESTART_SIGNAL, signal.SIG_IGN if restart.is_asked else before)


@contextlib.contextmanager
def _reload_signal(reload: Callable[[], None] | None) -> Iterator[None]:
    """Have ``reload`` called in the loop at each SIGHUP; to be used within ``_signals``, as above."""
    number = getattr(signal, "SIGHUP", None)  # Windows has none
    if number is None or reload is None:
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(reload))
    try:
        yield
    finally:
        signal.signal(number, before)


def _woken() -> None:
    """The loop is awake; our own handler has run or is about to."""


def leave_now() -> None:
    """End the process without another step of the program; what was written to stdout still goes out."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            stream.flush()
    os._exit(Exit.INTERRUPTED)
