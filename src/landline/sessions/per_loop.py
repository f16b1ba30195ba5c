"""What each event loop has one of, such as its alarms: made when it is first asked for, and gone when the loop is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

Kept = TypeVar("Kept")


def per_loop(make: Callable[[asyncio.AbstractEventLoop], Kept]) -> Callable[[], Kept]:
    """Return a function that returns the running loop's own.

    It is not kept here: by whom it is used, and by what it has scheduled in its loop. It leads back to the loop, so a mapping that kept it
    would keep the loop, even one with weak keys.

    Args:
        make: makes it for a loop, which it must hold: while it lives, no other loop has the same ``id``.
    """
    found: WeakValueDictionary[int, Kept] = WeakValueDictionary()

    def of_this_loop() -> Kept:
        loop = asyncio.get_running_loop()
        its = found.get(id(loop))
        if its is None:
            its = found[id(loop)] = make(loop)
        return its

    return of_this_loop
