"""One dial: the answer, the refusal, the next address, and the time that all of it has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from landline.errors import ConnectError, ConnectTimeout
from landline.limits import Limits
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Hello
from landline.sessions.dial import Turndown, dial_any
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
    driver, event = await dial("memory://nobody", place.address, "memory://never-asked")

    assert driver.transport.peer == place.address
    assert event.welcome.session
    driver.abort()


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


@pytest.mark.limit("connect_timeout")
async def test_the_time_is_for_all_of_them() -> None:
    """One that takes the call and says nothing uses it up, and its line is closed."""
    lines: list[Transport] = []
    gone = asyncio.Event()

    def accept(transport: Transport) -> None:
        transport.on_lost = gone.set
        transport.start(Ignores())
        lines.append(transport)

    listener = await open_listener(parse_address("memory://mute"), accept, backlog=1)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ConnectTimeout, match="no answer within 5 s"):
        await dial("memory://mute", "memory://nobody")
    listener.close()

    assert asyncio.get_running_loop().time() - begun == 5
    assert len(lines) == 1
    async with asyncio.timeout(1):
        await gone.wait()
