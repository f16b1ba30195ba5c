"""Guests: what a plain caller hears of the chat and does in it, with a line that writes everything down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat import commands, wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.plain.caller import Refused
from landline.apps.chat.server import calls
from landline.apps.chat.server.guest import Desk, Guest
from landline.apps.chat.server.history import Recent
from tests.apps.chat.reading import Said

Lining = Callable[[], Any]


async def arrive(served: Any, line: Any) -> Guest:
    """A guest is in; what the line was told of it is forgotten."""
    guest = Guest(line, served.chat)
    await guest.enter()
    line.calls()
    return guest


async def test_a_guest_comes_into_the_lobby_with_a_number_and_is_shown_what_was_said(
    open_one: Any, written_line: Lining
) -> None:
    """The others are told that they came."""
    ana, line = await open_one.enter("ana"), written_line()
    await ana.say("hello")
    await ana.hear_until(Said)
    await Guest(line, open_one.chat).enter()

    assert line.calls() == [
        ("operator_present", False),
        ("welcome", "guest-1", "lobby", ["ana"], [("ana", "hello")]),
    ]
    assert await ana.hear() == wire.Came("lobby", "guest-1", 1)


@pytest.mark.limit("chat.recent")
async def test_a_guest_is_shown_a_few_lines_only(open_chat_with: Any, written_line: Lining) -> None:
    """The last ones."""
    served, line = await open_chat_with(limits=ChatLimits(recent=2, rate=1e6, burst=1e6)), written_line()
    ana = await served.enter("ana")
    for number in range(3):
        await ana.say(str(number))
        await ana.hear_until(Said)
    await Guest(line, served.chat).enter()

    assert line.calls()[-1][-1] == [("ana", "1"), ("ana", "2")]


async def test_a_guest_is_told_that_lines_are_damaged(
    open_chat_with: Any, written_line: Lining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the room that they come into, and in the one that they go to."""
    served, line = await open_chat_with(), written_line()
    missing = "Some lines are damaged."

    async def recent(*args: Any) -> Recent:
        return Recent([], missing)

    monkeypatch.setattr(served.chat.history, "recent", recent)
    guest = Guest(line, served.chat)
    await guest.enter()
    assert line.calls()[-1] == ("noticed", missing)
    await guest.do(commands.Join("tea"))

    assert line.calls()[-2:] == [("recalled", []), ("noticed", missing)]


async def test_a_guest_in_a_full_chat_or_lobby_is_refused_and_leaves_nothing_behind(
    open_chat_with: Any, written_line: Lining
) -> None:
    """Neither a name nor a place."""
    served = await open_chat_with(limits=ChatLimits(members=1))
    await served.enter("ana")
    with pytest.raises(Refused, match="lobby is full"):
        await Guest(written_line(), served.chat).enter()

    assert len(served.chat.house.names) == 1


