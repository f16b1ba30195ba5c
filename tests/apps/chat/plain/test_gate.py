"""The gate: a caller's first line is the invite, whatever program sends it and however it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest

import landline
from landline.apps.chat.plain import gate

VIRTUAL_TIME = True

INVITE = "Xy_-0123456789abcdefgh"


@pytest.fixture
def hits() -> list[str]:
    return []


class House:
    """A plain-text door behind the gate: who gets in is heard."""

    def __init__(self, hits: list[str]) -> None:
        self.heard: list[bytes] = []
        self.admitted: list[bool] = []
        self._hits = hits

    async def serve(self, caller: landline.Caller) -> None:
        admitted = await gate.admit(caller, INVITE.__eq__, lambda limit, what: self._hits.append(limit))
        self.admitted.append(admitted is not None)
        while admitted is not None and (chunk := await admitted.receive()):
            self.heard.append(chunk)


@pytest.fixture
async def house(hits: list[str]) -> AsyncIterator[House]:
    house = House(hits)
    server = landline.Server()
    server.plain(house.serve)
    async with server.listen("memory://gate"):
        yield house


async def visit(chunks: Sequence[bytes], *, pause: float = 0.0) -> bytes:
    """Say these chunks, end, and return all that was answered."""
    async with AsyncExitStack() as stack:
        caller = await landline.dial("memory://gate")
        stack.push_async_callback(caller.close)
        for chunk in chunks:
            caller.send(chunk)
            await asyncio.sleep(pause)
        caller.end()
        answer = b""
        while chunk := await caller.receive():
            answer += chunk
        return answer


@pytest.mark.parametrize(
    "chunks",
    [
        [INVITE.encode() + b"\n", b"hello\n"],
        [INVITE.encode() + b"\r\nhello\n"],
        [INVITE[:5].encode(), INVITE[5:].encode() + b"\nhel", b"lo\n"],
        [b"\xff\xfb\x1f\xff\xfb\x20 " + INVITE.encode() + b"\r\n", b"hello\n"],
    ],
)
async def test_who_shows_it_is_let_in(chunks: list[bytes], house: House) -> None:
    """What was said behind it is heard, and the invite is said to nobody."""
    answer = await visit(chunks)

    assert house.admitted == [True]
    assert b"".join(house.heard) == b"hello\n"
    assert b"in the lobby" in answer


async def test_a_caller_that_ends_no_lines_is_let_in(house: House) -> None:
    """A ten-line client sends its invite as one message, and waits."""
    await visit([INVITE.encode(), b"hello"], pause=1.0)

    assert house.heard == [b"hello"]


async def test_who_does_not_know_it_is_told_what_is_wanted(house: House, hits: list[str]) -> None:
    """Twice; then it is over, and the chat never heard of them."""
    answer = await visit([b"hello\nis anybody there?\n/who\n/who\n"])

    assert answer.count(b"behind #invite=") == 2
    assert answer.endswith(b"Goodbye.\n")
    assert house.admitted == [False]
    assert hits == ["chat.plain.bad_lines"]


async def test_a_typing_mistake_is_no_end(house: House) -> None:
    """The second try counts as much as the first."""
    await visit([b"Xy\n", INVITE.encode() + b"\n", b"hello\n"])

    assert house.admitted == [True]


@pytest.mark.parametrize("chunks", [[], [b""], [b"hello"]])
async def test_who_goes_before(chunks: list[bytes], house: House, hits: list[str]) -> None:
    """Nothing is left of them."""
    await visit(chunks)

    assert True not in house.admitted
    assert hits == []


@pytest.mark.limit("chat.plain.invite_timeout")
@pytest.mark.parametrize(("after", "is_in"), [(59.0, True), (60.5, False)])
async def test_how_long_it_may_take(after: float, house: House, hits: list[str], *, is_in: bool) -> None:
    """From the first words on; before them a caller may be silent as long as anywhere."""
    caller = await landline.dial("memory://gate")
    await asyncio.sleep(100)
    caller.send(b"hello\n")
    await asyncio.sleep(after)
    caller.send(INVITE.encode() + b"\n")
    await asyncio.sleep(1)
    await caller.close()

    assert house.admitted == [is_in]
    assert hits == ([] if is_in else ["chat.plain.invite_timeout"])


async def test_an_endless_line_is_none(house: House) -> None:
    """No more of it is held than an invite needs."""
    answer = await visit([b"x" * 3000] * 3)

    assert house.admitted == [False]
    assert b"Goodbye" in answer


async def test_a_long_line_that_arrives_at_once_is_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks for a word in it: to search thousands of letters would hold up everybody else."""
    searched: list[int] = []
    look_for = gate._LAST_WORD.search

    class Watched:
        def search(self, line: bytes) -> object:
            searched.append(len(line))
            return look_for(line[:1000])

    monkeypatch.setattr(gate, "_LAST_WORD", Watched())
    await visit([b"x" * 60_000 + b"!\n", INVITE.encode() + b"\n", b"hello\n"])

    assert house.heard == [b"hello\n"]
    assert max(searched) <= 256
