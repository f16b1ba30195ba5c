"""One measurement: what becomes of a server that does not come up, that complains, or that ends, and of a client that says no figure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.peers.peer import Peer
from benchmarks.processes import PeerFailed, measure

WAITS = "echo here; exec cat"
"""A server that says where it is, and lives until its standard input ends."""


def played(folder: Path, monkeypatch: pytest.MonkeyPatch, serve: str, work: str) -> float:
    """Return the figure, where both processes are a few words of a shell."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *--serve*) {serve};; *) {work};; esac\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    return measure(Peer("anybody", {}), "round trip", "tcp", "asyncio", is_short=True)


def test_the_figure_is_what_the_client_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the server goes."""
    assert played(tmp_path, monkeypatch, WAITS, "echo 2.5") == 2.5


def test_a_server_may_complain_at_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads that meanwhile, and it must not stand still for it."""
    loud = "head -c 300000 /dev/zero >&2"

    assert played(tmp_path, monkeypatch, f"{loud}; {WAITS}", "echo 2.5") == 2.5


@pytest.mark.parametrize(
    ("serve", "work", "why"),
    [
        ("exec sleep 100", "echo 2.5", "its server did not say within 0 s where it is"),
        ("exec >&-; exec sleep 100", "echo 2.5", "its server did not say within 0 s where it is"),
        ("echo no room >&2; exit 3", "echo 2.5", "^no room$"),
        ("exit 0", "echo 2.5", "it ended without a word"),
        (WAITS, "echo lost >&2; exit 1", "^lost$"),
        (WAITS, "echo hello", r"its client said 'hello\\n' instead of a figure"),
        (WAITS, "exec sleep 100", "its client took more than 1 s"),
    ],
)
def test_who_cannot_play_is_told_why(
    serve: str, work: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, whoever of the two it is."""
    monkeypatch.setattr(processes, "COMES_WITHIN", 0.3)
    monkeypatch.setattr(processes, "GOES_WITHIN", 0.3)
    monkeypatch.setattr(processes, "LONGEST", 1.0)

    with pytest.raises(PeerFailed, match=why):
        played(tmp_path, monkeypatch, serve, work)
