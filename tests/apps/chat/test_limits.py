"""The limits of the chat fit each other, and those of the library."""

from __future__ import annotations

import landline
from landline.apps.chat.limits import TEXT, ChatLimits
from landline.apps.chat.text import MAX_NAME


def test_the_names_of_a_full_room_fit_one_message() -> None:
    """A name of the longest kind is four bytes a character; the rest of a member is below 64 bytes."""
    assert ChatLimits().members * (MAX_NAME * 4 + 64) < landline.Limits().max_message


def test_a_list_of_all_rooms_fits_one_message() -> None:
    """Of names of the longest kind."""
    assert ChatLimits().rooms * (64 * 4 + 64) < landline.Limits().max_message


def test_a_page_of_a_rooms_past_fits_one_message() -> None:
    """Of lines and names of the longest kind."""
    assert ChatLimits().earlier * (TEXT.text + MAX_NAME * 4 + 64) < landline.Limits().max_message


def test_the_rooms_of_one_person_fit_the_flows_of_one_session() -> None:
    """Each is read in one; another is for the lines, and some are of rooms that were just left."""
    assert ChatLimits().rooms_each + 1 + 10 < landline.Limits().max_flows


def test_what_cannot_be_shown_may_take_as_much_again() -> None:
    """A line at its limit may carry as many invisible characters."""
    assert TEXT.raw_text == 2 * TEXT.text
