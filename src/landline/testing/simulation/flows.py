"""What both ends do with the flows of the library's own patterns."""

from __future__ import annotations

from ...errors import Full
from ...protocol.flow import ENDED, RESET, Flow
from ...protocol.frames import FrameType, ResetCode
from ...protocol.session import Session
from .ends import End

_PENDING = 300


def is_writable(flow: Flow) -> bool:
    """Whether anything may still be sent in it."""
    return not (flow.is_ending or flow.ours & (ENDED | RESET) or flow.theirs & RESET)


def takes_more(core: Session, flow: Flow, count: int = 1, before_last: int = 0) -> bool:
    """Whether it takes so many frames more, of which all but the last have so many bytes."""
    return is_writable(flow) and core.takes(flow, _PENDING, count, before_last)


def say(end: End, flow: Flow, payload: bytes) -> None:
    """Send a message of these flows, if it takes any more."""
    if is_writable(flow) and not end.ended:
        end.core.send(flow, FrameType.BYTES, payload)


def abandon(end: End, flow: Flow, code: ResetCode) -> None:
    """Leave a flow, if there is still something to leave."""
    if not (end.ended or flow.is_over or flow.ours & RESET):
        end.core.abandon_flow(flow, code)


def open_flow(end: End, purpose: str) -> Flow | None:
    """Open a flow, if the peer allows one more."""
    try:
        return end.core.open_flow(purpose)
    except Full:
        return None


def is_closing(end: End) -> bool:
    """Whether nothing more can be said there."""
    return bool(end.ended) or end.is_closing or end.is_peer_closed


def leave(end: End, flow: Flow) -> None:
    """Want to hear no more of it."""
    end.serving.pop(flow.number, None)
    end.on_room.pop(flow.number, None)
