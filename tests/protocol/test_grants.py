"""Until when sessions are granted: the end of each in its time, of those on a line; and when a client shows new credentials."""

from __future__ import annotations

import pytest

from landline.protocol.frames import CloseCode
from landline.protocol.grants import RAN_OUT, refresh_in, retry_in
from tests.protocol.house import Carrier, End, House, welcome_of


def granted(house: House, seconds: float | None) -> tuple[Carrier, End]:
    """Let somebody in for so many seconds."""
    carrier, welcome, end = house.session()
    house.host.grants.set(welcome.session, None if seconds is None else house.now + seconds)
    return carrier, end


def test_each_ends_in_its_time_and_no_other_does() -> None:
    """Whatever the order in which they were granted; one that is granted for good stays."""
    house = House()
    ends = [granted(house, seconds)[1] for seconds in (30.0, 10.0, None, 20.0)]
    seen = []
    for _ in range(4):
        seen.append([end.is_over for end in ends])
        house.wait(10.0)

    assert seen == [
        [False, False, False, False],
        [False, True, False, False],
        [False, True, False, True],
        [True, True, False, True],
    ]
    assert ends[1].log[-1] == (CloseCode.EXPIRED, RAN_OUT)


def test_what_is_granted_last_counts() -> None:
    """More time, less time, and no end."""
    house = House()
    (_, longer), (_, shorter), (_, good) = (granted(house, 10.0) for _ in range(3))
    more, less, ever = house.host.kept
    house.host.grants.set(more, 20.0)
    house.host.grants.set(less, 5.0)
    house.host.grants.set(ever, None)
    house.wait(5.0)
    assert (longer.is_over, shorter.is_over, good.is_over) == (False, True, False)
    house.wait(10.0)
    assert not longer.is_over
    house.wait(5.0)

    assert (longer.is_over, good.is_over) == (True, False)
    assert house.host.grants.timeout_at() is None


def test_a_session_without_a_line_is_not_ended_for_it() -> None:
    """Whoever comes back shows credentials anyway; what they are good for counts from then on."""
    house = House()
    carrier, welcome, end = house.session()
    house.host.grants.set(welcome.session, 10.0)
    house.cut(carrier)
    house.wait(11.0)
    assert not end.is_over

    house.lasts = 5.0
    back = house.resume(welcome)
    assert welcome_of(back).expires_in == 5.0
    house.confirm(back)
    house.wait(5.0)

    assert end.log[-1] == (CloseCode.EXPIRED, RAN_OUT)


def test_a_session_that_ended_leaves_nothing() -> None:
    """However often its grant was renewed: the heap forgets what does not hold any more."""
    house = House()
    _, _, end = house.session()
    (session_id,) = house.host.kept
    for number in range(1000):
        house.host.grants.set(session_id, 2000.0 - number)  # each is the earliest, on top of those before
    assert len(house.host.grants._heap) < 100

    end.lose(CloseCode.FAILED, "it failed")
    assert house.host.grants.timeout_at() is None


@pytest.mark.parametrize(("chance", "after"), [(0.0, 60.0), (0.5, 70.0), (1.0, 80.0)])
def test_new_credentials_are_shown_after_three_to_four_fifths_of_the_time(
    chance: float, after: float
) -> None:
    """Spread, so that those who were granted the same do not come together."""
    assert refresh_in(100.0, lambda: chance) == pytest.approx(after)


def test_it_is_tried_again_while_there_is_time() -> None:
    """Sooner and sooner, and not without end."""
    left, tries = 40.0, 0
    while (pause := retry_in(left, lambda: 0.0)) is not None:
        left, tries = left - pause, tries + 1

    assert 5 < tries < 25
    assert left > 0
