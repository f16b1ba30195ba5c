"""Pictures of figures, as SVG: bars side by side, and lines over what grows. No more than the documents need.

They follow the reader's colours, light or dark, where they are shown as a file of their own, and name no font.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH: Final = 760
COLOURS: Final = 6
_STYLE: Final = """<style>
  .card { fill: #fff; stroke: #d0d7de } text { fill: #1f2328; font: 12px system-ui, sans-serif }
  .title { font-size: 15px; font-weight: 600 } .head { font-weight: 600 } .quiet { fill: #59636e }
  .grid { stroke: #d0d7de; stroke-width: 1 } .line { fill: none; stroke-width: 2 }
  .c0 { fill: #0969da; stroke: #0969da } .c1 { fill: #bc4c00; stroke: #bc4c00 } .c2 { fill: #1a7f37; stroke: #1a7f37 }
  .c3 { fill: #8250df; stroke: #8250df } .c4 { fill: #bf3989; stroke: #bf3989 } .c5 { fill: #7d6608; stroke: #7d6608 }
  .line.c0, .line.c1, .line.c2, .line.c3, .line.c4, .line.c5 { fill: none } rect.c0, rect.c1, rect.c2 { stroke: none }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
    .c0 { fill: #4493f8; stroke: #4493f8 } .c1 { fill: #f0883e; stroke: #f0883e } .c2 { fill: #3fb950; stroke: #3fb950 }
    .c3 { fill: #ab7df8; stroke: #ab7df8 } .c4 { fill: #db61a2; stroke: #db61a2 } .c5 { fill: #d4a72c; stroke: #d4a72c }
  }
</style>"""


class Bar(NamedTuple):
    """One bar with its label."""

    label: str
    value: float
    colour: int = 0
    """Bars of the same kind have the same one: 0 to 5."""


class Bars(NamedTuple):
    """A group of bars that are compared with each other, and share a scale."""

    title: str
    bars: Sequence[Bar]
    unit: str = ""


class Lines(NamedTuple):
    """Lines over what grows: both axes as numbers, the lower one by powers of ten, the other from 0."""

    title: str
    across: str
    """What grows."""
    unit: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    """By name, points from left to right."""


def bar_picture(title: str, groups: Sequence[Bars], note: str = "") -> str:
    """Return groups of bars, below each other."""
    drawn: list[str] = []
    y = 56
    names = max(len(bar.label) for group in groups for bar in group.bars) * 6.6 + 16
    room = WIDTH - 48 - names - 90
    for group in groups:
        drawn.append(_text(24, y, group.title, "head"))
        most = max(bar.value for bar in group.bars) or 1.0
        for bar in group.bars:
            y += 22
            length = max(1.0, bar.value / most * room)
            drawn.append(_text(24 + names - 12, y, bar.label, "", "end"))
            drawn.append(
                f'<rect class="c{bar.colour % COLOURS}" x="{24 + names:.0f}" y="{y - 11}" width="{length:.1f}" height="14" rx="2"/>'
            )
            drawn.append(_text(24 + names + length + 8, y, f"{number(bar.value)} {group.unit}".rstrip()))
        y += 36
    return _card(title, drawn, y, note)


def ratio_picture(title: str, groups: Sequence[Bars], note: str = "") -> str:
    """Return groups of ratios, below each other on one axis of powers of ten: bars to the right are above 1, those to the left below."""
    drawn: list[str] = []
    values = [bar.value for group in groups for bar in group.bars]
    powers = [math.floor(math.log10(min([*values, 0.5]))), math.ceil(math.log10(max([*values, 2.0])))]
    names = max(len(bar.label) for group in groups for bar in group.bars) * 6.6 + 16
    left, room = 24 + names, WIDTH - 48 - names - 60

    def place(value: float) -> float:
        return left + (math.log10(value) - powers[0]) / (powers[1] - powers[0]) * room

    y = 56
    for group in groups:
        drawn.append(_text(24, y, group.title, "head"))
        for bar in group.bars:
            y += 18
            begin, end = sorted((place(1.0), place(bar.value)))
            drawn.append(_text(left - 12, y, bar.label, "", "end"))
            drawn.append(
                f'<rect class="c{bar.colour % COLOURS}" x="{begin:.1f}" y="{y - 10}" width="{max(1.0, end - begin):.1f}" height="12" rx="2"/>'
            )
            drawn.append(_text(end + 6, y, f"{number(bar.value)}×"))
        y += 32
    grid = []
    for power in range(powers[0], powers[1] + 1):
        x = place(10.0**power)
        grid.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="44" y2="{y - 24}"/>')
        grid.append(_text(x, y - 8, f"{10.0**power:g}×", "quiet", "middle"))
    return _card(title, [*grid, *drawn], y + 12, note)


def line_picture(title: str, panels: Sequence[Lines], note: str = "") -> str:
    """Return panels, two beside each other, each with its legend below it."""
    drawn: list[str] = []
    top, half = 48, (WIDTH - 48) // 2
    for left, right in zip(panels[::2], [*panels[1::2], None], strict=False):
        heights = [200 + 16 * len(panel.lines) for panel in (left, right) if panel is not None]
        for column, panel in enumerate((left, right)):
            if panel is not None:
                drawn += _panel(panel, 24 + column * half, top, half - 24)
        top += max(heights) + 24
    return _card(title, drawn, top, note)


def _panel(panel: Lines, x: float, y: float, width: float) -> Iterator[str]:
    """Yield one panel, whose upper left corner is there."""
    points = [point for line in panel.lines.values() for point in line]
    left, right = (math.log10(edge(point[0] for point in points)) for edge in (min, max))
    most = _rounded_up(max(point[1] for point in points))
    inner, height, base = x + 46, 130.0, y + 160.0

    def place(point: tuple[float, float]) -> tuple[float, float]:
        part = (math.log10(point[0]) - left) / ((right - left) or 1.0)
        return inner + part * (width - 60), base - point[1] / most * height

    yield _text(x, y + 12, f"{panel.title}, {panel.unit}", "head")
    for quarter in (0.0, 0.5, 1.0):
        level = base - quarter * height
        yield f'<line class="grid" x1="{inner:.0f}" x2="{x + width - 14:.0f}" y1="{level:.1f}" y2="{level:.1f}"/>'
        yield _text(inner - 6, level + 4, number(most * quarter), "quiet", "end")
    for power in range(math.ceil(left), math.floor(right) + 1):
        yield _text(place((10.0**power, 0))[0], base + 16, _power(power), "quiet", "middle")
    yield _text(x + width - 14, base + 32, panel.across, "quiet", "end")
    for colour, (name, line) in enumerate(panel.lines.items()):
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in map(place, line))
        yield f'<polyline class="line c{colour % COLOURS}" points="{path}"/>'
        for px, py in map(place, line):
            yield f'<circle class="c{colour % COLOURS}" cx="{px:.1f}" cy="{py:.1f}" r="3"/>'
        yield f'<circle class="c{colour % COLOURS}" cx="{inner + 4:.0f}" cy="{base + 36 + colour * 16:.0f}" r="4"/>'
        yield _text(inner + 14, base + 40 + colour * 16, name)


def _rounded_up(value: float) -> float:
    """Return the next number that begins with 1, 2, 3, 4, 5, 6 or 8, and goes on with zeros."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.9999)


def _power(power: int) -> str:
    """Return a power of ten, as short as it stands below a line."""
    size = 10**power
    return f"{size // 1_000_000:,}M" if power >= 6 else f"{size // 1000}k" if power >= 4 else f"{size:,}"


def number(value: float) -> str:
    """Return a number with about three digits."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 10 else f"{value:.2g}"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    attributes = f' class="{kind}"' if kind else ""
    attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{attributes}>{escape(text)}</text>'


def _card(title: str, drawn: Sequence[str], height: float, note: str) -> str:
    lines = [note] if note else []
    height += 18 * len(lines)
    below = [_text(24, height - 14, line, "quiet") for line in lines]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title>",
        _STYLE,
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="6"/>',
        _text(24, 30, title, "title"),
        *drawn,
        *below,
        "</svg>",
        "",
    ])  # fmt: skip
