"""The tables of limits: each row is finite and tried by a test, and what cannot be a limit is refused where it is set."""

from __future__ import annotations

import ast
import dataclasses
import math
from pathlib import Path
from typing import Final

import pytest

from landline.cli.config import limit_groups
from landline.limits import LIMITS, LONGEST, MOST, Limits

TESTS = Path(__file__).resolve().parent
TIMES = [limit.name for limit in LIMITS if limit.unit == "seconds"]
COUNTS = [limit.name for limit in LIMITS if limit.unit != "seconds"]


ROWS = [limit for group in limit_groups() for limit in group.limits]
NAMES = {limit.name for limit in ROWS}

EXAMPLES: Final = """
@pytest.mark.limit("a", "b")
def test_one(): ...

class TestMore:
    @pytest.mark.parametrize("x", [1])
    @pytest.mark.limit("c")
    async def test_two(self, x): ...

@pytest.mark.needs("d")
def test_three(): ...

@pytest.mark.limit("e")
def no_test(): ...
"""


def limits(name: str, value: object) -> Limits:
    return dataclasses.replace(Limits(), **{name: value})  # type: ignore[arg-type]


def tried(source: str) -> set[str]:
    """Return the limits that the tests of this source say they try: ``@pytest.mark.limit("name")``."""
    return {
        name
        for test in ast.walk(ast.parse(source))
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_")
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.limit"
        for name in map(ast.literal_eval, mark.args)
    }


def test_every_limit_has_a_test_at_its_edge_and_past_it() -> None:
    """A row without a test that is marked with its name, or a mark that names no row, fails with the list."""
    found: set[str] = set()
    for path in sorted(TESTS.rglob("test_*.py")):
        found |= tried(path.read_text(encoding="utf-8"))

    assert (sorted(NAMES - found), sorted(found - NAMES)) == ([], [])


def test_marks_are_found_on_tests_and_nowhere_else() -> None:
    """On functions and methods, beside other marks; a function that pytest does not run tries nothing."""
    assert tried(EXAMPLES) == {"a", "b", "c"}


def test_no_two_limits_share_a_name() -> None:
    """A name in a mark, a count or a log line means one row."""
    assert len(NAMES) == len(ROWS)


def test_every_limit_is_finite_and_says_why() -> None:
    """Nothing is unlimited, and the table can be read by a person."""
    assert [row for row in ROWS if not (0 < row.default < math.inf and row.unit and row.reason)] == []


@pytest.mark.limit("protocol.longest")
@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, LONGEST + 1, None, "10"])
def test_a_time_that_is_none_is_refused(value: object) -> None:
    """By its name, before anything waits for it."""
    for name in TIMES:
        with pytest.raises(ValueError, match=name):
            limits(name, value)
        assert getattr(limits(name, LONGEST), name) == LONGEST


@pytest.mark.parametrize("value", [0, -1, 1.5, (1 << 50) + 1, None, "10"])
def test_a_count_that_is_none_is_refused(value: object) -> None:
    """A window of 0 would wait for ever."""
    for name in COUNTS:
        with pytest.raises(ValueError, match=name):
            limits(name, value)
        assert getattr(limits(name, 1), name) == 1


def test_a_count_has_an_end() -> None:
    """What no size on the wire and no number of the kernel's can hold is refused here, not in the middle of a talk; memory may be large."""
    for name in COUNTS:
        most = 1 << 50 if name == "memory" else MOST
        assert getattr(limits(name, most), name) == most
        with pytest.raises(ValueError, match=f"{name} .* at most {most:,}"):
            limits(name, most + 1)
