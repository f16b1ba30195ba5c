"""What runs in a server for whoever came in: its program for each session, and another one for each caller who speaks plain text."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from .errors import SessionClosed, SessionEnded, StorageError
from .hits import Failures
from .hooks import Hooks
from .limits import Limits
from .patterns.durable import Sending, settle
from .patterns.failures import is_cancelled
from .patterns.groups import Groups
from .patterns.hub import Hub
from .patterns.middleware import Middleware
from .patterns.refresh import Refreshes
from .patterns.rpc.service import Service
from .patterns.sent import Sent
from .patterns.serving import refuse_flow
from .protocol.frames import CloseCode
from .session import Session
from .sessions.bare import BareSession
from .sessions.caller import Caller
from .sessions.flow import BareFlow, EarlyFlows
from .transports import Transport

log = logging.getLogger("landline.server")

Program = Callable[[Session], Awaitable[None]]
"""What runs for each session, from its beginning to its end, whatever its lines do; its return closes the session."""

PlainProgram = Callable[[Caller], Awaitable[None]]
"""What runs for each caller at the plain-text door; its return hangs up."""


def checked(program: Program | None) -> Program | None:
    """Return the program; what would fail in each session is refused before there is one.

    What is a function and not ``async`` may return an awaitable all the same, as a ``lambda`` or one that is annotated so does.

    Raises:
        TypeError: it is no program for an ``async`` server.
    """
    if program is None or inspect.iscoroutinefunction(program):
        return program
    if not callable(program):
        raise TypeError(
            "a Server listens by itself: async with server.listen(address)"
            if hasattr(program, "listen")
            else f"a program is an async function that takes a session, and not {program!r}"
        )
    plain = inspect.unwrap(program)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(f"a program returns when its session is over, and does not yield: {program!r}")
    if (
        (inspect.isfunction(plain) or inspect.ismethod(plain))
        and not inspect.iscoroutinefunction(plain)
        and plain.__name__ != "<lambda>"
        and plain.__annotations__.get("return") in (None, "None")
    ):
        raise TypeError(
            f"a program is an async function, and {plain.__qualname__} is a plain one: landline.sync.serve runs those"
        )
    return program


class Programs:
    """The programs that run.

    Args:
        program: for sessions; without one they are kept for topics, groups and methods, or closed at once where there are none.
        plain: for plain callers, if any are taken.
        limits: see there.
        hub: runs the topics, if there are any.
        sent: what earlier lives sent durably, where there is storage.
        groups: who is in which group.
        hooks: told of each session.
        refreshes: takes new credentials.
        service: what can be called.
        middlewares: stand around the files that clients offer, the first one outermost.
        failures: hears what fails of the program for plain callers.
    """

    def __init__(
        self,
        program: Program | None,
        plain: PlainProgram | None,
        limits: Limits,
        hub: Hub | None,
        sent: Sent | None,
        groups: Groups,
        hooks: Hooks,
        refreshes: Refreshes,
        service: Service,
        middlewares: Sequence[Middleware],
        failures: Failures,
    ) -> None:
        self._service = service
        self._middlewares = middlewares
        self._failures = failures
        self._program = program
        self._plain = plain
        self._limits = limits
        self._hub = hub
        self._sent = sent
        self._groups = groups
        self._hooks = hooks
        self._refreshes = refreshes
        self._running: dict[asyncio.Task[None], None] = {}  # half the size of a set
        # One of each for all sessions: a bound method is made anew wherever it is looked up, and a context for each callback without one.
        self._takers = (self._take,)
        self._over = self._running.pop
        self._context = contextvars.copy_context()

    def begin(self, bare: BareSession) -> None:
        """Run the program for a new session."""
        sent = self._sent
        sending = None if sent is None else Sending(bare, partial(sent.outgoing, bare))
        session = Session(bare, sending=sending, middlewares=self._middlewares)
        bare.front, bare.takers = session, self._takers
        early = None
        if self._hooks.on_open:
            early = EarlyFlows(self._limits.max_flows)
            bare.takers = (partial(_keep, early), *bare.takers)
        self._run(self._serve(session, early), f"landline session {bare.id.hex()[:8]}")
        if sending is not None and sent is not None and sent.has(bare):
            self._run(_go_on(bare, sending), f"landline outbox {bare.id.hex()[:8]}")
        bare.hold_flows()

    def _take(self, bare: BareSession, flow: BareFlow) -> bool:
        """Have a flow that the client opened taken by the pattern that it is of."""
        session: Session = bare.front
        return (
            session._takes_file(flow)
            or (self._hub is not None and self._hub.takes(bare, session, flow))
            or self._groups.takes(bare, flow)
            or self._service.takes(bare, session, flow)
            or self._refreshes.takes(bare, flow)
            or refuse_flow(flow)
        )

    def begin_plain(self, transport: Transport, head: bytes) -> None:
        """Run the program for a caller that speaks plain text."""
        self._run(self._serve_plain(Caller(transport, head)), f"landline caller {transport.peer}")

    async def stop(self) -> None:
        """Give the programs a moment to see that their sessions ended, then cancel them."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=self._limits.close_timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._service.close()

    def cancel(self) -> None:
        """Cancel them all, at once."""
        self._service.cancel()
        for task in self._running:
            task.cancel()

    def _run(self, program: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(program, name=name)
        self._running[task] = None
        task.add_done_callback(self._over, context=self._context)

    async def _serve(self, session: Session, early: EarlyFlows | None) -> None:
        try:
            if early is not None:
                await self._open(session, early)
            if self._program is not None:
                await self._program(session)
            elif self._hub is not None or self._groups.has_any or self._service.has_methods:
                await session.wait_closed()
            session.ack()  # who returns is done with what it took
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if is_cancelled(error):
                raise
            _failed(session._bare, error)
        finally:
            await self._close(session)

    async def _close(self, session: Session) -> None:
        """Close a session whose program is over."""
        bare = session._bare
        if bare.intake is not None:
            bare.intake.release(bare)
        try:
            # Its last words may still have to wait for a line.
            await settle(bare, session._sending, None, self._limits.resume_window)
            await bare.close(timeout=self._limits.resume_window)
        finally:
            await self._hooks.closed(session, bare.ended or bare.closing())

    async def _open(self, session: Session, early: EarlyFlows) -> None:
        """Tell the hooks that a session begins. The flows that its client opens wait meanwhile, as its messages do, for what they find out."""
        await self._hooks.opened(session)
        bare = session._bare
        bare.takers = bare.takers[1:]  # the first keeps them until now
        bare.hold_flows()
        for flow in early.take():
            bare.take_flow(flow)

    async def _serve_plain(self, caller: Caller) -> None:
        try:
            if self._plain is not None:
                await self._plain(caller)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if is_cancelled(error):
                raise
            self._failures.log("the program of a plain caller failed", error)
        finally:
            await caller.close()


def _keep(early: EarlyFlows, _: BareSession, flow: BareFlow) -> bool:
    early.keep(flow)
    return True


async def _go_on(bare: BareSession, sending: Sending) -> None:
    """Send what a life before had sent; where its outbox cannot be read, it stays there, and the session goes on."""
    try:
        await sending.go_on()
    except SessionEnded:
        pass
    except StorageError as error:
        log.warning("what session %s was sent durably cannot be read: %s", bare.id.hex()[:8], error)


def _failed(bare: BareSession, error: BaseException) -> None:
    """The program of a session failed; where that is no more than that its session is over, nobody need know."""
    if not _is_only_the_end(bare, error):
        bare.keeper.failed("the program of a session failed", error)
        if bare.intake is not None:
            bare.intake.fail(bare, "the server's program failed over it")
        bare.lose(CloseCode.FAILED, "the server's program failed")


def _is_only_the_end(bare: BareSession, error: BaseException) -> bool:
    """Whether a program's error says no more than that its session is over; several tasks may have been told."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_only_the_end(bare, part) for part in error.exceptions)
    return isinstance(error, SessionEnded) and (
        error is bare.ended or (isinstance(error, SessionClosed) and (bare.is_closing or bare.is_peer_closed))
    )
