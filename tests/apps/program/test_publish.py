"""What ``landline publish`` does with what it is given; processes and bad lines are in cli/test_publish.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.program import publish
from landline.apps.program.lines import InputError
from landline.apps.program.opening import Server
from landline.apps.program.publish import Publish

from .conftest import ADDRESS, Standard, published

pytestmark = pytest.mark.timeout(30)


async def kept(server: landline.Server, topic: str = "prices.acme") -> list[Any]:
    return [item.data for item in (await server.read(topic)).publications]


async def test_data_is_text_unless_it_is_said_to_be_json(standard: Standard, server: landline.Server) -> None:
    """Whatever it looks like; and its position is printed."""
    assert await published(topic="prices.acme", data="12") == 0
    assert await published(topic="prices.acme", data='{"base64": "AP8="}', is_json=True) == 0

    assert await kept(server) == ["12", b"\0\xff"]
    assert [set(said) for said in standard.said()] == [{"topic", "position"}] * 2


async def test_each_line_is_a_publication(standard: Standard, server: landline.Server) -> None:
    """An empty one is empty text; in JSON it is nothing. Positions come in the order of the lines, with their numbers."""
    standard.give(b"a\n\nb")
    await published(topic="prices.acme")
    standard.give(b'1\n\n{"x": [2]}\n')
    await published(topic="prices.acme", is_json=True)

    assert await kept(server) == ["a", "", "b", 1, {"x": [2]}]
    assert [said["line"] for said in standard.said()] == [1, 2, 3, 1, 3]
    assert [said["position"].rpartition(":")[2] for said in standard.said()] == list("12345")


async def test_without_a_topic_lines_say_it(
    standard: Standard, server: landline.Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ``landline subscribe`` prints them; where something was missing there, it is told and left out."""
    standard.give(b'{"topic": "prices.b", "position": "x:1", "data": {"base64": "AA=="}}\n{"gap": {}}\n')

    assert await published() == 0
    assert await kept(server, "prices.b") == [b"\0"]
    assert "Line 2 of standard input is a gap" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "asked", "error"),
    [
        (b"a\n\xff\nc\n", {"topic": "prices.acme"}, "line 2 .* it is not UTF-8; --json takes"),
        (b'"a"\n{\n"c"\n', {"topic": "prices.acme", "is_json": True}, "line 2 .* it is no JSON"),
        (b'{"topic": "prices.acme", "data": "a"}\n[]\n', {}, "line 2 .* without TOPIC each line is"),
        (b'{"topic": "prices.acme", "data": "a"}\n{"topic": ".", "data": 1}', {}, "line 2 .* empty token"),
        (
            b'"a"\n' + b"[" * 50_000 + b"]" * 50_000,
            {"topic": "prices.acme", "is_json": True},
            "line 2 .* nested",
        ),
    ],
)
async def test_rubbish_names_its_line(
    standard: Standard, server: landline.Server, lines: bytes, asked: dict[str, Any], error: str
) -> None:
    """What came before it is published, nothing after it."""
    standard.give(lines)
    with pytest.raises(InputError, match=error):
        await published(**asked)

    assert await kept(server) == ["a"]
    assert [said["line"] for said in standard.said()] == [1]


async def test_bad_json_on_the_command_line_dials_nobody(standard: Standard) -> None:
    """There is no server at all."""
    with pytest.raises(landline.DataError, match=r"^DATA cannot be published: it is no JSON"):
        await published(topic="prices.acme", data="{", is_json=True)


