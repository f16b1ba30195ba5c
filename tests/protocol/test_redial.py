"""How a client comes back: token and attempt, pauses that grow and start anew, and what each refusal means."""

from __future__ import annotations

from typing import Any

import pytest

from landline.limits import Limits
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import Refusal
from landline.protocol.redial import Fate, Redial, full_jitter
from tests.protocol.lines import SESSION_ID, TOKEN, make_welcome


def make_redial(*, chance: float = 0.5, **limits: Any) -> Redial:
    """One whose pauses are 1, 2, 3, … seconds, with a line since the beginning."""
    redial = Redial(Limits(**limits), float, lambda: chance)
    redial.welcomed(make_welcome(), 0.0)
    return redial


def refuse(redial: Redial, code: CloseCode, **fields: Any) -> Fate:
    return redial.refused(Refusal(code=code, **fields))


def test_every_dial_shows_the_newest_token_and_a_new_attempt() -> None:
    """The first dial was number 1."""
    redial = make_redial()
    first = redial.greeting(7, "ana")
    redial.welcomed(make_welcome(token=b"n" * 32), 1.0)
    second = redial.greeting(9, "ana")

    assert (first.session, first.token, first.attempt, first.received) == (SESSION_ID, TOKEN, 2, 7)
    assert (second.token, second.attempt, second.received) == (b"n" * 32, 3, 9)
    assert first.credentials == "ana"


def test_pauses_are_numbered_until_a_line_has_held() -> None:
    """A line that is welcomed and drops at once does not start them anew."""
    redial = make_redial(redial_reset=60)
    redial.line_ended(60.0)
    assert [redial.next_pause() for _ in range(3)] == [1, 2, 3]
    redial.welcomed(make_welcome(), 70.0)
    redial.line_ended(129.9)
    assert redial.next_pause() == 4
    redial.welcomed(make_welcome(), 140.0)
    redial.line_ended(200.0)

    assert redial.next_pause() == 1


def test_the_window_begins_with_the_end_of_the_line() -> None:
    """It is the server's, as its last welcome told it."""
    redial = make_redial()
    redial.welcomed(make_welcome(resume_window=12.0), 5.0)
    redial.line_ended(20.0)

    assert (redial.resume_window, redial.gives_up_at) == (12.0, 32.0)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 5.0), (0.5, 10.0), (1.0, 15.0)])
@pytest.mark.parametrize("how", ["refused", "closed"])
def test_what_a_server_asks_for_is_spread(chance: float, seconds: float, how: str) -> None:
    """Half to one and a half of it, for one dial; those who were told the same do not come back together."""
    redial = make_redial(chance=chance)
    if how == "closed":
        redial.come_back_in(10.0)
    else:
        assert refuse(redial, CloseCode.BUSY, retry_in=10.0) is Fate.DIAL_AGAIN

    assert [redial.next_pause(), redial.next_pause()] == [seconds, 2]


def test_what_we_wish_is_exact() -> None:
    """The longest of what was wished counts, and a longer pause is kept to."""
    redial = make_redial()
    redial.stay_away(42.0)
    redial.stay_away(7.0)
    assert redial.next_pause() == 42.0
    redial.stay_away(0.5)

    assert redial.next_pause() == 2


def test_a_stale_attempt_goes_on_above_the_highest() -> None:
    """Where the server says which that is."""
    redial = make_redial()

    assert refuse(redial, CloseCode.STALE, attempt=40) is Fate.DIAL_AGAIN
    assert redial.greeting(0, None).attempt == 41


def test_a_stale_attempt_without_the_highest_is_the_end() -> None:
    """There is nothing to go on above."""
    redial = make_redial()

    assert refuse(redial, CloseCode.STALE) is Fate.LOST
    assert redial.attempt == 1


@pytest.mark.parametrize("code", [code for code in CloseCode if code is not CloseCode.STALE])
def test_a_refusal_ends_the_session_unless_it_may_be_resumed(code: CloseCode) -> None:
    """Closed when the server closed it in good order, lost otherwise."""
    ended = Fate.CLOSED if code is CloseCode.NORMAL else Fate.LOST

    assert refuse(make_redial(), code) is (Fate.DIAL_AGAIN if code.resumable else ended)


@pytest.mark.limit("redial_min", "redial_max")
def test_full_jitter() -> None:
    """Evenly from nothing to a bound that doubles up to its own bound."""
    limits = Limits(redial_min=0.2, redial_max=20)
    most, least = full_jitter(limits, lambda: 1.0), full_jitter(limits, lambda: 0.0)

    assert [most(number) for number in (1, 2, 3, 8, 9, 10_000)] == pytest.approx([0.2, 0.4, 0.8, 20, 20, 20])
    assert least(5) == 0


def test_another_life_of_the_server_is_told_by_its_welcome() -> None:
    """The first one is none; what a greeting says of counts is of the life that welcomed last."""
    redial = Redial(Limits(), float, lambda: 0.5)
    first, second = make_welcome(), make_welcome(life=b"n" * 16)
    assert not redial.is_new_life(first)
    redial.welcomed(first, 0.0)
    assert [redial.is_new_life(welcome) for welcome in (first, second)] == [False, True]
    assert redial.greeting(3, None).life == first.life
    redial.welcomed(second, 1.0)

    assert [redial.is_new_life(welcome) for welcome in (first, second)] == [True, False]
    assert redial.greeting(0, None).life == second.life
