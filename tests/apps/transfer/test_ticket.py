"""The address with the secret in it, as it is printed and read again."""

from __future__ import annotations

import pytest

from landline.apps.transfer.ticket import Ticket, read_ticket
from landline.errors import AddressError

PINNED = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("ticket", "text"),
    [
        (Ticket("tcp://h:1"), "tcp://h:1"),
        (Ticket("tcp://h:1", "s_-1"), "tcp://h:1#secret=s_-1"),
        (Ticket("tls://h:1", "s", PINNED), f"tls://h:1#secret=s&sha256={'ab' * 32}"),
        (Ticket("unix:///run/x", "s"), "unix:///run/x#secret=s"),
    ],
)
def test_a_ticket_is_read_as_it_was_written(ticket: Ticket, text: str) -> None:
    """All of it, or an address alone."""
    assert str(ticket) == text
    assert read_ticket(text) == ticket


@pytest.mark.parametrize("text", ["tcp://h:1#", "tcp://h:1#hush", "tcp://h:1#secret=hush&more=1"])
def test_what_is_no_ticket_is_refused_without_its_secret(text: str) -> None:
    """Errors are kept in logs."""
    with pytest.raises(AddressError) as raised:
        read_ticket(text)

    assert "hush" not in str(raised.value)
