"""The side that is called: ``landline listen ADDRESS``. One caller at a time; a second one is refused, and never mixed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import landline
from landline.transports import Transport, bind_listener, nobody_asked, parse_address

from ..drops import told_of_drops
from ..printable import printable
from ..standard import Sink, Source, is_terminal, standard_input, standard_output
from .hint import how_to_connect
from .limits import PIPE
from .line import OPEN, OPENING_TIMEOUT, Line, PlainLine, SessionLine
from .meeting import Pipe
from .pump import CutShort, Pump

_BACKLOG = PIPE.backlog


async def run(pipe: Pipe, stop: asyncio.Event) -> int:
    """Listen, and pump for one caller, or for one after the other; return the exit code.

    Raises:
        AddressError, ListenError: the address cannot be served.
        CutShort, PipeError, BrokenPipeError: see ``Pump.run``; where callers follow each other, ``CutShort`` is told and not raised.
    """
    post = _Post(pipe, stop, standard_output())
    listening = _listen_plain if pipe.is_plain else _listen
    async with listening(pipe, post) as addresses:
        pipe.say(how_to_connect(addresses, asked=pipe.address, is_plain=pipe.is_plain))
        await post.wait_done()
    return 0


class _Post:
    """Where callers are served: one at a time, at this process's standard input and output."""

    def __init__(self, pipe: Pipe, stop: asyncio.Event, output: int) -> None:
        self.is_taken = False
        self._pipe = pipe
        self._stop = stop
        self._output = output
        self._ends: tuple[Source, Sink, bool] | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_free(self) -> bool:
        """Whether the next caller is welcome."""
        return not (self.is_taken or self._done.done() or self._stop.is_set())

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within the block, a caller has this place; afterwards it is free, also when nothing came of it."""
        self.is_taken = True
        try:
            yield
        finally:
            self.is_taken = False
            if self._stop.is_set() and not self._done.done():
                self._done.set_result(None)

    async def serve(self, line: Line) -> None:
        """Pump for the caller who has the place; what goes wrong is for ``wait_done``."""
        try:
            await self._pump(line)
        except CutShort as error:
            if self._pipe.is_kept:
                self._pipe.say(f"landline: {printable(str(error))}")
            else:
                self._fail(error)
        except Exception as error:  # noqa: BLE001 - the main task raises it again
            self._fail(error)
        else:
            if not self._pipe.is_kept and not self._done.done():
                self._done.set_result(None)

    async def wait_done(self) -> None:
        """Wait until there is nobody left to serve; raise what went wrong."""
        asked = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((asked, self._done), return_when=asyncio.FIRST_COMPLETED)
            if self.is_taken or self._done.done():
                await self._done
        finally:
            asked.cancel()

    async def _pump(self, line: Line) -> None:
        if self._ends is None:  # nothing is read before somebody is there to take it
            descriptor = standard_input()
            self._ends = Source(descriptor), Sink(self._output), is_terminal(descriptor)
        source, sink, is_attended = self._ends
        pump = Pump(line, source, sink, is_attended=is_attended, is_last=not self._pipe.is_kept)
        await pump.run(self._stop)

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


@asynccontextmanager
async def _listen(pipe: Pipe, post: _Post) -> AsyncIterator[list[str]]:
    """Listen for sessions."""

    async def answer(session: landline.Session) -> None:
        if not await _is_pipe(session):
            await session.close("this is a pipe: it is called with `landline connect`")
        elif not post.is_free:
            pipe.say(f"A second caller, {session.peer}, was refused: one is being served.")
            await session.close("busy: it is serving another caller")
        else:
            with post.taken():  # from now on: the caller may be gone before it hears our first word
                _ = await session.send(OPEN)
                async with told_of_drops(pipe.say, session):
                    await post.serve(SessionLine(session))

    server = landline.Server(answer, limits=pipe.limits)

    @server.plain
    async def turn_away(caller: landline.Caller) -> None:
        pipe.say(f"{caller.peer} speaks plain text and was turned away; --plain serves bare sockets.")
        caller.send(
            b"This is a landline pipe: call it with `landline connect`, or have it listen with --plain.\n"
        )

    async with server.listen(pipe.address, sockets=pipe.sockets) as listening:
        yield listening.addresses


async def _is_pipe(session: landline.Session) -> bool:
    """Whether the caller opens as ``landline connect`` does."""
    try:
        async with asyncio.timeout(OPENING_TIMEOUT):
            return bool(await session.receive() == OPEN)
    except (TimeoutError, landline.SessionEnded):
        return False


@asynccontextmanager
async def _listen_plain(pipe: Pipe, post: _Post) -> AsyncIterator[list[str]]:
    """Listen for bare sockets. Not through a server's plain door, which waits for the caller's first bytes: here we may be the first to speak."""
    serving: set[asyncio.Task[None]] = set()
    close_listener: Callable[[], None] = lambda: None  # noqa: E731 - until it is there

    def accept(transport: Transport) -> None:
        if not post.is_free:
            pipe.say(f"A second caller, {transport.peer}, was hung up on: one is being served.")
            transport.abort()
            return
        post.is_taken = True  # already now: the task begins later
        task = asyncio.create_task(serve(landline.Caller(transport)), name="pipe caller")
        serving.add(task)
        task.add_done_callback(serving.discard)
        if not pipe.is_kept:
            close_listener()  # as nc does: whoever comes next hears that nobody listens

    async def serve(caller: landline.Caller) -> None:
        try:
            with post.taken():
                await post.serve(PlainLine(caller))
        finally:
            await caller.close()

    passed = list(pipe.sockets)
    listener = await bind_listener(parse_address(pipe.address), backlog=_BACKLOG, passed=passed)
    close_listener = listener.close
    try:
        if passed:
            raise nobody_asked(passed)
        listener.start(accept)
        yield listener.addresses
    finally:
        listener.close()
        if serving:
            await asyncio.wait(serving)
