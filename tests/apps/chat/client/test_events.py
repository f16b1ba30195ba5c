"""The events of a chat client are small frozen facts, and the list of them is complete."""

from __future__ import annotations

import inspect
import typing

from landline.apps.chat.client import events as client_events


def test_the_list_of_events_is_complete() -> None:
    """Whoever matches on ``Event`` has them all."""
    classes = {
        kind
        for _, kind in inspect.getmembers(client_events, inspect.isclass)
        if kind.__module__ == client_events.__name__
    }

    assert set(typing.get_args(client_events.Event)) == classes - {client_events.Aim, client_events.FileState}


def test_events_are_frozen() -> None:
    """What happened does not change."""
    kinds = [*typing.get_args(client_events.Event), client_events.Aim, client_events.FileState]

    assert [kind for kind in kinds if not kind.__struct_config__.frozen] == []
