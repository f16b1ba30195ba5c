"""What a chat client shows at every dial: which client it is, and the invite that lets it in where one is wanted."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from landline.apps.chat.limits import TEXT

_CLIENTS: Final = 1 << 63

NO_CLIENT: Final = (
    "this is a chat server, and these are no credentials of a chat client: `landline chat` joins it"
)
"""What whoever else comes is told."""


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who wants in."""

    client: int
    """The secret number that the client drew once, 63 bits: who shows it is that client."""
    invite: str = ""


def show(client: int, invite: str = "") -> dict[str, Any]:
    """Return them as ``landline.connect`` takes them."""
    shown = msgspec.to_builtins(Credentials(client, invite))
    assert isinstance(shown, dict)
    return shown


def read(credentials: object) -> Credentials:
    """Return what a client showed.

    Raises:
        ValueError: it is none of this chat.
    """
    try:
        found = msgspec.convert(credentials, Credentials)
    except msgspec.ValidationError as error:
        raise ValueError(NO_CLIENT) from error
    if len(found.invite) > TEXT.invite:
        raise ValueError(
            f"an invite has {TEXT.invite} characters at most, and the client shows more: copy the address anew"
        )
    if not 0 < found.client < _CLIENTS:
        raise ValueError("a client shows its number, which has 63 bits and is not 0")
    return found
