"""Fixtures for pytest; a test suite takes them with ``pytest_plugins = ["landline.testing.fixtures"]`` in its ``conftest.py``.

They need pytest with pytest-asyncio, and close what they opened when the test is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest_asyncio

from .network import Faults, Proxy, bad_network
from .pair import Pair, pair


@pytest_asyncio.fixture
async def landline_pair() -> AsyncIterator[Callable[..., Awaitable[Pair]]]:
    """Two ends of a session.

    ``client, server = await landline_pair()``; it takes what ``landline.testing.pair.pair`` takes.
    """
    async with AsyncExitStack() as stack:

        async def open_pair(*args: object, **options: object) -> Pair:
            return await stack.enter_async_context(pair(*args, **options))  # type: ignore[arg-type]

        yield open_pair


@pytest_asyncio.fixture
async def landline_network() -> AsyncIterator[Callable[..., Awaitable[Proxy]]]:
    """A bad network in front of a server.

    ``proxy = await landline_network("tcp://…", Faults(cut_every=1000))``
    """
    async with AsyncExitStack() as stack:

        async def open_network(target: str, faults: Faults | None = None, *, seed: int = 0) -> Proxy:
            return await stack.enter_async_context(bad_network(target, faults, seed=seed))

        yield open_network
