"""What a receiver keeps until everything has come: its secret and where it listened, so that the sender goes on when it is started again.

It is found again by what the receiver was told: the same address asked for, and the same folder. Of several that were told the same, and run at the
same time, each has its own, by its number.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path
from typing import Final

import msgspec

from landline.errors import SettingsError

from ..written import write_new

FOLDER: Final = "receive"
_BYTES: Final = 16
"""128 bits: who guesses has a network between them and the receiver."""


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a receiver.

    Attributes:
        secret: whoever shows it may send.
        address: where it listened, with its port; empty while it never did.
    """

    secret: str
    address: str = ""


class Keeping:
    """One receiver's file.

    Args:
        data: the folder that a user's data are in.
        asked: the address that it was told to listen at.
        to: the folder that it receives into.
        number: which one of those that were told the same, from 1.
    """

    def __init__(self, data: Path, asked: str, to: Path, number: int = 1) -> None:
        told = f"{asked}\0{to.absolute()}" + (f"\0{number}" if number > 1 else "")
        named = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:32]
        self._path = data / FOLDER / f"{named}.json"

    def read(self) -> Kept:
        """Return what was kept, or a new secret."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            kept = msgspec.json.decode(self._path.read_bytes(), type=Kept)
            if kept.secret:
                return kept
        return Kept(secrets.token_urlsafe(_BYTES))

    def claim(self, kept: Kept) -> bool:
        """Keep it, for our own user alone, whole or not at all; return False where something is kept: another one that was told the same has just begun.

        Raises:
            SettingsError: it cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return write_new(self._path, msgspec.json.encode(kept))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SettingsError(f"{self._path.parent} cannot be written to: {reason}", key="data") from error

    def forget(self) -> None:
        """The secret was good for this once."""
        self._path.unlink(missing_ok=True)
