"""Serving flows that the peer opened: each in a task, to its end; and what a failure means for it is told to the peer.

A pattern that takes flows is a taker (``BareSession.takers``): it looks at a flow's purpose, and serves it here if it is one of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any, Final, TypeVar, cast

from ..errors import FlowEnded, FlowReset, NotAllowed, ProtocolError, SessionEnded, StorageError, TopicError
from ..protocol.frames import ResetCode
from ..protocol.intake import SEND_PURPOSE
from ..protocol.publish import PUBLISH_PURPOSE
from ..protocol.subscription import SUBSCRIBE_PURPOSE
from ..sessions.bare import BareSession
from ..sessions.flow import BareFlow
from .failures import clause, is_cancelled

_OURS: Final = "landline."

_NO_TOPICS: Final = "this server has no topics: it declares them by Server.topic()"
_LACKING: Final = {
    PUBLISH_PURPOSE: _NO_TOPICS,
    SUBSCRIBE_PURPOSE: _NO_TOPICS,
    SEND_PURPOSE: "the server has no topics, and no storage",
}
"""What an end that refuses a flow of ours lacks."""

T = TypeVar("T")


class Serving:
    """The tasks that serve flows; a pattern has one for each of its lives.

    A flow that its peer abandons is over at once, and may be opened anew; what served it may take its time to clean up. So no more than
    ``max_flows`` of one session are served at once, and further ones wait.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._served: Counter[BareSession] = Counter()
        self._waiting: dict[BareSession, deque[_Waiting]] = {}

    def run(self, bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
        """Serve a flow of this session to its end, in a task."""
        most = bare.limits.max_flows
        if self._served[bare] < most:
            self._begin(bare, flow, serving)
            return
        bare.on_limit("max_flows", "a flow waits for what serves those that were abandoned")
        waiting = self._waiting.setdefault(bare, deque())
        if len(waiting) >= 2 * most:  # of which half were abandoned meanwhile, at the least
            self._waiting[bare] = waiting = deque(one for one in waiting if not one.drop_abandoned())
        waiting.append(_Waiting(flow, serving))

    def _begin(self, bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
        self._served[bare] += 1
        self._start(bare, flow, serving).add_done_callback(lambda _: self._ended(bare))

    def run_more(self, bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
        """Do more for a flow that is being served: at once, since it has its place already."""
        _task = self._start(bare, flow, serving)

    def _start(
        self, bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(
            serve_flow(bare, flow, serving), name=f"landline {flow.purpose}"
        )
        self.keep(task)
        return task

    def _ended(self, bare: BareSession) -> None:
        self._served[bare] -= 1
        waiting = self._waiting.get(bare)
        while waiting:
            next_one = waiting.popleft()
            if not next_one.drop_abandoned():
                self._begin(bare, next_one.flow, next_one.serving)
                return
        self._waiting.pop(bare, None)
        if not self._served[bare]:
            del self._served[bare]

    def keep(self, task: asyncio.Task[None]) -> None:
        """Have a task end with the others."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel_nowait(self) -> None:
        """Cancel all of them."""
        for waiting in self._waiting.values():
            for one in waiting:
                one.serving.close()
        self._waiting.clear()
        for task in tuple(self._tasks):
            task.cancel()

    async def cancel(self) -> None:
        """Cancel all of them, and wait for their ends."""
        self.cancel_nowait()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Waiting:
    """A flow that is not served yet."""

    __slots__ = ("flow", "serving")

    def __init__(self, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
        self.flow = flow
        self.serving = serving

    def drop_abandoned(self) -> bool:
        """Let go of what would serve it, if it was abandoned; return whether it was."""
        if isinstance(self.flow.why_unreadable(), FlowReset):
            self.serving.close()
            return True
        return False


async def serve_flow(bare: BareSession, flow: BareFlow, serving: Coroutine[Any, Any, None]) -> None:
    """Serve a flow that the peer opened, to its end; tell the peer why it cannot be."""
    try:
        await serving
    except FlowEnded:
        flow.end()
    except SessionEnded:
        pass  # the session says so itself; to say that the flow ends would end it for the next life of the server, too
    except (NotAllowed, TopicError) as error:
        flow.reset(ResetCode.UNWANTED, str(error))
    except ProtocolError as error:
        bare.on_limit(error.limit, error.reason)
        flow.reset(ResetCode.BAD_DATA, error.reason)
    except StorageError as error:
        bare.keeper.failed("a flow cannot be served", error)
        flow.reset(ResetCode.FAILED, clause(error))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if is_cancelled(error):
            raise
        bare.keeper.failed("serving a flow failed", error)  # its client must not wait for ever
        flow.reset(ResetCode.FAILED, "internal error")


def refuse_flow(flow: BareFlow) -> bool:
    """Refuse a flow of the library's own kinds that no pattern takes here; the last taker. Return whether it is one."""
    if not flow.purpose.startswith(_OURS):
        return False
    flow.reset(ResetCode.UNWANTED, _LACKING.get(flow.purpose, "nothing here takes flows of this kind"))
    return True


async def while_open(bare: BareSession, flow: BareFlow, work: Coroutine[Any, Any, T]) -> T:
    """Return what is worked out for a flow; where that ends before, nobody wants it, and it is cancelled.

    Raises:
        FlowEnded, SessionEnded: it did.
    """
    task: asyncio.Future[Any] = asyncio.ensure_future(work)
    try:
        while True:
            arrived = flow.arrived.wait()
            try:
                await asyncio.sleep(0)  # both have begun to wait; and most verdicts are there
                error = bare.ended or (bare.closing() if bare.is_closing else flow.why_unreadable())
                if not task.done() and error is None:
                    await asyncio.wait((task, arrived), return_when=asyncio.FIRST_COMPLETED)
            finally:
                arrived.cancel()
            if task.done():
                return cast("T", task.result())
            if error is not None:
                raise error
    finally:
        task.cancel()
