"""Ways to break durable sends on purpose, see ``breaks``: each must be found by what it does to the books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import landline.client
from landline.patterns import outbox
from landline.patterns.intake import DurableIntake
from landline.patterns.origins import Origins
from landline.patterns.outbox import KeptOutbox
from landline.protocol.publish import Origin
from landline.sessions.bare import BareSession
from landline.sessions.flow import BareFlow

_later: set[asyncio.Task[Any]] = set()


def _acked_first() -> None:
    """A send is acked a little before it is stored that it is handled."""
    keep = Origins.keep

    async def begins(self: Origins, key: str, origin: Origin, numbers: list[int], last: int) -> None:
        task = asyncio.get_running_loop().create_task(keep(self, key, origin, numbers, last))
        _later.add(task)
        task.add_done_callback(_later.discard)

    Origins.keep = begins  # type: ignore[method-assign]


def _not_remembered() -> None:
    """What is handled is not stored at all."""

    async def keep(self: Origins, key: str, origin: Origin, numbers: list[int], last: int) -> None:
        del self, key, origin, numbers, last

    Origins.keep = keep  # type: ignore[method-assign]


def _next_too_early() -> None:
    """A program is given the next one while it is still being stored that it handled the last."""
    take = DurableIntake.take

    def takes(self: DurableIntake, bare: BareSession) -> Any:
        keeping, self._keeping = self._keeping, None
        try:
            return take(self, bare)
        finally:
            self._keeping = keeping

    DurableIntake.take = takes  # type: ignore[method-assign]


def _replies_not_kept() -> None:
    """The server says that what it sends is on its disk, and it is not."""

    async def keep(self: KeptOutbox, number: int) -> None:
        self.publisher.kept(number)

    KeptOutbox.keep = keep  # type: ignore[method-assign]


def _given_forgotten() -> None:
    """A client does not know with the next life of the server what its program was given."""
    serve = DurableIntake.serve

    async def serves(self: DurableIntake, bare: BareSession, flow: BareFlow, *, is_known: bool) -> None:
        if self._in_hand is None:
            self._origin = Origin()
        await serve(self, bare, flow, is_known=is_known)

    DurableIntake.serve = serves  # type: ignore[method-assign]


def _left_behind() -> None:
    """A client does not send what the lives before it left in their outboxes."""
    client = vars(landline.client)
    chain = client["chain"]
    client["chain"] = lambda bare, purpose, kept: chain(bare, purpose, kept[-1:])


def _old_goes_on() -> None:
    """A client puts what is new into the outbox that an earlier life left, also into one out of an old copy."""
    outbox._MOST_LEFT = 1  # type: ignore[misc]


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
