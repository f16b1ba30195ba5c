"""The client of tests/test_promises.py: a session for each pattern, in three steps, and what each saw is printed in the end.

First it begins, and the server has something of it in hand. Then, on a line where nothing passes any more, it says more. Then something dies,
and it finds out what became of all that. Where it died itself, ``again`` is what its second life finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

import landline

LIMITS = landline.Limits(redial_min=0.01, redial_max=0.05)

Steps = AsyncGenerator[None, None]
Seen = list[Any]
"""What becomes of what was said early, of what the server held, and of what was said late; and then whatever else there is to see."""


async def result(waiting: Awaitable[Any]) -> Any:
    """Return what it gives, or the name of what it raises."""
    try:
        return await waiting
    except landline.LandlineError as error:
        return type(error).__name__


async def status(waiting: Awaitable[landline.Outcome]) -> str:
    return (await waiting).status


# What each pattern does...


async def messages(session: landline.Session, seen: Seen, place: Place) -> Steps:
    early = await session.send("early")
    seen.append(await status(early))
    held = await session.send("held")
    await session.receive()
    yield
    late = await session.send("late")
    yield
    seen += [await status(held), await status(late)]
    await result(session.send("new"))
    while seen[-1] not in {"welcome", "SessionLost"}:
        seen.append(await result(session.receive()))


async def durable_sends(session: landline.Session, seen: Seen, place: Place) -> Steps:
    early = await session.send("early", durable=True)
    seen.append(await status(early))
    if seen[-1] != "acked":  # this server keeps none
        yield
        yield
        return
    held = await session.send("held", durable=True)
    await session.call("wait_held")
    yield
    late = await session.send("late", durable=True)
    yield
    seen += [await status(held), await status(late)]


async def publishes(session: landline.Session, seen: Seen, place: Place) -> Steps:
    early = asyncio.create_task(result(session.publish("publishes", "early")))
    held = asyncio.create_task(result(session.publish("publishes", "held")))
    await session.call("wait_held")
    yield
    kept = asyncio.Event()
    late = asyncio.create_task(result(session.publish("publishes", "late", on_kept=kept.set)))
    if place.storage:
        await kept.wait()
    yield
    seen += [is_stored(await early), is_stored(await held), is_stored(await late)]


async def subscriptions(session: landline.Session, seen: Seen, place: Place) -> Steps:
    subscription = session.subscribe("news", after="start")
    await session.call("tell", "early")
    seen.append(data_of(await anext(subscription)))
    assert subscription.position is not None
    place.write(subscription.position)
    yield
    yield
    seen.append(data_of(await result(anext(subscription))))


async def calls(session: landline.Session, seen: Seen, place: Place, method: str = "run") -> Steps:
    early = await session.call(method, "early")
    held = asyncio.create_task(result(session.call(method, "held")))
    await session.call("wait_held")
    yield
    late = asyncio.create_task(result(session.call(method, "late")))
    yield
    seen += [early, await held, await late]


def idempotent_calls(session: landline.Session, seen: Seen, place: Place) -> Steps:
    return calls(session, seen, place, "run again")


async def streams(session: landline.Session, seen: Seen, place: Place) -> Steps:
    async with session.stream("count") as stream:
        seen += [await stream.receive(), await stream.receive()]
        await session.call("wait_held")
        yield
        yield
        while seen[-1] not in {"FlowEnded", "CallUnknown", "SessionLost"}:
            seen.append(await result(stream.receive()))


async def files(session: landline.Session, seen: Seen, place: Place) -> Steps:
    sending = asyncio.create_task(result(session.send_file(place.make_file())))
    await session.call("wait_held")
    yield
    yield
    seen.append(is_there(await sending, place))


async def presence(session: landline.Session, seen: Seen, place: Place) -> Steps:
    async with session.presence("room", "early") as here:
        seen.append(await session.call("members"))
        yield
        late = asyncio.create_task(result(here.update("late")))
        yield
        seen.append(await late or await session.call("members"))


async def info(session: landline.Session, seen: Seen, place: Place) -> Steps:
    seen.append(await session.call("look"))
    yield
    yield
    seen.append(await result(session.call("look")))


async def credentials(session: landline.Session, seen: Seen, place: Place) -> Steps:
    assert place.shown == 1
    yield
    yield
    await result(session.call("look"))
    seen.append("shown again" if place.shown > 1 else "not shown again")


# What the second life of each finds...


async def find_messages(session: landline.Session, seen: Seen, place: Place) -> None:
    await (await session.send("new"))


async def find_durable_sends(session: landline.Session, seen: Seen, place: Place) -> None:
    await session.flush()


async def find_publishes(session: landline.Session, seen: Seen, place: Place) -> None:
    seen += [[earlier.data, is_stored(await result(earlier.position()))] for earlier in session.earlier]


async def find_subscriptions(session: landline.Session, seen: Seen, place: Place) -> None:
    seen.append(data_of(await anext(session.subscribe("news", after=place.read()))))


async def find_calls(session: landline.Session, seen: Seen, place: Place) -> None:
    seen.append(await session.call("run", "new"))


async def find_streams(session: landline.Session, seen: Seen, place: Place) -> None:
    seen += [number async for number in session.stream("count")]


async def find_files(session: landline.Session, seen: Seen, place: Place) -> None:
    seen.append(is_there(await session.send_file(place.make_file()), place))


async def find_presence(session: landline.Session, seen: Seen, place: Place) -> None:
    await session.call("wait_over", ["presence"])  # the session of the life before
    seen.append(await session.call("members"))


async def find_info(session: landline.Session, seen: Seen, place: Place) -> None:
    seen.append(await session.call("look"))


async def find_credentials(session: landline.Session, seen: Seen, place: Place) -> None:
    seen.append(f"shown {place.shown}")


Find = Callable[[landline.Session, Seen, "Place"], Awaitable[None]]

PATTERNS: dict[str, tuple[Callable[[landline.Session, Seen, Place], Steps], Find]] = {
    "messages": (messages, find_messages),
    "durable sends": (durable_sends, find_durable_sends),
    "publishes": (publishes, find_publishes),
    "subscriptions": (subscriptions, find_subscriptions),
    "calls": (calls, find_calls),
    "idempotent calls": (idempotent_calls, find_calls),
    "streams": (streams, find_streams),
    "files": (files, find_files),
    "presence": (presence, find_presence),
    "session.info": (info, find_info),
    "credentials": (credentials, find_credentials),
}


def is_stored(answer: Any) -> Any:
    return "stored" if isinstance(answer, landline.Position) else answer


def data_of(item: Any) -> Any:
    return item.data if isinstance(item, landline.Publication) else item


def is_there(sent: Any, place: Place) -> Any:
    return place.inbox() if isinstance(sent, landline.SentFile) else [sent, place.inbox()]


class Place:
    """What one pattern's client has besides its session: a folder, storage or not, and credentials, which say how often they were asked for."""

    def __init__(self, folder: Path, name: str, *, has_storage: bool) -> None:
        self.storage = folder / f"{name}.db" if has_storage else None
        self.shown = 0
        self._folder, self._name = folder, name
        self._file = folder / f"{name}.position"

    def show(self) -> str:
        self.shown += 1
        return self._name

    def make_file(self) -> Path:
        path = self._folder / "letter"
        path.write_text("dear all")
        return path

    def inbox(self) -> list[str]:
        """What has arrived, and can be seen."""
        return sorted(path.name for path in (self._folder / "inbox").glob("[!.]*"))

    def write(self, position: landline.Position) -> None:
        self._file.write_bytes(msgspec.msgpack.encode((position.epoch, position.offset)))

    def read(self) -> landline.Position:
        return landline.Position(*msgspec.msgpack.decode(self._file.read_bytes()))


def step(said: str) -> None:
    """Say how far it is, and wait for the word to go on."""
    print(said, flush=True)
    sys.stdin.readline()


async def main(address: str, folder: Path, *, has_storage: bool, is_again: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        seen: dict[str, Seen] = {name: [] for name in PATTERNS}
        running: list[Steps] = []
        for name, (begin, find) in PATTERNS.items():
            place = Place(folder, name, has_storage=has_storage)
            session = await stack.enter_async_context(
                landline.connect(address, credentials=place.show, storage=place.storage, limits=LIMITS)
            )
            if is_again:
                await find(session, seen[name], place)
            else:
                running.append(begin(session, seen[name], place))
        if not is_again:
            for said in ("begun", "waiting"):
                await asyncio.gather(*map(anext, running))
                await asyncio.to_thread(step, said)
            await asyncio.gather(*(anext(steps, None) for steps in running))
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1],
            Path(sys.argv[2]),
            has_storage="storage" in sys.argv,
            is_again="again" in sys.argv,
        )
    )
