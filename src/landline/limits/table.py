"""What a table of limits is made of: a field is a row with its unit and its reason."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, cast

MOST: Final = (1 << 31) - 1
"""What a count may be set to: more than any that is of use, and within what sizes on the wire and the kernel's numbers hold."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table."""

    name: str
    default: float
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitGroup:
    """The rows of one part of the program."""

    title: str
    how: str
    """``fixed``, or what they are set with."""
    limits: tuple[Limit, ...]


def limit(default: Any, unit: str, reason: str, *, most: int = MOST) -> Any:
    """Return a field of a table of limits; one that can be set to a count takes at most ``most``."""
    return dataclasses.field(default=default, metadata={"unit": unit, "reason": reason, "most": most})


def rows(table: type, prefix: str = "") -> tuple[Limit, ...]:
    """Return the rows of a table of limits, whose fields are ``limit``; their names begin with ``prefix``."""
    return tuple(
        Limit(
            prefix + field.name, cast(float, field.default), field.metadata["unit"], field.metadata["reason"]
        )
        for field in dataclasses.fields(table)
    )


FIXED: Final = "fixed"
"""How a group of limits is set that cannot be."""


def as_seconds(value: float) -> float:
    """Return what was given as a number of seconds, whether that is in range or not.

    Raises:
        TypeError: it is something else, in words that say so.
    """
    try:
        _ = value > 0
    except TypeError:
        raise TypeError(f"it takes a number of seconds, and not {value!r}") from None
    return value
