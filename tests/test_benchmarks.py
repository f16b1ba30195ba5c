"""The benchmarks run: jobs with every peer, at their smallest. What they measure is nobody's test."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import comparison, processes
from benchmarks.__main__ import main
from benchmarks.comparison import Comparison
from benchmarks.jobs import JOBS
from benchmarks.peers import OVER
from benchmarks.peers import peer as module_of_peers
from benchmarks.peers.peer import Peer
from benchmarks.processes import PeerFailed, can_fix_addresses, fix_addresses
from benchmarks.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
CALLS = "calls, one after the other, 64 B"


def options(**others: Any) -> argparse.Namespace:
    """What the command line has, for calls over TCP in two rounds."""
    return argparse.Namespace(
        **{
            "short": True,
            "rounds": 2,
            "loop": "uvloop",
            "over": "tcp",
            "only": CALLS,
            "gate": False,
            "json": None,
            "svg": None,
            **others,
        }
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The peers in the order in which they are measured; nothing is missing, rpyc fails, and the others are as quick as their names are long."""
    asked: list[str] = []

    def measure(peer: Peer, *_: Any, **__: Any) -> float:
        asked.append(peer.name)
        if peer.name == "rpyc":
            raise PeerFailed("it fell over")
        return float(len(peer.name))

    monkeypatch.setattr(comparison, "measure", measure)
    monkeypatch.setattr(Peer, "missing", lambda _: None)
    return asked


@pytest.mark.long
@pytest.mark.parametrize("over", ["tcp", "websocket"])
@pytest.mark.parametrize("job", ["round trip, C client", CALLS])
def test_a_job_runs_with_every_peer(tmp_path: Path, over: str, job: str) -> None:
    """Whoever plays it has figures in the file, or is left out by name."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--short", "--rounds", "1", "--only", job, "--over", over]

    ended = subprocess.run(
        [*command, "--json", str(figures)], cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )

    assert ended.returncode == 0, ended.stderr
    account = json.loads(figures.read_text())
    assert account["figures"][job]["landline"][0] > 0
    players = {peer.name for peer in OVER[over] if JOBS[job].kind in peer.plays}
    assert account["figures"][job].keys() | {name.split(", ")[0] for name in account["left_out"]} == players
    assert all(f"left out: {name}" in ended.stdout for name in account["left_out"])


@pytest.mark.long
@pytest.mark.parametrize(
    "job",
    [
        "bulk, 256 KiB, one core",
        "bulk with TLS, 256 KiB, one core",
        "file, one core",
        "round trip with TLS",
        "stream of items",
        "durable, 10 publishers",
        "durable topic to 1,000, 1 in flight",
        "fan-out to 100, one at a time",
        "connects, C client",
    ],
)
def test_a_job_of_each_other_kind_runs(job: str) -> None:
    """All of it arrives, and a figure comes of it."""
    command = [sys.executable, "-m", "benchmarks", "--short", "--rounds", "1", "--only", job]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)

    assert ended.returncode == 0, ended.stderr
    assert f"| {JOBS[job].row(is_short=True)}: {JOBS[job].unit} " in ended.stdout


def test_rounds_are_interleaved_and_who_fails_is_left_out(
    measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The others go on, each round another one is first, the reason is told, and it is no failure of the run."""
    assert Comparison(options()).run() == 0

    once = ["landline", "python-socketio", "grpcio", "rpyc", "nats-py"]
    assert measured == [*once, "python-socketio", "grpcio", "nats-py", "landline"]
    told = capsys.readouterr().out
    assert f"left out: rpyc, {CALLS}: it fell over" in told
    assert "rounds:" not in told


