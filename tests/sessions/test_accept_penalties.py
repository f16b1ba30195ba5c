"""Sources that misbehave at the server's door are refused, for exactly as much as they did; others get in all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import landline
from landline.protocol.frames import MAGIC, FrameType, encode_frame
from landline.sessions.accept import Acceptor

VIRTUAL_TIME = True

BAD = "192.0.2.1"
GOOD = "192.0.2.2"


def authenticate(credentials: Any) -> Any:
    """Anybody but those who say ``bad``; for ``crash`` and ``later`` it fails, at once or after a while."""

    async def fail_later() -> str:
        await asyncio.sleep(0)
        raise RuntimeError("a bug of the program")

    if credentials == "crash":
        raise RuntimeError("a bug of the program")
    if credentials == "later":
        return fail_later()
    return None if credentials == "bad" else ""


class Gate:
    """A server's gate, and strangers who come to it."""

    def __init__(self, wired: Any, **limits: Any) -> None:
        self._wired = wired
        self.acceptor = Acceptor(
            landline.Limits(**limits), begin=lambda session: None, plain=None, authenticate=authenticate
        )

    def comes(self, source: str, said: bytes = b"") -> Any:
        stranger = self._wired.FromAfar(source)
        stranger.written = []
        stranger.write = stranger.written.append
        self.acceptor.accept(stranger)
        if said and stranger.is_open:
            stranger._receiver.data_received(said)
        return stranger

    def is_refused(self, source: str) -> bool:
        """Whether a stranger with a good hello is hung up on without a word."""
        stranger = self.comes(source, self._wired.hello())
        is_refused = not stranger.is_open
        assert not is_refused or (stranger._receiver is None and not stranger.written)
        stranger.abort()
        return is_refused


@pytest.fixture
async def gate(wired: Any) -> Gate:
    return Gate(wired)


async def settle() -> None:
    """Let what was caused happen."""
    for _ in range(5):
        await asyncio.sleep(0)


def leaves(gate: Gate, wired: Any) -> None:
    gate.comes(BAD, wired.hello()[:20]).abort()


def leaves_silently(gate: Gate, wired: Any) -> None:
    gate.comes(BAD).abort()


def browses(gate: Gate, wired: Any) -> None:
    gate.comes(BAD, b"GET / HTTP/1.1\r\n")


def lies(gate: Gate, wired: Any) -> None:
    gate.comes(BAD, wired.hello(credentials="bad"))


def breaks_a_rule(gate: Gate, wired: Any) -> None:
    gate.comes(BAD, MAGIC + encode_frame(FrameType.PING))


def asks_in_vain(gate: Gate, wired: Any) -> None:
    gate.comes(BAD, wired.hello(credentials="crash"))


def asks_in_vain_for_long(gate: Gate, wired: Any) -> None:
    gate.comes(BAD, wired.hello(credentials="later"))


def finds_a_bug(gate: Gate, wired: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate.acceptor._host, "receive", lambda *arguments: 1 / 0)
        gate.comes(BAD, wired.hello())


@pytest.mark.parametrize(
    ("misbehave", "borne"),
    [
        (leaves, 14),
        (leaves_silently, 14),
        (browses, 14),
        (lies, 2),
        (breaks_a_rule, 1),
        (asks_in_vain, 14),
        (asks_in_vain_for_long, 14),
        (finds_a_bug, 0),
    ],
)
async def test_so_often_it_is_borne_and_no_more(
    misbehave: Callable[[Gate, Any], None], borne: int, gate: Gate, wired: Any
) -> None:
    """Fifteen seconds are too many: then the source is dropped before anything is done for it, and nobody else is."""
    for _ in range(borne):
        misbehave(gate, wired)
    await settle()
    assert not gate.is_refused(BAD)

    misbehave(gate, wired)
    await settle()
    assert gate.is_refused(BAD)
    assert not gate.is_refused(GOOD)
    assert not gate.is_refused("")
    await gate.acceptor.drain(retry_in=1)


async def test_who_is_slow_twice_is_refused(gate: Gate, wired: Any) -> None:
    """A hello that is not complete in time costs ten seconds; all is forgiven when they have passed."""
    gate.comes(BAD, wired.hello()[:20])
    await asyncio.sleep(10.1)
    assert not gate.is_refused(BAD)
    await asyncio.sleep(10)

    for _ in range(2):
        gate.comes(BAD, wired.hello()[:20])
    await asyncio.sleep(10.1)
    assert gate.is_refused(BAD)
    await asyncio.sleep(20)
    assert not gate.is_refused(BAD)
    await gate.acceptor.drain(retry_in=1)


async def test_who_breaks_rules_within_a_session_is_charged_too(gate: Gate, wired: Any) -> None:
    """To be let in is no licence; that the line drops then costs nothing."""
    for _ in range(20):
        gate.comes(BAD, wired.hello())
        await settle()
    assert not gate.is_refused(BAD)
    for stranger in [gate.comes(BAD, wired.hello()) for _ in range(2)]:
        await settle()
        stranger._receiver.data_received(encode_frame(FrameType.TEXT, 9, b"no such flow"))
    await settle()

    assert gate.is_refused(BAD)
    await gate.acceptor.drain(retry_in=1)


async def test_a_line_that_drops_costs_a_session_nothing(gate: Gate, wired: Any) -> None:
    """A train in a tunnel is no attacker."""
    for _ in range(20):
        stranger = gate.comes(BAD, wired.hello())
        await settle()
        stranger.abort()
        await settle()

    assert not gate.is_refused(BAD)
    await gate.acceptor.drain(retry_in=1)


async def test_for_what_the_server_lacks_nobody_pays(wired: Any) -> None:
    """Who is turned away because there is no room may come again at once."""
    gate = Gate(wired, max_connections=1)
    kept = gate.comes(GOOD)
    for _ in range(20):
        gate.comes(BAD, wired.hello())
    kept.abort()
    await settle()

    assert not gate.is_refused(BAD)
    await gate.acceptor.drain(retry_in=1)


async def test_loopback_never_pays(gate: Gate, wired: Any) -> None:
    """Who has no source is not counted, whatever it does."""
    for _ in range(50):
        gate.comes("", MAGIC + encode_frame(FrameType.PING))
        gate.comes("", wired.hello(credentials="crash"))
    await settle()

    assert not gate.is_refused("")
    await gate.acceptor.drain(retry_in=1)
