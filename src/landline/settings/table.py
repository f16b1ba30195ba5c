"""Every setting, as one table: its TOML key, its variables, its flag, its default, and what its value may be.

The loader, the command line, ``landline config`` and the reference page are made from the same rows.
"""

from __future__ import annotations

import getpass
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from landline.limits import SETTING
from landline.settings.tree import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_ROOM,
    PipeSettings,
    ServeSettings,
    user_data_folder,
    user_downloads_folder,
)

# What a value may be.


class Kind(msgspec.Struct, frozen=True):
    """What the value of a setting may be."""

    expects: str
    """What a person is told to write; completes the sentence "it must be …"."""
    toml: type
    """Its type in TOML."""
    read: Callable[[Any], Any]
    """Text, or the TOML type, to the value; raises ValueError."""
    choices: tuple[str, ...] = ()
    """Every value there is, where they are few."""


def _read_text(raw: str) -> str:
    if not raw.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in raw):
        raise ValueError
    return raw.strip()


def _read_texts(raw: str | list[object]) -> tuple[str, ...]:
    parts = raw.replace(",", " ").split() if isinstance(raw, str) else raw
    texts = tuple(_read_text(part) for part in parts if isinstance(part, str))
    if not texts or len(texts) != len(parts):
        raise ValueError
    return texts


def _read_integer(raw: str | int, *, least: int, most: int) -> int:
    if isinstance(raw, str) and not (raw.strip().isascii() and raw.strip().isdecimal()):
        raise ValueError  # int() would take "1_000" and "１２" as well
    if len(str(raw)) > 20 or not least <= int(raw) <= most:
        raise ValueError
    return int(raw)


def _read_choice(raw: str, *, choices: tuple[str, ...]) -> str:
    if raw.strip().lower() not in choices:
        raise ValueError
    return raw.strip().lower()


def _read_yes_no(raw: str | bool) -> bool:
    if isinstance(raw, bool):
        return raw
    return {
        "yes": True,
        "true": True,
        "on": True,
        "1": True,
        "no": False,
        "false": False,
        "off": False,
        "0": False,
    }[_read_choice(raw, choices=("yes", "true", "on", "1", "no", "false", "off", "0"))]


def _read_fingerprint(raw: str) -> str:
    digits = raw.strip().lower().removeprefix("sha256:").replace(":", "")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError
    return f"sha256:{digits}"


def _read_path(raw: str) -> Path:
    try:
        return Path(_read_text(raw)).expanduser()
    except RuntimeError as error:  # ~nobody
        raise ValueError from error


def _integer(least: int, most: int) -> Kind:
    return Kind(f"a whole number from {least} to {most}", int, partial(_read_integer, least=least, most=most))


def _choice(*choices: str) -> Kind:
    expects = ", ".join(choices[:-1]) + " or " + choices[-1]
    return Kind(expects, str, partial(_read_choice, choices=choices), choices)


TEXT: Final = Kind("text without control characters", str, _read_text)
TEXTS: Final = Kind("a list of texts without control characters", list, _read_texts)
YES_NO: Final = Kind("yes or no", bool, _read_yes_no)
FOLDER: Final = Kind("the path of a folder", str, _read_path)
FILE: Final = Kind("the path of a file", str, _read_path)
FINGERPRINT: Final = Kind("sha256: and 64 hexadecimal digits", str, _read_fingerprint)
AUTO: Final = _choice("auto", "yes", "no")


# The table.

PROGRAM_COMMANDS: Final = ("rpc", "publish", "subscribe", "bench")
"""The commands that talk with a program's own server; the chat's would refuse them."""

EVERYWHERE: Final = ("serve", "chat", "listen", "connect", "receive", "send", *PROGRAM_COMMANDS)


