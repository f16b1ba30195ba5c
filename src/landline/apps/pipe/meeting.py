"""What both commands share: what a person asked for, and the limits of a pipe's session."""

from __future__ import annotations

import contextlib
import sys

import msgspec
from msgspec import field

import landline

from .limits import PIPE


class Pipe(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        address: where to listen, or whom to dial.
        is_plain: over a bare socket, without a session.
        is_kept: serve one caller after the other.
        is_quiet: say errors only.
        limits: of the session.
        sockets: listening sockets that we were started with; they must be the address's.
    """

    address: str
    is_plain: bool = False
    is_kept: bool = False
    is_quiet: bool = False
    limits: landline.Limits = field(default_factory=landline.Limits)
    sockets: tuple[landline.ListeningSocket, ...] = ()

    def say(self, text: str) -> None:
        """Tell a person, on stderr; stdout is for data."""
        if not self.is_quiet and sys.stderr is not None:
            with contextlib.suppress(OSError):
                print(text, file=sys.stderr, flush=True)


def pipe_limits(resume_window: float) -> landline.Limits:
    """Return the limits of a pipe.

    There is room for a long fast line (a tenth of a second at 80 MB/s), about 20 MiB at one end at most. It is redialled sooner than the
    library would: one caller is no crowd, and the producer waits.

    Args:
        resume_window: seconds that the listening side waits for a caller whose line dropped.
    """
    return landline.Limits(
        window=PIPE.window,
        outbox_bytes=PIPE.outbox_bytes,
        close_timeout=PIPE.close_timeout,
        redial_max=PIPE.redial_max,
        redial_reset=PIPE.redial_reset,
        resume_window=resume_window,
    )
