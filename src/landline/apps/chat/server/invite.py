"""The invite: the secret that whoever wants into a chat shows, where one is wanted. It is kept beside the history, and the same after a restart."""

from __future__ import annotations

import hmac
import re
import secrets
from pathlib import Path
from typing import Final

from landline.apps.chat.limits import TEXT
from landline.apps.written import write_new
from landline.errors import SettingsError

FILE: Final = "invite"
_BYTES: Final = 16
"""128 bits, so that it can be typed: who guesses has a network between them and the server."""


_TEXT: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What an address carries as it stands, and the plain-text door reads as one word, whoever chose it."""


class Invite:
    """What is asked of whoever wants in.

    Args:
        text: the secret; empty where none is wanted.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text

    @property
    def is_wanted(self) -> bool:
        """Whether nobody gets in without it."""
        return bool(self.text)

    def admits(self, shown: str) -> bool:
        """Whether this lets somebody in; takes equally long for everything of one length."""
        return not self.text or hmac.compare_digest(self.text.encode(), shown.encode(errors="replace"))


def keep_invite(folder: Path) -> Invite:
    """Return the invite of a data folder; one is drawn where there is none yet. To take it back: remove the file ``invite``, and start anew.

    Raises:
        SettingsError: the file cannot be read or written, or holds none.
    """
    path = folder / FILE
    try:
        if (text := _read(path)) is None:
            # One that somebody else has written meanwhile stays, and is ours, too.
            write_new(path, f"{secrets.token_urlsafe(_BYTES)}\n".encode())
            text = _read(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"the invite cannot be kept in {path}: {reason}", key="data") from error
    if text is None or not _TEXT.fullmatch(text) or len(text) > TEXT.invite:
        raise SettingsError(
            f"{path} holds no invite, which is one word of letters, digits, - and _: remove it, and another one is drawn",
            key="data",
        )
    return Invite(text)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
