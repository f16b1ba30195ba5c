"""Standard input and output as programs need them: read ahead by a bounded amount, written to the end, the loop never blocked.

A thread for each does the work, on the descriptor itself: no loop can wait for every kind of file (a plain one, a terminal, Windows'
console), and to make a descriptor non-blocking would change it for the shell that shares it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import sys
import threading
from collections import deque
from typing import Final

from landline.errors import LandlineError

from .limits import STANDARD

CHUNK: Final = STANDARD.chunk

READ_AHEAD: Final = STANDARD.read_ahead


PIPE_SIZE: Final = STANDARD.pipe


class PipeError(LandlineError):
    """Standard input or output failed, or is not there; the message says why."""


class Source:
    """Reads a descriptor in a thread, ahead of who takes it by ``READ_AHEAD`` bytes at most.

    Args:
        descriptor: an open file; None for one that has ended already.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._size = self._in_hand = 0
        self._is_stopped = False
        self._has_ended = descriptor is None
        self._error: OSError | None = None
        self._news = asyncio.Event()
        self._room = threading.Condition()
        self._is_told = False
        if descriptor is not None:
            _widen(descriptor)
            threading.Thread(target=self._run, args=(descriptor,), name="stdin", daemon=True).start()

    async def read(self) -> bytes:
        """Return what came meanwhile, ``CHUNK`` bytes at most; ``b""`` at the end or after ``stop``, and ever after.

        Raises:
            PipeError: it cannot be read; what came before was returned.
        """
        while True:
            with self._room:
                if self._chunks:
                    return self._take()
                has_ended, error = self._has_ended or self._is_stopped, self._error
                self._is_told = False
            if error is not None:
                raise PipeError(f"standard input cannot be read: {_why(error)}") from error
            if has_ended:
                return b""
            self._news.clear()
            await self._news.wait()

    def stop(self) -> None:
        """Read no more, until ``go_on``; what was read can still be taken."""
        with self._room:
            self._is_stopped = True
        self._news.set()

    def go_on(self) -> None:
        """Read again, for somebody else."""
        with self._room:
            self._is_stopped = False
            self._room.notify()

    @property
    def held(self) -> int:
        """Bytes that were read and not taken, those that wait for room among them."""
        return self._size + self._in_hand

    def _take(self) -> bytes:
        """Join small pieces into one chunk: a producer that writes in small pieces is not slowed down by our frames."""
        parts = [self._chunks.popleft()]
        size = len(parts[0])
        while self._chunks and size + len(self._chunks[0]) <= CHUNK:
            parts.append(self._chunks.popleft())
            size += len(parts[-1])
        was_full = self._size >= READ_AHEAD
        self._size -= size
        if was_full and self._size < READ_AHEAD:
            self._room.notify()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # In the thread...

    def _run(self, descriptor: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while True:
                chunk, error = b"", None
                try:
                    chunk = _read(descriptor)
                except OSError as caught:
                    error = caught
                with self._room:
                    self._in_hand = len(chunk)
                    while self._is_stopped or self._size >= READ_AHEAD:
                        self._room.wait()
                    self._in_hand = 0
                    if chunk:
                        self._chunks.append(chunk)
                        self._size += len(chunk)
                    else:
                        self._has_ended, self._error = True, error
                    is_first, self._is_told = not self._is_told, True
                if is_first:
                    self._loop.call_soon_threadsafe(self._news.set)
                if not chunk:
                    return


class Sink:
    """Writes a descriptor in a thread, one piece after the other.

    Args:
        descriptor: an open file.
    """

    def __init__(self, descriptor: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._pieces: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._is_closed = False
        _widen(descriptor)
        threading.Thread(target=self._run, name="stdout", daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; returns when the system has it.

        Raises:
            BrokenPipeError: whoever read it has gone.
            PipeError: it cannot be written, for example because the disk is full.
        """
        written: asyncio.Future[None] = self._loop.create_future()
        self._pieces.put((data, written))
        try:
            await written
        except BrokenPipeError:
            raise
        except OSError as error:
            raise PipeError(f"standard output cannot be written: {_why(error)}") from error

    def close(self) -> None:
        """Nothing more comes: whoever reads it is told so now, although the process may live on."""
        if not self._is_closed:
            self._is_closed = True
            self._pieces.put(None)
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._descriptor)  # never left free: the next socket would get its number
                os.close(nowhere)

    # In the thread...

    def _run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            while (piece := self._pieces.get()) is not None:
                data, written = piece
                error: OSError | None = None
                try:
                    _write(self._descriptor, data)
                except OSError as caught:
                    error = caught
                self._loop.call_soon_threadsafe(_settle, written, error)


def standard_input() -> int | None:
    """Return the descriptor of standard input; None when there is nothing to read.

    That is so when it was closed, and when it is a terminal that somebody else is using: who reads it from the background is stopped.
    """
    if sys.stdin is None:
        return None
    descriptor = sys.stdin.fileno()
    return None if is_terminal(descriptor) and not _is_in_foreground(descriptor) else descriptor


def standard_output() -> int:
    """Return the descriptor of standard output.

    Raises:
        PipeError: it was closed before we began.
    """
    if sys.stdout is None or sys.__stdout__ is None:  # something empty may stand in for it by now
        raise PipeError("standard output is closed: send it somewhere, as with > /dev/null")
    return sys.stdout.fileno()


def is_terminal(descriptor: int | None) -> bool:
    """Whether somebody may be typing there."""
    try:
        return descriptor is not None and os.isatty(descriptor)
    except OSError:
        return False


def _is_in_foreground(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except (AttributeError, OSError):  # Windows; or a terminal that is not the one we were started from
        return True


def _widen(descriptor: int) -> None:
    """Have a pipe hold as much as we read and write at once: fewer turns of the threads, where the system knows how."""
    # Not Linux; no pipe; this user's pipes hold much already.
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < PIPE_SIZE:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, CHUNK)
        except BlockingIOError:  # somebody who shares it made it non-blocking
            select.select([descriptor], [], [])


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def _settle(future: asyncio.Future[None], error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _why(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
