"""Calls between two people, from the first ring to the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat import wire
from landline.apps.chat.server import calls
from landline.apps.chat.server.people import Refusal

Listening = Callable[..., Any]


@pytest.fixture
def ana(listener: Listening) -> Any:
    return listener("ana")


@pytest.fixture
def ben(listener: Listening) -> Any:
    return listener("ben")


def begin(caller: Any, callee: Any) -> None:
    """The two are in a call, and what they were told of it is forgotten."""
    calls.ring(caller, callee)
    calls.accept(callee)
    caller.heard()
    callee.heard()


def test_a_call_rings_is_accepted_carries_words_and_ends(ana: Any, ben: Any) -> None:
    """The whole of it, as each of the two hears it."""
    calls.ring(ana, ben)
    assert ben.heard() == [wire.Rang("ana")]
    calls.accept(ben)
    assert ana.heard() == [wire.CallBegan("ben")]
    assert ben.heard() == [wire.CallBegan("ana")]
    assert calls.talk(ana, "hello") == ben
    assert ben.heard() == [wire.Talked("ana", "hello")]
    calls.hang_up(ben)

    assert ana.heard() == [wire.CallEnded("ben", "they hung up")]
    assert ben.heard() == [wire.CallEnded("ana", "you hung up")]
    assert ana.call is None and ben.call is None


def test_ringing_back_accepts(ana: Any, ben: Any) -> None:
    """Two who ring each other are in a call."""
    calls.ring(ana, ben)

    assert calls.ring(ben, ana) is None
    assert ana.heard() == [wire.CallBegan("ben")]


def test_the_callee_may_decline_and_the_caller_may_stop(ana: Any, ben: Any) -> None:
    """The other one is told which of the two it was."""
    calls.ring(ana, ben)
    calls.hang_up(ben)
    assert ana.heard() == [wire.CallEnded("ben", "they declined")]
    calls.ring(ana, ben)
    calls.hang_up(ana)

    assert ben.heard()[-1] == wire.CallEnded("ana", "they stopped ringing")


def test_a_call_that_nobody_answers_ends(ana: Any, ben: Any) -> None:
    """Both are free again."""
    call = calls.ring(ana, ben)
    assert call is not None
    calls.unanswered(call)

    assert ana.heard() == [wire.CallEnded("ben", "they did not answer")]
    assert ana.call is None and ben.call is None


def test_the_end_of_the_ringing_does_not_end_the_talk_nor_a_later_call(ana: Any, ben: Any) -> None:
    """The deadline of a call says nothing about what became of it meanwhile."""
    first = calls.ring(ana, ben)
    assert first is not None
    calls.accept(ben)
    calls.unanswered(first)
    assert ana.call is first
    calls.hang_up(ana)
    second = calls.ring(ana, ben)
    calls.unanswered(first)

    assert ana.call is second


@pytest.mark.parametrize(
    ("situation", "sentence"),
    [
        ("self", "That is you"),
        ("busy", "ben is in another call"),
        ("rung", "ben is in another call"),
        ("away", "line of ben is down"),
        ("ringing", "You are ringing ben already"),
        ("talking", "in a call with ben already"),
        ("elsewhere", "You are in a call with cid"),
    ],
)
def test_why_a_call_cannot_be(listener: Listening, ana: Any, ben: Any, situation: str, sentence: str) -> None:
    """Each reason is a sentence, and nothing changes."""
    cid = listener("cid")
    match situation:
        case "busy":
            begin(ben, cid)
        case "rung":
            calls.ring(cid, ben)
        case "away":
            ben.away = True
        case "ringing":
            calls.ring(ana, ben)
        case "talking":
            begin(ana, ben)
        case "elsewhere":
            begin(ana, cid)
    before = ana.call, ben.call, cid.call
    with pytest.raises(Refusal, match=sentence):
        calls.ring(ana, ana if situation == "self" else ben)

    assert (ana.call, ben.call, cid.call) == before


def test_without_a_call_there_is_nothing_to_accept_to_say_or_to_end(ana: Any, ben: Any) -> None:
    """Each is refused."""
    for doing in (calls.accept, calls.hang_up, lambda person: calls.talk(person, "x")):
        with pytest.raises(Refusal):
            doing(ana)


def test_one_cannot_accept_ones_own_ringing_or_talk_before_it_is_answered(ana: Any, ben: Any) -> None:
    """Only the callee accepts, and nothing is heard before."""
    calls.ring(ana, ben)
    with pytest.raises(Refusal, match="Nobody is calling you"):
        calls.accept(ana)
    with pytest.raises(Refusal, match="in no call"):
        calls.talk(ana, "hello?")

    assert ben.heard() == [wire.Rang("ana")]


def test_a_call_holds_while_a_line_is_down(ana: Any, ben: Any) -> None:
    """What is said meanwhile is told; the session keeps it."""
    begin(ana, ben)
    ben.away = True
    calls.talk(ana, "still there?")

    assert ben.heard() == [wire.Talked("ana", "still there?")]


def test_who_leaves_takes_the_call_along(ana: Any, ben: Any) -> None:
    """The other one is told, and is free."""
    begin(ana, ben)
    calls.gone(ana)

    assert ben.heard() == [wire.CallEnded("ana", "they left the chat")]
    assert ben.call is None
