"""A server with methods to call, whose program does nothing, and a client of it; what the methods did stands in a book."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec

import landline

_numbers = count(1)
LIMITS = landline.Limits(redial_min=0.01, redial_max=0.05)


class Item(msgspec.Struct):
    name: str
    amount: int = 1


class Shop:
    """Methods, and a book of what they did."""

    def __init__(self) -> None:
        self.methods = landline.Methods()
        self.book: list[Any] = []
        self.may_go_on = asyncio.Event()
        self.running = 0
        self.sessions: list[landline.Session] = []
        methods: list[Callable[..., Any]] = [self.add, self.note, self.wait, self.fail]
        methods += [self.refuse, self.buy, self.double, self.ask]
        for method in methods:
            self.methods.method(method)
        self.methods.method(name="again", idempotent=True)(self.again)

    async def add(self, a: int, b: int = 2) -> int:
        """Add two numbers.

        Nothing else.
        """
        return a + b

    async def note(self, number: int, wait: bool = False) -> int:
        self.book.append(number)
        if wait:
            await asyncio.sleep(0)
        return number

    async def wait(self, number: int = 0) -> int:
        """Wait until the test says so."""
        self.running += 1
        self.book.append(("began", number))
        try:
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.book.append(("cancelled", number))
            raise
        finally:
            self.running -= 1
        return number

    async def again(self, number: int) -> int:
        return await self.wait(number)

    async def fail(self) -> None:
        raise KeyError("a secret")

    async def refuse(self) -> None:
        raise landline.CallFailed("no such account", type="not found", data={"account": 7})

    async def buy(self, session: landline.Session, item: Item, *, cash: bool) -> dict[str, Any]:
        return {"name": item.name, "amount": item.amount, "cash": cash, "session": session.id}

    def double(self, number: int) -> tuple[int, str]:
        return 2 * number, threading.current_thread().name

    async def ask(self, session: landline.Session, method: str, number: int) -> Any:
        return await session.call(method, number)


@asynccontextmanager
async def opened(
    shop: Shop | None = None,
    *,
    limits: landline.Limits = LIMITS,
    client: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Shop, landline.Session, landline.Session]]:
    """Yield a shop, a client's session with it, and the server's end of that."""
    shop = Shop() if shop is None else shop
    begun: asyncio.Future[landline.Session] = asyncio.get_running_loop().create_future()

    async def program(session: landline.Session) -> None:
        begun.set_result(session)
        await session.wait_closed()

    address = f"memory://shop-{next(_numbers)}"
    server = landline.Server(program, methods=shop.methods, limits=limits, **options)
    async with server.listen(address):
        async with landline.connect(address, **{"limits": limits, **(client or {})}) as session:
            yield shop, session, await begun


async def turns(count: int = 50) -> None:
    """Whoever can go on does."""
    for _ in range(count):
        await asyncio.sleep(0)
