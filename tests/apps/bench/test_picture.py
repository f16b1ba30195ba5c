"""The figures as a person reads them, and the progress bar."""

from __future__ import annotations

import io

import pytest

from landline.apps.bench.limits import BENCH
from landline.apps.bench.picture import Figures, Progress, bar, picture
from landline.apps.bench.ways import ANEW, STAYS


class Terminal(io.StringIO):
    """A file that says it is one."""

    def isatty(self) -> bool:
        return True


def figures(server: float | None = 0.001) -> list[Figures]:
    """Two ways with two exchanges each: the second takes ten times as long, and five times the processor time."""
    return [
        Figures("TCP", STAYS, [0.001, 0.001], client=0.001, server=server),
        Figures("TCP", ANEW, [0.010, 0.010], client=0.009 if server else 0.005, server=server),
    ]


def test_the_picture_has_a_bar_for_each_way_and_says_how_much_more() -> None:
    """The longest bar is the largest figure; what it costs is both ends' processor time."""
    lines = list(picture(figures(), "a call"))

    assert lines[0] == "A call, 2 times in each way."
    assert lines[2:5] == [
        "Latency, median, in ms",
        f"  TCP  {STAYS:23}   1.00  " + bar(0.1, 33),
        f"       {ANEW:23}  10.00  " + "█" * 33,
    ]
    assert lines[6] == "Processor time of both ends for each, in ms"
    assert lines[-1] == (
        f"TCP: {ANEW} takes 10.0 times as long as {STAYS}, and 5.0 times the processor time."
    )
    assert max(map(len, lines[:-1])) <= 72


def test_what_the_other_end_took_is_not_made_up() -> None:
    """Of a server that is not ours only this end's time is told."""
    lines = list(picture(figures(server=None), "a call"))

    assert "Processor time of this end for each, in ms" in lines
    assert figures(server=None)[0].summary()["server_processor_ms"] is None


def test_a_summary_is_in_milliseconds() -> None:
    """For each exchange; of a hundred the 99th is the slowest but one."""
    one = Figures("TLS", STAYS, [n / 1000 for n in range(1, 101)], client=0.2, server=0.1)

    assert one.summary() == {
        "carrier": "TLS",
        "how": STAYS,
        "count": 100,
        "latency_ms": 50.5,
        "latency_99_ms": 100.0,
        "client_processor_ms": 2.0,
        "server_processor_ms": 1.0,
    }


@pytest.mark.parametrize(("part", "drawn"), [(1.0, "████"), (0.5, "██"), (0.28125, "█▏"), (0.0, "▏")])
def test_a_bar_is_as_long_as_its_part(part: float, drawn: str) -> None:
    """To an eighth of a column, and there is always something to see."""
    assert bar(part, 4) == drawn


@pytest.mark.limit("bench.bar_interval")
def test_the_progress_bar_is_drawn_anew_no_more_often_than_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the interval, and not before it; at the end nothing of it is left."""
    monkeypatch.setenv("TERM", "xterm")
    out, now = Terminal(), 0.0
    progress = Progress(out, now=lambda: now)
    progress.begin(4)
    progress.step("one")
    now = BENCH.bar_interval * 0.9
    progress.step("two")
    now = BENCH.bar_interval
    progress.step("three")

    assert "two" not in out.getvalue()
    assert out.getvalue().endswith("██████████████████░░░░░░   75 %  three")
    progress.close()
    assert out.getvalue().endswith("\r\x1b[K")


def test_where_there_is_no_terminal_only_sentences_are_told() -> None:
    """A log is not filled with bars; what a sentence has of others' words is made harmless."""
    out = io.StringIO()
    progress = Progress(out)
    progress.begin(1)
    progress.step("one")
    progress.say("left out\x1b")
    progress.close()

    assert out.getvalue() == "left out\\x1b\n"
