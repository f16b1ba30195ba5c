"""The figures of the growth as tables and as a picture: a line for each measure, and how far it bends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..plot import Lines, line_picture, number

Account = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By axis, then by measure, then by size: ``both``, ``server`` and ``passed`` in microseconds, or the ``value``."""

MEMORY: Final = "memory"


def value_of(figures: dict[str, float]) -> float:
    """Return what is drawn: the processor time of both ends, or what there is alone."""
    return figures.get("value", figures.get("both", 0.0))


def tables(account: Account) -> Iterator[str]:
    """Yield a table for each axis."""
    for title, rows in account.items():
        sizes = sorted({int(size) for row in rows.values() for size in row})
        yield f"| {title} | {' | '.join(f'{size:,}' for size in sizes)} | last ÷ first |"
        yield "| --- " + "| ---: " * (len(sizes) + 1) + "|"
        for name, row in rows.items():
            cells = [number(value_of(row[str(size)])) if str(size) in row else "" for size in sizes]
            known = [value_of(row[str(size)]) for size in sizes if str(size) in row]
            ratio = f"{known[-1] / known[0]:.2f}×" if len(known) > 1 and known[0] > 0 else ""
            yield f"| {_with_unit(name)} | {' | '.join(cells)} | {ratio} |"
        yield ""


def _with_unit(name: str) -> str:
    if ", in " in name:
        return name
    return f"{name}, KiB" if name.startswith(MEMORY) else f"{name}, µs"


def svg(account: Account) -> str:
    """Return the picture: processor time for each axis, memory in panels of its own, and nothing of what was measured at one size only."""
    panels = []
    for title, rows in account.items():
        across = title.split(" in ")[0].lower().split(" of ")[0]
        kinds: dict[str, dict[str, list[tuple[float, float]]]] = {}
        for name, row in rows.items():
            unit = name.partition(", in ")[2] or ("KiB" if name.startswith(MEMORY) else "µs")
            points = sorted((float(size), value_of(figures)) for size, figures in row.items())
            if len(points) > 1:
                kinds.setdefault(unit, {})[name.partition(", in ")[0]] = points
        panels += [Lines(title, across, unit, lines) for unit, lines in kinds.items()]
    return line_picture("What one more costs, when there are many already", panels)
