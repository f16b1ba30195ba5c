"""The chat counts who hits its limits: people with a session, and plain callers; what they are told is shown elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.plain.caller import Refused
from landline.apps.chat.server.guest import Desk, Guest
from tests.apps.chat.reading import History, Said

FAST: dict[str, Any] = {"rate": 1e6, "burst": 1e6}


async def test_who_keeps_to_the_limits_hits_none(open_one: Any) -> None:
    """A line said and heard leaves the counts empty."""
    ana = await open_one.enter("ana")
    await ana.say("x" * 4096)
    await ana.hear_until(Said)

    assert open_one.chat.hits.counts == {}


@pytest.mark.parametrize(
    ("limits", "request_of", "limit"),
    [
        ({}, lambda: wire.Rename(1, "x" * 33), "chat.name"),
        ({}, lambda: wire.Join(1, "x" * 65), "chat.room_name"),
        ({"rooms_each": 1}, lambda: wire.Join(1, "tea"), "chat.rooms_each"),
        ({"rooms": 1}, lambda: wire.Join(1, "tea"), "chat.rooms"),
    ],
)
async def test_a_refusal_is_counted_under_its_limit(
    open_chat_with: Any, limits: Any, request_of: Any, limit: str
) -> None:
    """Once for each request that is refused."""
    served = await open_chat_with(limits=ChatLimits(**FAST, **limits))
    ana = await served.enter("ana")
    await ana.ask(request_of())
    await ana.hear_until(wire.Sorry)

    assert served.chat.hits.counts == {limit: 1}


@pytest.mark.parametrize(
    ("text", "limit"), [("x" * 4097, "chat.text"), ("x\n" * 101 + "x", "chat.text_lines")]
)
async def test_a_line_that_is_refused_is_counted_under_its_limit(
    open_one: Any, text: str, limit: str
) -> None:
    """Once for each."""
    ana = await open_one.enter("ana")
    with pytest.raises(landline.PublishFailed):
        await ana.say(text)

    assert open_one.chat.hits.counts == {limit: 1}


async def test_rooms_made_too_fast(open_chat_with: Any) -> None:
    """By one person, and by all who come from one place."""
    served = await open_chat_with(limits=ChatLimits(rooms_founded=1, rooms_founded_source=2, **FAST))
    for name, rooms in (("ana", "ab"), ("ben", "cd"), ("cid", "e")):
        visitor = await served.enter(name)
        for number, room in enumerate(rooms, 1):
            await visitor.ask(wire.Join(number, room))
            await visitor.hear_until(History if number == 1 and room != "e" else wire.Sorry)

    assert served.chat.hits.counts == {"chat.rooms_founded": 2, "chat.rooms_founded_source": 1}


async def test_a_full_house_and_a_full_room(open_chat_with: Any, written_line: Any) -> None:
    """Through either door."""
    served = await open_chat_with(limits=ChatLimits(people=2, members=1, **FAST))
    await served.enter("ana")
    with pytest.raises(Refused, match="lobby is full"):
        await Guest(written_line(), served.chat).enter()
    assert served.chat.hits.counts == {"chat.members": 1}
    await served.enter("ben", "tea")
    late = await served.visit()
    await late.ask(wire.Enter("cid", {}))
    with pytest.raises(landline.SessionClosed, match="full"):
        await late.hear()

    assert served.chat.hits.counts == {"chat.members": 1, "chat.people": 1}


async def test_more_rooms_at_once_than_one_may_be_in(open_chat_with: Any) -> None:
    """Although the first of them are entered."""
    served = await open_chat_with(limits=ChatLimits(rooms_each=1, **FAST))
    ana = await served.visit()
    await ana.ask(wire.Enter("ana", {"a": None, "b": None}))
    await ana.hear_until(wire.Notice)

    assert served.chat.hits.counts == {"chat.rooms_each": 1}


async def test_who_is_too_fast(open_chat_with: Any) -> None:
    """Each time that a session is slowed."""
    served = await open_chat_with(limits=ChatLimits(rate=1000.0, burst=1.0))
    ana = await served.enter("ana")
    for number in range(5):
        await ana.say(str(number))
    for _ in range(5):
        await ana.hear_until(Said)

    assert served.chat.hits.counts.keys() == {"chat.rate"}


async def test_who_is_not_understood_and_who_says_nothing(open_chat_with: Any) -> None:
    """Both are let go."""
    served = await open_chat_with(limits=ChatLimits(bad_messages=1, enter_timeout=0.05, **FAST))
    for asked in (b"\xc1", None):
        visitor = await served.visit()
        if asked is not None:
            await visitor.ask(asked)
        with pytest.raises(landline.SessionClosed):
            await visitor.hear()

    assert served.chat.hits.counts == {"chat.bad_messages": 1, "chat.enter_timeout": 1}


@pytest.mark.parametrize("is_answered", [False, True])
async def test_a_call_that_rings_for_too_long(open_chat_with: Any, is_answered: bool) -> None:
    """One that was answered is none, however long it then is."""
    served = await open_chat_with(limits=ChatLimits(ring_timeout=60.0, **FAST))
    ana, ben = await served.enter("ana"), await served.enter("ben")
    await ana.ask(wire.Ring(1, "ben"))
    await ben.hear_until(wire.Rang)
    if is_answered:
        await ben.ask(wire.Accept(1))
        await ana.hear_until(wire.CallBegan)
    caller = served.chat.house.names.find("ana")
    served.chat._rung_out(caller, caller.call)

    assert served.chat.hits.counts == ({} if is_answered else {"chat.ring_timeout": 1})


async def test_a_plain_caller_over_a_limit(open_one: Any, written_line: Any) -> None:
    """What it was refused, and what its line says of it."""
    guest = Guest(written_line(), open_one.chat)
    await guest.enter()
    with pytest.raises(Refused, match="too long"):
        await guest.say("x" * 5000)
    Desk(open_one.chat).hit("chat.plain.bad_lines", "it was let go")

    assert open_one.chat.hits.counts == {"chat.text": 1, "chat.plain.bad_lines": 1}
