"""When all sessions of a server hold too much memory together: who lets go of what, and who is left in peace."""

from __future__ import annotations

import pytest

from landline.protocol.frames import HEADER, CloseCode, FrameType, encode_frame
from landline.protocol.states import Phase
from tests.protocol.house import Carrier, House


def part_of_a_message(size: int) -> bytes:
    """What arrives of a message that is not complete."""
    return encode_frame(FrameType.BYTES, 0, bytes(size + 1000))[:size]


def is_hung_up_on(carrier: Carrier) -> bool:
    return carrier.connection.phase is Phase.CLOSED


def test_who_holds_nothing_is_not_ended_for_the_memory() -> None:
    """Who holds the most goes first, and nobody whose end would make no room."""
    house = House(memory=1000)
    (idle, _, idle_end), (large, _, large_end) = house.session(), house.session()
    house.cut(idle)
    large_end.core.send(large_end.core.messages, FrameType.BYTES, bytes(2000))
    house.cut(large)
    house.host.pressure.holds_back(large_end.core)

    assert large_end.log[-1] == (CloseCode.EXPIRED, "the server needed the memory")
    assert not idle_end.is_over
    assert house.hits == [("", "memory")]


@pytest.mark.limit("memory")
def test_unfinished_frames_count_and_the_heaviest_lines_go() -> None:
    """Those that have held the most for the longest, until an eighth of the memory is left to such frames; no session ends."""
    house = House(memory=8000)
    lines = [house.session() for _ in range(8)]
    for number, (carrier, _, _) in enumerate(lines):
        house.now = float(number)
        house.say(carrier, part_of_a_message(950 if number else 1349))
    assert house.host.pressure.unfinished == 1349 + 7 * 950 == 7999
    house.wait(1.0)
    assert house.hits == []

    house.say(lines[7][0], b"x")
    house.host.handle_timeout(house.now)
    for carrier, _, _ in lines:
        house.tell(carrier)

    assert [is_hung_up_on(carrier) for carrier, _, _ in lines] == [True] * 7 + [False]
    assert house.host.pressure.unfinished == house.host.pressure.used == 951
    assert not house.host.pressure.is_on
    assert [end.log for _, _, end in lines] == [["the server needed the memory"]] * 7 + [[]]
    assert len(house.host.kept) == 8


def test_what_a_line_held_of_a_frame_is_free_when_it_goes() -> None:
    """However it goes: cut, taken over by another, or with its session."""
    house = House()
    for end_it in (
        lambda carrier, welcome, end: house.cut(carrier),
        lambda carrier, welcome, end: house.resume(welcome),
        lambda carrier, welcome, end: (end.core.release(), end.lose(CloseCode.FAILED, "it failed")),
    ):
        carrier, welcome, end = house.session()
        house.say(carrier, part_of_a_message(100))
        assert house.host.pressure.used == house.host.pressure.unfinished == 100
        end_it(carrier, welcome, end)
        house.tell(carrier)
        assert (house.host.pressure.used, house.host.pressure.unfinished) == (0, 0)
        assert carrier.connection._decoder.held == 0


def test_while_memory_is_short_unfinished_frames_keep_a_quarter() -> None:
    """However much of it others hold; who has less is left in peace."""
    house = House(memory=8000)
    (large, _, large_end), (line, _, _) = house.session(), house.session()
    large_end.core.send(large_end.core.messages, FrameType.BYTES, bytes(9000))
    assert house.host.pressure.holds_back(large_end.core)
    house.say(line, part_of_a_message(2000))
    house.wait(1.0)
    assert not is_hung_up_on(line)

    house.say(line, b"x")
    assert house.due == 0.0
    house.wait(1.0)
    assert is_hung_up_on(line)
    assert not is_hung_up_on(large)


def test_a_line_that_drops_while_memory_is_short_frees_what_its_session_held() -> None:
    """It may keep a quarter; else what it holds would hold everybody back until its window has passed."""
    house = House(memory=1000)
    large, _, large_end = house.session()
    large_end.core.send(large_end.core.messages, FrameType.BYTES, bytes(2000))
    assert house.host.pressure.holds_back(large_end.core)
    house.cut(large)
    assert house.host.timeout_at() == 0
    house.host.handle_timeout(house.now)

    assert large_end.is_over
    assert house.host.timeout_at() != 0


@pytest.mark.limit("memory")
@pytest.mark.parametrize(("size", "is_over"), [(100, False), (101, True)])
def test_sessions_without_a_line_keep_a_quarter_of_the_memory(size: int, is_over: bool) -> None:
    """When there is too much of all, and to the byte."""
    house = House(memory=400)
    carrier, _, end = house.session()
    house.cut(carrier)
    end.core.send(end.core.messages, FrameType.BYTES, bytes(size - HEADER.size))
    house.host.pressure.used = 400
    house.host.pressure.holds_back(end.core)

    assert end.is_over is is_over
