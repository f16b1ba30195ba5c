"""The limits of the chat are finite, explained, and one table."""

from __future__ import annotations

import dataclasses
import math

import pytest

import landline
from landline.apps.chat.limits import LIMITS, ChatLimits
from landline.apps.chat.text import MAX_NAME


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_every_limit_is_finite_and_says_what_it_is(limit: landline.Limit) -> None:
    """Number, unit and reason."""
    assert 0 < limit.default < math.inf
    assert limit.unit
    assert limit.reason


def test_the_table_holds_every_field_once() -> None:
    """What is not in the table is not limited, so everything is."""
    names = [limit.name for limit in LIMITS]

    assert len(set(names)) == len(names)
    assert {field.name for field in dataclasses.fields(ChatLimits)} <= set(names)


def test_the_names_of_a_full_room_fit_one_message() -> None:
    """A name of the longest kind is four bytes a character; the rest of a member is below 64 bytes."""
    assert ChatLimits().members * (MAX_NAME * 4 + 64) < landline.Limits().max_message


def test_a_list_of_all_rooms_fits_one_message() -> None:
    """Of names of the longest kind."""
    assert ChatLimits().rooms * (64 * 4 + 64) < landline.Limits().max_message


def test_a_page_of_history_fits_one_message() -> None:
    """With as much again for what stands around the text."""
    assert 2 * ChatLimits().page_bytes < landline.Limits().max_message
