"""``landline rpc`` as a real process, and on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.program import rpc
from landline.apps.program.rpc import Rpc
from landline.cli.main import main
from landline.testing.network import Faults, bad_network

from .processes import Programs, programs_in

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    async with programs_in(tmp_path) as made:
        yield made


@pytest.mark.long
async def test_calls_over_a_bad_line_have_their_effect_once(programs: Programs) -> None:
    """A thousand of them, from lines of standard input, while the line is cut."""
    counted: list[int] = []
    server = landline.Server()

    @server.method
    async def count(number: int) -> int:
        counted.append(number)
        return len(counted)

    given = b"".join(b"[%d]\n" % number for number in range(1000))
    async with (
        server.listen("tcp://127.0.0.1:0") as listening,
        bad_network(listening.addresses[0], Faults(cut_every=3_000), seed=2) as proxy,
    ):
        code, out, errors = await programs.run("rpc", proxy.address, "count", "--lines", given=given)

    assert code == 0, errors
    assert proxy.cuts >= 1
    assert counted == list(range(1000))
    assert out.split() == [b"%d" % number for number in range(1, 1001)]


async def test_what_goes_wrong_has_exit_codes(programs: Programs) -> None:
    """1 for a call that failed, 4 for one that is not allowed, 5 for one that takes too long; the list has what is allowed."""
    server = landline.Server(authorize=lambda principal, verb, name: name != "secret")

    @server.method
    async def secret() -> None: ...

    @server.method
    async def wait() -> None:
        await asyncio.Event().wait()

    async with server.listen("tcp://127.0.0.1:0") as listening:
        (address,) = listening.addresses
        listed = await programs.run("rpc", address)
        unknown = await programs.run("rpc", address, "none")
        denied = await programs.run("rpc", address, "secret")
        late = await programs.run("rpc", address, "wait", "--timeout", "0.1")

    assert (listed[0], listed[1]) == (0, b"wait() -> None\n")
    assert [unknown[0], denied[0], late[0]] == [1, 4, 5]
    for _, out, errors in (unknown, denied, late):
        assert out == b""
        assert errors.startswith("landline: ")
        assert errors.count("\n") == 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Rpc]:
    """What the app was asked for."""
    found: list[Rpc] = []

    async def run(wanted: Rpc, stop: asyncio.Event) -> int:
        found.append(wanted)
        return 0

    monkeypatch.setattr(rpc, "run", run)
    return found


@pytest.mark.parametrize(
    ("words", "args", "named"),
    [
        (["12", "ana", '"12"', "null", "-1"], (12, "ana", "12", None, -1), {}),
        (["--text", "12"], ("12",), {}),
        (['{"base64": "AA=="}', "--named", "a=b=1", "--named", "c=[1]"], (b"\0",), {"a": "b=1", "c": [1]}),
    ],
)
def test_an_argument_is_json_where_it_can_be(
    asked: list[Rpc], words: list[str], args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """Else text; and everything is text on request. A number below zero stands behind ``--``."""
    options = [word for word in words if word != "-1"]
    last = ["--", "-1"] if "-1" in words else []
    assert main(["rpc", "5000", "method", *options, *last]) == 0

    assert (asked[0].method, asked[0].args, asked[0].named) == ("method", args, named)


@pytest.mark.parametrize(
    "words",
    [
        ["--lines"],
        ["--named", "a=1"],
        ["method", "--json"],
        ["method", "1", "--lines"],
        ["method", "--named", "a"],
        ["method", '{"base64": "?"}'],
    ],
)
def test_what_makes_no_sense_dials_nobody(asked: list[Rpc], words: list[str]) -> None:
    """It is a usage error."""
    assert main(["rpc", "5000", *words]) == 2
    assert asked == []
