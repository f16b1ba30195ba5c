"""``landline bench`` as a real process, in a terminal, and on the command line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pexpect
import pytest

import landline
from landline.apps.bench import persistent
from landline.apps.bench.limits import BENCH
from landline.apps.bench.persistent import Persistent
from landline.cli.main import main

from .processes import Programs, programs_in


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    async with programs_in(tmp_path) as made:
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Persistent]:
    """What the app was asked for."""
    found: list[Persistent] = []

    async def run(wanted: Persistent, stop: asyncio.Event) -> int:
        found.append(wanted)
        return 0

    monkeypatch.setattr(persistent, "run", run)
    return found


async def test_a_server_elsewhere_is_measured(programs: Programs) -> None:
    """One object a line; nobody there is 3, a server that refuses us 4."""
    server = landline.Server()

    @server.method
    async def anything() -> None: ...

    async with server.listen("tcp://127.0.0.1:0") as listening:
        (address,) = listening.addresses
        code, out, errors = await programs.run("bench", "persistent", address, "--count", "3", "--json")
    nobody = await programs.run("bench", "persistent", address)
    async with landline.Server(authenticate=lambda credentials: None).listen("tcp://127.0.0.1:0") as closed:
        refused = await programs.run("bench", "persistent", closed.addresses[0])

    assert code == 0, errors
    assert [json.loads(line)["count"] for line in out.splitlines()] == [3, 3]
    assert [nobody[0], refused[0]] == [3, 4]
    assert nobody[2].rstrip().endswith("is the program running whose server you mean?")


def test_its_help_says_whom_it_can_ask(capsys: pytest.CaptureFixture[str]) -> None:
    """The chat would refuse; there is an example that does not."""
    assert main(["bench", "persistent", "--help"]) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert "that offers methods has, as that of examples/prices_server.py; the chat has none" in told


@pytest.mark.long
def test_in_a_terminal_there_is_a_bar_and_then_a_picture(tmp_path: Path) -> None:
    """The bar is gone when the picture comes."""
    program = pexpect.spawn(
        sys.executable,
        ["-m", "landline", "bench", "persistent", "--count", "50"],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        timeout=50,
    )
    program.expect("░ +[0-9]+ %  ")
    program.expect_exact("\r\x1b[KA call of 64 bytes and its answer")
    program.expect("TLS: a bare socket each time takes [0-9.]+ times as long")
    program.expect(pexpect.EOF)
    program.close()

    assert program.exitstatus == 0


def test_the_server_that_it_starts_is_for_this_machine_alone(
    asked: list[Persistent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever other commands are set to listen on."""
    monkeypatch.setenv("LANDLINE_HOST", "0.0.0.0")

    assert main(["bench", "persistent"]) == 0
    assert asked[0].host == "localhost"


@pytest.mark.limit("bench.exchanges")
def test_what_may_be_asked_for(asked: list[Persistent]) -> None:
    """No more exchanges than there are ports for; without an address nobody's server is dialled."""
    most = str(BENCH.exchanges)

    assert main(["bench", "persistent", "--count", most]) == 0
    assert main(["bench", "persistent", "5000", "--json"]) == 0
    assert main(["bench", "persistent", "--count", str(BENCH.exchanges + 1)]) == 2
    assert main(["bench", "persistent", "--count", "0"]) == 2
    assert main(["bench"]) == 2

    assert [(one.address, one.count, one.is_json) for one in asked] == [
        (None, BENCH.exchanges, False),
        ("tcp://localhost:5000", 500, True),
    ]


def test_a_count_is_a_whole_number(capsys: pytest.CaptureFixture[str]) -> None:
    """What is none is told so, in words."""
    assert main(["bench", "persistent", "--count", "x"]) == 2

    assert "'x' is not a valid whole number" in capsys.readouterr().err
