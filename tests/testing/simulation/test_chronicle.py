"""The books of the history."""

from __future__ import annotations

from landline.testing.simulation.chronicle import Chronicle


def test_an_empty_history_can_be_copied() -> None:
    """And put back."""
    chronicle = Chronicle()
    chronicle.put_back(chronicle.copy())

    assert chronicle.copy() == 0
