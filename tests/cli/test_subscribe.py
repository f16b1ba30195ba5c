"""``landline subscribe`` as a real process: a bad line, a reader that goes, signals, the command line."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landline.apps.program import subscribe
from landline.apps.program.subscribe import Subscribe
from landline.cli.main import main
from landline.testing.network import Faults, bad_network

from .processes import Programs, prices, programs_in

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    async with programs_in(tmp_path) as made:
        yield made


async def test_each_publication_comes_once_over_a_bad_line(programs: Programs) -> None:
    """History and what is published meanwhile, while the line is cut again and again."""
    async with (
        prices() as (server, address),
        bad_network(address, Faults(cut_every=50_000), seed=5) as proxy,
    ):
        for number in range(1500):
            await server.publish("prices.acme", f"{number} {'x' * 60}")
        process = await programs.start(
            "subscribe", proxy.address, "prices.*", "--after", "start", "--count", "3000"
        )
        assert process.stdout is not None
        lines = [await process.stdout.readline()]
        for number in range(1500, 3000):
            await server.publish("prices.acme", f"{number} {'x' * 60}")
        out, errors = await process.communicate()

    assert process.returncode == 0, errors
    assert proxy.cuts >= 2
    lines += out.splitlines()
    assert [json.loads(line)["data"].split()[0] for line in lines] == [str(number) for number in range(3000)]


async def test_each_line_comes_at_once_and_ctrl_c_ends_it_well(programs: Programs) -> None:
    """Nothing waits for company in a buffer; 0."""
    async with prices() as (server, address):
        process = await programs.start("subscribe", address, "prices.*", "--after", "start")
        assert process.stdout is not None
        for number in range(3):
            await server.publish("prices.acme", number)
            assert json.loads(await process.stdout.readline())["data"] == number
        process.send_signal(signal.SIGINT)
        out, errors = await process.communicate()

    assert (process.returncode, out, errors) == (0, b"", b"")


async def test_a_reader_that_has_enough_ends_it(programs: Programs) -> None:
    """Without another publication: `| head -1` leaves nothing behind. Quietly, with 1."""
    async with prices() as (server, address):
        process = await programs.start("subscribe", address, "prices.*", "--after", "start")
        await server.publish("prices.acme", 1)
        assert process.stdout is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        assert process.stderr is not None

        assert await process.stderr.read() == b""
        assert await process.wait() == 1


async def test_a_drop_that_lasts_is_told_on_stderr(programs: Programs) -> None:
    """And what was published meanwhile comes when the line is back."""
    async with prices() as (server, address), bad_network(address) as proxy:
        process = await programs.start("subscribe", proxy.address, "prices.*", "--after", "start")
        await server.publish("prices.acme", 1)
        assert process.stdout is not None
        assert process.stderr is not None
        await process.stdout.readline()
        proxy.is_refusing = True
        proxy.cut()
        assert b"It goes on where it stopped when it is back." in await process.stderr.readline()
        await server.publish("prices.acme", 2)
        proxy.is_refusing = False

        assert json.loads(await process.stdout.readline())["data"] == 2


async def test_what_is_not_there_has_exit_codes(programs: Programs) -> None:
    """4 for a topic that is not ours to read, 5 for too little in time, 2 for a pattern that is none."""
    async with prices() as (_, address):
        refused = await programs.run("subscribe", address, "other")
        nothing = await programs.run("subscribe", address, "price.*")
        late = await programs.run("subscribe", address, "prices.*", "--count", "1", "--timeout", "0.1")
        wrong = await programs.run("subscribe", address, "a..b")

    assert (refused[0], refused[2]) == (4, "landline: this server has no topic 'other'\n")
    assert (nothing[0], nothing[2]) == (
        4,
        "landline: this server has no topics that 'price.*' could select\n",
    )
    assert (late[0], late[2]) == (5, "landline: 0 of 1 came, and then nothing for 0.1 s\n")
    assert (wrong[0], wrong[1]) == (2, b"")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Subscribe]:
    """What the app was asked for."""
    found: list[Subscribe] = []

    async def run(wanted: Subscribe, stop: asyncio.Event) -> int:
        found.append(wanted)
        return 0

    monkeypatch.setattr(subscribe, "run", run)
    return found


def test_the_app_gets_what_was_asked_for(asked: list[Subscribe]) -> None:
    """Where, what, from where on and how much."""
    words = ["subscribe", "-q", "5000", "a.*", "--after", "x:3", "--count", "2", "--timeout", "0.5"]
    assert main(words) == 0

    (wanted,) = asked
    assert (wanted.server.address, wanted.server.is_quiet) == ("tcp://localhost:5000", True)
    assert (wanted.pattern, wanted.count, wanted.timeout) == ("a.*", 2, 0.5)
    assert getattr(wanted.after, "offset", None) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["--after", "yesterday"],
        ["--count", "0"],
        ["--timeout", "0"],
        ["--timeout", "nan"],
        ["--timeout", "inf"],
    ],
)
def test_what_makes_no_sense_dials_nobody(asked: list[Subscribe], words: list[str]) -> None:
    """It is a usage error."""
    assert main(["subscribe", "5000", "a", *words]) == 2
    assert asked == []