async def test_a_guest_that_goes_while_coming_in_leaves_nothing_behind(
    open_one: Any, written_line: Lining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The past takes its time, and meanwhile they hang up."""
    asked, never = asyncio.Event(), asyncio.Event()

    async def recent(*args: Any) -> None:
        asked.set()
        await never.wait()

    monkeypatch.setattr(open_one.chat, "recent", recent)
    coming = asyncio.create_task(Guest(written_line(), open_one.chat).enter())
    await asked.wait()
    assert len(open_one.chat.house.names) == 1
    coming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await coming

    assert len(open_one.chat.house.names) == 0


async def test_a_guest_speaks_to_all_and_hears_all_but_itself(open_one: Any, written_line: Lining) -> None:
    """Saying returns to how many others it went."""
    ana, line = await open_one.enter("ana"), written_line()
    guest = await arrive(open_one, line)

    assert await guest.say("hello") == 1
    assert (await ana.hear_until(Said)).line.name == "guest-1"
    await ana.say("hi")
    await ana.hear()
    assert line.calls() == [("room_said", "ana", "hi")]


async def test_what_a_guest_cannot_say_is_refused(open_one: Any, written_line: Lining) -> None:
    """By the same rules as everybody."""
    guest = await arrive(open_one, written_line())
    with pytest.raises(Refused, match="nothing to say"):
        await guest.say(" ")


async def test_news_reach_a_guest_as_sentences(open_one: Any, written_line: Lining) -> None:
    """Small news as notices, private words as private words."""
    line = written_line()
    await arrive(open_one, line)
    ana = await open_one.enter("ana")
    await ana.ask(wire.Rename(1, "eva"))
    await ana.hear_until(wire.Done)
    await ana.ask(wire.Whisper(2, "guest-1", "psst"))
    await ana.hear()

    assert line.calls() == [
        ("noticed", "ana joined lobby."),
        ("noticed", "ana is called eva now."),
        ("whispered", "eva", "psst"),
    ]


async def test_a_guest_renames_itself(open_one: Any, written_line: Lining) -> None:
    """To a free name only; the others are told."""
    ana, line = await open_one.enter("ana"), written_line()
    guest = await arrive(open_one, line)
    await guest.do(commands.Nick("gus"))
    assert line.calls() == [("called", "gus"), ("told", "You are gus now.")]
    with pytest.raises(Refused, match="Somebody is called ana"):
        await guest.do(commands.Nick("ana"))

    assert await ana.hear_until(wire.Renamed) == wire.Renamed("guest-1", "gus")


async def test_a_guest_goes_from_room_to_room(open_one: Any, written_line: Lining) -> None:
    """One at a time; what was said in the new one is shown, and the way back is /leave."""
    ana, line = await open_one.enter("ana", "lobby", "tea"), written_line()
    await ana.say("milk?", "tea")
    await ana.hear_until(Said)
    guest = await arrive(open_one, line)
    await guest.do(commands.Join("#Tea"))
    assert line.calls() == [
        ("moved", "tea"),
        ("told", "You are in tea now. In tea: ana."),
        ("recalled", [("ana", "milk?")]),
    ]
    assert await guest.say("sugar") == 1
    with pytest.raises(Refused, match="in tea already"):
        await guest.do(commands.Join("tea"))
    await guest.do(commands.Leave())
    assert line.calls()[0] == ("moved", "lobby")
    with pytest.raises(Refused, match="bye leaves the chat"):
        await guest.do(commands.Leave())

    assert guest.room == "lobby"


async def test_a_guest_who_cannot_enter_a_room_stays_where_it_is(open_one: Any, written_line: Lining) -> None:
    """Nobody is ever in no room."""
    guest = await arrive(open_one, written_line())
    with pytest.raises(Refused, match="a space"):
        await guest.do(commands.Join("a b"))

    assert guest.room == "lobby"


async def test_a_guest_asks_who_is_where(open_one: Any, written_line: Lining) -> None:
    """The room it is in, when it names none."""
    await open_one.enter("ana")
    line = written_line()
    guest = await arrive(open_one, line)
    await guest.do(commands.Who())
    await guest.do(commands.Rooms())

    assert line.calls() == [("told", "In lobby: ana, guest-1."), ("told", "Rooms: lobby (2).")]


async def test_a_guest_whispers(open_one: Any, written_line: Lining) -> None:
    """And is told who heard it."""
    ana, line = await open_one.enter("ana"), written_line()
    guest = await arrive(open_one, line)
    await guest.do(commands.Message("ANA", "psst"))

    assert line.calls() == [("told", "Said to ana alone.")]
    assert await ana.hear_until(wire.Whispered) == wire.Whispered("guest-1", "psst")


async def test_a_guest_is_called_answers_talks_and_hangs_up(open_one: Any, written_line: Lining) -> None:
    """In a call what is said goes to the other one alone."""
    ana, line = await open_one.enter("ana"), written_line()
    guest = await arrive(open_one, line)
    await ana.ask(wire.Ring(1, "guest-1"))
    await ana.hear_until(wire.Done)
    assert line.calls() == [("told", "ana is calling you: /call ana answers.")]
    await guest.do(commands.Call("ana"))
    assert line.calls() == [("call_began", "ana")]
    assert await guest.say("hello") == 1
    assert await ana.hear_until(wire.Talked) == wire.Talked("guest-1", "hello")
    await guest.hang_up()

    assert line.calls() == [("call_ended", "ana", "you hung up")]
    assert await ana.hear() == wire.CallEnded("guest-1", "they hung up")


async def test_a_guest_rings(open_one: Any, written_line: Lining) -> None:
    """And is told, until it stops."""
    ana, line = await open_one.enter("ana"), written_line()
    guest = await arrive(open_one, line)
    await guest.do(commands.Call("ana"))
    assert line.calls() == [("told", "Ringing ana.")]
    assert await ana.hear_until(wire.Rang) == wire.Rang("guest-1")
    calls.hang_up(guest)

    assert line.calls() == [("call_ended", "ana", "you stopped ringing")]


async def test_what_needs_a_session_is_refused(open_one: Any, written_line: Lining) -> None:
    """There is nothing beneath a plain line that could be dropped."""
    guest = await arrive(open_one, written_line())
    with pytest.raises(Refused, match="plain line"):
        await guest.do(commands.Drop(1))


@pytest.mark.parametrize(("reason", "why"), [("said bye", ""), ("hung up", "hung up")])
async def test_the_room_sees_that_a_guest_left(
    open_one: Any, written_line: Lining, reason: str, why: str
) -> None:
    """With the reason, unless it was a farewell."""
    ana = await open_one.enter("ana")
    guest = await arrive(open_one, written_line())
    await guest.leave(reason)

    assert await ana.hear_until(wire.Went) == wire.Went("lobby", "guest-1", why)


async def test_the_desk_lets_in_tells_of_the_operator_and_closes(open_one: Any, written_line: Lining) -> None:
    """The last word is told once."""
    desk, line = Desk(open_one.chat), written_line()
    await desk.enter(line)
    line.calls()
    desk.operator_present(True)
    open_one.chat.house.close("closing")
    desk.close("Goodbye.")

    assert line.calls() == [("operator_present", True), ("close", "Goodbye.")]


async def test_the_desk_knows_from_where_a_guest_came(open_one: Any, written_line: Lining) -> None:
    """Somebody of the house came from nowhere."""
    at_the_desk = await Desk(open_one.chat).enter(written_line())

    assert at_the_desk.source == "192.0.2.1"
    assert Guest(written_line(), open_one.chat).source == ""
