"""The settings as a program gets them: one frozen tree, whose defaults hold the only addresses and ports in the source.

Constructing ``Settings`` reads nothing from the environment; ``landline.settings.load()`` does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from landline.errors import SettingsError

DEFAULT_HOST: Final = "localhost"
"""Both loopback addresses, IPv4 and IPv6: nobody outside this machine gets in unless somebody decides so."""
DEFAULT_PORT: Final = 12345
DEFAULT_ROOM: Final = "lobby"
WILDCARDS: Final = ("0.0.0.0", "::", "*")  # noqa: S104 - known so that nobody dials them; never a default
"""Hosts that mean "every address of this machine": one can listen there, and dials ``DEFAULT_HOST`` instead."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the log is written; it goes to stderr."""

    level: str = "warning"
    """``debug``, ``info``, ``warning`` or ``error``."""
    format: str = "human"
    """``human`` or ``json`` (one object a line)."""


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``landline serve`` needs."""

    addresses: tuple[str, ...] = (f"tcp://{DEFAULT_HOST}:{DEFAULT_PORT}",)
    operator: bool = True
    """In a terminal, what is typed at the server goes to the lobby as ``host``."""
    history: int = 50
    """Lines of a room's past that somebody new is shown."""


class ChatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``landline chat`` needs."""

    address: str = f"tcp://{DEFAULT_HOST}:{DEFAULT_PORT}"
    name: str = ""
    """The name wished for; an empty string when nobody said one and the login name is unknown."""
    name_chosen: bool = False
    """The name was chosen, not taken from the login: a bad one is then an error."""
    rooms: tuple[str, ...] = (DEFAULT_ROOM,)
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
    verbose: int = 0
    from_make: bool = False
    """Started by ``make`` in a checkout: hints may name make's tasks and the examples."""
    config_file: Path | None = None
    log: LogSettings = LogSettings()
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
