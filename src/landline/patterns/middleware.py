"""What stands around the things that clients ask of a server: plain functions, each of which hands on to the next, or does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec


class Call(msgspec.Struct, frozen=True):
    """Something that a client asks for, as a server's middlewares see it; ``authorize`` has allowed it.

    Attributes:
        session: whose; its ``principal`` says who.
        verb: ``"publish"``, ``"call"`` for calls and streams alike, or ``"send"`` for a file or folder that is offered.
        object: of what: the topic, the method, the file's name as it would be stored.
        data: what came with it: what is to be published, or a method's arguments by their names, read already. ``call.replace(data=…)`` hands on something else.
            Of a file its ``size``, its ``files`` and ``is_folder``, to look at: it is received as it was offered.
    """

    session: Any
    verb: str
    object: str
    data: Any

    def replace(self, *, data: Any) -> Call:
        """Return the same with other data."""
        return Call(self.session, self.verb, self.object, data)


Proceed = Callable[[Call], Awaitable[Any]]
"""Goes on with a call; returns what comes of it."""

Middleware = Callable[[Call, Proceed], Awaitable[Any]]
"""Takes a call and what goes on with it; returns what comes of it, or raises to refuse."""


def through(middlewares: Sequence[Middleware], last: Proceed) -> Proceed:
    """Return what goes on with a call through all of them, the first one outermost, to the last."""
    for middleware in reversed(middlewares):
        last = partial(_hand_on, middleware, last)
    return last


def _hand_on(middleware: Middleware, proceed: Proceed, call: Call) -> Awaitable[Any]:
    return middleware(call, proceed)
