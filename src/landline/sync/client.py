"""Connecting from blocking code: ``with landline.sync.connect(address) as session``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import ParamSpec

from ..client import connect as _connect
from ..errors import ConnectTimeout
from ..session import Session as _Session
from .daemon import daemon
from .session import Session

P = ParamSpec("P")


def _as(opening: Callable[P, _connect]) -> Callable[P, Session]:
    """Return what blocks where the other one is awaited, with the same parameters."""

    def connect(*addresses: P.args, **options: P.kwargs) -> Session:
        """Open a session; takes what ``landline.connect`` takes, and raises what it raises.

        Close it, or leave it by ``with``. One that is open when the interpreter exits is closed then. Ctrl-C while it dials leaves nothing open.
        """
        home = daemon()

        async def opened() -> _Session:
            session = await opening(*addresses, **options)
            home.keep(session)
            return session

        try:
            return Session(home.bridge, home.bridge.run(opened, None, home.drop))
        except ConnectTimeout as error:
            if asyncio._get_running_loop() is None:
                raise
            why = f"{error.reason}; the loop of this thread stood still meanwhile: a server on it is dialled by `await landline.connect`, or from another thread"
            raise ConnectTimeout(error.address, why) from error

    connect.__module__ = "landline.sync"
    connect.__qualname__ = "connect"
    connect.__signature__ = inspect.signature(opening).replace(return_annotation=Session)  # type: ignore[attr-defined]
    return connect


connect = _as(_connect)
