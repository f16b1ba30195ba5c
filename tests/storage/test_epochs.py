"""The lives of a store, and what a position means in it."""

from __future__ import annotations

import pytest

from landline.history import Gap, Position
from landline.storage.epochs import Epochs


@pytest.fixture
def epochs() -> Epochs:
    """Three lives: offsets 1 to 4, none, and from 5 on."""
    epochs = Epochs()
    for epoch, first in [("one", 1), ("two", 5), ("three", 5)]:
        epochs.add(epoch, first)
    return epochs


def test_an_offset_belongs_to_the_life_that_gave_it(epochs: Epochs) -> None:
    """A life that gave none has none; the place before everything belongs to the first."""
    assert [epochs.at(offset).epoch for offset in (0, 1, 4, 5, 9)] == ["one", "one", "one", "three", "three"]
    assert epochs.origin == Position("one", 0)
    assert epochs.head(4) == Position("three", 4)
    assert epochs.current == "three"


@pytest.mark.parametrize(
    ("position", "offset"),
    [
        (Position("one", 0), 0),
        (Position("one", 4), 4),
        (Position("two", 4), 4),
        (Position("three", 4), 4),
        (Position("three", 9), 9),
        (Position("three", 2), 2),
        (Position("one", -3), 0),
    ],
)
def test_a_position_of_this_history_is_an_offset(epochs: Epochs, position: Position, offset: int) -> None:
    """As long as its life reached so far."""
    assert epochs.locate(position, 9, "a") == (offset, None)


@pytest.mark.parametrize(
    ("position", "offset", "to"),
    [
        (Position("one", 5), 4, Position("one", 4)),
        (Position("two", 5), 4, Position("two", 4)),
        (Position("three", 10), 9, Position("three", 9)),
        (Position("four", 1), 0, Position("one", 0)),
        (Position("", 0), 0, Position("one", 0)),
    ],
)
def test_a_position_of_another_history_is_a_gap(
    epochs: Epochs, position: Position, offset: int, to: Position
) -> None:
    """Reading goes on from the last place that both have in common."""
    assert epochs.locate(position, 9, "a") == (offset, Gap("a", position, to, "history replaced"))


@pytest.mark.parametrize(("epoch", "first"), [("one", 9), ("four", 4), ("", 0)])
def test_lives_do_not_repeat_or_go_back(epochs: Epochs, epoch: str, first: int) -> None:
    """That would be a damaged store."""
    with pytest.raises(ValueError, match="cannot begin"):
        epochs.add(epoch, first)
