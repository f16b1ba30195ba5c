"""One dial: the answer, the refusal, the next address, and the time that all of it has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import landline
from landline.errors import ConnectError, ConnectTimeout
from landline.limits import Limits
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Hello
from landline.sessions.dial import Turndown, dial_any, prefer
from landline.transports import Transport, open_listener, parse_address

if TYPE_CHECKING:
    from .conftest import Place

VIRTUAL_TIME = True

HELLO = Hello(life=b"l" * 16, window=1, max_message=1)


async def dial(*addresses: str, timeout: float = 5) -> Any:
    return await dial_any(
        [parse_address(address) for address in addresses],
        HELLO,
        Limits(),
        timeout=timeout,
        jitter=lambda: 0.0,
    )


class Ignores:
    """A receiver that does nothing with what it is told."""

    def data_received(self, data: bytes) -> None: ...

    def data_ended(self) -> None: ...

    def writable(self) -> None: ...

    def lost(self, error: Exception | None) -> None: ...


async def test_the_first_that_welcomes_is_taken(place: Place) -> None:
    """Addresses where nobody is are passed over."""
    await place.serve()
    answer = await dial("memory://nobody", place.address, "memory://never-asked")

    assert answer.driver.transport.peer == str(answer.address) == place.address
    assert answer.welcome.session
    answer.driver.abort()


async def test_a_refusal_is_an_answer(place: Place) -> None:
    """Somebody is there and says no: the others are not asked."""
    await place.serve(authenticate=lambda credentials: None)
    with pytest.raises(Turndown) as turned:
        await dial(place.address, "memory://never-asked")

    assert turned.value.refusal.code is CloseCode.UNAUTHORIZED
    assert turned.value.address == place.address


async def test_the_last_failure_is_told(place: Place) -> None:
    """With its address."""
    with pytest.raises(ConnectError) as failed:
        await dial("memory://one", "memory://two")

    assert failed.value.address == "memory://two"


async def test_one_that_says_nothing_leaves_time_for_the_others(place: Place) -> None:
    """Each has its share of the time: a server behind a dead line does not hide the one that lives."""
    await place.serve()
    listener = await open_listener(
        parse_address("memory://mute"), lambda line: line.start(Ignores()), backlog=1
    )
    begun = asyncio.get_running_loop().time()
    answer = await dial("memory://mute", place.address, timeout=6)
    listener.close()

    assert asyncio.get_running_loop().time() - begun == 3
    assert str(answer.address) == place.address
    answer.driver.abort()


@pytest.mark.parametrize("seconds", [2.0, 60.0])
async def test_the_time_to_connect_is_the_one_that_was_set(seconds: float, place: Place) -> None:
    """For a server that takes the call and says nothing, whatever a server allows its callers."""
    listener = await open_listener(
        parse_address("memory://mute"), lambda line: line.start(Ignores()), backlog=1
    )
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ConnectTimeout, match=f"no answer within {seconds:g} s"):
        await landline.connect("memory://mute", limits=landline.Limits(connect_timeout=seconds))
    listener.close()

    assert asyncio.get_running_loop().time() - begun == seconds


async def test_a_server_that_is_full_leaves_the_others(place: Place) -> None:
    """Who may come back later may as well ask elsewhere now; if all are full, the last says so."""
    await place.serve()
    full = landline.Server(lambda session: session.wait_closed(), limits=landline.Limits(max_sessions=1))
    async with full.listen("memory://full"), landline.connect("memory://full"):
        answer = await dial("memory://full", place.address)
        assert str(answer.address) == place.address
        answer.driver.abort()
        with pytest.raises(Turndown) as turned:
            await dial("memory://full")

    assert turned.value.refusal.code is CloseCode.BUSY


@pytest.mark.parametrize(
    "order", [("memory://full", "memory://nobody"), ("memory://nobody", "memory://full")]
)
async def test_when_to_come_back_counts_more_than_who_is_not_there(order: tuple[str, str]) -> None:
    """A server that is full has said when to ask again; that nobody is at another address takes nothing from it."""
    full = landline.Server(lambda session: session.wait_closed(), limits=landline.Limits(max_sessions=1))
    async with full.listen("memory://full"), landline.connect("memory://full"):
        with pytest.raises(Turndown) as turned:
            await dial(*order)

    assert turned.value.refusal.retry_in == 5.0


@pytest.mark.parametrize(
    ("redirect", "order", "followed"),
    [
        ("memory://c", "cab", "memory://c"),
        ("memory://a", "abc", "memory://a"),
        ("memory://evil", "abc", ""),
        ("rubbish", "abc", ""),
    ],
)
def test_a_redirect_goes_to_an_address_of_ours_only(redirect: str, order: str, followed: str) -> None:
    """Whoever names another one is told nothing and trusted with nothing."""
    ours = [parse_address(f"memory://{name}") for name in "abc"]

    assert str(prefer(ours, redirect) or "") == followed
    assert "".join(address.path for address in ours) == order


@pytest.mark.limit("connect_timeout")
async def test_the_time_is_for_all_of_them() -> None:
    """One that takes the call and says nothing has its share of it, and its line is closed."""
    lines: list[Transport] = []
    gone = asyncio.Event()

    def accept(transport: Transport) -> None:
        transport.on_lost = lambda _: gone.set()
        transport.start(Ignores())
        lines.append(transport)

    listener = await open_listener(parse_address("memory://mute"), accept, backlog=1)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ConnectTimeout, match="no answer within 5 s"):
        await dial("memory://nobody", "memory://mute")
    listener.close()

    assert asyncio.get_running_loop().time() - begun == 5
    assert len(lines) == 1
    async with asyncio.timeout(1):
        await gone.wait()
