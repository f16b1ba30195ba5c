"""What docs/reference/promises.md promises: each of its cells is seen here, between processes, on lines that are cut and with ``kill -9``.

A world is one server, one client with a session for each pattern, a bad network between them, and one thing that befalls them. It is played
once by each worker; each pattern's part of it is a test of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.testing.network import bad_network

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "promises.md"
PROGRAMS = Path(__file__).parent / "promises"

LINE = "the line drops"
SERVER_KEEPS = "the server dies, with storage"
SERVER_FORGETS = "the server dies, without"
CLIENT_KEEPS = "the client dies, with storage"
CLIENT_FORGETS = "the client dies, without"
EVENTS = (LINE, SERVER_KEEPS, SERVER_FORGETS, CLIENT_KEEPS, CLIENT_FORGETS)
Process = asyncio.subprocess.Process


@dataclass
class Cell:
    """What one pattern shows when one thing happens.

    Attributes:
        seen: by its client: what became of what it said early, of what the server had in hand, of what it said late when nothing got through;
            and whatever else there is to see. Where the client died, what its next life finds.
        given: what the server's programs and methods were given, in their order, over both lives.
        stored: what the topic of the publishes has in the end.
    """

    seen: list[Any]
    given: list[str] | None = None
    stored: list[str] | None = None


ALL = ["early", "held", "late"]

PROMISED: dict[str, dict[str, Cell]] = {
    "messages": {
        LINE: Cell(["acked", "acked", "acked", "welcome"], [*ALL, "new"]),
        SERVER_KEEPS: Cell(
            ["acked", "unknown", "unknown", "SessionInterrupted", "welcome"], ["early", "held", "new"]
        ),
        SERVER_FORGETS: Cell(["acked", "unknown", "unknown", "SessionLost"], ["early", "held"]),
        CLIENT_KEEPS: Cell([], ["early", "held", "new"]),
        CLIENT_FORGETS: Cell([], ["early", "held", "new"]),
    },
    "durable sends": {
        LINE: Cell(["acked", "acked", "acked"], ALL),
        SERVER_KEEPS: Cell(["acked", "acked", "acked"], ["early", "held", "held", "late"]),
        SERVER_FORGETS: Cell(["failed"], []),
        CLIENT_KEEPS: Cell([], ALL),
        CLIENT_FORGETS: Cell([], ["early", "held"]),
    },
    "publishes": {
        LINE: Cell(["stored", "stored", "stored"], stored=ALL),
        SERVER_KEEPS: Cell(["stored", "stored", "stored"], stored=ALL),
        SERVER_FORGETS: Cell(["stored", "PublishUnknown", "PublishUnknown"], stored=[]),
        CLIENT_KEEPS: Cell([["held", "stored"], ["late", "stored"]], stored=ALL),
        CLIENT_FORGETS: Cell([], stored=["early", "held"]),
    },
    "subscriptions": {
        LINE: Cell(["early", "late"]),
        SERVER_KEEPS: Cell(["early", "late"]),
        SERVER_FORGETS: Cell(["early", "SessionLost"]),
        CLIENT_KEEPS: Cell(["late"]),
        CLIENT_FORGETS: Cell(["late"]),
    },
    "calls": {
        LINE: Cell([1, 1, 1], ALL),
        SERVER_KEEPS: Cell([1, "CallUnknown", "CallUnknown"], ["early", "held"]),
        SERVER_FORGETS: Cell([1, "CallUnknown", "CallUnknown"], ["early", "held"]),
        CLIENT_KEEPS: Cell([1], ["early", "held", "new"]),
        CLIENT_FORGETS: Cell([1], ["early", "held", "new"]),
    },
    "idempotent calls": {
        LINE: Cell([1, 1, 1], ALL),
        SERVER_KEEPS: Cell([1, 2, 2], ["early", "held", "held", "late"]),
        SERVER_FORGETS: Cell([1, "CallUnknown", "CallUnknown"], ["early", "held"]),
        CLIENT_KEEPS: Cell([1], ["early", "held", "new"]),
        CLIENT_FORGETS: Cell([1], ["early", "held", "new"]),
    },
    "streams": {
        LINE: Cell([0, 1, 2, 3, "FlowEnded"], ["left"]),
        SERVER_KEEPS: Cell([0, 1, "CallUnknown"], []),
        SERVER_FORGETS: Cell([0, 1, "SessionLost"], []),
        CLIENT_KEEPS: Cell([0, 1, 2, 3], ["left", "left"]),
        CLIENT_FORGETS: Cell([0, 1, 2, 3], ["left", "left"]),
    },
    "files": {
        LINE: Cell([["letter"]], ["letter"]),
        SERVER_KEEPS: Cell([["letter"]], ["letter", "letter"]),
        SERVER_FORGETS: Cell([["SessionLost", []]], ["letter"]),
        CLIENT_KEEPS: Cell([["letter"]], ["letter", "letter"]),
        CLIENT_FORGETS: Cell([["letter"]], ["letter", "letter"]),
    },
    "presence": {
        LINE: Cell([[["early", True]], [["late", True]]]),
        SERVER_KEEPS: Cell([[["early", True]], [["late", True]]]),
        SERVER_FORGETS: Cell([[["early", True]], "SessionLost"]),
        CLIENT_KEEPS: Cell([[]]),
        CLIENT_FORGETS: Cell([[]]),
    },
    "session.info": {
        LINE: Cell([{"life": 1}, {"life": 1}]),
        SERVER_KEEPS: Cell([{"life": 1}, {"life": 2}]),
        SERVER_FORGETS: Cell([{"life": 1}, "SessionLost"]),
        CLIENT_KEEPS: Cell([{"life": 1}]),
        CLIENT_FORGETS: Cell([{"life": 1}]),
    },
    "credentials": {
        LINE: Cell(["shown again"], ["1"]),
        SERVER_KEEPS: Cell(["shown again"], ["1", "2"]),
        SERVER_FORGETS: Cell(["shown again"], ["1", "2"]),
        CLIENT_KEEPS: Cell(["shown 1"], ["1"]),
        CLIENT_FORGETS: Cell(["shown 1"], ["1"]),
    },
}
"""Row by row what is promised, and column by column when."""


def test_it_is_promised_of_every_pattern_in_every_event() -> None:
    """The table has no hole."""
    assert all(set(cells) == set(EVENTS) for cells in PROMISED.values())


def tables() -> list[dict[str, dict[str, str]]]:
    """Return the tables of the page: rows by their name, cells by that of their column."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        found.append({name: dict(zip(head[1:], cells, strict=True)) for name, *cells in rows})
    return found


