"""What a client shows, and what is no credentials of a chat client."""

from __future__ import annotations

from typing import Any

import pytest

from landline.apps.chat import credentials
from landline.apps.chat.credentials import Credentials


def test_what_is_shown_is_what_is_read() -> None:
    """With an invite and without; one that is not there does not travel."""
    assert credentials.read(credentials.show(7, "open")) == Credentials(7, "open")
    assert credentials.show(7) == {"client": 7}
    assert credentials.read({"client": (1 << 63) - 1}) == Credentials((1 << 63) - 1)


@pytest.mark.parametrize(
    "shown",
    [None, 7, "ana", [7], {}, {"client": "7"}, {"client": True}, {"client": 7, "invite": None}, {"client": 0}]
    + [{"client": number} for number in (-1, 1 << 63, 1 << 80, 7.0)],
)
def test_what_is_no_credentials(shown: Any) -> None:
    """The error says what a client shows."""
    with pytest.raises(ValueError, match="client"):
        credentials.read(shown)


@pytest.mark.limit("chat.invite")
def test_the_longest_invite() -> None:
    """One character more is none, before anything is compared with it."""
    assert credentials.read(credentials.show(7, "x" * 64)).invite == "x" * 64
    with pytest.raises(ValueError, match="64 characters at most"):
        credentials.read(credentials.show(7, "x" * 65))
