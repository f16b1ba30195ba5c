"""Ways to break durable sends on purpose, see ``breaks``: each must be found by what it does to the books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import landline.client
from landline.patterns import outbox
from landline.patterns.intake import DurableIntake, Found, Keep
from landline.patterns.outbox import KeptOutbox
from landline.protocol.intake import Intake
from landline.protocol.publish import Origin
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow

_later: set[asyncio.Task[Any]] = set()


def _acked_first() -> None:
    """A send is acked a little before it is stored that it is handled."""
    init = DurableIntake.__init__

    def begin(self: DurableIntake, found: Found, clock: Callable[[], float]) -> None:
        init(
            self,
            found if found.keep is None else found._replace(keep=partial(_keep_later, found.keep)),
            clock,
        )

    DurableIntake.__init__ = begin  # type: ignore[method-assign]


async def _keep_later(keep: Keep, record: bytes) -> None:
    task = asyncio.ensure_future(keep(record))
    _later.add(task)
    task.add_done_callback(_later.discard)


def _not_remembered() -> None:
    """What is handled is not stored at all."""
    init = DurableIntake.__init__

    async def keep(record: bytes) -> None:
        del record

    def begin(self: DurableIntake, found: Found, clock: Callable[[], float]) -> None:
        init(self, found if found.keep is None else found._replace(keep=keep), clock)

    DurableIntake.__init__ = begin  # type: ignore[method-assign]


def _next_too_early() -> None:
    """A program is given the next one while it is still being stored that it handled the last."""
    Intake.is_free = property(lambda self: self.in_hand is None)  # type: ignore[method-assign, assignment]


def _replies_not_kept() -> None:
    """The server says that what it sends is on its disk, and it is not."""

    async def keep(self: KeptOutbox, number: int) -> None:
        self.publisher.kept(number)

    KeptOutbox.keep = keep  # type: ignore[method-assign]


def _given_forgotten() -> None:
    """A client does not know with the next life of the server what its program was given."""
    serve = DurableIntake.serve

    async def serves(self: DurableIntake, bare: BareSession, flow: BareFlow, *, is_known: bool) -> None:
        if self._core.in_hand is None:
            self._core._origin = Origin()
        await serve(self, bare, flow, is_known=is_known)

    DurableIntake.serve = serves  # type: ignore[method-assign]


def _left_behind() -> None:
    """A client does not send what the lives before it left in their outboxes."""
    client = vars(landline.client)
    chain = client["chain"]
    client["chain"] = lambda bare, purpose, kept: chain(bare, purpose, kept[-1:])


def _old_goes_on() -> None:
    """A client puts what is new into the outbox that an earlier life left, also into one out of an old copy."""
    outbox._MOST = 1  # type: ignore[misc]


SERVER: Final[dict[str, Callable[[], None]]] = {
    "ack a send before it is stored": _acked_first,
    "handled sends are not stored": _not_remembered,
    "the next send is given too early": _next_too_early,
    "replies are not kept": _replies_not_kept,
}

CLIENT: Final[dict[str, Callable[[], None]]] = {
    "what was given is forgotten": _given_forgotten,
    "earlier outboxes are left": _left_behind,
    "an earlier outbox goes on": _old_goes_on,
}