def test_the_page_promises_what_is_tried_here() -> None:
    """Its rows and columns are those above; receipts are seen with what they are of."""
    promises, _ = tables()

    assert set(promises) == {*PROMISED, "receipts"}
    assert all(tuple(cells) == EVENTS and all(cells.values()) for cells in promises.values())


def test_every_cell_of_the_page_names_tests_that_are_there() -> None:
    """Each names this file, or others besides, by the path below ``tests`` and the name of the function."""
    promises, seen = tables()
    named = {
        (row, event): re.findall(r"`([^`]+)`", cell)
        for row, cells in seen.items()
        for event, cell in cells.items()
    }

    assert set(named) == {(row, event) for row in promises for event in EVENTS}
    assert all(named.values())
    assert {name for names in named.values() for name in names if not is_a_test(name)} == set()


def is_a_test(name: str) -> bool:
    file, _, function = name.partition("::")
    path = Path(__file__).parent / f"{file}.py"
    return path.is_file() and (not function or f"def {function}(" in path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=EVENTS)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Cell]]:
    """One world for all patterns: it takes seconds, and they do not touch each other."""
    event = request.param
    cells = asyncio.run(asyncio.wait_for(play(event, tmp_path_factory.mktemp("world")), 50))
    return event, cells


@pytest.mark.parametrize("pattern", PROMISED)
def test_what_is_promised_is_seen(pattern: str, world: tuple[str, dict[str, Cell]]) -> None:
    """What the client sees, what the server's programs are given, and how often, and what is stored."""
    event, cells = world
    promised, found = PROMISED[pattern][event], cells[pattern]

    assert found.seen == promised.seen
    assert found.given == promised.given or promised.given is None
    assert found.stored == promised.stored or promised.stored is None


# How a world is played...


async def play(event: str, folder: Path) -> dict[str, Cell]:
    """Have a server and its client begin, let nothing pass any more, have something happen, and see them through."""
    address, book = f"unix://{folder}/socket", folder / "book"
    served = (address, "" if event == SERVER_FORGETS else folder / "server.db", book)
    client_dies, server_dies = (
        event in {CLIENT_KEEPS, CLIENT_FORGETS},
        event in {SERVER_KEEPS, SERVER_FORGETS},
    )
    window = 1 if client_dies else 300
    has_storage = ["storage"] if event == CLIENT_KEEPS else []

    async with AsyncExitStack() as stack, bad_network(address) as network:
        begin = partial(_begin, stack)
        server = await begin("server", *served, 1, window)
        assert await heard(server) == "ready"
        client = await begin("client", network.address, folder, *has_storage)
        assert await heard(client) == "begun"
        network.freeze()
        go_on(client)
        assert await heard(client) == "waiting"

        if server_dies:
            await kill(server)
        if client_dies:
            await kill(client)
        network.cut()
        network.thaw()

        if server_dies:
            server = await begin("server", *served, 2, window)
            assert await heard(server) == "ready"
        async with landline.connect(address, credentials="witness") as witness:
            await witness.call("tell", "late")
            await witness.call("unlock")
            if client_dies:
                client = await begin("client", network.address, folder, *has_storage, "again")
            else:
                go_on(client)
            seen = json.loads(await heard(client))
            if client_dies:
                await witness.call("wait_over", list(seen))
            assert await client.wait() == 0
            stored = await witness.call("stored")
    return {name: Cell(seen[name], given(book, name), stored) for name in seen}


def given(book: Path, name: str) -> list[str]:
    """Return what a pattern's programs and methods were given, as the server's lives wrote it down; by which life its credentials were looked at."""
    facts = [
        fact
        for who, _, fact in (line.partition(": ") for line in book.read_text().splitlines())
        if who == name
    ]
    if name == "credentials":
        return list(dict.fromkeys(fact.removeprefix("let in by life ") for fact in facts))
    return [fact.removeprefix("given ") for fact in facts if not fact.startswith("let in")]


async def _begin(stack: AsyncExitStack, program: str, *arguments: object) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    stack.push_async_callback(kill, process)
    return process


async def kill(process: Process) -> None:
    """``kill -9``."""
    if process.returncode is None:
        process.kill()
        await process.wait()


async def heard(process: Process) -> str:
    """Return the next line that it prints."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def go_on(process: Process) -> None:
    """Let it go on to its next step."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
