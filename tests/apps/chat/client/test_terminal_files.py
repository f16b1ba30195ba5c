"""Files from one terminal to another: real processes, a real server, and lines that are cut, or a server that is killed, in between."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from landline.testing.network import Faults, Proxy, bad_network
from tests.apps.chat.client.test_terminal import (
    House,
    Terminal,
    house,
    mortal_house,
    no_terminal_stays,
    pipe,
)
from tests.patterns.files.house import content, make_file, names

__all__ = ["house", "mortal_house", "no_terminal_stays"]
pytestmark = pytest.mark.timeout(120)

SIZE = 8 << 20


@contextlib.contextmanager
def network(target: str, faults: Faults) -> Iterator[Proxy]:
    """A proxy on a loop of its own: what is at the terminals is waited for without one."""
    ready: list[Proxy] = []
    is_ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        async with bad_network(target, faults, seed=1) as proxy:
            ready.append(proxy)
            is_ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert is_ready.wait(20)
        yield ready[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(20)


@pytest.mark.long
def test_a_file_goes_from_terminal_to_terminal_over_lines_that_are_cut(house: House, tmp_path: Path) -> None:
    """Offered, accepted, received; the lines of both are cut again and again in between: the same bytes, and both are told."""
    source = make_file(tmp_path / "with blanks.bin", SIZE)
    inbox = tmp_path / "inbox"
    with network(house.address, Faults(cut_every=1_500_000)) as proxy:
        ana = Terminal(house, "ana", address=proxy.address)
        ben = Terminal(house, "ben", "--downloads", str(inbox), address=proxy.address)
        ana.type(f"/send {source} @ben\r")
        ana.until("⇧ with blanks.bin (8.4 MB) is offered to ben")
        ben.until("/accept 1 receives it")
        ben.type("/accept\r")
        ben.until("⇩ Receiving with blanks.bin")
        ben.until(lambda: proxy.cuts >= 3)
        proxy.faults = Faults()  # who is cut on and on dials ever later
        ben.until("verified by SHA-256")
        ana.until("⇧ ben has with blanks.bin, whole and verified.")
        for seat in (ana, ben):
            assert seat.leave() == 0

    assert (inbox / "with blanks.bin").read_bytes() == content(SIZE)
    assert (inbox / "with blanks.bin").stat().st_mode & 0o777 == 0o600
    assert names(inbox) == ["with blanks.bin"]


@pytest.mark.long
def test_a_server_that_is_killed_in_between_costs_nothing(mortal_house: House, tmp_path: Path) -> None:
    """Started again, the file goes on by itself: nobody types anything."""
    size = 400 << 20
    source = tmp_path / "big.bin"
    with source.open("wb") as file:
        for seed in range(size >> 20):
            file.write(content(1 << 10, seed) * 1024)
    inbox = tmp_path / "inbox"
    ana, ben = Terminal(mortal_house, "ana"), Terminal(mortal_house, "ben", "--downloads", str(inbox))
    ana.type(f"/send {source}\r")
    ben.until("/accept 1 receives it")
    ben.type("/accept\r")
    ben.until("⇩ big.bin from ana: ")  # how far it is

    mortal_house.kill()
    ben.until("The line is down")
    assert "big.bin" not in names(inbox)
    mortal_house.start()

    ben.until("verified by SHA-256", bound=80)
    ana.until("ben has big.bin")
    with (inbox / "big.bin").open("rb") as ours, source.open("rb") as theirs:
        while piece := theirs.read(1 << 20):
            assert ours.read(1 << 20) == piece
        assert not ours.read(1)
    assert names(inbox) == ["big.bin"]


def test_a_pipe_says_what_cannot_be_sent(house: House, tmp_path: Path) -> None:
    """And its exit code is 1."""
    outcome = pipe(house, f"/send {tmp_path / 'none'}\n", "--name", "piped")

    assert outcome.returncode == 1
    assert b"cannot be read: no such file" in outcome.stderr


@pytest.mark.long
def test_what_is_refused_leaves_nothing(house: House, tmp_path: Path) -> None:
    """Not even the folder; and its sender is told."""
    inbox = tmp_path / "inbox"
    ana, ben = Terminal(house, "ana"), Terminal(house, "ben", "--downloads", str(inbox))
    ana.type(f"/send {make_file(tmp_path / 'plain', 5)} @ben\r")
    ben.until("/accept 1 receives it")
    ben.type("/refuse\r")
    ben.until("You refused plain of ana.")
    ana.until("ben does not want plain.")
    assert not inbox.exists()