def test_when_ours_fails_the_run_has_failed(
    measured: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit code is 1, and the others are measured."""

    def fall_over(peer: Peer, *_: Any, **__: Any) -> float:
        if peer.is_ours:
            raise PeerFailed("it fell over")
        return 1.0

    monkeypatch.setattr(comparison, "measure", fall_over)

    assert Comparison(options()).run() == 1
    assert "left out: landline" in capsys.readouterr().out


def test_who_is_not_installed_is_left_out_by_name(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never started."""
    monkeypatch.setattr(Peer, "missing", lambda peer: "no such thing" if peer.name == "grpcio" else None)
    run = Comparison(options())

    assert run.run() == 0
    assert "grpcio" not in measured
    assert run.left_out["grpcio"].startswith("no such thing")

    monkeypatch.setattr(Peer, "missing", lambda peer: "no such thing")
    assert Comparison(options()).run() == 1


def test_every_kind_of_work_is_said_where_peers_begin() -> None:
    """And what a client of it must be able to do."""
    kinds = {kind for peers in OVER.values() for peer in peers for kind in peer.plays}

    assert not [kind for kind in kinds if f"``{kind}``" not in (module_of_peers.__doc__ or "")]
    assert kinds == {job.kind for job in JOBS.values()}


@pytest.mark.parametrize(
    ("program", "said", "version"),
    [
        ("redis-server", "echo Redis server v=7.0.15 sha=00000000:0", "7.0.15"),
        ("nats-server", "echo nats-server: v2.15.1", "2.15.1"),
        ("mosquitto", "echo mosquitto version 2.0.11; exit 3", "2.0.11"),
        ("ssh", "echo OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19 >&2", "9.2p1"),
        ("ssh", "echo nothing that we know", None),
        ("sh", "echo 1.2.3", None),
    ],
)
def test_what_we_installed_is_found_first_and_asked_for_its_version(
    program: str, said: str, version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the machine has of its own; what is there nowhere has none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / program).write_text(f"#!/bin/sh\n{said}\n", encoding="utf-8")
    (folder / program).chmod(0o755)
    monkeypatch.setattr(module_of_peers, "PACKAGES", tmp_path)

    assert module_of_peers.find_program(program) == str(folder / program)
    assert module_of_peers.version_of(program) == version
    assert module_of_peers.version_of("not-there") is None


def test_a_program_that_does_not_say_its_version_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in time, or not at all: by then everything is measured, and must not be lost for it."""
    program = tmp_path / "bin" / "redis-server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nwhile :; do :; done\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(module_of_peers, "PACKAGES", tmp_path)
    monkeypatch.setattr(module_of_peers, "SAYS_WITHIN", 0.05)
    assert module_of_peers.version_of("redis-server") is None

    program.write_text("#!/not/there\n", encoding="utf-8")
    assert module_of_peers.version_of("redis-server") is None


def test_what_is_missing_is_named() -> None:
    """A module that cannot be imported, a program that is not there; nothing where all is."""
    assert Peer("x", {}, modules=("json", "not_there")).missing() == "not_there is not installed"
    assert Peer("x", {}, programs=("not-there",)).missing() == "there is no not-there"
    assert Peer("x", {}, modules=("json",), programs=("sh",)).missing() is None


def test_the_price_names_the_peers_that_there_are(
    measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Here each is as quick as its name is long: 24 letters beside 13."""
    assert Comparison(options(only="fan-out to 1,000")).run() == 0

    assert (
        "bare protocol: fan-out to 1,000: -46 %; fan-out to 1,000, one at a time: -46 %."
        in capsys.readouterr().out
    )


def test_a_picture_shows_where_we_are_ahead(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half the microseconds is twice as good."""
    picture = tmp_path / "ratios.svg"

    assert Comparison(options(svg=picture)).run() == 0

    assert "1.9×" in picture.read_text(encoding="utf-8")  # python-socketio: 15 letters beside our 8


@pytest.mark.parametrize("is_short", [True, False])
def test_a_run_of_small_sizes_says_so(
    is_short: bool, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """So that nobody quotes it."""
    assert Comparison(options(short=is_short)).run() == 0

    assert ("Small sizes: not to quote." in capsys.readouterr().out) is is_short


def test_a_run_says_where_its_figures_went(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its picture, when they are there."""
    account, drawn = tmp_path / "figures.json", tmp_path / "ratios.svg"

    assert Comparison(options(json=account, svg=drawn)).run() == 0

    told = capsys.readouterr().out
    assert f"figures: {account}\n" in told and f"picture: {drawn}\n" in told


def test_a_file_with_tls_stands_first_beside_who_encrypts(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And each way of ours has its name; the picture shows the first."""
    picture = tmp_path / "ratios.svg"

    assert Comparison(options(only="file, one core", svg=picture)).run() == 0

    rows = [line for line in capsys.readouterr().out.splitlines() if "| scp |" in line]
    assert [row.split(" | ")[4].partition(":")[0] for row in rows] == [
        "landline send_file with TLS",
        "landline stream with TLS",
        "landline send_file",
        "landline stream",
    ]
    assert rows[0].startswith("| file, one core: MB/s ↑ | **9.00×** | scp")
    assert ">9×<" in picture.read_text(encoding="utf-8")


def test_the_gate_measures_its_targets_alone_and_what_fails_once_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five rounds, then five more where it was below; all ten count, and chance is forgiven."""
    target = next(target for target in TARGETS if (target.job, target.beside) == (CALLS, "grpcio"))
    asked: list[str] = []

    def measure(peer: Peer, *_: Any, is_short: bool) -> float:
        asked.append(peer.name)
        assert is_short
        if not peer.is_ours:
            return 1.0
        return target.bound() * (2.0 if asked.count(peer.name) <= 4 else 0.5)

    monkeypatch.setattr(comparison, "measure", measure)
    monkeypatch.setattr(Peer, "missing", lambda _: None)

    assert Comparison(options(gate=True, rounds=None)).run() == 0
    assert sorted(asked) == ["grpcio"] * 10 + ["landline"] * 10
    assert f"rounds: {CALLS}: landline 10, grpcio 10" in capsys.readouterr().out

    monkeypatch.setattr(comparison, "measure", lambda peer, *_, **__: 1.0)
    assert Comparison(options(gate=True, rounds=None)).run() == 1
    assert "**fails**" in capsys.readouterr().out


def test_what_succeeded_is_kept_when_a_peer_falls_over_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the rounds that the gate gives once more, too: it is judged by those that there are."""
    rounds: list[str] = []

    def measure(peer: Peer, *_: Any, **__: Any) -> float:
        rounds.append(peer.name)
        if peer.name == "grpcio" and rounds.count("grpcio") > 7:
            raise PeerFailed("it fell over")
        return 1.0

    monkeypatch.setattr(comparison, "measure", measure)
    monkeypatch.setattr(Peer, "missing", lambda _: None)
    run = Comparison(options(gate=True, rounds=None))

    assert run.run() == 1
    assert {name: len(values) for name, values in run.figures[CALLS].items()} == {"landline": 10, "grpcio": 7}
    assert f"left out: grpcio, {CALLS}: it fell over (after 7 rounds)" in capsys.readouterr().out


def test_the_gate_fails_where_a_peer_is_there_and_cannot_play(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a mistake in how a peer is played would take its targets away, and nobody would know. Who cannot be had is another matter."""

    def measure(peer: Peer, *_: Any, **__: Any) -> float:
        if peer.name == "nats-server":
            raise PeerFailed("it fell over")
        return 1.0

    monkeypatch.setattr(comparison, "measure", measure)
    for is_there, code in ((True, 1), (False, 0)):
        monkeypatch.setattr(
            Peer,
            "missing",
            lambda peer, is_there=is_there: None if is_there or peer.name != "nats-server" else "no",
        )

        assert Comparison(options(gate=True, only="fan-out to 1,000")).run() == code
        said = "fails: nats-server, fan-out to 1,000: it is there, and could not play"
        assert (said in capsys.readouterr().out) is is_there


def test_the_gate_fails_where_what_can_be_had_anywhere_was_not_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And where nobody beside ours was."""
    monkeypatch.setattr(comparison, "measure", lambda peer, *_, **__: 1.0)
    monkeypatch.setattr(Peer, "missing", lambda peer: None if peer.is_ours else "not there")

    for job in ("100 connections", CALLS):
        assert Comparison(options(gate=True, only=job)).run() == 1
    assert "0 of 1 targets were measured" in capsys.readouterr().out


def test_targets_are_about_tcp_on_uvloop(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over another carrier, or on another loop, nothing is judged by them: the gate is refused, and the file has none."""
    account = tmp_path / "account"
    others = ({"over": "websocket"}, {"loop": "asyncio"})
    for choice in ({}, *others):
        assert Comparison(options(**choice, json=account)).run() == 0
        assert bool(json.loads(account.read_text(encoding="utf-8"))["targets"]) is (choice not in others)
    for choice in others:
        words = [word for name, value in choice.items() for word in (f"--{name}", value)]
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--gate", *words])

        with pytest.raises(SystemExit, match="2"):
            main()
        assert "over TCP, on uvloop" in capsys.readouterr().err


def test_without_uvloop_what_brings_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any process is started that would need it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", CALLS])

    with pytest.raises(SystemExit, match="2"):
        main()
    assert "`make setup-test` brings it" in capsys.readouterr().err


@pytest.mark.parametrize("only", ["stream of items", "durable, 100 publishers"])
def test_the_gate_is_refused_where_it_would_judge_nothing(
    only: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job without a target, or one whose target is not gated."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--gate", "--only", only])

    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"no job of the gate has {only!r} in its name" in capsys.readouterr().err


def test_a_job_that_there_is_not_is_refused_with_the_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is measured; --help has them, too."""
    for asked in (["--only", "no such job"], ["--help"]):
        monkeypatch.setattr(sys, "argv", ["benchmarks", *asked])
        with pytest.raises(SystemExit) as ended:
            main()
        told = "".join("".join(capsys.readouterr()).split())  # its lines are broken anywhere

        assert ended.value.code == (0 if asked == ["--help"] else 2)
        assert all("".join(name.split()) in told for name in JOBS)


def test_jobs_are_named_in_any_case(measured: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And --gate takes the names as well."""
    assert Comparison(options(only=CALLS.upper())).run() == 0
    assert Comparison(options(only=CALLS.upper(), gate=True)).run() == 1

    assert "1 of 1 targets were measured" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has personality(2)")
def test_measured_processes_have_their_code_at_the_same_addresses() -> None:
    """What they start has, where the system lets it; and whoever only asks stays as it was."""
    ask = "from pathlib import Path; print(Path('/proc/self/personality').read_text())"
    before = Path("/proc/self/personality").read_text()
    if not can_fix_addresses():
        pytest.skip("the system does not let it")
    plain, fixed = (
        subprocess.check_output([sys.executable, "-c", ask], preexec_fn=first, text=True).strip()
        for first in (None, fix_addresses)
    )

    assert plain == before.strip()
    assert int(fixed, 16) == int(before, 16) | 0x0040000


@pytest.mark.parametrize("refusal", [lambda _: -1, None])
def test_a_system_that_does_not_let_addresses_be_fixed_is_named_before_the_table(
    measured: list[str], refusal: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused, or unknown there."""
    assert Comparison(options()).run() == 0
    assert "random addresses" not in capsys.readouterr().out
    monkeypatch.setattr(processes, "_personality", lambda: refusal)

    assert Comparison(options()).run() == 0
    head, _, _ = capsys.readouterr().out.partition("| work")
    assert "random addresses" in head


@pytest.mark.long
def test_a_server_goes_when_its_input_ends() -> None:
    """So nothing is left of a run that was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--serve", "landline", CALLS],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None and server.stdout is not None
        assert server.stdout.readline().startswith("tcp://")
        server.stdin.close()

        assert server.wait(timeout=30) == 0
