"""One call at a time, from the first ring on."""

from __future__ import annotations

from collections.abc import Callable

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
        "There is a call with ben: /bye ends it, then call cleo.",
        "You are talking to ben already.",
    ]


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
