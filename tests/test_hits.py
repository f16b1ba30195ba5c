"""Hits of limits: all are counted, and few enough are logged, whatever the pressure."""

from __future__ import annotations

import logging

import pytest

from landline.hits import Due, Failures, Hits
from landline.hits import Lines as Allowed
from landline.limits import HITS


class Lines(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class World:
    """Hits with a clock and a log of their own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lines = Lines()
        log = logging.Logger("hits", logging.INFO)  # noqa: LOG001 - nobody else's
        log.addHandler(self.lines)
        self.hits = Hits(log, lambda: self.now)

    def add(self, limit: str = "window", kind: str = "this machine", times: int = 1) -> list[str]:
        """Add hits; return the lines that they made."""
        before = len(self.lines.texts)
        for number in range(times):
            self.hits.add(limit, kind, f"number {number}")
        return self.lines.texts[before:]


def test_every_hit_is_counted_by_the_limits_name() -> None:
    """Whoever caused it; who holds the counts sees them rise, and cannot change them."""
    world = World()
    counts = world.hits.counts
    world.add("window", times=3)
    world.add("window", "another machine", times=2)
    world.add("max_message")

    assert counts == {"window": 5, "max_message": 1}
    with pytest.raises(TypeError):
        counts["window"] = 0  # type: ignore[index]


@pytest.mark.limit("hits.interval")
def test_one_line_in_ten_seconds_says_how_many_more_there_were() -> None:
    """Until the ten seconds are over the hits are counted; the next line has their number, and it begins anew."""
    world = World()
    assert world.add(times=38) == ["limit window, this machine: number 0"]
    world.now += 9.5
    assert world.add() == []
    world.now += 0.5
    assert world.add() == ["limit window, this machine: number 0; 38 more since the last such line"]
    world.now += HITS.interval

    assert world.add() == ["limit window, this machine: number 0"]


def test_other_limits_and_other_kinds_of_source_have_lines_of_their_own() -> None:
    """A flood from outside hides nothing that happens here."""
    world = World()
    world.add("window", "another machine", times=1000)

    assert world.add("window", "this machine") == ["limit window, this machine: number 0"]
    assert world.add("max_message", "another machine") == ["limit max_message, another machine: number 0"]


@pytest.mark.limit("hits.lines")
def test_ten_lines_a_second_are_the_most() -> None:
    """However many limits are hit; what found no room is counted and told with the next line of its own."""
    world = World()
    lines = [line for number in range(12) for line in world.add(f"limit-{number}", times=5)]
    assert len(lines) == HITS.lines
    assert world.hits.counts["limit-11"] == 5
    world.now += 0.5
    assert world.add("limit-11") == []
    world.now += 0.5

    assert world.add("limit-11") == [
        "limit limit-11, this machine: number 0; 6 more since the last such line"
    ]


def test_the_end_tells_what_was_not_told_yet() -> None:
    """Once, and within the same bound."""
    world = World()
    world.add("window", times=4)
    world.add("max_message")
    world.lines.texts.clear()
    world.hits.close()
    world.hits.close()

    assert world.lines.texts == ["limit window, this machine: 3 more since the last such line"]


@pytest.mark.limit("hits.kinds")
def test_so_many_things_are_told_apart() -> None:
    """What else comes shares one line, so that whoever thinks up new kinds fills neither the log nor memory."""
    now = 100.0
    lines = Allowed(lambda: now)
    for number in range(HITS.kinds):
        now += 1
        assert lines.due(number) == Due(0, is_first=True)
    now += HITS.interval

    assert lines.due(0) == Due(0, is_first=False)
    assert lines.due("one more") == Due(0, is_first=True)
    assert lines.due("another one") is None
    now += HITS.interval
    assert lines.due("the next") == Due(1, is_first=False)


def test_the_first_without_room_is_still_the_first_when_there_is_some() -> None:
    """What is told of a first one in full is not lost among others."""
    now = 100.0
    lines = Allowed(lambda: now)
    for number in range(HITS.lines):
        lines.due(number)
    assert lines.due("late") is None
    now += 1

    assert lines.due("late") == Due(1, is_first=True)


def raised(kind: type[Exception], *, elsewhere: bool = False) -> Exception:
    try:
        if elsewhere:
            raise kind("elsewhere")
        raise kind("here")
    except Exception as error:  # noqa: BLE001 - any
        return error


class Failing:
    """Failures with a clock and a log of their own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lines = Lines()
        log = logging.Logger("failures", logging.INFO)  # noqa: LOG001 - nobody else's
        log.addHandler(self.lines)
        self.failures = Failures(log, lambda: self.now)

    def fail(self, error: BaseException, what: str = "vet failed") -> list[str]:
        """Return the lines that it makes."""
        before = len(self.lines.texts)
        self.failures.log(what, error)
        return self.lines.texts[before:]


@pytest.mark.limit("hits.interval")
def test_of_what_fails_in_one_way_the_first_is_logged_and_then_how_many_more() -> None:
    """What failed of something else, with another error or at another place, is another way."""
    there = Failing()
    assert there.fail(raised(KeyError)) == ["vet failed"]
    assert [there.fail(raised(KeyError)) for _ in range(100)] == [[]] * 100
    assert there.fail(raised(ValueError)) == ["vet failed"]
    assert there.fail(raised(KeyError, elsewhere=True)) == ["vet failed"]
    assert there.fail(raised(KeyError), "authorize failed") == ["authorize failed"]
    assert there.fail(TypeError("never raised")) == ["vet failed"]
    there.now += HITS.interval - 0.5
    assert there.fail(raised(KeyError)) == []
    there.now += 0.5

    assert there.fail(raised(KeyError)) == ["vet failed: KeyError, 102 more since the last such line"]


def test_the_first_failure_comes_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """The others do not."""
    now = 0.0
    failures = Failures(logging.getLogger("failures"), lambda: now)
    for _ in range(2):
        failures.log("vet failed", raised(KeyError))
        now += HITS.interval

    assert [record.exc_info is not None for record in caplog.records] == [True, False]
    assert "KeyError: 'here'" in caplog.text


@pytest.mark.limit("hits.lines")
def test_failures_make_ten_lines_a_second_at_the_most() -> None:
    """However many ways there are to fail; the end tells of those that were counted."""
    there = Failing()
    lines = [line for number in range(12) for line in there.fail(raised(KeyError), f"number {number} failed")]
    assert len(lines) == HITS.lines
    there.fail(raised(KeyError), "number 0 failed")
    there.now += 1
    there.lines.texts.clear()
    there.failures.close()

    assert there.lines.texts == [
        f"number {number} failed: KeyError, 1 more since the last such line" for number in (0, 10, 11)
    ]
