"""The words for files, and how far they are."""

from __future__ import annotations

import pytest

from landline.apps.cells import cells
from landline.apps.chat.client import events
from landline.apps.chat.client.files import Move
from landline.apps.chat.client.show_files import move_line, words_of_file


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_offer_says_what_it_is_and_what_to_type() -> None:
    """By the number; a name that is too long is cut."""
    said = words_of_file(events.FileOffered(3, "a.pdf", 1_200_000, "ben", "lobby"))

    assert said == "⇩ ben offers to #lobby a.pdf (1.2 MB): /accept 3 receives it, /refuse 3 does not."
    assert "x" * 60 not in words_of_file(events.FileOffered(3, "x" * 200, 1, "ben"))


def test_where_it_is_received_is_said_with_the_whole_path() -> None:
    """Before and after."""
    before = words_of_file(events.FileArriving("a.pdf", 5, "/home/ana/Downloads"))
    after = words_of_file(events.FileReceived("a.pdf", 5, "/home/ana/Downloads/a (1).pdf", "ben"))

    assert before == "⇩ Receiving a.pdf (5 B) into /home/ana/Downloads."
    assert after == "⇩ Received /home/ana/Downloads/a (1).pdf (5 B) from ben, verified by SHA-256."


def test_how_far_a_file_is_fits_the_terminal() -> None:
    """Percent, rate and the time that is left; what matters least goes first where there is no room."""
    clock = Clock()
    move = Move("a.bin", 10_000_000, "ben", own=False)
    move.meter._now = clock
    move.moved(0)
    clock.now = 2.0
    move.moved(2_000_000)

    assert move_line(move, 100) == "⇩ a.bin from ben: 20 %, 2.0 MB of 10.0 MB, 1.0 MB/s, 8 s left"
    for width in (50, 30, 10, 3, 1):
        assert cells(move_line(move, width)) <= width


@pytest.mark.parametrize("own", [True, False])
def test_what_stopped_says_how_it_goes_on(own: bool) -> None:
    """At the receiver by a command; at the sender by the receiver."""
    said = words_of_file(events.FileStopped(2, "a.pdf", "ben", "the disk is full", own))

    assert "the disk is full" in said
    assert ("when they accept it again" if own else "/accept 2 goes on with it") in said


def test_a_list_of_files_says_how_far_each_is() -> None:
    """For each person that one of ours goes to; none is said too."""
    files = (
        events.FileState(1, "a", 10, "#lobby", True, (5, 10)),
        events.FileState(2, "b", 0, "ben", False, (0,)),
        events.FileState(3, "c", 1, "ben", False, ()),
    )

    assert words_of_file(events.Files(files)).split("\n")[1:] == [
        "  1  a (10 B), offered to #lobby: 50 %, 100 %",
        "  2  b (0 B), from ben: 100 %",
        "  3  c (1 B), from ben",
    ]
    assert words_of_file(events.Files(())) == "No files are offered."
