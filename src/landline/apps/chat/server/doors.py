"""What a chat server asks of whoever comes, and what it has for those who come over HTTP: found from the settings at its start."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Final

import msgspec

import landline
from landline.apps.chat.server.invite import Invite, keep_invite
from landline.errors import SettingsError
from landline.settings import DEFAULT_HOST, Settings
from landline.web.origin import Origins

CERTIFICATE: Final = "certificate"
"""The folder, beside the history, of a certificate that was made here."""

_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+")


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of the doors."""

    invite: Invite = Invite()
    """What whoever wants in must show."""
    tls: landline.ServerTLS | None = None
    """What is shown to whoever asks for TLS; callers from other machines must then."""
    is_self_made: bool = False
    """Nobody but us vouches for that certificate: whoever comes compares its fingerprint."""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    metrics_token: str = ""
    """As in ``landline.Web``."""
    webhook_token: str = ""
    """What programs show that say lines over HTTP; empty: none may."""
    files: Path | None = None
    """A folder to serve."""


def find_doors(settings: Settings) -> Doors:
    """Return what the settings ask for; an invite and a certificate are made where there are none yet.

    Raises:
        SettingsError: a file or folder cannot be used.
    """
    serve = settings.serve
    if serve.files is not None:
        _check_folder(serve.files)
    for name in serve.host_names:
        if not _HOST.fullmatch(name):
            raise SettingsError(
                f"{name!r} is no host's name: that is without scheme, port and path, and with ASCII letters alone",
                key="serve.host_names",
            )
    try:
        Origins(serve.host_names, serve.origins)
    except ValueError as error:
        raise SettingsError(str(error), key="serve.origins") from error
    # Whoever names a certificate means it to be shown.
    wants_tls = serve.wants_tls or (serve.tls == "auto" and settings.tls.certificate is not None)
    if serve.client_authority is not None and not wants_tls:
        raise SettingsError(
            "only under TLS can clients show certificates: turn it on with --tls yes",
            key="serve.client_authority",
        )
    tls, is_self_made = None, False
    if wants_tls:
        is_self_made = settings.tls.certificate is None
        try:
            tls = _certificate(settings)
        except landline.TLSError as error:
            raise SettingsError(f"TLS cannot be spoken: {error}", key="tls.certificate") from error
    return Doors(
        invite=keep_invite(settings.make_data_folder()) if serve.wants_invite else Invite(),
        tls=tls,
        is_self_made=is_self_made,
        hosts=serve.host_names,
        origins=serve.origins,
        metrics_token=serve.metrics_token,
        webhook_token=serve.webhook_token,
        files=serve.files,
    )


def _check_folder(folder: Path) -> None:
    try:
        with os.scandir(folder):
            return
    except (FileNotFoundError, NotADirectoryError):
        problem = f"there is no folder {folder} to serve"
    except OSError as error:
        problem = f"the folder {folder} cannot be served: {(error.strerror or str(error)).lower()}"
    raise SettingsError(problem, key="serve.files")


def _certificate(settings: Settings) -> landline.ServerTLS:
    given, clients = settings.tls, settings.serve.client_authority
    if given.certificate is not None:
        return landline.ServerTLS(given.certificate, given.key or given.certificate, clients=clients)
    return landline.make_certificate(
        settings.make_data_folder() / CERTIFICATE, _names(settings), clients=clients
    )


def _names(settings: Settings) -> list[str]:
    """Return what this machine is called, and what the server is told that it is called."""
    own = socket.gethostname()
    names = [DEFAULT_HOST, own, f"{own.partition('.')[0]}.local", *settings.serve.host_names]
    return list(dict.fromkeys(names))
