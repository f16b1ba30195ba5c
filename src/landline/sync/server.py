"""Serving with blocking programs: a plain function runs in a thread of its own for each session."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Concatenate, ParamSpec

from ..limits import Limits
from ..listening import Listening
from ..programs import Program as _Program
from ..server import Server
from ..session import Session as _Session
from .daemon import daemon
from .session import Session, blocking

P = ParamSpec("P")

Program = Callable[[Session], object]
"""What runs for each session in a thread, from its beginning to its end; its return closes the session."""


def in_threads(program: Program, most: int) -> _Program:
    """Return the program for a server that runs a plain one in threads, so many at once; who comes then waits for one of them to end."""
    places = asyncio.Semaphore(most)

    async def run(session: _Session) -> None:
        if places.locked():
            session._bare.on_limit("program_threads", "a session waits for its program to begin")
        await places.acquire()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end(error: BaseException | None) -> None:
            places.release()  # not before: nobody can interrupt a thread, also when it is waited for no more
            if ended.done():
                return
            if error is None:
                ended.set_result(None)
            else:
                ended.set_exception(error)

        def work() -> None:
            error = _run(program, blocking(session), context)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(end, error)

        context = contextvars.copy_context()
        try:
            # Daemons: a program that never looks at its session holds up no exit.
            threading.Thread(target=work, name=f"landline program {session.id[:8]}", daemon=True).start()
        except BaseException:
            places.release()
            raise
        await ended

    return run


def _plain(program: Program) -> Program:
    """Return the program; what would fail in each session is refused before there is one."""
    if isinstance(program, Server):
        raise TypeError(
            "sync.serve makes the server itself, of a plain function and the options of landline.Server; one that is made already listens in async code"
        )
    if not callable(program):
        raise TypeError(f"a program is a plain function that takes a session, and not {program!r}")
    plain = inspect.unwrap(program)
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(
            f"a program for threads is a plain function, and not async as {program!r}: landline.serve runs those"
        )
    if inspect.isgeneratorfunction(plain):
        raise TypeError(f"a program returns when its session is over, and does not yield: {program!r}")
    return program


def _run(program: Program, session: Session, context: contextvars.Context) -> BaseException | None:
    """Run a program to its end; return what it raised."""
    try:
        context.run(program, session)
    except SystemExit:  # ends its thread, as in any other
        return None
    except (StopIteration, KeyboardInterrupt) as error:
        # No future takes the one, and the other would end the loop of all.
        failure = RuntimeError(f"a program raised {type(error).__name__}")
        failure.__cause__ = error
        return failure
    except BaseException as error:  # noqa: BLE001 - told to the server
        return error
    return None


def _as(
    make: Callable[Concatenate[_Program | None, P], Server],
) -> Callable[Concatenate[Program | None, str | Sequence[str], P], AbstractContextManager[Listening]]:
    """Return what serves blocking programs, with the same options."""

    @contextlib.contextmanager
    def serve(
        program: Program | None, addresses: str | Sequence[str], /, *args: P.args, **options: P.kwargs
    ) -> Iterator[Listening]:
        """Serve a plain function until the block is left: for each session it runs in a thread, with that session for blocking code.

        No more than ``limits.program_threads`` run at once; further sessions are let in, and wait until a program ends. A program that does not return
        when its session is closed is waited for ``limits.close_timeout`` seconds, and then left to itself.

        Args:
            program: what runs; None where the methods are all that there is.
            addresses: where to listen, one or several.
            *args: none.
            **options: those of ``landline.Server``.

        Raises:
            AddressError, ListenError, StorageError: as for ``landline.Server.listen``.
            TypeError: the program is no plain function.
        """
        limits = options.get("limits")
        most = (limits if isinstance(limits, Limits) else Limits()).program_threads
        server = make(None if program is None else in_threads(_plain(program), most), *args, **options)
        where = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        with daemon().bridge.hold(server.listen(*where)) as listening:
            yield listening

    serve.__module__ = "landline.sync"
    serve.__qualname__ = "serve"
    return serve


serve = _as(Server)