class Setting(msgspec.Struct, frozen=True):
    """One row of the table."""

    key: str
    """Its TOML key, which is also its name; a dot separates table and key."""
    kind: Kind
    default: object
    """The default, or a function of the environment that returns ``(value, how it came about)``."""
    meaning: str
    flag: str = ""
    """As typed; without dashes it is an argument. A secret has none, since others can see a process's arguments."""
    commands: tuple[str, ...] = ("serve", "chat")
    """The commands that take the flag; ``landline config`` takes every flag."""
    also: tuple[str, ...] = ()
    """Further variables, shared with other settings; the setting's own one wins."""
    short: str = ""
    """The name of its own variable where that is not the key's."""
    secret: bool = False
    """Never shown; ``<variable>_FILE`` may name a file that holds it."""

    @property
    def variable(self) -> str:
        """Its own environment variable."""
        return "LANDLINE_" + (self.short or self.key.replace(".", "_").upper())

    @property
    def variables(self) -> tuple[str, ...]:
        """All environment variables that set it, the strongest first."""
        return (self.variable, *self.also)


def _default_data(environ: Mapping[str, str]) -> tuple[Path, str]:
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd's; several are separated by colons
    if state:
        return Path(state), "STATE_DIRECTORY"
    return user_data_folder(), "default"


def _default_downloads(environ: Mapping[str, str]) -> tuple[Path, str]:
    return user_downloads_folder(), "default"


