"""The one daemon thread of a process whose loop runs all blocking sessions: begun at first use, ended when the interpreter exits.

A forked child has no such thread and begins its own; what it inherited it leaves alone, since it is its parent's.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from ..limits import SYNC
from ..patterns.threads import Threads
from ..session import Session
from .bridge import Bridge

T = TypeVar("T")
P = ParamSpec("P")

log = logging.getLogger("landline.sync")


class LoopThreads(ThreadPoolExecutor):
    """What a loop has done in threads, where threads of the program go on after the main one: asyncio's own pool takes nothing more by then."""

    def __init__(self) -> None:
        super().__init__(1)  # for its type, which loops insist on: nothing is ever given to it
        self._own = Threads("landline sync worker", SYNC.threads)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done by the next thread that is free."""
        return self._own.begin("loop", partial(work, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; nothing is waited for."""
        self._own.close()


class Daemon:
    """The thread, its loop, and the sessions that are to be closed before it ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(LoopThreads())
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._dropping: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="landline sync", daemon=True)
        self._thread.start()
        self.bridge = Bridge(self._loop)

    def _run(self) -> None:
        while True:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                # Of one method or hook; every session of the process would wait for ever.
                log.exception(
                    "what runs in the thread of the blocking sessions cannot end the program from there"
                )
            else:
                return

    def keep(self, session: Session) -> None:
        """Close this session at the exit, unless it is over by then; called on the loop."""
        over = self._loop.create_task(session.wait_closed(), name="landline sync session")
        self._sessions[session] = over
        over.add_done_callback(lambda _: self._sessions.pop(session, None))

    def drop(self, session: Session) -> None:
        """Close a session that nobody has; called on the loop."""
        task = self._loop.create_task(session.close(), name="landline sync close")
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    def end(self) -> None:
        """Close what is open, in good order as far as ``sync.exit`` seconds allow, and end the thread."""
        try:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(2 * SYNC.exit)
        except TimeoutError:  # the loop is stuck: the thread is a daemon, and the process ends all the same
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SYNC.exit)
        if not self._thread.is_alive():
            self._loop.close()

    async def _close(self) -> None:
        closing = [asyncio.create_task(session.close()) for session in tuple(self._sessions)]
        if closing:
            await asyncio.wait(closing, timeout=SYNC.exit)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=SYNC.exit / 2)
        await self._loop.shutdown_asyncgens()


_starting = threading.Lock()
_daemon: Daemon | None = None
_inherited: list[Daemon | None] = []
"""Those of the processes that this one was forked from: held, so that nothing of them is finalized here."""


def daemon() -> Daemon:
    """Return this process's own, begun if need be."""
    global _daemon  # noqa: PLW0603 - one for each process is the point
    with _starting:
        if _daemon is None:
            _daemon = Daemon()
            atexit.register(_exit)
        return _daemon


def _exit() -> None:
    global _daemon
    atexit.unregister(_exit)
    ending, _daemon = _daemon, None
    if ending is not None:
        ending.end()


def _forked() -> None:
    global _daemon, _starting
    _inherited.append(_daemon)
    _daemon, _starting = None, threading.Lock()
    atexit.unregister(_exit)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