async def test_what_the_server_refuses_names_its_line(
    standard: Standard, server: landline.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends the reading: what was not under way by then stays unsaid."""
    monkeypatch.setattr(publish, "IN_FLIGHT", 1)
    lines = [(1, "prices.acme"), (2, "other"), (3, "prices.acme")]
    standard.give(
        b"".join(b'{"topic": "%s", "data": %d}\n' % (topic.encode(), data) for data, topic in lines)
    )
    with pytest.raises(landline.PublishFailed, match=r"has no topic 'other' \(line 2 of standard input\)"):
        await published()

    assert await kept(server) == [1]


@pytest.mark.limit("program.told_errors")
async def test_so_many_errors_are_told(standard: Standard, server: landline.Server) -> None:
    """Those of the lines that were under way already, up to the limit; further lines are not read."""
    standard.give(b'{"topic": "other", "data": 2}\n' * publish.TOLD_ERRORS)
    with pytest.raises(ExceptionGroup) as caught:
        await published()
    assert len(caught.value.exceptions) == publish.TOLD_ERRORS

    standard.give(b'{"topic": "other", "data": 2}\n' * (publish.TOLD_ERRORS + 1))
    with pytest.raises(ExceptionGroup) as caught:
        await published()
    assert len(caught.value.exceptions) == publish.TOLD_ERRORS


@pytest.mark.limit("program.in_flight", "program.in_flight_bytes")
@pytest.mark.parametrize(
    ("name", "most", "ever"), [("IN_FLIGHT", 3, 3), ("IN_FLIGHT_BYTES", 6, 3), ("IN_FLIGHT_BYTES", 1, 1)]
)
async def test_so_many_are_under_way_at_once(
    standard: Standard,
    server: landline.Server,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    most: int,
    ever: int,
) -> None:
    """Never more, whichever limit is reached first; a single one always is let through, and the order stays."""
    monkeypatch.setattr(publish, name, most)
    now = highest = 0
    real = landline.Session.publish

    async def counted(session: landline.Session, topic: str, data: Any) -> landline.Position:
        nonlocal now, highest
        now += 1
        highest = max(highest, now)
        try:
            return await real(session, topic, data)
        finally:
            now -= 1

    monkeypatch.setattr(landline.Session, "publish", counted)
    standard.give(b"".join(b"%02d\n" % number for number in range(20)))
    await published(topic="prices.acme")

    assert highest == ever
    assert await kept(server) == [f"{number:02}" for number in range(20)]


async def test_an_answer_that_does_not_come_is_not_waited_for(
    standard: Standard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server vets for ever: what is known is said, with the line."""
    monkeypatch.setattr("landline.apps.program.opening.LIMITS", landline.Limits(close_timeout=0.05))

    async def vet(session: landline.Session, topic: str, data: Any) -> Any:
        await asyncio.Event().wait()

    server = landline.Server()
    server.topic("prices.*", vet=vet)
    standard.give(b"a\n")
    async with server.listen(ADDRESS):
        with pytest.raises(TimeoutError, match=r"within 0.05 s; line 1 may have been published, or not"):
            await published(topic="prices.acme", timeout=0.05)


@pytest.mark.limit("program.drain_timeout")
@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_stop_drains_for_so_long(
    standard: Standard, monkeypatch: pytest.MonkeyPatch, is_answered: bool
) -> None:
    """Answers that come in time are waited for; then what is not answered is given up, and its outcome is told."""
    monkeypatch.setattr(publish, "DRAIN_TIMEOUT", 20.0 if is_answered else 0.01)
    monkeypatch.setattr("landline.apps.program.opening.LIMITS", landline.Limits(close_timeout=0.05))
    stop, answering = asyncio.Event(), asyncio.Event()

    async def vet(session: landline.Session, topic: str, data: Any) -> Any:
        stop.set()
        if is_answered:
            asyncio.get_running_loop().call_later(0.02, answering.set)
        await answering.wait()
        return data

    server = landline.Server()
    server.topic("prices.*", vet=vet)
    async with server.listen(ADDRESS):
        running = publish.run(Publish(server=Server(address=ADDRESS), topic="prices.acme", data="x"), stop)
        if is_answered:
            assert await running == 0
        else:
            with pytest.raises(landline.PublishUnknown):
                await running

    assert len(standard.said()) == is_answered


async def test_what_an_earlier_run_left_goes_out_first(standard: Standard, tmp_path: Path) -> None:
    """It is printed as such, and then what is published now."""
    gate = asyncio.Event()

    async def vet(session: landline.Session, topic: str, data: Any) -> Any:
        await gate.wait()
        return data

    server = landline.Server()
    server.topic("prices.*", vet=vet)
    limits = landline.Limits(close_timeout=0.05)
    async with server.listen(ADDRESS):
        async with landline.connect(ADDRESS, storage=tmp_path / "mine.db", limits=limits) as session:
            is_kept = asyncio.Event()
            left = asyncio.create_task(session.publish("prices.old", 1, on_kept=is_kept.set))
            await is_kept.wait()
        await asyncio.gather(left, return_exceptions=True)
        gate.set()
        assert await published(topic="prices.new", data="2", storage=tmp_path / "mine.db") == 0

    first, second = standard.said()
    assert (first["topic"], first["earlier"], second["topic"]) == ("prices.old", True, "prices.new")


async def test_data_is_kept_before_anybody_is_dialled(
    standard: Standard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody listens: it is said, and it goes out with the next run, once and before what comes then."""
    mine = tmp_path / "mine.db"
    with pytest.raises(landline.ConnectError):
        await published(topic="prices.acme", data="1", storage=mine)
    assert (
        capsys.readouterr().err
        == f"It is kept in {mine}, and goes out with the next run that reaches a server.\n"
    )

    server = landline.Server()
    server.topic("prices.*")
    async with server.listen(ADDRESS):
        assert await published(topic="prices.acme", data="2", storage=mine) == 0
        assert await published(storage=mine) == 0
        assert await kept(server) == ["1", "2"]

    assert [said.get("earlier", False) for said in standard.said()] == [True, False]


async def test_lines_are_not_read_before_somebody_answered(
    standard: Standard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So nothing of them is kept, which is said."""
    standard.give(b"a\n")
    with pytest.raises(landline.ConnectError):
        await published(topic="prices.acme", storage=tmp_path / "mine.db")

    assert "Nothing was read from standard input, and nothing of it is kept." in capsys.readouterr().err
