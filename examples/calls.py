"""Calls in both directions: the server's methods, one of them asking the client back while it runs, and what goes wrong."""

import asyncio

import msgspec

import landline

server = landline.Server()
at_client = landline.Methods()


class Item(msgspec.Struct):
    """What there is to buy."""

    name: str
    price: float


@server.method(idempotent=True)
async def total(items: list[Item]) -> float:
    """Add up what is in a basket."""
    return sum(item.price for item in items)


@server.method
async def buy(item: Item, session: landline.Session) -> str:
    """Sell something to who confirms it."""
    if item.price > 100:
        raise landline.CallFailed("too dear", type="refused", data={"most": 100})
    is_sure = await session.call("confirm", f"{item.name} for {item.price:.2f}")
    return "sold" if is_sure else "kept"


@at_client.method
async def confirm(what: str) -> bool:
    print(f"buy {what}? yes")
    return True


async def main() -> None:
    async with server.listen("tcp://localhost:0") as listening:
        async with landline.connect(listening.addresses[0], methods=at_client) as session:
            tea, car = Item("tea", 4.5), Item("car", 9000)
            print(await session.call("total", [tea, tea], timeout=5))
            print(await session.call("buy", tea))
            session.drop()  # the line, and not the call
            print(await session.call("buy", item=tea))
            for wrong in (car, {"name": "tea"}):
                try:
                    await session.call("buy", wrong)
                except landline.CallFailed as error:
                    print(error.type, "|", error.message, "|", error.data)


if __name__ == "__main__":
    asyncio.run(main())
