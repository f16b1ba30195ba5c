"""Pictures of figures: well-formed, to scale, and with every name in them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from benchmarks.plot import Bar, Bars, Lines, bar_picture, line_picture, number, ratio_picture

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    """Everything that is written in it."""
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    """Within a group, which has a scale of its own; what is written is no markup."""
    picture = bar_picture(
        "a < b",
        [Bars("first", [Bar("one", 1.0), Bar("two", 2.0)], "ms"), Bars("second", [Bar("three", 0.5)])],
        "a note",
    )

    rects = ElementTree.fromstring(picture).findall(f"{SVG}rect")[1:]
    lengths = [float(rect.attrib["width"]) for rect in rects]
    assert lengths[0] == pytest.approx(lengths[1] / 2, abs=0.1)
    assert lengths[1] == lengths[2]
    assert {"a < b", "first", "one", "1 ms", "2 ms", "second", "0.5", "a note"} <= set(texts(picture))


def test_lines_have_powers_of_ten_below_and_begin_at_nothing() -> None:
    """Ten times as many is the same way to the right, and a flat line is flat."""
    flat = [(1.0, 50.0), (10.0, 50.0), (100.0, 50.0)]
    picture = line_picture(
        "growth", [Lines("Topics", "topics", "µs", {"publish": flat, "read": [(1.0, 0.0), (100.0, 100.0)]})]
    )

    path = re.findall(r'<polyline class="line c0" points="([^"]*)"', picture)[0]
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in path.split())
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 == y1 == y2
    assert {"Topics, µs", "1", "10", "100", "0", "50", "topics", "publish", "read"} <= set(texts(picture))


def test_ratios_begin_at_one() -> None:
    """Twice as good is as long to the right as half as good is to the left."""
    picture = ratio_picture("beside", [Bars("job", [Bar("twice", 2.0), Bar("half", 0.5), Bar("same", 1.0)])])

    twice, half, same = ElementTree.fromstring(picture).findall(f"{SVG}rect")[1:]
    assert float(twice.attrib["width"]) == pytest.approx(float(half.attrib["width"]), abs=0.2)
    assert float(half.attrib["x"]) + float(half.attrib["width"]) == pytest.approx(
        float(twice.attrib["x"]), abs=0.2
    )
    assert twice.attrib["x"] == same.attrib["x"]
    assert {"beside", "job", "twice", "2×", "0.5×", "1×", "10×", "0.1×"} <= set(texts(picture))


def test_large_powers_of_ten_are_short() -> None:
    """They would stand in each other."""
    line = [(1000.0, 1.0), (1e6, 1.0)]

    assert {"1,000", "10k", "100k", "1M"} <= set(
        texts(line_picture("growth", [Lines("a", "b", "c", {"d": line})]))
    )


def test_an_odd_panel_stands_alone() -> None:
    """And so does one with a single point, or with nothing but zeros."""
    panel = Lines("One", "things", "µs", {"none": [(10.0, 0.0)]})

    picture = line_picture("growth", [panel, panel, panel])

    assert texts(picture).count("One, µs") == 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.034, "0.034"), (1.25, "1.2"), (10.0, "10"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    """About three digits."""
    assert number(value) == shown
