"""One call at a time, from the first ring on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.call import ClientCall
from landline.apps.chat.client.pending import Numbered, Pending, PendingRequests


class Phone:
    """A call, what it asked for and what it told."""

    def __init__(self) -> None:
        self.told: list[events.Event] = []
        self.asked: list[Numbered] = []
        self.pending = PendingRequests(self.told.append)
        self.call = ClientCall(self.pending, self.ask, self.told.append)

    def ask(self, kind: Callable[..., Numbered], *fields: str, now: float, to: str = "") -> None:
        request = kind(len(self.asked) + 1, *fields)
        self.asked.append(request)
        self.pending.add(Pending(request, now, to=to))


def test_a_second_call_is_explained_not_made() -> None:
    """Who is in a call is told how to get out of it first."""
    phone = Phone()
    phone.call.ring("ben", 0.0)
    phone.call.heard(wire.CallBegan("ben"), "lobby")

    phone.call.ring("cleo", 1.0)
    phone.call.ring("Ben", 1.0)

    assert phone.asked == [wire.Ring(1, "ben")]
    assert [event.text for event in phone.told if isinstance(event, events.Said)] == [
        "You are talking to ben: /bye ends it, then call cleo.",
        "You are talking to ben already.",
    ]


def test_nobody_is_rung_or_answered_later_than_that_was_wanted() -> None:
    """While the line is down that is said instead; what asks nothing is answered as ever."""
    phone, rung = Phone(), Phone()
    rung.call.heard(wire.Rang("ben"), "lobby")
    for each in (phone, rung):
        with pytest.raises(ValueError, match="a call does not wait: /call ben again when it is back"):
            each.call.ring("ben", 0.0, is_down=True)
    rung.call.ring("cleo", 0.0, is_down=True)

    assert phone.asked == rung.asked == []
    assert (phone.call.stage, rung.call.stage) == ("none", "ringing")
    assert phone.told == []
    assert isinstance(rung.told[-1], events.Said) and "ben is calling" in rung.told[-1].text


def test_who_is_called_or_calls_is_no_call_yet() -> None:
    """Before anybody talks, what is said fits the stage."""
    ringing, calling = Phone(), Phone()
    ringing.call.heard(wire.Rang("ben"), "lobby")
    calling.call.ring("ben", 0.0)

    for phone in (ringing, calling):
        phone.call.ring("cleo", 1.0)

    assert [phone.told[-1] for phone in (ringing, calling)] == [
        events.Said("ben is calling: /call ben accepts, /bye declines; then call cleo.", trouble=True),
        events.Said("You are ringing ben: /bye stops it, then call cleo.", trouble=True),
    ]


def test_a_call_that_nobody_took_is_missed_or_did_not_come_about() -> None:
    """Nothing was typed elsewhere meanwhile, so nothing is said of where one types."""
    ringing, declined, calling = Phone(), Phone(), Phone()
    for phone in (ringing, declined):
        phone.call.heard(wire.Rang("ben"), "lobby")
    calling.call.ring("ben", 0.0)

    ringing.call.heard(wire.CallEnded("ben", "you did not answer"), "lobby")
    declined.call.bye("lobby", 1.0)
    calling.call.heard(wire.CallEnded("ben", "they did not answer"), "lobby")

    assert [phone.told[-1] for phone in (ringing, declined, calling)] == [
        events.CallMissed("ben"),
        events.NoCall("ben", "you declined"),
        events.NoCall("ben", "they did not answer"),
    ]


def test_a_name_spelled_otherwise_is_the_same_call() -> None:
    """Who typed BEN rings ben: the end of it, and a new name, come under the name that ben bears."""
    phone = Phone()
    phone.call.ring("BEN", 0.0)

    phone.call.heard(wire.CallEnded("ben", "they declined"), "lobby")

    assert phone.call.stage == "none"


def test_another_ring_during_a_call_changes_nothing() -> None:
    """It is told, and the call goes on."""
    phone = Phone()
    phone.call.heard(wire.CallBegan("ben"), "lobby")

    phone.call.heard(wire.Rang("cleo"), "lobby")

    assert (phone.call.name, phone.call.stage) == ("ben", "talking")


def test_the_end_of_another_call_is_not_ours() -> None:
    """Only the one we are in can end."""
    phone = Phone()
    phone.call.heard(wire.CallBegan("ben"), "lobby")

    phone.call.heard(wire.CallEnded("cleo", "declined"), "lobby")

    assert phone.call.stage == "talking"


def test_a_caller_who_is_renamed_is_still_the_caller() -> None:
    """The end of the call comes under the new name."""
    phone = Phone()
    phone.call.heard(wire.CallBegan("ben"), "lobby")

    phone.call.renamed("ben", "benjamin")
    phone.call.heard(wire.CallEnded("benjamin", "hung up"), "lobby")

    assert phone.call.stage == "none"


def test_bye_without_a_call_is_not_about_calls() -> None:
    """Then it is for the chat."""
    phone = Phone()

    assert not phone.call.bye("lobby", 0.0)
    assert phone.asked == []