def _default_name(environ: Mapping[str, str]) -> tuple[str, str]:
    names = ("LOGNAME", "USER", "LNAME", "USERNAME")
    login = next((environ[name] for name in names if environ.get(name)), "")
    try:
        return login or getpass.getuser(), "login name"
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "", "default"


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "host",
        TEXT,
        DEFAULT_HOST,
        "host to listen on and to dial; localhost is both loopback addresses",
        "--host",
    ),
    Setting(
        "port",
        _integer(0, 65535),
        DEFAULT_PORT,
        "port to listen on and to dial; 0 listens on any free one",
        "--port",
    ),
    Setting(
        "data",
        FOLDER,
        _default_data,
        "folder for what outlives a run: history, lines that wait, certificates, secrets of unfinished transfers; STATE_DIRECTORY replaces its default",
        "--data",
        commands=("serve", "chat", "receive"),
    ),
    Setting(
        "loop",
        _choice("auto", "asyncio", "uvloop"),
        "auto",
        "event loop; auto is uvloop where installed",
        "--loop",
        commands=EVERYWHERE,
    ),
    Setting(
        "colour",
        _choice("auto", "always", "never"),
        "auto",
        "colours; auto: on a terminal, unless NO_COLOR is set",
        "--colour",
    ),
    Setting(
        "log.level",
        _choice("debug", "info", "warning", "error"),
        "warning",
        "least important line that the log on stderr shows; --verbose and --quiet move it",
        "--log-level",
        commands=EVERYWHERE,
    ),
    Setting(
        "log.format",
        _choice("auto", "human", "json"),
        "auto",
        "form of the log; auto: for people on a terminal, else one JSON object a line",
        "--log-format",
        commands=EVERYWHERE,
    ),
    Setting(
        "tls.certificate",
        FILE,
        None,
        "PEM file of the certificate to show, with those it hangs on; a server without one makes one at first start",
        "--certificate",
        commands=("serve", "chat", *PROGRAM_COMMANDS),
    ),
    Setting(
        "tls.key",
        FILE,
        None,
        "PEM file of its private key, where that is not in the same file",
        "--key",
        commands=("serve", "chat", *PROGRAM_COMMANDS),
    ),
    Setting(
        "token",
        TEXT,
        "",
        "what is shown to a program's server, for its authenticate",
        commands=PROGRAM_COMMANDS,
        secret=True,
    ),
    Setting(
        "serve.address",
        TEXTS,
        (),
        "addresses to listen on, instead of host and port",
        "--address",
        commands=("serve",),
        also=("LANDLINE_ADDRESS",),
    ),
    Setting(
        "serve.operator",
        YES_NO,
        True,
        "in a terminal, say in the lobby what is typed at the server, as host",
        "--operator",
        commands=("serve",),
    ),
    Setting(
        "serve.history",
        _integer(0, SETTING.history),
        ServeSettings().history,
        "lines of a room's past that somebody new is shown",
        "--history",
        commands=("serve",),
    ),
    Setting(
        "serve.public",
        YES_NO,
        False,
        "listen on every address of this machine, for other machines: with TLS and an invite",
        "--public",
        commands=("serve",),
    ),
    Setting(
        "serve.tls",
        AUTO,
        ServeSettings().tls,
        "TLS on the same port, and from other machines nothing else; auto: where other machines reach an address, or a certificate is given",
        "--tls",
        commands=("serve",),
    ),
    Setting(
        "serve.invite",
        AUTO,
        ServeSettings().invite,
        "nobody enters without the invite, which is printed; auto: where other machines reach an address",
        "--invite",
        commands=("serve",),
    ),
    Setting(
        "serve.client_authority",
        FILE,
        None,
        "PEM file of the authority whose certificates clients must show",
        "--client-authority",
        commands=("serve",),
    ),
    Setting(
        "serve.host_names",
        TEXTS,
        (),
        "names that browsers call the server by, besides this machine's own",
        "--host-name",
        commands=("serve",),
    ),
    Setting(
        "serve.origins",
        TEXTS,
        (),
        "web pages of other hosts that may open sessions here, as https://host",
        "--origin",
        commands=("serve",),
    ),
    Setting(
        "serve.files",
        FOLDER,
        None,
        "folder whose files are served at /files/",
        "--files",
        commands=("serve",),
    ),
    Setting(
        "serve.webhook_token",
        TEXT,
        "",
        "secret that lets programs say lines with POST /rooms/ROOM; without one, nobody may",
        commands=("serve",),
        secret=True,
    ),
    Setting(
        "serve.metrics_token",
        TEXT,
        "",
        "secret that lets other machines read /metrics",
        commands=("serve",),
        secret=True,
    ),
    Setting(
        "chat.address",
        TEXTS,
        (),
        "address to dial, instead of host and port; of several the first",
        "ADDRESS",
        commands=("chat",),
        also=("LANDLINE_ADDRESS",),
    ),
    Setting("chat.name", TEXT, _default_name, "name in the chat", "--name", commands=("chat",), short="NAME"),
    Setting(
        "chat.room", TEXTS, (DEFAULT_ROOM,), "rooms to be in from the start", "--room", commands=("chat",)
    ),
    Setting(
        "chat.downloads",
        FOLDER,
        _default_downloads,
        "folder that files go to which one accepts in the chat; by default the user's own for downloads",
        "--downloads",
        commands=("chat",),
    ),
    Setting(
        "chat.fingerprint",
        FINGERPRINT,
        "",
        "what the server's certificate must be, as the server prints it; kept once it was right",
        "--fingerprint",
        commands=("chat",),
    ),
    Setting(
        "chat.authority",
        FILE,
        None,
        "PEM file of an authority to trust instead of the system's",
        "--authority",
        commands=("chat",),
    ),
    Setting(
        "chat.invite",
        TEXT,
        "",
        "what lets one into a chat that wants an invite; it may stand in the address instead",
        commands=("chat",),
        secret=True,
    ),
    Setting(
        "pipe.resume_window",
        _integer(1, SETTING.resume_window),
        PipeSettings().resume_window,
        "seconds that listen and receive wait for a caller whose line dropped: a laptop may sleep that long",
        "--resume-window",
        commands=("listen", "receive"),
    ),
)

NOT_SETTINGS: Final = frozenset({"LANDLINE_CONFIG", "LANDLINE_FROM_MAKE", "LANDLINE_REQUIRE"})
"""Variables that are known and are no setting: the file to read, who started us, and what the tests insist on."""
