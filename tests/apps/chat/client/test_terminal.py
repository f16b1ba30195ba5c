"""``landline chat`` as people meet it: real processes on real terminals (pexpect and pyte) and in pipes, with a real server."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import pexpect
import pyte
import pytest

import landline
from landline.apps.chat.client import terminal
from landline.apps.chat.client.outbox import file, find_outbox
from landline.errors import AddressError, SettingsError
from landline.settings import ChatSettings, Settings
from tests.apps.chat.client.test_outbox import leave_a_line
from tests.terminals import end_program

LANDLINE = [sys.executable, "-m", "landline"]
ROWS, COLUMNS = 24, 100
BOUND = 20.0
"""Seconds that anything here may take before a test counts as failed."""


class House:
    """A ``landline serve`` that can be killed, frozen and started again at the same place."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.address = "tcp://127.0.0.1:0"
        self.start()

    def start(self) -> None:
        command = [*LANDLINE, "serve", "--address", self.address, "--data", str(self.data), "--no-operator"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for row in self.process.stdout:
            if found := re.search(r"tcp://127\.0\.0\.1:\d+", row):
                self.address = found.group()
                return
        raise AssertionError("the server did not say where it is")

    @property
    def place(self) -> tuple[str, int]:
        """Where ``nc`` finds it."""
        where = urlsplit(self.address)
        return where.hostname or "", where.port or 0

    def outboxes(self) -> Iterator[Path]:
        """What clients of this house have on their disk."""
        for count in range(1, 9):
            if (path := file(Settings().data, self.address, count)).exists():
                yield path

    def kill(self) -> None:
        """As the kernel or the mains would: without a word."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class OperatedHouse(House):
    """One at a terminal, where somebody types as ``host``."""

    host: Any

    def start(self) -> None:
        arguments = [*LANDLINE[1:], "serve", "--address", self.address, "--data", str(self.data)]
        environment = {**os.environ, "TERM": "dumb"}
        self.host = pexpect.spawn(LANDLINE[0], arguments, env=environment, encoding="utf-8", timeout=BOUND)
        self.host.expect(r"tcp://127\.0\.0\.1:\d+")
        self.address = str(self.host.match.group())
        self.host.expect("You are host")
        self.process: Any = SimpleNamespace(poll=lambda: None if self.host.isalive() else 0)

    def kill(self) -> None:
        self.host.kill(signal.SIGKILL)
        self.host.expect(pexpect.EOF)
        end_program(self.host)


def _mind_hang_ups() -> None:
    """Whoever runs the tests may be ignoring them (nohup), and that is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """A person's terminal with ``landline chat`` in it."""

    everybody: ClassVar[list[Terminal]] = []

    def __init__(
        self, house: House, name: str, *arguments: str, term: str = "xterm-256color", address: str = ""
    ) -> None:
        self.screen: Any = pyte.HistoryScreen(COLUMNS, ROWS, history=1000)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        environment = {**os.environ, "TERM": term}
        self.child: Any = pexpect.spawn(
            LANDLINE[0],
            [*LANDLINE[1:], "chat", address or house.address, "--name", name, *arguments],
            env=environment,
            dimensions=(ROWS, COLUMNS),
            preexec_fn=_mind_hang_ups,
        )
        self.answer_with(self.child.send)
        self.child.delaybeforesend = None
        self.at_end = False
        self.house = house
        self.name = name
        self.everybody.append(self)
        self.until("You are in #lobby")

    def answer_with(self, send: Any) -> None:
        """Say where the cursor is when it is asked, as terminals do."""
        self.screen.write_process_input = send

    @property
    def rows(self) -> list[str]:
        """What stands on the screen, and what was scrolled off above it."""
        above = ["".join(row[column].data for column in range(COLUMNS)) for row in self.screen.history.top]
        return [row.rstrip() for row in (*above, *self.screen.display) if row.strip()]

    def count(self, text: str) -> int:
        return sum(text in row for row in self.rows)

    def type(self, text: str) -> None:
        self.child.send(text)

    def until(self, fact: str | Callable[[], object], bound: float = BOUND) -> Self:
        """Let all terminals draw until this one shows it, for so many seconds at the most."""
        shows = fact if callable(fact) else lambda: self.count(fact)
        deadline = time.monotonic() + bound
        while not shows():
            open_ones = {
                terminal.child.child_fd: terminal for terminal in self.everybody if not terminal.at_end
            }
            ready, _, _ = select.select(list(open_ones), [], [], max(0.0, deadline - time.monotonic()))
            if not ready or time.monotonic() > deadline:
                raise AssertionError(f"never shown: {fact}\n" + "\n".join(self.rows))
            for descriptor in ready:
                open_ones[descriptor].read()
        return self

    def read(self) -> None:
        try:
            data = self.child.read_nonblocking(65536, 0)
        except pexpect.EOF:
            self.at_end = True
        else:
            self.raw += data
            self.stream.feed(data)

    def close(self) -> None:
        """Leave politely if anybody is there to be told: a name stays taken while its owner may come back."""
        if not self.at_end and self.house.process.poll() is None:
            self.leave("\x03")
        if (
            self.child.isalive()
        ):  # on a busy machine the end of a process may take longer than ``close`` waits for it
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        end_program(self.child)

    def kill(self) -> None:
        """As the kernel would: without a word."""
        self.child.kill(signal.SIGKILL)
        self.until(lambda: self.at_end)
        self.child.wait()

    def leave(self, keys: str = "bye\r") -> int:
        """Type this, wait for the end, return the exit code."""
        self.type(keys)
        self.until(lambda: self.at_end)
        self.child.wait()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.kill()


@pytest.fixture
def mortal_house(tmp_path: Path) -> Iterator[House]:
    """A server of one's own, to be killed."""
    house = House(tmp_path / "data")
    yield house
    house.kill()


@pytest.fixture
def operated_house(tmp_path: Path) -> Iterator[OperatedHouse]:
    """A server of one's own with somebody at its terminal, to be killed."""
    house = OperatedHouse(tmp_path / "data")
    yield house
    house.kill()


@pytest.fixture(autouse=True)
def no_terminal_stays() -> Iterator[None]:
    yield
    for seat in Terminal.everybody:
        seat.close()
    Terminal.everybody.clear()


def pipe(house: House, said: str | bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    data = said.encode() if isinstance(said, str) else said
    return subprocess.run(
        [*LANDLINE, "chat", house.address, *arguments],
        input=data,
        capture_output=True,
        timeout=BOUND,
        check=False,
    )


async def test_who_finds_nobody_hears_of_the_lines_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One or several; with nothing kept, nothing is said."""
    settings = Settings(data=tmp_path, chat=ChatSettings(address="memory://nobody", name="ana"))
    for kept, said in (
        (0, ""),
        (1, "1 line is kept, and goes out when the server is there."),
        (1, "2 lines are kept, and go out when the server is there."),
    ):
        ana = await find_outbox(tmp_path, settings.chat.address, "ana")
        if kept:
            await leave_a_line(ana.storage)
        await ana.close()
        with pytest.raises(landline.ConnectError):
            await terminal.run(settings, asyncio.Event())
        heard = capsys.readouterr().err
        assert heard.startswith(said)
        assert bool(heard) is bool(said)


async def test_who_finds_nobody_hears_of_the_lines_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how to send them."""
    settings = Settings(data=tmp_path, chat=ChatSettings(address="memory://nobody", name="ana"))
    eve = await find_outbox(tmp_path, settings.chat.address, "eve")
    await leave_a_line(eve.storage)
    await eve.close()

    with pytest.raises(landline.ConnectError):
        await terminal.run(settings, asyncio.Event())

    assert capsys.readouterr().err == (
        "1 line of eve waits on this disk: started with --name eve, the chat sends it.\n"
    )


# On terminals.


@pytest.mark.long
def test_three_in_a_room_see_each_other_once_and_in_one_order(house: House) -> None:
    """Three people, one room: each line once on every screen, all in the same order, and a half-typed line stays whole."""
    ana, ben, cleo = (Terminal(house, name) for name in ("ana", "ben", "cleo"))
    cleo.type("half a li")
    cleo.until("#lobby> half a li")

    for number in range(2):
        ana.type(f"ana {number} speaks\r")
        ben.type(f"ben {number} speaks\r")
    for seat in (ana, ben, cleo):
        seat.until(lambda seat=seat: seat.count(" speaks") == 4)  # type: ignore[misc]

    orders = [
        [row.split(": ")[1] for row in seat.rows if row.endswith(" speaks")] for seat in (ana, ben, cleo)
    ]
    assert orders[0] == orders[1] == orders[2]
    cleo.until("#lobby> half a li")
    cleo.type("ne\r")
    for seat in (ana, ben, cleo):
        seat.until("cleo: half a line")
    assert [seat.leave() for seat in (ana, ben, cleo)] == [0, 0, 0]


@pytest.mark.long
def test_a_paste_arrives_whole(house: House) -> None:
    """Several pasted lines are one message on the other's screen."""
    ana, ben = Terminal(house, "ana"), Terminal(house, "ben")
    ana.type("\x1b[200~first of three\rsecond\rthird\x1b[201~")
    ana.until("third")
    assert ben.count("first of three") == 0

    ana.type("\r")

    ben.until("third")
    where = next(index for index, row in enumerate(ben.rows) if "ana: first of three" in row)
    assert [row.strip() for row in ben.rows[where + 1 : where + 3]] == ["second", "third"]


@pytest.mark.long
def test_a_dropped_line_is_seen_waits_and_comes_back(house: House) -> None:
    """/drop: the state and the waiting lines are shown; when it is back they go out once, in order, and nothing was missed."""
    ana, ben = Terminal(house, "ana"), Terminal(house, "ben")
    ana.type("/drop 3\r")  # shorter ones are no news to others
    ana.until("The line is down")

    ana.type("one while down\r")
    ana.type("two while down\r")
    ben.type("said meanwhile\r")
    ana.until("waiting, for #lobby")
    ben.until("ana's line is down")
    ana.until("The line is back after")

    ana.until("ben: said meanwhile")
    for seat in (ana, ben):
        seat.until("ana: two while down")
        said = [row.split(": ")[1] for row in seat.rows if ": " in row and row.endswith("while down")]
        assert said == ["one while down", "two while down"]


def test_a_killed_server_costs_nothing(mortal_house: House) -> None:
    """Kill -9, lines typed meanwhile, a new start: told, rejoined, the missed shown, the waiting sent once."""
    ana, ben = Terminal(mortal_house, "ana"), Terminal(mortal_house, "ben")
    ana.type("before\r")
    ben.until("ana: before")

    mortal_house.kill()
    ana.until("The line is down")
    ana.type("typed while it was dead\r")
    ana.until("typed while it was dead (waiting")
    mortal_house.start()

    ana.until("the server was started again meanwhile")
    for seat in (ana, ben):
        seat.until("ana: typed while it was dead")
        assert seat.count("typed while it was dead") == 1
        assert seat.count("ana: before") == 1
    ana.type("/who\r")
    ana.until(r"ana (you)")
    assert ana.count("ana-2") == 0


@pytest.mark.long
def test_a_line_that_went_into_the_dark_is_said_once_by_the_next_server(mortal_house: House) -> None:
    """The server froze, a line went into the dark, and the server was killed: the next one finds out whether it has it."""
    ana = Terminal(mortal_house, "ana")
    ana.type("before\r")
    ana.until("ana: before")
    mortal_house.process.send_signal(signal.SIGSTOP)
    ana.type("into the dark\r")
    ana.until("into the dark (waiting")
    mortal_house.kill()
    mortal_house.start()

    ana.until("ana: into the dark")
    ana.type("after\r")
    ana.until("ana: after")

    heard = pipe(mortal_house, "", "--name", "ben").stdout.decode()
    assert [row for row in heard.splitlines() if row.startswith("ana: ")] == [
        "ana: before",
        "ana: into the dark",
        "ana: after",
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    "is_another_server",
    [False, True],
    ids=["the same server", "another server"],
)
def test_a_client_that_was_killed_says_what_it_had_not_when_it_is_started_again(
    mortal_house: House, is_another_server: bool
) -> None:
    """Typed while the line was down, kill -9, a new start under the same name: told that it goes out, and said once."""
    ana, ben = Terminal(mortal_house, "ana"), Terminal(mortal_house, "ben")
    ana.type("before\r")
    ben.until("ana: before")
    ana.type("/drop 300\r")
    ana.until("The line is down")
    ana.type("typed in the dark\r")
    ana.until("typed in the dark (waiting")
    ana.kill()
    if is_another_server:
        mortal_house.kill()
        mortal_house.start()

    again = Terminal(mortal_house, "ana")

    again.until("1 line from before goes out")
    for seat in (ben, again):
        seat.until("ana: typed in the dark")
    again.type("and on\r")
    for seat in (ben, again):
        seat.until("ana: and on")
        assert seat.count("typed in the dark") == 1
    assert again.leave() == 0
    third = Terminal(mortal_house, "ana")
    assert third.count("from before") == 0


@pytest.mark.long
def test_what_waits_follows_the_name_that_one_has(mortal_house: House) -> None:
    """Dora became eve, typed while the line was down, and was killed: as dora she is told where it is, as eve she says it, once."""
    ben, dora = Terminal(mortal_house, "ben"), Terminal(mortal_house, "dora")
    dora.type("/nick eve\r")
    dora.until("You are eve")
    dora.type("/drop 300\r")
    dora.until("The line is down")
    dora.type("typed in the dark\r")
    dora.until("typed in the dark (waiting")
    dora.kill()

    other = Terminal(mortal_house, "dora")
    other.until("1 line of eve waits on this disk")
    eve = Terminal(mortal_house, "eve")

    eve.until("1 line from before goes out")
    for seat in (ben, other, eve):
        seat.until("eve: typed in the dark")
        assert seat.count("typed in the dark") == 1
    assert eve.count("eve-2") == 0
    assert other.leave() == eve.leave() == 0
    assert "waits" not in pipe(mortal_house, "", "--name", "dora").stderr.decode()


@pytest.mark.long
def test_a_line_that_was_left_for_a_room_we_are_not_in_now_comes_back(mortal_house: House) -> None:
    """With the reason, and once."""
    ana = Terminal(mortal_house, "ana")
    ana.type("/join attic\r")
    ana.until("You are in #attic")
    ana.type("/drop 300\r")
    ana.until("The line is down")
    ana.type("for the attic\r")
    ana.until("for the attic (waiting")
    ana.kill()

    again = Terminal(mortal_house, "ana")

    again.until("not sent to #attic: for the attic")
    again.until("You are not in the room attic")
    assert again.leave() == 0
    third = pipe(mortal_house, "", "--name", "ana")
    assert "attic" not in third.stderr.decode()


@pytest.mark.long
def test_two_clients_at_once_have_each_their_own_lines(mortal_house: House) -> None:
    """Under one name or two: each that is started again says its own, and none says the other's."""
    ana, ben = Terminal(mortal_house, "ana"), Terminal(mortal_house, "ben")
    for seat, name in ((ana, "ana"), (ben, "ben")):
        seat.type("/drop 300\r")
        seat.until("The line is down")
        seat.type(f"of {name}\r")
        seat.until(f"of {name} (waiting")
    ana.kill()
    ben.kill()

    ben = Terminal(mortal_house, "ben")
    ben.until("ben: of ben")
    ana = Terminal(mortal_house, "ana")
    ana.until("ana: of ana")

    heard = pipe(mortal_house, "", "--name", "cleo").stdout.decode()
    assert [row for row in heard.splitlines() if ": of " in row] == ["ben: of ben", "ana: of ana"]
    assert len(list(mortal_house.outboxes())) == 3


@pytest.mark.long
def test_rooms_go_on_over_a_killed_server_and_one_that_was_left_does_not(mortal_house: House) -> None:
    """Two rooms, kill -9 of the server, lines typed for both in the dark: each is read once by who is in the room, and by nobody who left it."""
    ana, ben, cleo = seats = [Terminal(mortal_house, name) for name in ("ana", "ben", "cleo")]
    for seat in seats:
        seat.type("/join attic\r")
        seat.until("You are in #attic")
    ben.type("everybody in the attic\r")
    for seat in seats:
        seat.until("ben: everybody in the attic")
    ana.type("/leave attic\r")
    ana.until("You left #attic")
    ben.until("ana left")
    ben.type("attic one\r")
    cleo.until("ben: attic one")
    mortal_house.kill()
    for seat in seats:
        seat.until("The line is down")
    ben.type("attic two\r")
    ben.until("attic two (waiting")
    ben.type("/join lobby\r")
    ben.until("You are typing to #lobby")
    ben.type("lobby one\r")
    ben.until("lobby one (waiting")
    mortal_house.start()

    for seat in seats:
        seat.until("ben: lobby one")
    for seat in (ben, cleo):
        seat.until("ben: attic two")
        order = [
            text
            for row in seat.rows
            for text in ("attic one", "attic two", "lobby one")
            if f": {text}" in row
        ]
        assert sorted(order) == ["attic one", "attic two", "lobby one"]
        assert order.index("attic one") < order.index("attic two")
    assert ana.count("attic one") == ana.count("attic two") == 0
    ana.type("/join attic\r")
    ana.until("ben: attic two")
    assert ana.count("attic one") == ana.count("attic two") == 1


@pytest.mark.long
def test_a_reader_who_is_frozen_keeps_nobody_waiting_and_misses_nothing(house: House) -> None:
    """Stopped in the middle, as by a laptop's lid: the others talk on, and then every line comes once and in their order."""
    ana, ben, cleo = (Terminal(house, name) for name in ("ana", "ben", "cleo"))
    ana.type("before\r")
    ben.until("ana: before")
    ana.child.kill(signal.SIGSTOP)
    for number in range(5):
        ben.type(f"{number} of ben, frozen\r")
        cleo.type(f"{number} of cleo, frozen\r")

    def said(seat: Terminal) -> list[str]:
        return [row.split(": ")[1] for row in seat.rows if ": " in row and ", frozen" in row]

    for seat in (ben, cleo):
        seat.until(lambda seat=seat: len(said(seat)) == 10)  # type: ignore[misc]
    ana.child.kill(signal.SIGCONT)

    ana.until(lambda: len(said(ana)) == 10)
    assert said(ana) == said(ben) == said(cleo)
    assert ana.count("ana: before") == 1


@pytest.mark.long
def test_a_client_that_was_killed_reads_what_it_missed_and_the_rest_once(mortal_house: House) -> None:
    """Kill -9, others speak, a new start: what was said meanwhile is among the last lines, and then what is said follows without a seam."""
    ana, ben = Terminal(mortal_house, "ana"), Terminal(mortal_house, "ben")
    ben.type("seam one\r")
    ana.until("ben: seam one")
    ana.kill()
    ben.type("seam two\r")
    ben.until("ben: seam two")
    again = Terminal(mortal_house, "ana")
    ben.type("seam three\r")
    again.until("ben: seam three")

    seams = [row.split("seam ")[1] for row in again.rows if ": seam " in row]
    assert seams == ["one", "two", "three"]
    assert again.count("ana-2") == 0


@pytest.mark.long
def test_a_server_killed_in_the_middle_of_everything_costs_nobody_a_line(
    operated_house: OperatedHouse,
) -> None:
    """Three terminals, nc and the operator, all speaking: kill -9 twice, and every line is on every screen once and in the same order."""
    house = operated_house
    seats = [Terminal(house, name) for name in ("ana", "ben", "cleo")]
    said: list[str] = []

    def has_read(seat: Terminal) -> bool:
        return all(seat.count(f": {text}") for text in said)

    def all_have_read() -> None:
        for seat in seats:
            seat.until(partial(has_read, seat))

    for turn in range(3):
        for number in range(2):
            for seat in seats:
                said.append(f"{turn}{number} of {seat.name}")
                seat.type(said[-1] + "\r")
            if number == 0 and turn < 2:
                house.kill()
                house.start()
        all_have_read()
        said += [f"{turn} of host", f"{turn} of nc"]
        house.host.send(said[-2] + "\n")
        with socket.create_connection(house.place, timeout=BOUND) as guest:
            guest.sendall(said[-1].encode() + b"\n")
            all_have_read()

    orders = [[row.split(": ")[1] for row in seat.rows if re.search(r": \d+ of ", row)] for seat in seats]
    assert sorted(orders[0]) == sorted(said)
    assert orders[0] == orders[1] == orders[2]
    for seat in seats:
        own = f"of {seat.name}"
        assert [text for text in orders[0] if text.endswith(own)] == [
            text for text in said if text.endswith(own)
        ]


@pytest.mark.long
def test_two_call_each_other(house: House) -> None:
    """It rings, they accept, they talk alone, bye ends the call and not the chat."""
    ana, ben, cleo = (Terminal(house, name) for name in ("ana", "ben", "cleo"))
    ana.type("/call ben\r")
    ben.until("ana is calling: /call ana accepts, /bye declines")
    ben.type("/call ana\r")
    ana.until("call with ben>")
    ben.until("call with ana>")

    ana.type("a secret\r")
    ben.until("ana (call): a secret")
    ana.until("ana (call): a secret")
    ben.type("bye\r")
    ana.until("The call with ben is over")
    ana.type("to all of you\r")
    cleo.until("ana: to all of you")

    assert cleo.count("a secret") == 0
    assert ben.leave() == 0


@pytest.mark.long
def test_a_taken_name_gets_a_number(house: House) -> None:
    """The second ana is ana-2 and is told so."""
    ana = Terminal(house, "ana")
    other = Terminal(house, "ana")

    other.until("ana is taken, so you are ana-2")

    ana.until("ana-2 joined")


@pytest.mark.long
def test_every_way_out_is_polite(house: House) -> None:
    """Ctrl-C, Ctrl-D, SIGTERM and a closed window: what was said arrives, the room is told, the exit code is 0."""
    ben = Terminal(house, "ben")
    ways: list[Callable[[Terminal], object]] = [
        lambda ana: ana.type("\x03"),
        lambda ana: ana.type("\x04"),
        lambda ana: ana.child.kill(signal.SIGTERM),
        lambda ana: ana.child.kill(signal.SIGHUP),
    ]
    for times, way in enumerate(ways, start=1):
        ana = Terminal(house, "ana")
        ana.type(f"last words {times}\r")
        ben.until(f"ana: last words {times}")

        way(ana)

        ana.until(lambda ana=ana: ana.at_end)  # type: ignore[misc]
        ana.child.wait()
        assert ana.child.exitstatus == 0
        ben.until(lambda times=times: ben.count("ana left") == times)  # type: ignore[misc]


@pytest.mark.long
def test_a_window_that_is_gone_cannot_hold_anybody(house: House) -> None:
    """Nothing can be drawn or read any more, and still the room is told: nobody should seem to be here for minutes after."""
    ana, ben = Terminal(house, "ana"), Terminal(house, "ben")
    ana.at_end = True
    ana.child.ptyproc.fileobj.close()  # the terminal's own end, as its window has it

    ben.until("ana left")


@pytest.mark.long
def test_the_second_ctrl_c_is_now(mortal_house: House) -> None:
    """With a server that answers nothing the first waits a little, the second does not; what became of the line is said."""
    ana = Terminal(mortal_house, "ana")
    ana.type("before\r")
    ana.until("ana: before")
    mortal_house.process.send_signal(signal.SIGSTOP)
    ana.type("into the dark\r")
    ana.until("… into the dark")
    ana.type("\x03")
    ana.until("· leaving")

    assert ana.leave("\x03") == 130
    assert ana.count("? into the dark") == 1
    assert ana.count("goes out when you start the chat again") == 1


@pytest.mark.long
def test_a_dumb_terminal_gets_lines_and_no_escapes(house: House) -> None:
    """Without a cursor: plain lines in and out."""
    ana, ben = Terminal(house, "ana", term="dumb"), Terminal(house, "ben")
    ben.type("hello dumb one\r")
    ana.until("ben: hello dumb one")
    ana.type("hello back\r")
    ben.until("ana: hello back")

    assert ana.leave() == 0
    assert b"\x1b" not in ana.raw
    assert ana.count("hello back") == 1


# In pipes.


def test_a_pipe_says_its_lines_and_leaves(house: House) -> None:
    """Said, confirmed, gone with exit code 0: what was heard on stdout, talk about the line on stderr."""
    done = pipe(house, "hello from a pipe\nbye\nnot any more\n", "--name", "piper")

    assert done.returncode == 0
    assert done.stdout.decode().endswith("piper: hello from a pipe\n")
    assert "You are piper" in done.stderr.decode()
    later = pipe(house, "", "--name", "listener")
    assert later.stdout.decode().count("piper: hello from a pipe\n") == 1
    assert "not any more" not in later.stdout.decode()


def test_the_end_of_the_input_leaves_when_all_is_confirmed(house: House) -> None:
    """No bye and no last line end are needed; each line is answered before the next is taken."""
    done = pipe(house, "/join attic\nonly for the attic\n/who", "--name", "piper")

    assert done.returncode == 0
    assert "#attic piper: only for the attic\n" in done.stdout.decode()
    assert "In #attic: piper (you)" in done.stdout.decode()


def test_input_from_a_file(house: House, tmp_path: Path) -> None:
    """A plain file as stdin works as a pipe does."""
    lines = tmp_path / "lines"
    lines.write_text("from a file\n", encoding="utf-8")

    with lines.open("rb") as stdin:
        done = subprocess.run(
            [*LANDLINE, "chat", house.address], stdin=stdin, capture_output=True, timeout=BOUND, check=False
        )

    assert done.returncode == 0
    assert b": from a file\n" in done.stdout


def test_a_line_that_cannot_be_said_fails_the_pipe(house: House) -> None:
    """Too long, or not text: the sentence is on stderr, the other lines go out, and the exit code is 1."""
    done = pipe(house, b"x" * 5000 + b"\nnot \xff\xfe text\nstill said\n", "--name", "piper")

    assert done.returncode == 1
    assert "too long" in done.stderr.decode()
    assert "UTF-8" in done.stderr.decode()
    assert "piper: still said\n" in done.stdout.decode()


def test_nobody_there_is_exit_code_three(mortal_house: House) -> None:
    """The first dial gives up, with a sentence."""
    mortal_house.kill()

    done = pipe(mortal_house, "hello\n")

    assert done.returncode == 3
    assert done.stderr.decode().startswith("landline: cannot connect to tcp://127.0.0.1")
    assert done.stdout == b""


# What can be wrong before the first dial.


@pytest.mark.parametrize(
    "chat",
    [
        ChatSettings(name="host", name_chosen=True),
        ChatSettings(name="a b", name_chosen=True),
        ChatSettings(rooms=("a b",)),
    ],
)
async def test_names_that_cannot_be_are_settings_errors(chat: ChatSettings) -> None:
    """A chosen name or room that cannot be one is the person's to change."""
    import asyncio

    with pytest.raises(SettingsError):
        await terminal.run(Settings(chat=chat), asyncio.Event())


@pytest.mark.parametrize("address", ["tcp://localhost:1", "http://localhost:1/", "unix:///nowhere"])
@pytest.mark.parametrize("is_in_address", [True, False])
async def test_a_fingerprint_without_tls_is_dialled_by_nobody(
    address: str, tmp_path: Path, *, is_in_address: bool
) -> None:
    """Who says what the certificate must be would think it was looked at, and may have been sent there for that."""
    pin = "ab" * 32
    chat = (
        ChatSettings(address=f"{address}#sha256={pin}")
        if is_in_address
        else ChatSettings(address=address, fingerprint=f"sha256:{pin}")
    )
    with pytest.raises(AddressError, match="without TLS"):
        await terminal.run(Settings(chat=chat, data=tmp_path), asyncio.Event())
