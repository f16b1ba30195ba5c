"""How to join: commands that run as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from landline.apps.chat.server.doors import Doors
from landline.apps.chat.server.hints import code_lines, hints, how_to_join
from landline.apps.chat.server.invite import Invite
from landline.settings import ServeSettings, Settings

ROOT = Path(__file__).resolve().parents[4]


def commands(addresses: list[str], *, from_make: bool = False, asked: str = "") -> list[str]:
    asked = asked or f"tcp://localhost:{addresses[0].rpartition(':')[2]}"
    settings = Settings(from_make=from_make, serve=ServeSettings(addresses=(asked,)))
    return [hint.command for hint in hints(settings, addresses, Doors())]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.fixture
def in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("in_checkout")
def test_from_the_checkout_on_the_usual_port() -> None:
    """Each as short as it can be."""
    assert commands(["tcp://127.0.0.1:12345", "tcp://[::1]:12345"], from_make=True) == [
        "make chat",
        "http://localhost:12345/",
        "nc localhost 12345",
        "python3 examples/classic_client.py",
    ]


@pytest.mark.usefixtures("in_checkout")
def test_from_the_checkout_on_another_port() -> None:
    """Each command carries the port."""
    assert commands(["tcp://127.0.0.1:12346"], from_make=True) == [
        "LANDLINE_PORT=12346 make chat",
        "http://localhost:12346/",
        "nc localhost 12346",
        "LANDLINE_PORT=12346 python3 examples/classic_client.py",
    ]


@pytest.mark.usefixtures("installed")
def test_installed() -> None:
    """The program itself, with the address where it is not the usual one."""
    assert commands(["tcp://127.0.0.1:12345"]) == [
        "landline chat",
        "http://localhost:12345/",
        "nc localhost 12345",
    ]
    assert commands(["tcp://127.0.0.1:12346"]) == [
        "landline chat tcp://localhost:12346",
        "http://localhost:12346/",
        "nc localhost 12346",
    ]


def test_where_the_program_is_on_no_path_it_is_named_by_its_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hint that answers 'command not found' is none."""
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: None)
    monkeypatch.setattr("landline.settings.program.sys.executable", "/opt/my python/bin/python")

    assert commands(["tcp://127.0.0.1:12345"])[0] == "'/opt/my python/bin/python' -m landline chat"


def test_where_the_program_is_on_no_path_but_was_started_by_its_own_it_is_named_by_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `.venv/bin/landline serve` does, seen from another folder."""
    program = tmp_path / "landline"
    program.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("landline.settings.program.shutil.which", lambda name: None)
    monkeypatch.setattr("landline.settings.program.sys.argv", ["./landline", "serve"])

    assert commands(["tcp://127.0.0.1:12345"])[0] == f"{program} chat"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("asked", "real", "command"),
    [
        ("tcp://192.0.2.7:12345", "tcp://192.0.2.7:12345", "nc 192.0.2.7 12345"),
        ("tcp://0.0.0.0:12345", "tcp://0.0.0.0:12345", "nc localhost 12345"),
        ("tcp://[::]:12345", "tcp://[::]:12345", "nc localhost 12345"),
        ("tcp://[::1]:12345", "tcp://[::1]:12345", "nc ::1 12345"),
        ("unix:///run/my chat.sock", "unix:///run/my chat.sock", "nc -U '/run/my chat.sock'"),
    ],
)
def test_other_addresses(asked: str, real: str, command: str) -> None:
    """What listens everywhere is dialled at home; a path is quoted."""
    assert commands([real], asked=asked)[-1] == command


@pytest.mark.usefixtures("installed")
def test_an_ipv6_host_is_dialled_in_brackets() -> None:
    """As addresses are written."""
    assert commands(["tcp://[::1]:12345"], asked="tcp://[::1]:12345")[0] == "landline chat tcp://[::1]:12345"


def test_a_unix_socket_from_the_checkout() -> None:
    """The address goes by the environment."""
    assert (
        commands(["unix:///run/x.sock"], from_make=True, asked="unix:///run/x.sock")[0]
        == "LANDLINE_ADDRESS=unix:///run/x.sock make chat"
    )


@pytest.mark.usefixtures("in_checkout")
def test_each_command_stands_alone_on_its_line() -> None:
    """So that a whole line can be pasted; what it is stands on the next."""
    settings = Settings(from_make=True)
    text = how_to_join(settings, ["tcp://127.0.0.1:12345"], Doors())
    lines = text.split("\n")
    for hint in hints(settings, ["tcp://127.0.0.1:12345"], Doors()):
        assert lines[lines.index(f"    {hint.command}") + 1].strip() == hint.what
        assert shlex.split(hint.command)

    assert "then type and press Enter" in text


class Certificate:
    """As much of one as is printed."""

    fingerprint = f"sha256:{'ab' * 32}"


@pytest.mark.usefixtures("installed")
def test_for_other_machines_there_is_one_address_to_give_away() -> None:
    """With the invite, and for the client with the certificate's fingerprint; the page on this machine needs the invite as well."""
    settings = Settings(serve=ServeSettings(addresses=("tcp://192.0.2.7:12345",)))
    doors = Doors(invite=Invite("secret"), tls=Certificate(), is_self_made=True)  # type: ignore[arg-type]
    text = how_to_join(settings, ["tcp://192.0.2.7:12345"], doors)
    lines = [line.strip() for line in text.split("\n")]

    assert "https://192.0.2.7:12345/#invite=secret" in lines
    assert f"landline chat 'https://192.0.2.7:12345/#invite=secret&sha256={'ab' * 32}'" in lines
    assert "the first line is the invite" in text
    assert f"sha256:{'ab' * 32}." in text
    assert "WITHOUT" not in text


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("from_make", [True, False])
def test_where_only_other_machines_doors_are_open_this_one_takes_them(*, from_make: bool) -> None:
    """What listens on an address of the network takes nothing without TLS, from this machine neither."""
    settings = Settings(from_make=from_make, serve=ServeSettings(addresses=("tcp://192.0.2.7:12345",)))
    doors = Doors(invite=Invite("secret"), tls=Certificate(), is_self_made=True)  # type: ignore[arg-type]
    link = f"'https://192.0.2.7:12345/#invite=secret&sha256={'ab' * 32}'"

    assert [hint.command for hint in hints(settings, ["tcp://192.0.2.7:12345"], doors)] == [
        f"LANDLINE_ADDRESS={link} make chat" if from_make else f"landline chat {link}",
        "https://192.0.2.7:12345/#invite=secret",
        "openssl s_client -quiet -connect 192.0.2.7:12345",
    ]


