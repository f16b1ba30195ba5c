"""What a host does with sessions whose records are stored: whoever waits for that is told how its session ended meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from landline.protocol.frames import CloseCode
from landline.protocol.handshake import TOKEN_SIZE
from tests.protocol.house import House, refusal_of, welcome_of


class Slow:
    """A store that does nothing until it is told to."""

    def __init__(self, house: House) -> None:
        self.asked: list[tuple[bytes, bytes | None, Callable[[float], None]]] = []
        house.host._store = lambda session_id, data, then: self.asked.append((session_id, data, then))

    def sync(self, now: float) -> dict[bytes, bytes | None]:
        """Everything is stored; return it."""
        asked, self.asked = self.asked, []
        for _, _, then in asked:
            then(now)
        return {session_id: data for session_id, data, _ in asked}


@pytest.mark.parametrize("code", [CloseCode.NORMAL, CloseCode.EXPIRED])
def test_who_waits_for_a_session_that_ends_is_told_how(code: CloseCode) -> None:
    """As whoever comes a moment later is, with the counts: one that was closed is not lost."""
    house = House()
    carrier, welcome, end = house.session()
    house.cut(carrier)
    slow = Slow(house)
    waiting = house.resume(welcome)
    end.is_over = True
    house.host.ended(welcome.session, code, "it was time", house.now)
    slow.sync(house.now)
    refusal = refusal_of(waiting)

    assert (refusal.code, refusal.reason) == (code, "it was time")
    assert (refusal.received, refusal.handled) == (0, 0)
    assert refusal == refusal_of(house.resume(welcome, 3, token=welcome.token))


def test_a_new_session_that_ends_before_it_is_stored_is_unknown() -> None:
    """Nobody was told of it."""
    house = House()
    slow = Slow(house)
    carrier = house.hello()
    (kept,) = house.host.kept.values()
    kept.end.lose(CloseCode.FAILED, "it failed")
    slow.sync(house.now)

    assert refusal_of(carrier).code is CloseCode.UNKNOWN_SESSION


def test_a_later_attempt_makes_the_one_that_waits_stale() -> None:
    """It is told the highest; a server that goes says so instead of welcoming anybody."""
    house = House()
    _, welcome, _ = house.session()
    slow = Slow(house)
    first, second = house.resume(welcome, 2), house.resume(welcome, 3)
    house.host.close()
    slow.sync(house.now)

    assert (refusal_of(first).code, refusal_of(first).attempt) == (CloseCode.STALE, 3)
    assert refusal_of(second).code is CloseCode.GOING_AWAY


def test_there_is_room_for_only_so_many_sessions_of_earlier_lives() -> None:
    """The others are forgotten, on the disk too."""
    before = House()
    left = []
    for _ in range(3):
        _, welcome, _ = before.session()
        left.append((welcome, before.host.kept[welcome.session].encode()))
    house = House(max_sessions=2)
    slow = Slow(house)
    for welcome, data in left:
        house.host.restore(welcome.session, data, house.now)

    assert list(house.host.kept) == [welcome.session for welcome, _ in left[:2]]
    assert slow.sync(0.0) == {left[2][0].session: None}
    assert house.hits == [("", "max_sessions")]
    assert refusal_of(house.resume(left[2][0])).code is CloseCode.UNKNOWN_SESSION


def test_a_session_of_an_earlier_life_keeps_its_window_when_its_first_line_drops() -> None:
    """Its client was told of it: nobody has to confirm that it exists."""
    before = House()
    _, welcome, _ = before.session()
    house = House(handshake_timeout=10, resume_window=60)
    house.host.restore(welcome.session, before.host.kept[welcome.session].encode(), 0.0)
    house.cut(house.resume(welcome, 2, life=b"1" * 16))
    house.wait(59.9)
    assert list(house.host.kept) == [welcome.session]

    assert len(welcome_of(house.resume(welcome, 3, life=b"1" * 16)).token) == TOKEN_SIZE


def test_the_counts_of_another_life_are_not_told() -> None:
    """A session that expired in this life had received nothing in it, and perhaps much in the one that its client knows."""
    before = House()
    _, welcome, _ = before.session()
    house = House(resume_window=60)
    house.host.restore(welcome.session, before.host.kept[welcome.session].encode(), 0.0)
    house.now = 61.0
    others = house.resume(welcome, 2, life=b"1" * 16), house.resume(welcome, 3, life=b"1" * 16)
    same = house.resume(welcome, 4)

    for refusal in map(refusal_of, others):
        assert (refusal.code, refusal.received, refusal.handled) == (CloseCode.EXPIRED, None, None)
    assert (refusal_of(same).code, refusal_of(same).received) == (CloseCode.EXPIRED, 0)
