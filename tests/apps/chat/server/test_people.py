"""What is told to many is encoded once, and somebody stands in lists as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landline.apps.chat import wire
from landline.apps.chat.server.people import Telling

Listening = Callable[..., Any]


def test_a_telling_is_encoded_once() -> None:
    """Whoever asks for the bytes gets the same object."""
    telling = Telling(wire.Notice("hello"))

    assert telling.data is telling.data
    assert wire.decode_told(telling.data) == wire.Notice("hello")


def test_somebody_away_stands_as_away_in_lists(listener: Listening) -> None:
    """A list shows whose line is down."""
    ana = listener("ana")
    ana.away = True

    assert ana.as_member() == wire.Member("ana", away=True, kind="session")