@pytest.mark.usefixtures("installed")
def test_there_the_invite_is_said_without_tls_as_well() -> None:
    """The client reads it from the data folder for the loopback only."""
    settings = Settings(serve=ServeSettings(addresses=("tcp://192.0.2.7:12345",), tls="no"))

    assert [
        hint.command for hint in hints(settings, ["tcp://192.0.2.7:12345"], Doors(invite=Invite("secret")))
    ] == [
        "landline chat 'http://192.0.2.7:12345/#invite=secret'",
        "http://192.0.2.7:12345/#invite=secret",
        "nc 192.0.2.7 12345",
    ]


def test_at_a_unix_socket_the_invite_is_printed_by_itself() -> None:
    """No address there has one behind a #."""
    settings = Settings(serve=ServeSettings(addresses=("unix:///run/x.sock",), invite="yes"))
    _, plain = hints(settings, ["unix:///run/x.sock"], Doors(invite=Invite("secret")))

    assert plain.what == "plain text: the first line is the invite, secret"


def test_files_are_for_everybody_and_that_is_said() -> None:
    """The invite is for the chat alone."""
    settings = Settings(serve=ServeSettings(addresses=("tcp://192.0.2.7:12345",)))
    text = how_to_join(settings, ["tcp://192.0.2.7:12345"], Doors(invite=Invite("x"), files=Path("/srv/f")))

    assert "may read /srv/f at /files/, with an invite and without" in text


def test_what_is_open_to_the_world_is_said_loudly() -> None:
    """Who turns TLS or the invite off reads what that means."""
    settings = Settings(serve=ServeSettings(addresses=("tcp://*:12345",), tls="no", invite="no"))
    text = how_to_join(settings, ["tcp://0.0.0.0:12345", "tcp://[::]:12345"], Doors())

    assert "WITHOUT AN INVITE: whoever reaches this port may enter." in text
    assert "WITHOUT TLS: whoever is on the way can read everything" in text


def test_a_code_is_square_and_drawn_dark_on_light() -> None:
    """Each character holds two modules, one above the other; its colours are said, so that it can be scanned on a dark screen, too."""
    lines = [line.strip() for line in code_lines("https://192.0.2.7:12345/#invite=secret")]
    widths = {len(line.removeprefix("\x1b[30;47m").removesuffix("\x1b[0m")) for line in lines}

    assert len(widths) == 1
    assert abs(2 * len(lines) - widths.pop()) <= 1
    assert all(line.startswith("\x1b[30;47m") and line.endswith("\x1b[0m") for line in lines)
