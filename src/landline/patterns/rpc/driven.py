"""Running a coroutine within a task that others have used before it: it is told apart whether it was done at once, or has to wait."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Driven(Generic[T]):
    """Something to ``await``: runs a coroutine, step by step, in a context of its own.

    Args:
        coroutine: what to run.
        suspended: called once, when it waits for something for the first time; never where it is done at once.
    """

    __slots__ = ("_coroutine", "_suspended")

    def __init__(self, coroutine: Coroutine[Any, Any, T], suspended: Callable[[], object]) -> None:
        self._coroutine = coroutine
        self._suspended = suspended

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        run = contextvars.copy_context().run
        try:
            awaited = run(coroutine.send, None)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        self._suspended()
        step: Callable[[Any], Any]
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's own affair, cancellation too
                step, given = coroutine.throw, error
            else:
                step, given = coroutine.send, value
            try:
                awaited = run(step, given)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
