"""``landline publish`` as a real process: a bad line, pipes that close, refusals, signals."""

from __future__ import annotations

import asyncio
import json
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.cli.main import main
from landline.testing.network import Faults, bad_network

from .processes import Programs, prices, programs_in

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    async with programs_in(tmp_path) as made:
        yield made


async def all_of(server: landline.Server, pattern: str) -> list[Any]:
    found: list[Any] = []
    after = None
    while True:
        page = await server.read(pattern, after)
        found += [item.data for item in page.publications]
        if not page.more:
            return found
        after = page.end


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.long
async def test_lines_go_through_a_bad_line_once_and_in_order(programs: Programs, count: int) -> None:
    """The line is cut again and again; each answer comes once, in the order of the lines."""
    lines = [f"line {number} {'x' * 40}" for number in range(1, count + 1)]
    async with (
        prices() as (server, address),
        bad_network(address, Faults(cut_every=20 * count), seed=3) as proxy,
    ):
        code, out, errors = await programs.run(
            "publish", proxy.address, "prices.acme", given="\n".join(lines).encode()
        )
        stored = await all_of(server, "prices.acme")

    assert code == 0, errors
    assert proxy.cuts >= 1
    assert stored == lines
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["line"] for answer in answers] == list(range(1, count + 1))
    assert [int(answer["position"].rpartition(":")[2]) for answer in answers] == list(range(1, count + 1))


async def test_what_is_subscribed_can_be_published_elsewhere(programs: Programs) -> None:
    """``landline subscribe A … | landline publish B``: bytes are bytes, and topics the same."""
    values: list[Any] = ["text", b"\0\xff", {1: [b"x", None]}, {"base64": "no"}, 1.5]
    async with prices() as (here, address), prices() as (there, other):
        for value in values:
            await here.publish("prices.acme", value)
        _, out, _ = await programs.run(
            "subscribe", address, "prices.*", "--after", "start", "--count", str(len(values))
        )
        code, _, errors = await programs.run("publish", other, given=out)

        assert (code, errors) == (0, "")
        assert await all_of(there, "prices.acme") == values


async def test_an_answer_is_printed_while_the_input_waits(programs: Programs) -> None:
    """As ``tail -f`` has it: a line, its answer, another line; then Ctrl-C ends it as success."""
    async with prices() as (server, address):
        process = await programs.start("publish", address, "prices.acme", stdin=PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        for number in (1, 2):
            process.stdin.write(b"x\n")
            assert json.loads(await process.stdout.readline())["line"] == number
        process.stdin.write(b"half a line")
        process.send_signal(signal.SIGINT)
        out, errors = await process.communicate()

        assert (process.returncode, out, errors) == (0, b"", b"")
        assert await all_of(server, "prices.acme") == ["x", "x"]


async def test_nobody_who_reads_the_answers_ends_it(programs: Programs) -> None:
    """Quietly, with 1; the input need not end for that."""
    async with prices() as (_, address):
        process = await programs.start("publish", address, "prices.acme", stdin=PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x\n")
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        process.stdin.write(b"y\n")
        assert process.stderr is not None

        assert await process.stderr.read() == b""
        assert await process.wait() == 1


async def test_rubbish_in_a_pipe_names_its_line(programs: Programs) -> None:
    """On stderr, with 1."""
    async with prices() as (_, address):
        code, out, errors = await programs.run(
            "publish", address, "prices.acme", "--json", given=b'1\n{"base64": "?"}\n'
        )

    assert code == 1
    assert json.loads(out)["line"] == 1
    assert errors == (
        'landline: line 2 of standard input cannot be used: what {"base64": ...} holds is not of that kind\n'
    ).replace("...", "…")


async def test_refusals_have_exit_code_4(programs: Programs) -> None:
    """Of the topic, and of who we are; a token opens what is closed."""

    def authenticate(credentials: object) -> str | None:
        return "ana" if credentials == "open sesame" else None

    token = programs.folder / "token"
    token.write_text("open sesame\n")
    async with prices(authenticate=authenticate) as (_, address):
        closed = await programs.run("publish", address, "prices.acme", "x")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LANDLINE_TOKEN_FILE", str(token))
            open_ = await programs.run("publish", address, "prices.acme", "x")
            other = await programs.run("publish", address, "other", "x")

    assert closed[0] == 4
    assert " refused: " in closed[2]
    assert open_[0] == 0, open_[2]
    assert (other[0], other[2]) == (4, "landline: it was not published: this server has no topic 'other'\n")


async def test_the_chat_server_refuses_in_its_words(programs: Programs) -> None:
    """Its topics are its members': a program is none."""
    address = f"unix://{programs.folder}/chat.sock"
    server = await programs.start(
        "serve", "--address", address, "--no-operator", "--data", str(programs.folder)
    )
    assert server.stdout is not None
    while b"chat.sock" not in await server.stdout.readline():
        assert server.returncode is None
    code, _, errors = await programs.run("publish", address, "room.lobby", "x")

    assert code == 4
    assert errors.endswith(
        "refused: this is a chat server, and these are no credentials of a chat client: `landline chat` joins it\n"
    )


def test_json_needs_a_topic(capsys: pytest.CaptureFixture[str]) -> None:
    """Without one, each line is JSON anyway."""
    assert main(["publish", "5000", "--json"]) == 2

    assert "--json goes with TOPIC" in capsys.readouterr().err


def test_nobody_there_has_an_exit_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """3, so that a script can try again."""
    monkeypatch.setattr("landline.apps.program.publish.standard_output", lambda: 1)
    assert main(["publish", f"unix://{tmp_path}/none", "a", "b"]) == 3

    assert "cannot connect to" in capsys.readouterr().err


async def test_what_is_not_answered_is_kept_and_goes_out_with_the_next_run(programs: Programs) -> None:
    """Killed while a publication is under way: the file has it, and it is stored once."""
    arrived, answering = asyncio.Event(), asyncio.Event()

    async def vet(session: landline.Session, topic: str, data: Any) -> Any:
        arrived.set()
        await answering.wait()
        return data

    server = landline.Server()
    server.topic("prices.*", vet=vet)
    file = str(programs.folder / "mine.db")
    async with server.listen("tcp://127.0.0.1:0") as listening:
        (address,) = listening.addresses
        process = await programs.start("publish", address, "prices.a", "x", "--storage", file)
        await arrived.wait()
        process.kill()
        await process.wait()
        answering.set()
        code, out, errors = await programs.run("publish", address, "--storage", file)

        assert (code, errors) == (0, "")
        assert json.loads(out)["earlier"] is True
        assert await all_of(server, "prices.a") == ["x"]


def test_a_storage_is_put_into_a_folder_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None is made: a path that is mistyped would be kept at, and found by nobody."""
    assert main(["publish", "1", "a", "b", "--storage", f"{tmp_path}/nope/x.db"]) == 2

    assert f"there is no folder {tmp_path}/nope" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
