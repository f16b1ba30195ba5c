"""What a person sees of a transfer, in a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

import landline
from landline.apps.cells import cells
from landline.apps.rates import Meter
from landline.apps.transfer.bars import Bars, bar_line, status_line
from landline.apps.transfer.limits import TRANSFER


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(
    done: int, size: int = 1000, *, name: str = "a.bin", files: int = 0, of: int = 1
) -> landline.Progress:
    return landline.Progress(name=name, done=done, size=size, files=files, of_files=of, resumed=0)


@pytest.mark.limit("transfer.bar_interval")
def test_a_terminal_has_one_line_that_is_drawn_anew() -> None:
    """Not more often than one can see, and at the end in any case; what is said comes between."""
    clock, out = Clock(), Terminal()
    bars = Bars(out, now=clock)
    tell = bars.watch()

    tell(progress(0))
    clock.now += TRANSFER.bar_interval / 2
    tell(progress(100))
    clock.now += TRANSFER.bar_interval / 2
    tell(progress(500))
    bars.say("news")
    tell(progress(1000, files=1))
    bars.close()

    looks = [look.partition(" ")[0] for look in out.getvalue().split("\r\x1b[K")]
    assert looks == ["", "a.bin", "a.bin", "news\n", "a.bin"]
    assert " 50 %" in out.getvalue()
    assert out.getvalue().endswith("1.0 kB of 1.0 kB, 10.0 kB/s\n")


@pytest.mark.limit("transfer.line_interval")
def test_elsewhere_there_is_a_line_now_and_then() -> None:
    """Without anything that moves a cursor."""
    clock, out = Clock(), io.StringIO()
    tell = Bars(out, now=clock).watch()

    for done in (0, 250, 500, 1000):
        tell(progress(done, files=done // 1000))
        clock.now += TRANSFER.line_interval / 2

    assert [line.partition(",")[0] for line in out.getvalue().splitlines()] == [
        "a.bin: 0 %",
        "a.bin: 50 %",
        "a.bin: 100 %",
    ]
    assert "\x1b" not in out.getvalue()


def test_a_quiet_one_says_errors_only() -> None:
    """And a closed stream is no error."""
    out = io.StringIO()
    bars = Bars(out, is_quiet=True)
    bars.watch()(progress(1000, files=1))
    bars.say("news")
    bars.say("an error", is_error=True)
    Bars(None).say("to nobody")

    assert out.getvalue() == "an error\n"


def test_what_others_say_is_not_obeyed() -> None:
    """Names and reasons may come from the other end: they stay on one line, and a terminal obeys nothing in them."""
    out = Terminal()
    bars = Bars(out)
    bars.watch()(progress(1000, name="a\x1b]0;me\x07", files=1))
    bars.say("Sent x as y\x1b[31m\nlandline: all is well\x9b1m\u202e.")
    plain = io.StringIO()
    Bars(plain).watch()(progress(1000, name="a\nb", files=1))

    assert "\x1b]" not in out.getvalue()
    assert "Sent x as y\\x1b[31m\\nlandline: all is well\\x9b1m\\u202e.\n" in out.getvalue()
    assert plain.getvalue().startswith("a\\nb: 100 %")


def test_a_line_fits_its_terminal() -> None:
    """First the bar goes, then the name; wide letters count twice."""
    meter = Meter(Clock())
    long = progress(500, name="日本語" * 20, files=1, of=3)

    assert bar_line(long, meter, 120).count("█") == 12
    for columns in (120, 70, 50, 20, 5, 0):
        assert cells(bar_line(long, meter, columns)) <= columns
    assert status_line(long, meter).endswith(": 50 %, 1 of 3 files, 500 B of 1.0 kB")
    assert bar_line(progress(0, 0), meter, 120).endswith("100 %  0 B of 0 B")
