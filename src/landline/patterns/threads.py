"""Threads for what would block a loop: methods that are no coroutines, and the disk. As many as are needed at once, and kept for the next.

They are daemons: nobody can stop a thread, and a method that hangs in one must not hold up the end of its process. The pools of ``concurrent.futures``
are not used: the interpreter waits for their threads, and they take nothing more once the main thread is through, though other threads go on.
"""

from __future__ import annotations

import contextvars
import math
import queue
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_Work = tuple[str, Callable[[], Any], "Future[Any]"]


class Threads:
    """A pool.

    Args:
        name: of its threads, before their numbers.
        most: threads; what is begun beyond waits, in order. Without it whoever has the pool bounds what is begun.
    """

    def __init__(self, name: str, most: float = math.inf) -> None:
        self._name = name
        self._most = most
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._threads = 0

    @property
    def waiting(self) -> int:
        """How many have not begun."""
        return self._work.qsize()

    @property
    def running(self) -> list[str]:
        """The names of those that run now."""
        with self._lock:
            return sorted(self._running.elements())

    def begin(self, name: str, run: Callable[[], Any]) -> Future[Any]:
        """Run something in a thread, in a copy of our context."""
        done: Future[Any] = Future()
        context = contextvars.copy_context()
        if self._threads < self._most and not self._idle.acquire(blocking=False):
            # First: where no thread is to be had, nothing is left to be run later.
            threading.Thread(
                target=self._serve, name=f"{self._name} {self._threads + 1}", daemon=True
            ).start()
            self._threads += 1
        self._work.put((name, lambda: context.run(run), done))
        return done

    def close(self) -> None:
        """Begin nothing more; what runs, runs on to its end, and then its thread ends."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            name, run, done = work
            if done.set_running_or_notify_cancel():
                self._run(name, run, done)
            else:
                self._idle.release()
            del work, run, done  # what it held is not held until the next comes

    def _run(self, name: str, run: Callable[[], Any], done: Future[Any]) -> None:
        with self._lock:
            self._running[name] += 1
        result, failure = None, None
        try:
            result = run()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            failure = error
        with self._lock:
            self._running[name] -= 1
        self._idle.release()  # first: whoever hears of the end and begins the next needs no other thread for it
        if failure is None:
            done.set_result(result)
        else:
            try:
                done.set_exception(failure)
            finally:
                del failure  # its traceback holds us
