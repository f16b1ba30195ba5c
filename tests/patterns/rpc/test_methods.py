"""Methods: what can be offered, by which names, and as what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import landline
from landline.limits import PROTOCOL
from landline.patterns.rpc.methods import Kind, StreamGiven


async def call() -> int:
    return 1


async def stream() -> AsyncIterator[int]:
    yield 1


async def both(stream: StreamGiven) -> None: ...


def plain() -> None: ...


class Thing:
    async def bound(self) -> None: ...

    async def __call__(self) -> None: ...


def test_a_method_is_what_its_function_is() -> None:
    """A coroutine, an asynchronous generator, one that takes a stream, a plain one; also bound to an object."""
    methods = landline.Methods()
    for function in (call, stream, both, plain, Thing().bound):
        assert methods.method(function) is function
    methods.method(name="thing", idempotent=True)(Thing())

    assert [(method.name, method.kind, method.in_thread) for method in methods] == [
        ("call", Kind.CALL, False),
        ("stream", Kind.STREAM, False),
        ("both", Kind.BOTH_WAYS, False),
        ("plain", Kind.CALL, True),
        ("bound", Kind.CALL, False),
        ("thing", Kind.CALL, False),
    ]
    assert methods.idempotent == ["thing"]
    assert len(methods) == 6


def test_it_decorates_with_options() -> None:
    """The function stays what it is; it is called by the name that was given."""
    methods = landline.Methods()

    @methods.method(name="other", idempotent=True)
    async def function() -> int:
        return 1

    found = methods.get("other")
    assert found is not None
    assert found.function is function
    assert methods.get("function") is None


@pytest.mark.parametrize("name", ["", "landline.mine", "x" * (PROTOCOL.method + 1)])
def test_names_have_rules(name: str) -> None:
    """One that is empty is the function's own; the library's own are not to be had, and they have a length."""
    methods = landline.Methods()
    if not name:
        methods.method(name=name)(call)
        assert methods.get("call") is not None
        return
    with pytest.raises(ValueError, match="is no name for a method"):
        methods.method(name=name)(call)


def test_a_name_is_taken_once() -> None:
    """The second is told, and the first stays."""
    methods = landline.Methods()
    methods.method(call)

    with pytest.raises(ValueError, match="already"):
        methods.method(name="call")(plain)


def test_a_name_in_the_place_of_the_function_is_told_where_names_go() -> None:
    """As who comes from other libraries would write it."""
    with pytest.raises(TypeError, match=r"@method\(name='add'\)"):
        landline.Methods().method("add")  # type: ignore[call-overload]


def generator() -> Iterator[int]:
    yield 1


def plain_stream(stream: StreamGiven) -> None: ...
async def two(a: StreamGiven, b: StreamGiven) -> None: ...
async def yielding(a: StreamGiven) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [generator, plain_stream, two, yielding, 7])
def test_what_is_no_method_is_told_where_it_is_offered(function: Callable[..., Any]) -> None:
    """Generators that are not asynchronous, streams in threads, two streams, and what is no function."""
    with pytest.raises(TypeError):
        landline.Methods().method(name="m")(function)
