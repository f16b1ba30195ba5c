"""How long a WebSocket waits for the peer's Close."""

from __future__ import annotations

import asyncio

from landline.limits import TRANSPORT
from landline.testing.transport_conformance import Recorder
from landline.transports.websocket import WebSocketTransport
from landline.transports.websocket.frames import encode_close
from tests.transports.websocket.lines import FakeLine

VIRTUAL_TIME = True


async def closing() -> FakeLine:
    """Return the line of a WebSocket that was just closed."""
    line = FakeLine()
    transport = WebSocketTransport(line, is_client=True)
    transport.start(Recorder())
    await asyncio.sleep(0)
    transport.close()
    return line


async def test_a_peer_that_does_not_answer_a_close_is_not_waited_for() -> None:
    """The line is closed after as long as it would itself wait for an end."""
    line = await closing()
    await asyncio.sleep(TRANSPORT.linger - 0.01)
    assert "close" not in line.done

    await asyncio.sleep(0.02)
    assert line.done[-1] == "close"


async def test_nobody_waits_when_the_line_is_gone() -> None:
    """Nothing is done to a line that was lost."""
    line = await closing()
    line.lose()
    done = list(line.done)
    await asyncio.sleep(TRANSPORT.linger * 2)

    assert line.done == done


async def test_an_answer_ends_the_wait() -> None:
    """At once."""
    line = await closing()
    line.say(encode_close(1000))

    assert line.done[-1] == "close"
