"""What a receiving thread is handed without a way to the loop for each: the peer is told just what it is told without this."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import landline
from landline import sync
from landline.sync import ahead

pytestmark = pytest.mark.timeout(60)

PROMPT = landline.Limits(ack_delay=0.001)


class Peer:
    """The other end: its session, once there is one."""

    def __init__(self) -> None:
        self.session: asyncio.Queue[landline.Session] = asyncio.Queue()
        self.over = asyncio.Event()
        self.address = ""

    async def program(self, session: landline.Session) -> None:
        await self.session.put(session)
        await self.over.wait()


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    peer = Peer()
    async with landline.serve(
        peer.program, "tcp://127.0.0.1:0", limits=PROMPT, storage=str(tmp_path / "peer.db")
    ) as listening:
        peer.address = listening.addresses[0]
        yield peer
        peer.over.set()


async def begun(peer: Peer, client: sync.Session) -> tuple[landline.Session, list[landline.Receipt]]:
    """Send ten messages, and have the client look at all of them."""
    there = await peer.session.get()
    receipts = [await there.send(number) for number in range(10)]
    while len(client._session._messages._flow.inbox) < 10:
        await asyncio.to_thread(client._bridge.run, partial(asyncio.sleep, 0.001))
    assert await asyncio.to_thread(client.receive) == 0
    return there, receipts


def count_acked(receipts: list[landline.Receipt]) -> int:
    return sum(receipt.outcome == landline.Outcome("acked") for receipt in receipts)


async def test_a_message_is_handled_when_the_next_is_asked_for(peer: Peer) -> None:
    """Those that were looked at are not, and the one in hand is not."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    _, receipts = await begun(peer, client)

    for number in range(1, 10):
        assert client.receive() == number
        assert (await receipts[number - 1]).is_acked
        await asyncio.to_thread(
            client._bridge.run, partial(asyncio.sleep, 0.005)
        )  # a premature ack would have come
        assert count_acked(receipts) == number
    await asyncio.to_thread(client.ack)
    assert (await receipts[9]).is_acked
    await asyncio.to_thread(client.close)


async def test_whoever_leaves_in_peace_is_done_with_what_it_took(peer: Peer) -> None:
    """And with nothing that it was not handed."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    there, receipts = await begun(peer, client)
    with client:
        assert [client.receive() for _ in range(3)] == [1, 2, 3]
        leaving = asyncio.create_task(asyncio.to_thread(client.__exit__, None, None, None))
        await there.wait_closed()
    await leaving

    assert [(await receipt).status for receipt in receipts] == ["acked"] * 4 + ["unknown"] * 6


async def test_a_session_that_is_closed_here_hands_out_no_more(peer: Peer) -> None:
    """As where it is awaited."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    await begun(peer, client)
    await asyncio.to_thread(client.close)

    with pytest.raises(landline.SessionClosed):
        client.receive()


async def test_a_session_that_is_closed_there_hands_out_what_came(peer: Peer) -> None:
    """Everything, and then that it is closed."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    await begun(peer, client)
    peer.over.set()

    assert await asyncio.to_thread(list, client) == list(range(1, 10))


def durable_in(client: sync.Session) -> int:
    """Count the durable ones that are there for it."""
    intake = client._session._bare.intake
    return 0 if intake is None else len(intake._flow.core.inbox)  # type: ignore[attr-defined]


async def test_a_durable_one_is_handled_when_the_next_is_asked_for(peer: Peer) -> None:
    """Though that was looked at before."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    there = await peer.session.get()
    durable = await there.send("durable", durable=True)
    plain = [await there.send(number) for number in range(3)]
    while len(client._session._messages._flow.inbox) < 3 or not durable_in(client):
        await asyncio.to_thread(client._bridge.run, partial(asyncio.sleep, 0.001))

    assert await asyncio.to_thread(client.receive) == "durable"
    assert durable.outcome is None
    assert client.receive() == 0
    assert (await durable).is_acked
    assert count_acked(plain) == 0
    await asyncio.to_thread(client.close)


@pytest.mark.parametrize("is_counted", [False, True])
async def test_what_cannot_be_read_ends_the_session_where_it_stands(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, is_counted: bool
) -> None:
    """What came before it is handed out first; also where the loop counts what was handed out just then."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    there = await peer.session.get()
    for value in ("first", "second", {"third": 3}, "fourth"):
        _ = await there.send(value)
    while len(client._session._messages._flow.inbox) < 4:
        await asyncio.to_thread(client._bridge.run, partial(asyncio.sleep, 0.001))
    inbox = client._session._messages._flow.inbox
    third, cost = inbox[2]
    third._payload = b"\xc1"  # no msgpack
    inbox[2] = (third, cost)
    unpacked, counts = ahead._unpacked, [client._ahead.catch_up] if is_counted else []

    def unpack(value: Any) -> Any:
        if value is third and counts:
            client._bridge.call(counts.pop())
        return unpacked(value)

    monkeypatch.setattr(ahead, "_unpacked", unpack)
    assert [await asyncio.to_thread(client.receive) for _ in range(2)] == ["first", "second"]
    with pytest.raises(landline.SessionLost, match="not what its type says"):
        await asyncio.to_thread(client.receive)


async def test_what_one_thread_has_looked_at_no_other_takes(peer: Peer) -> None:
    """Two wait when ten come in one breath: each of the ten is handed out once."""
    client = await asyncio.to_thread(sync.connect, peer.address, limits=PROMPT)
    there = await peer.session.get()
    got: list[int] = []
    waiting = [asyncio.create_task(asyncio.to_thread(lambda: got.extend(client))) for _ in range(2)]

    async def count_calls() -> int:
        return sum(task.get_name() == "landline blocking call" for task in asyncio.all_tasks()) - 1

    while await asyncio.to_thread(client._bridge.run, count_calls) < 2:
        pass
    for number in range(10):
        _ = there.send_nowait(number)
    await there.flush()
    peer.over.set()
    await asyncio.gather(*waiting)

    assert sorted(got) == list(range(10))


INTERRUPTED = """
import signal, sys
from landline import Limits, sync

COUNT = 5000
got, interrupted = [], 0

async def program(session):
    for number in range(COUNT):
        await session.send(number)
        if number % 40 == 0:
            await session.flush()  # the other end is waiting then
    await session.flush()

def interrupt(signum, frame):
    global interrupted
    if frame.f_code.co_name == "_remove":
        return  # of a set of weak references: what is raised there is not heard
    while frame is not None:
        if frame.f_code.co_name == "receive" and frame.f_code.co_filename.endswith("sync/session.py"):
            interrupted += 1
            raise KeyboardInterrupt
        frame = frame.f_back

import landline
from landline.sync.daemon import daemon
with daemon().bridge.hold(landline.serve(program, "tcp://127.0.0.1:0")) as listening:
    session = sync.connect(listening.addresses[0], limits=Limits(ack_delay=0.001))
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    while len(got) < COUNT:
        try:
            got.append(session.receive())
        except KeyboardInterrupt:
            pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    session.close()
assert got == list(range(COUNT)), [n for n in range(COUNT) if got[n] != n][:3]
print("interrupted", interrupted)
"""


def test_ctrl_c_loses_no_message() -> None:
    """Thousands of them, at whatever instruction of ``receive``."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=50, check=False
    )

    assert done.stderr == ""
    assert int(done.stdout.removeprefix("interrupted ")) > 50
