"""Two clocks, of the peer's silence and of our own writing, told the time as a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.protocol.heartbeat import LATE, Heartbeat, Progress, Verdict

# Silence...


def test_silence_becomes_a_ping_a_suspicion_and_a_verdict() -> None:
    """After the interval, half of the rest, and all of it: 33 seconds with the defaults."""
    heartbeat = Heartbeat(25.0, 8.0, 100.0)

    assert (heartbeat.timeout_at(), heartbeat.check(125.0)) == (125.0, Verdict.PING)
    assert (heartbeat.timeout_at(), heartbeat.check(129.0)) == (129.0, Verdict.SUSPECT)
    assert (heartbeat.timeout_at(), heartbeat.check(133.0)) == (133.0, Verdict.DEAD)


@pytest.mark.limit("heartbeat_interval")
def test_nothing_is_found_before_its_time() -> None:
    """A timer may come early, as often as it likes."""
    heartbeat = Heartbeat(25.0, 8.0, 0.0)

    assert heartbeat.check(24.9) is Verdict.QUIET
    assert heartbeat.check(25.0) is Verdict.PING
    assert heartbeat.check(25.0) is Verdict.QUIET
    assert heartbeat.check(28.9) is Verdict.QUIET


def test_any_byte_begins_the_silence_anew() -> None:
    """Before the ping, after it, and when suspected; only then is it news."""
    heartbeat = Heartbeat(25.0, 8.0, 0.0)

    assert not heartbeat.heard(10.0)
    assert heartbeat.timeout_at() == 35.0
    assert heartbeat.check(35.0) is Verdict.PING
    assert not heartbeat.heard(36.0)
    assert heartbeat.timeout_at() == 61.0
    assert heartbeat.check(61.0) is Verdict.PING
    assert heartbeat.check(65.0) is Verdict.SUSPECT
    assert heartbeat.heard(66.0)
    assert heartbeat.timeout_at() == 91.0


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_loop_that_stood_still_probes_before_it_judges(before: int) -> None:
    """Whatever was due, a timer that comes late is no proof of silence: there may be unread bytes."""
    heartbeat = Heartbeat(25.0, 8.0, 0.0)
    for _ in range(before):
        heartbeat.check(heartbeat.timeout_at())
    late = heartbeat.timeout_at() + LATE + 0.1

    assert heartbeat.check(late) is Verdict.BLOCKED
    assert heartbeat.timeout_at() > late


def test_a_timer_that_is_hardly_late_still_judges() -> None:
    """Every timer is a little late."""
    heartbeat = Heartbeat(25.0, 8.0, 0.0)

    assert heartbeat.check(26.0) is Verdict.PING
    assert LATE == 1.0


def test_a_suspicion_outlives_a_loop_that_stood_still() -> None:
    """Whoever was told of the suspicion is told when it ends, although the loop was blocked in between."""
    heartbeat = Heartbeat(25.0, 8.0, 0.0)
    heartbeat.check(25.0)
    assert heartbeat.check(29.0) is Verdict.SUSPECT

    assert heartbeat.check(50.0) is Verdict.BLOCKED
    assert heartbeat.heard(50.1)


@pytest.mark.limit("dead_after")
@given(st.floats(0.1, 60), st.floats(0.1, 60))
def test_a_silent_peer_is_found_within_interval_and_dead_after(interval: float, dead_after: float) -> None:
    """Whatever the figures, if the timers come in time."""
    heartbeat = Heartbeat(interval, dead_after, 0.0)
    found = [heartbeat.check(heartbeat.timeout_at()) for _ in range(2)]
    at = heartbeat.timeout_at()

    assert [*found, heartbeat.check(at)] == [Verdict.PING, Verdict.SUSPECT, Verdict.DEAD]
    assert at == pytest.approx(interval + dead_after)


# Writing...

TIMEOUT = 10.0


def wrote(progress: Progress, size: int, now: float) -> None:
    if progress.look_at is None:
        progress.begin(now, TIMEOUT)
    progress.written += size


def check_until(progress: Progress, until: float, backlog: int) -> float | None:
    """Look whenever it is time to; return when it failed."""
    while progress.look_at is not None and progress.look_at <= until:
        at = progress.look_at
        if not progress.check(at, TIMEOUT, backlog):
            return at
    return None


@pytest.mark.limit("write_timeout")
def test_what_never_leaves_fails_at_the_deadline() -> None:
    """Ten seconds without a byte leaving, however much left before that."""
    progress = Progress()
    wrote(progress, 1000, 0.0)
    assert progress.check(2.5, TIMEOUT, 0)
    assert progress.look_at is None

    wrote(progress, 1000, 50.0)

    assert check_until(progress, 100.0, 1000) == 60.0


def test_more_writing_is_no_progress() -> None:
    """Only what leaves counts, not what is added behind it."""
    progress = Progress()
    wrote(progress, 1000, 0.0)
    progress.check(2.5, TIMEOUT, 1000)
    wrote(progress, 1000, 3.0)

    assert check_until(progress, 100.0, 2000) == 10.0


def test_one_byte_leaving_begins_the_deadline_anew() -> None:
    """Slow is not dead."""
    progress = Progress()
    wrote(progress, 1000, 0.0)
    assert progress.check(2.5, TIMEOUT, 1000)
    assert progress.check(5.0, TIMEOUT, 999)

    assert check_until(progress, 100.0, 999) == 15.0


def test_nothing_to_write_needs_no_timer() -> None:
    """Looking stops when everything left, and begins with the next write."""
    progress = Progress()
    looks = [progress.look_at]
    assert progress.check(1000.0, TIMEOUT, 0)

    wrote(progress, 1, 5.0)
    looks.append(progress.look_at)
    assert progress.check(7.5, TIMEOUT, 0)
    looks.append(progress.look_at)

    assert looks == [None, 7.5, None]


def test_a_look_before_its_time_sees_nothing() -> None:
    """Timers are shared, and may come early; the next look stays where it was."""
    progress = Progress()
    wrote(progress, 1000, 0.0)
    assert progress.check(2.4, TIMEOUT, 0)

    assert progress.look_at == 2.5


def test_a_loop_that_stood_still_wrote_nothing_itself() -> None:
    """A look that comes late begins the deadline anew: the peer was not asked to take anything."""
    progress = Progress()
    wrote(progress, 1000, 0.0)

    assert progress.check(30.0, TIMEOUT, 1000)
    assert check_until(progress, 100.0, 1000) == 40.0


def test_a_pause_is_no_time_in_which_nothing_left() -> None:
    """What was seen to leave before it says nothing of what is written after it."""
    progress = Progress()
    wrote(progress, 1000, 0.0)
    assert progress.check(2.5, TIMEOUT, 1000)
    assert progress.check(5.0, TIMEOUT, 0)
    wrote(progress, 1000, 100.0)

    assert check_until(progress, 200.0, 1000) == 110.0
