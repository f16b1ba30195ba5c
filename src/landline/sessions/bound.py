"""A function that has its first argument already. Each transport of a server has one, so they are small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

F = TypeVar("F")
R = TypeVar("R")
P = ParamSpec("P")


class Bound(Generic[F, P, R]):
    """Calls the function with the first argument and those that it is given; ``functools.partial`` is four times its size, with what it holds."""

    __slots__ = ("_first", "_function")

    def __init__(self, function: Callable[Concatenate[F, P], R], first: F) -> None:
        self._function = function
        self._first = first

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self._function(self._first, *args, **kwargs)
