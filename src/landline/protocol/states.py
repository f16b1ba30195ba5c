"""The rules as tables: a session's states, a connection's phases, and which frame may arrive when.

The diagram in ``docs/protocol.md`` and the tests are made from these tables.
"""

from __future__ import annotations

import enum
from typing import Final

from .frames import FIRST_COUNTED, FrameType


class _Named(enum.Enum):
    """Looked up often: an enumeration's own hash is worked out in Python each time."""

    __hash__ = object.__hash__


class Role(_Named):
    """Which end we are."""

    CLIENT = "client"
    SERVER = "server"


class State(_Named):
    """What a person who watches a session sees."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    SUSPECT = "suspect"
    RECONNECTING = "reconnecting"
    CLOSING = "closing"
    CLOSED = "closed"
    LOST = "lost"


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.CONNECTING: frozenset({State.CONNECTED, State.CLOSED, State.LOST}),
    State.CONNECTED: frozenset({State.SUSPECT, State.RECONNECTING, State.CLOSING, State.CLOSED, State.LOST}),
    State.SUSPECT: frozenset({State.CONNECTED, State.RECONNECTING, State.CLOSING, State.CLOSED, State.LOST}),
    State.RECONNECTING: frozenset({State.CONNECTED, State.CLOSING, State.CLOSED, State.LOST}),
    State.CLOSING: frozenset({State.CLOSED, State.LOST}),
    State.CLOSED: frozenset(),
    State.LOST: frozenset(),
}


class Phase(_Named):
    """How far a connection has come."""

    GREETING = "greeting"
    """The client's first frame, or the answer to it, is awaited."""
    DECIDING = "deciding"
    """The first frame, or the answer to it, is here, and our program has not said yet how to go on."""
    CONFIRMING = "confirming"
    """The server has welcomed, and waits for the token to be shown."""
    OPEN = "open"
    CLOSING = "closing"
    """Our CLOSE ends our direction, the peer's is awaited."""
    DRAINING = "draining"
    """The peer's CLOSE came; ours follows when our program has handled what came before it."""
    CLOSED = "closed"


TYPES: Final = {int(frame_type): frame_type for frame_type in FrameType}
"""Each type by its number."""

_ABOUT: Final = frozenset(
    {
        FrameType.PING,
        FrameType.PONG,
        FrameType.ACK,
        FrameType.HANDLED,
        FrameType.CREDIT,
        FrameType.ASK,
        FrameType.WAITING,
    }
)
_COUNTED: Final = frozenset(frame_type for frame_type in FrameType if frame_type >= FIRST_COUNTED)
_TALK: Final = _ABOUT | _COUNTED | {FrameType.CLOSE}

ACCEPTED: Final[dict[tuple[Role, Phase], frozenset[FrameType]]] = {
    (Role.CLIENT, Phase.GREETING): frozenset({FrameType.WELCOME, FrameType.REFUSE}),
    (Role.CLIENT, Phase.DECIDING): frozenset({FrameType.CLOSE}),
    (Role.CLIENT, Phase.CONFIRMING): frozenset(),
    (Role.CLIENT, Phase.OPEN): _TALK,
    (Role.CLIENT, Phase.CLOSING): _TALK,
    (Role.CLIENT, Phase.DRAINING): _ABOUT,
    (Role.CLIENT, Phase.CLOSED): frozenset(),
    (Role.SERVER, Phase.GREETING): frozenset({FrameType.HELLO, FrameType.RESUME}),
    (Role.SERVER, Phase.DECIDING): frozenset(),
    (Role.SERVER, Phase.CONFIRMING): frozenset({FrameType.CONFIRM}),
    (Role.SERVER, Phase.OPEN): _TALK,
    (Role.SERVER, Phase.CLOSING): _TALK,
    (Role.SERVER, Phase.DRAINING): _ABOUT,
    (Role.SERVER, Phase.CLOSED): frozenset(),
}
"""Frames that may arrive; any other ends the connection as a protocol error (in CLOSED it is not looked at)."""


def why_not(kind: int, phase: Phase) -> str:
    """Return what is wrong with a frame of a type that ``ACCEPTED`` does not have."""
    if kind not in TYPES:
        return f"frame type {kind:#x} is unknown"
    return f"{TYPES[kind].name} may not come while {phase.value}"
