"""The bad network itself: it passes what it should, and does each fault where and when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import landline
from landline.testing.network import Faults, Proxy, bad_network

pytestmark = pytest.mark.timeout(20)


class Lines:
    """A server that hands out its callers, behind a bad network."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._callers: asyncio.Queue[landline.Caller] = asyncio.Queue()
        self.proxy: Proxy

    async def begin(self, faults: Faults | None = None, seed: int = 0, host: str = "127.0.0.1") -> None:
        server = landline.Server(limits=landline.Limits(close_timeout=0.1))
        gone = asyncio.Event()

        @server.plain
        async def keep(caller: landline.Caller) -> None:
            self._callers.put_nowait(caller)
            await gone.wait()

        listening = await self._stack.enter_async_context(server.listen(f"tcp://{host}:0"))
        self._stack.callback(gone.set)
        self.proxy = await self._stack.enter_async_context(
            bad_network(listening.addresses[0], faults, seed=seed)
        )

    async def line(self) -> tuple[landline.Caller, landline.Caller]:
        """Both ends of a new line; the first byte has passed already."""
        ours = await landline.dial(self.proxy.address)
        self._stack.callback(ours.abort)
        ours.send(b"!")
        theirs = await self._callers.get()
        self._stack.callback(theirs.abort)
        assert await theirs.receive() == b"!"
        return ours, theirs


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    async with AsyncExitStack() as stack:
        yield Lines(stack)


async def all_of(caller: landline.Caller) -> bytes:
    """Everything until the end."""
    data = b""
    while chunk := await caller.receive():
        data += chunk
    return data


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_without_faults_everything_passes(lines: Lines, host: str) -> None:
    """Both ways, the end of each direction by itself."""
    await lines.begin(host=host)
    ours, theirs = await lines.line()
    payload = bytes(range(256)) * 2000
    theirs.send(payload)
    ours.send(payload)
    closing = asyncio.ensure_future(theirs.close())

    assert await all_of(ours) == payload
    await ours.close()
    await closing
    assert lines.proxy.cuts == lines.proxy.freezes == 0


@pytest.mark.parametrize("scheme", ["tcp", "ws", "unix"])
async def test_the_proxy_has_an_address_of_the_same_kind(scheme: str, tmp_path: Path) -> None:
    """What passes is not looked at: a session goes through, and is cut, over whatever the server takes."""

    async def echo(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message)

    places = (f"unix://{tmp_path}/s", "tcp://127.0.0.1:0")
    async with asyncio.timeout(15), landline.serve(echo, *places) as listening:
        target = listening.addresses[scheme != "unix"].replace("tcp://", f"{scheme}://")
        async with (
            bad_network(target) as proxy,
            landline.connect(proxy.address, pause=lambda _: 0.0) as session,
        ):
            assert proxy.address.startswith(f"{scheme}://")
            assert proxy.address != target
            for message in ("one", "two"):
                _ = await session.send(message)
                assert await session.receive() == message
                proxy.cut()
            assert proxy.passed_up > 100

    assert not list(tmp_path.iterdir())


async def test_slices_are_small(lines: Lines) -> None:
    """And nothing of them is lost."""
    await lines.begin(Faults(slice_to=3))
    ours, theirs = await lines.line()
    theirs.send(b"0123456789" * 100)
    data = b""
    while len(data) < 1000:
        data += await ours.receive()

    assert data == b"0123456789" * 100


async def test_a_cut_takes_a_beginning_and_resets_the_rest(lines: Lines) -> None:
    """What arrives is a true beginning of what was sent, and both ends lose the line."""
    await lines.begin(Faults(cut_every=5000), seed=1)
    ours, theirs = await lines.line()
    payload = bytes(range(256)) * 400
    theirs.send(payload)
    got = await all_of(ours)

    assert len(got) < len(payload)
    assert payload.startswith(got)
    assert await all_of(theirs) == b""
    assert lines.proxy.cuts == 1


async def test_a_seed_cuts_at_the_same_place(lines: Lines) -> None:
    """A failure can be looked at again."""
    ends = []
    for _ in range(2):
        await lines.begin(Faults(cut_every=3000), seed=7)
        ours, theirs = await lines.line()
        theirs.send(b"x" * 100_000)
        ends.append(len(await all_of(ours)))

    assert ends[0] == ends[1] < 100_000


async def test_cutting_by_hand(lines: Lines) -> None:
    """Every line goes, and the next one is let through."""
    await lines.begin()
    first, second = await lines.line(), await lines.line()
    lines.proxy.cut()
    for end in (*first, *second):
        assert await all_of(end) == b""

    await lines.line()


async def test_an_end_that_resets_is_reset_at_the_other(lines: Lines) -> None:
    """A proxy that keeps a dead line open would be a fault that nobody asked for."""
    await lines.begin()
    ours, theirs = await lines.line()
    theirs.send(b"unread")
    await asyncio.sleep(0)
    ours.abort()

    assert await all_of(theirs) == b""


async def test_a_freeze_holds_old_lines_and_new_ones(lines: Lines) -> None:
    """Nobody is told; after the thaw all of it arrives."""
    await lines.begin()
    ours, theirs = await lines.line()
    lines.proxy.freeze()
    ours.send(b"frozen")
    late = asyncio.ensure_future(lines.line())
    with pytest.raises(TimeoutError):
        await theirs.receive(timeout=0.05)
    assert not late.done()

    lines.proxy.thaw()
    assert await theirs.receive() == b"frozen"
    await late


async def test_a_freeze_by_chance_loses_nothing(lines: Lines) -> None:
    """It takes time, that is all."""
    await lines.begin(Faults(freeze_every=1000, freeze_for=0.001, slice_to=500), seed=3)
    ours, theirs = await lines.line()
    theirs.send(b"y" * 20_000)
    size = 0
    while size < 20_000:
        size += len(await ours.receive())

    assert size == 20_000


async def test_refusing(lines: Lines) -> None:
    """Nobody gets through, as when nobody listens."""
    await lines.begin()
    lines.proxy.is_refusing = True
    ours = await landline.dial(lines.proxy.address)

    assert await all_of(ours) == b""
    await ours.close()
