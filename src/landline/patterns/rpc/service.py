"""What one end can be called for: its methods, who may run which, and the threads for those that are no coroutines.

Every call and every stream passes ``Service.run``: what is to happen around each stands there.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property, partial
from typing import Any, Final

from ...errors import CallFailed, CallNotAllowed
from ...limits import Limits
from ...protocol.calls import CALLS_PURPOSE, STREAM_PURPOSE
from ...protocol.frames import ResetCode
from ...sessions.bare import BareSession
from ...sessions.flow import BareFlow
from .. import middleware
from ..rules import Authorize
from ..serving import Serving
from ..threads import Threads
from .answering import Answering
from .arguments import Given
from .failure import Failures, log
from .method_call import MethodCall
from .methods import Kind, Method, Methods, make_method
from .places import Places
from .streaming import serve_stream

LISTING: Final = "landline.methods"
"""The method that tells which methods there are."""


class Service:
    """What one end can be called for, for as long as it is there.

    Args:
        methods: what can be called; more may be added later.
        authorize: asked for each call whether whoever calls may.
        limits: see there.
        middlewares: stand around each call and each stream, the first one outermost.
    """

    def __init__(
        self,
        methods: Methods,
        authorize: Authorize,
        limits: Limits,
        middlewares: Sequence[middleware.Middleware] = (),
    ) -> None:
        self._methods = methods
        self._authorize = authorize
        self._limits = limits
        self._middlewares = middlewares
        self._serving = Serving()
        self._failures = Failures(asyncio.get_running_loop().time)
        self._answering: dict[BareSession, Answering] = {}
        self._next: set[BareSession] = set()
        self._places = Places(limits.call_threads)
        self._threads: Threads | None = None

    @cached_property
    def _listing(self) -> Method:
        # Made when it is asked for: to read a function's parameters is most of what a connect would cost.
        return make_method(_listing(self), LISTING, idempotent=True)

    @property
    def has_methods(self) -> bool:
        """Whether there is anything to call."""
        return len(self._methods) > 0

    # Flows come...

    def takes(self, bare: BareSession, session: Any, flow: BareFlow) -> bool:
        """Serve a flow that the peer opened, if it is of calls or a stream; return whether it is."""
        if flow.purpose == CALLS_PURPOSE:
            self._serving.run(bare, flow, self._serve_calls(bare, session, flow))
        elif flow.purpose == STREAM_PURPOSE:
            self._serving.run(
                bare, flow, serve_stream(self.find, self.run, self._failures, bare, session, flow)
            )
        else:
            return False
        return True

    async def _serve_calls(self, bare: BareSession, session: Any, flow: BareFlow) -> None:
        before = self._answering.get(bare)
        if before is not None:
            if before.is_open or bare in self._next:  # else nothing would bound their number
                flow.reset(ResetCode.UNWANTED, "the calls of a session go in one flow")
                return
            self._next.add(bare)
            try:
                await before.gone.wait()
            finally:
                self._next.discard(bare)
        answering = self._answering[bare] = Answering(
            self.find, self.run, self._failures, bare, session, flow
        )
        try:
            await answering.serve(self._methods.idempotent)
        finally:
            del self._answering[bare]
            answering.gone.wake()

    async def finish(self) -> None:
        """Before the end: let the calls that run now come to theirs, within ``close_timeout``. Streams may have none."""
        finishing = [asyncio.ensure_future(answering.finish()) for answering in self._answering.values()]
        if finishing:
            try:
                await asyncio.wait(finishing, timeout=self._limits.close_timeout)
            finally:
                for waiting in finishing:
                    waiting.cancel()

    async def close(self) -> None:
        """Cancel what runs, and wait for that."""
        await self._serving.cancel()
        self.let_go()

    def cancel(self) -> None:
        """Cancel what runs, at once."""
        self._serving.cancel_nowait()
        self.let_go()

    def let_go(self) -> None:
        """Have no threads any more; what runs in one runs on to its end, and nobody hears of it."""
        self._failures.close()
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close()
            if running := threads.running:
                log.warning(
                    "%s still run in their threads, which nobody can stop: they are left to themselves",
                    ", ".join(running),
                )

    # ... and calls in them.

    def find(self, name: str, principal: str) -> Method:
        """Return a method that somebody may run.

        Raises:
            CallFailed: there is none of that name.
            CallNotAllowed: they may not.
        """
        method = self._listing if name == LISTING else self._methods.get(name)
        if method is None:
            raise CallFailed(f"there is no method {name!r}", type="unknown method")
        if name != LISTING and not self._authorize(principal, "call", name):
            raise CallNotAllowed(f"you may not call {name!r}")
        return method

    def run(self, call: MethodCall) -> Coroutine[Any, Any, Any]:
        """Run a method; to be awaited for what it returns: the one place that every call and every stream passes."""
        return self._run_within(call) if self._middlewares else self._run(call)

    async def _run_within(self, call: MethodCall) -> Any:
        arguments = call.method.arguments
        asked = middleware.Call(
            call.session, "call", call.method.name, arguments.by_name(call.args, call.named)
        )

        async def last(handed_on: middleware.Call) -> Any:
            if handed_on.data is not asked.data:
                call.args, call.named = arguments.in_place(handed_on.data, call.named)
            return await self._run(call)

        return await middleware.through(self._middlewares, last)(asked)

    async def _run(self, call: MethodCall) -> Any:
        method = call.method
        if method.in_thread:
            return await self._run_in_thread(method.name, partial(method.function, *call.args, **call.named))
        if method.kind is Kind.STREAM and call.stream is not None:
            async with contextlib.aclosing(method.function(*call.args, **call.named)) as items:
                async for item in items:
                    await call.stream.send(item)
            return None
        return await method.function(*call.args, **call.named)

    async def _run_in_thread(self, name: str, run: Callable[[], Any]) -> Any:
        await self._places.take()
        try:
            if self._threads is None:
                self._threads = Threads("landline call")
            loop = asyncio.get_running_loop()
            running = self._threads.begin(name, partial(_run_once, run))
        except BaseException:
            self._places.leave()
            raise
        # Its place is free when the thread is, which nobody can interrupt: not when it is waited for no more.
        running.add_done_callback(lambda _: _tell(loop, self._places.leave))
        return await asyncio.wrap_future(running)

    def list_for(self, principal: str) -> list[dict[str, Any]]:
        """Return what somebody may call: for programs and people that look at a server."""
        return [
            describe(method) for method in self._methods if self._authorize(principal, "call", method.name)
        ]


class _Who(Given):
    """A parameter that is given the principal of whoever calls."""

    __slots__ = ()

    @classmethod
    def given(cls, session: Any) -> Any:
        return session.principal


def _listing(service: Service) -> Callable[..., Any]:
    async def methods(principal: _Who) -> list[dict[str, Any]]:
        """The methods that whoever asks may call."""
        return service.list_for(str(principal))

    return methods


def describe(method: Method) -> dict[str, Any]:
    """Return what there is to know of a method for who would call it."""
    parameters = []
    for parameter in method.arguments.parameters:
        about = {"name": parameter.name, "type": _type(parameter.annotation)}
        if parameter.default is not parameter.empty:
            about["default"] = repr(parameter.default)
        parameters.append(about)
    doc = inspect.getdoc(method.function) or ""
    return {
        "name": method.name,
        "kind": method.kind.value,
        "parameters": parameters,
        "returns": _type(method.arguments.returns),
        "idempotent": method.idempotent,
        "about": doc.partition("\n")[0],
    }


def _type(annotation: Any) -> str:
    return "" if annotation is inspect.Parameter.empty else inspect.formatannotation(annotation)


def _run_once(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (StopIteration, SystemExit, KeyboardInterrupt) as error:
        # No future takes the first; the others would end the whole program, and mean this thread alone.
        raise RuntimeError(f"a method raised {type(error).__name__}") from error


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits for a place
        loop.call_soon_threadsafe(what)
