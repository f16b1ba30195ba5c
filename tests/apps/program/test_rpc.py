"""What ``landline rpc`` calls and prints; processes are in cli/test_rpc.py."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import landline
from landline.apps.program import rpc
from landline.apps.program.lines import InputError
from landline.apps.program.opening import Server
from landline.apps.program.rpc import Rpc
from landline.apps.standard import PipeError

from .conftest import ADDRESS, Standard

pytestmark = pytest.mark.timeout(30)


def shop(**options: Any) -> landline.Server:
    server = landline.Server(**options)

    @server.method
    async def add(a: int, b: int = 2) -> int:
        """Add two numbers.

        Nothing else.
        """
        return a + b

    @server.method
    async def echo(value: Any) -> Any:
        return value

    @server.method
    async def fail() -> None:
        raise landline.CallFailed("no such account", type="not found", data={"id": b"\0"})

    @server.method
    async def wait() -> None:
        await asyncio.Event().wait()

    return server


async def called(standard: Standard, stop: asyncio.Event | None = None, **asked: Any) -> int:
    async with shop().listen(ADDRESS):
        return await rpc.run(Rpc(server=Server(address=ADDRESS), **asked), stop or asyncio.Event())


async def test_what_it_returns_is_a_line_of_json(standard: Standard) -> None:
    """Arguments in order and by name, and whatever a message may hold."""
    assert await called(standard, method="add", args=(1,), named={"b": 5}) == 0
    assert await called(standard, method="echo", args=({1: b"\xff"},)) == 0

    assert standard.lines() == ["6", '{"map":[[1,{"base64":"/w=="}]]}']


async def test_without_a_method_what_is_offered_is_listed(standard: Standard) -> None:
    """With types, defaults and the first line of what is written of it; for programs as objects."""
    await called(standard)
    assert standard.lines()[:2] == [
        "add(a: int, b: int = 2) -> int  Add two numbers.",
        "echo(value: Any) -> Any",
    ]

    await called(standard, is_json=True)
    first = json.loads(standard.lines()[4])
    assert (first["name"], first["kind"], first["parameters"][0]) == (
        "add",
        "call",
        {"name": "a", "type": "int"},
    )


NEARLY: dict[str, Any] = {"name": "add", "kind": "call", "parameters": []}


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize(
    "listed",
    [7, None, "add", [7], [{}], [NEARLY, {**NEARLY, "parameters": [{}]}], [{**NEARLY, "about": 7}], {"add": NEARLY}],
)  # fmt: skip
async def test_a_list_that_is_none_is_the_servers_fault(
    standard: Standard, monkeypatch: pytest.MonkeyPatch, listed: Any, is_json: bool
) -> None:
    """Said so, and nothing of it is printed."""

    async def call(*_: object, **__: object) -> Any:
        return listed

    monkeypatch.setattr(landline.Session, "call", call)
    with pytest.raises(landline.CallFailed, match="what the server lists as its methods cannot be read: "):
        await called(standard, is_json=is_json)

    assert standard.lines() == []


async def test_a_list_may_say_more_or_less(standard: Standard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version, or another language, has other things to say of a method."""

    async def call(*_: object, **__: object) -> Any:
        return [{**NEARLY, "parameters": [{"name": "a", "since": 7}], "more": [7]}]

    monkeypatch.setattr(landline.Session, "call", call)
    assert await called(standard) == 0

    assert standard.lines() == ["add(a)"]


async def test_each_line_is_a_call(standard: Standard) -> None:
    """A list or an object; results come in their order."""
    standard.give(b'[1]\n\n{"a": 1, "b": 1}\n[5, 5]')
    assert await called(standard, method="add", has_lines=True) == 0

    assert standard.lines() == ["3", "2", "10"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "it is no JSON"),
        (b"1", "neither a list of arguments"),
        (b'{"map": [[1, 2]]}', "neither a list"),
    ],
)
async def test_rubbish_names_its_line(standard: Standard, line: bytes, reason: str) -> None:
    """The calls before it were made."""
    standard.give(b"[1]\n" + line + b"\n[1]\n")
    with pytest.raises(InputError, match=f"line 2 of standard input cannot be used: .*{reason}"):
        await called(standard, method="add", has_lines=True)

    assert standard.lines() == ["3"]


async def test_what_fails_is_told_in_the_methods_words(standard: Standard) -> None:
    """With its kind and what belongs to it, and the line where there is one."""
    with pytest.raises(
        landline.CallFailed, match=r'^no such account \(not found\) \{"id":\{"base64":"AA=="\}\}$'
    ):
        await called(standard, method="fail")
    standard.give(b"[1]\n[]\n")
    with pytest.raises(landline.CallFailed, match=r"at line 2 of standard input$"):
        await called(standard, method="add", has_lines=True)


async def test_nobody_waits_for_ever(standard: Standard) -> None:
    """A time that is over, and a stop; each is no success."""
    with pytest.raises(landline.CallTimeout):
        await called(standard, method="wait", timeout=0.05)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    with pytest.raises(PipeError, match="interrupted"):
        await called(standard, stop, method="wait")


async def test_an_argument_by_the_name_of_ours_is_refused(standard: Standard) -> None:
    """It would be taken for the time that the call may take."""
    with pytest.raises(landline.DataError, match="named timeout must be given in order"):
        await called(standard, method="add", named={"timeout": 1})
