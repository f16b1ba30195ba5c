"""A method's parameters: what a caller gives is read as the annotations say, and what does not fit is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import landline
from landline.patterns.rpc.arguments import Arguments, Given


class Here(Given):
    """Something that is given here."""

    @classmethod
    def given(cls, session: Any) -> Any:
        return session


class Item(msgspec.Struct):
    name: str
    amount: int = 1


def read(function: Callable[..., Any], *args: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def raw(value: Any) -> msgspec.Raw:
        return msgspec.Raw(msgspec.msgpack.encode(value))

    return Arguments(function, "m").read(raw(args), raw(named))


def plain(a: int, b: str = "b", *, c: float = 1.0) -> None: ...
def structs(item: Item, items: list[Item] | None = None) -> None: ...
def anything(a, b=2) -> None: ...  # type: ignore[no-untyped-def]
def in_order(a: int, /, b: int) -> None: ...
def with_session(a: int, here: Here, b: int = 2) -> None: ...
def session_first(here: Here, a: int, b: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "named", "expected"),
    [
        (plain, (1,), {}, ((1,), {})),
        (plain, (1, "x"), {"c": 2}, ((1, "x"), {"c": 2.0})),
        (plain, (), {"b": "x", "a": 1}, ((), {"a": 1, "b": "x"})),
        (structs, ({"name": "x"},), {}, ((Item("x"),), {})),
        (structs, ({"name": "x"}, [{"name": "y", "amount": 2}]), {}, ((Item("x"), [Item("y", 2)]), {})),
        (anything, ([1, {"a": None}],), {}, (([1, {"a": None}],), {})),
        (in_order, (1, 2), {}, ((1, 2), {})),
        (in_order, (1,), {"b": 2}, ((1,), {"b": 2})),
        (with_session, (1, 3), {}, ((1,), {"b": 3})),
        (session_first, (1, 3), {}, ((), {"a": 1, "b": 3})),
        (session_first, (1,), {"b": 3}, ((), {"a": 1, "b": 3})),
    ],
)
def test_what_fits_is_what_the_method_is_called_with(
    function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any], expected: Any
) -> None:
    """In order or by name, with defaults, structs, and beside what is given here."""
    found = read(function, *args, **named)

    assert found == expected
    given = dict.fromkeys(Arguments(function, "m").given)
    function(*found[0], **found[1], **given)


@pytest.mark.parametrize(
    ("function", "args", "named", "words"),
    [
        (plain, ("x",), {}, "a: Expected `int`, got `str`"),
        (plain, (1, 2), {}, "b: Expected `str`, got `int`"),
        (plain, (1,), {"c": "x"}, "c: Expected `float`, got `str`"),
        (plain, (), {}, "not given: a"),
        (plain, (1,), {"a": 1}, "given twice: a"),
        (plain, (1,), {"d": 1}, "there is no parameter `d`"),
        (plain, (1, "x", 3.0), {}, "Expected at most 2, and got 3 in order"),
        (structs, ({"amount": 1},), {}, "item: Object missing required field `name`"),
        (structs, ({"name": "x"}, [{"name": 1}]), {}, r"items[0].name: Expected `str`, got `int`"),
        (in_order, (), {"a": 1, "b": 2}, "there is no parameter `a`"),
        (session_first, (1, 2), {"here": 3}, "there is no parameter `here`"),
    ],
)
def test_what_does_not_fit_is_named(
    function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any], words: str
) -> None:
    """The type of the error says that it is the caller's, and the message which argument it is."""
    with pytest.raises(landline.CallFailed) as failed:
        read(function, *args, **named)

    assert (failed.value.type, failed.value.message) == ("invalid arguments", words)


def many(*args: int) -> None: ...
def by_any_name(**named: int) -> None: ...
def given_in_order(here: Here, /) -> None: ...
def no_type(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def unreadable(a: list[int] | set[int]) -> None: ...


@pytest.mark.parametrize("function", [many, by_any_name, given_in_order, no_type, unreadable])
def test_a_function_that_no_caller_could_call_is_no_method(function: Callable[..., Any]) -> None:
    """It is told where it is offered, not where it is called."""
    with pytest.raises(TypeError):
        Arguments(function, "m")
