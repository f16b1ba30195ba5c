"""The oracle itself: clean books are clean, and every kind of fault is found."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.testing.ledger import Ledger

CLEAN = {"lost": 0, "doubled": 0, "reordered": 0, "invented": 0}


@pytest.mark.parametrize(
    ("sent", "acked", "delivered", "faults"),
    [
        ([], 0, [], {}),
        ([1, 2, 3], 3, [1, 2, 3], {}),
        ([1, 2, 3], 0, [], {}),
        ([1, 2, 3], 1, [1, 2], {}),
        ([1, 2, 3], 3, [1, 2], {"lost": 1}),
        ([1, 2, 3], 0, [1, 3], {"lost": 1}),
        ([1, 2, 3], 0, [1, 2, 2], {"doubled": 1}),
        ([1, 2, 3], 3, [2, 1, 3], {"reordered": 1}),
        ([1, 2, 3], 3, [1, 2, 3, 4], {"invented": 1}),
        ([1, 2, 1], 3, [1, 2, 1], {}),
        ([1, 1, 2], 3, [1, 2], {"lost": 1}),
        ([1, 1], 2, [1, 1, 1], {"doubled": 1}),
        (["1"], 1, [1], {"lost": 1, "invented": 1}),
        ([b"a", {"b": 1}], 2, [b"a", {"b": 1}], {}),
    ],
)
def test_what_the_books_say(
    sent: list[Any], acked: int, delivered: list[Any], faults: dict[str, int]
) -> None:
    """What was sent and not acked may be missing at the end; nothing else may."""
    ledger = Ledger(sent, acked, delivered)

    assert ledger.faults() == CLEAN | faults
    assert ledger.is_clean is not bool(faults)


@given(st.lists(st.integers(0, 5), min_size=1), st.randoms(use_true_random=False), st.data())
def test_any_one_fault_is_found(sent: list[object], chance: random.Random, data: st.DataObject) -> None:
    """Leaving one out, repeating one or adding one spoils the books, equal values or not."""
    place = data.draw(st.integers(0, len(sent) - 1))

    assert Ledger(sent, len(sent), list(sent)).is_clean
    assert not Ledger(sent, len(sent), sent[:place] + sent[place + 1 :]).is_clean
    assert not Ledger(sent, len(sent), [*sent, sent[place]]).is_clean
    assert not Ledger(sent, len(sent), [*sent[:place], "x", *sent[place:]]).is_clean
