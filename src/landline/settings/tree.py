"""The settings as a program gets them: one frozen tree, whose defaults hold the only addresses and ports in the source.

Constructing ``Settings`` reads nothing from the environment; ``landline.settings.load()`` does.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from landline.errors import SettingsError

DEFAULT_HOST: Final = "localhost"
"""Both loopback addresses, IPv4 and IPv6: nobody outside this machine gets in unless somebody decides so."""
DEFAULT_PORT: Final = 12345
DEFAULT_ROOM: Final = "lobby"
EVERY_ADDRESS: Final = "*"
WILDCARDS: Final = ("0.0.0.0", "::", EVERY_ADDRESS)  # noqa: S104 - known so that nobody dials them; never a default
"""Hosts that mean "every address of this machine": one can listen there, and dials ``DEFAULT_HOST`` instead."""


def is_public(address: str) -> bool:
    """Whether other machines can reach what listens there, as far as its text says; a name may mean anything."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return False
    host = parts.hostname or ""
    if host == DEFAULT_HOST:
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True


def bracketed(host: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


FAR_AWAY: Final = ("192.0.2.1", "2001:db8::1")
"""Addresses that are nobody's (RFC 5737, RFC 3849): the way there shows by which address of ours others reach us. Nothing is ever sent there."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the log is written; it goes to stderr."""

    level: str = "warning"
    """``debug``, ``info``, ``warning`` or ``error``."""
    format: str = "human"
    """``human`` or ``json`` (one object a line)."""


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown to the other end of TLS."""

    certificate: Path | None = None
    """PEM file, with those that it hangs on; a server without one makes one at first start."""
    key: Path | None = None
    """PEM file of its private key; None: it is in the certificate's file."""


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``landline serve`` needs."""

    addresses: tuple[str, ...] = (f"tcp://{DEFAULT_HOST}:{DEFAULT_PORT}",)
    operator: bool = True
    """In a terminal, what is typed at the server goes to the lobby as ``host``."""
    history: int = 50
    """Lines of a room's past that somebody new is shown."""
    tls: str = "auto"
    """``yes``, ``no`` or ``auto``: TLS beside plain connections, and from other machines TLS alone. Auto: where other machines reach an address."""
    invite: str = "auto"
    """Likewise: nobody enters without the invite."""
    client_authority: Path | None = None
    """PEM file of the authority whose certificates clients must show."""
    host_names: tuple[str, ...] = ()
    """Names that browsers may call the server by, besides this machine's own."""
    origins: tuple[str, ...] = ()
    """Web pages of other hosts, as ``https://host``, that may open sessions here."""
    files: Path | None = None
    """A folder to serve over HTTP."""
    webhook_token: str = ""
    """Secret that lets programs post lines over HTTP; empty: nobody may."""
    metrics_token: str = ""
    """Secret that lets other machines read /metrics."""

    @property
    def is_public(self) -> bool:
        """Whether other machines reach one of the addresses."""
        return any(map(is_public, self.addresses))

    @property
    def wants_tls(self) -> bool:
        """Whether TLS is spoken, and from other machines TLS alone."""
        return self.tls == "yes" or (self.tls == "auto" and self.is_public)

    @property
    def wants_invite(self) -> bool:
        """Whether nobody enters without the invite."""
        return self.invite == "yes" or (self.invite == "auto" and self.is_public)


def user_downloads_folder() -> Path:
    """Return where this user's downloads are."""
    import platformdirs  # only a program needs it: `import landline` stays cheap

    return platformdirs.user_downloads_path()


class ChatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``landline chat`` needs."""

    address: str = f"tcp://{DEFAULT_HOST}:{DEFAULT_PORT}"
    name: str = ""
    """The name wished for; an empty string when nobody said one and the login name is unknown."""
    name_chosen: bool = False
    """The name was chosen, not taken from the login: a bad one is then an error."""
    rooms: tuple[str, ...] = (DEFAULT_ROOM,)
    fingerprint: str = ""
    """``sha256:…``: what the server's certificate must be, instead of one that an authority vouches for."""
    authority: Path | None = None
    """PEM file of an authority to trust, instead of the system's."""
    invite: str = ""
    """What lets one into a chat that wants an invite; a link has it too."""
    downloads: Path = msgspec.field(default_factory=user_downloads_folder)
    """Where files are received that are offered in the chat."""
    plain: str | None = None
    """The address of a plain-text server to call instead of a landline one."""


class PipeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``landline listen`` and ``landline connect`` need."""

    resume_window: int = 3600
    """Seconds that ``landline listen`` waits for a caller whose line dropped."""


def user_data_folder() -> Path:
    """Return where this platform keeps a user's data, for landline."""
    import platformdirs  # only a program needs it: `import landline` stays cheap

    return platformdirs.user_data_path("landline", appauthor=False)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one run. Constructing it reads nothing from the environment; ``load()`` does."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    data: Path = msgspec.field(default_factory=user_data_folder)
    loop: str = "auto"
    """``auto`` (uvloop when it is installed), ``asyncio`` or ``uvloop``."""
    colour: bool = False
    token: str = ""
    """What is shown to the server of a program, for its ``authenticate``."""
    verbose: int = 0
    from_make: bool = False
    """Started by ``make`` in a checkout: hints may name make's tasks and the examples."""
    config_file: Path | None = None
    log: LogSettings = LogSettings()
    tls: TlsSettings = TlsSettings()
    serve: ServeSettings = ServeSettings()
    chat: ChatSettings = ChatSettings()
    pipe: PipeSettings = PipeSettings()

    def make_data_folder(self) -> Path:
        """Make the data folder if it is not there (mode 0700) and return it.

        Raises:
            SettingsError: it cannot be made, or cannot be written to.
        """
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            reason = "it is not a folder"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        else:
            if os.access(self.data, os.W_OK | os.X_OK):
                return self.data
            reason = "it cannot be written to"
        raise SettingsError(
            f"the data folder {self.data} cannot be used: {reason}; choose another with --data or LANDLINE_DATA",
            key="data",
        )
