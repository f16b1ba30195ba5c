"""The patches that switch off the safeguards of flows, credit and pressure; ``safeguards`` is the table that names them."""

from __future__ import annotations

from typing import Any

from ...protocol.credit import Pressure
from ...protocol.flow import DONE, ENDED, RESET, Flow
from ...protocol.flows import Flows
from ...protocol.frames import FrameType, ResetCode
from ...protocol.handshake import Reset, decode_payload, encode_payload
from ...protocol.session import Session

_begin = Flows.begin
_receive_about = Session._receive_about


def no_budget(flow: Flow, flows: Any, limits: Any, *, is_pressed: bool) -> int:
    """Grant each flow a whole window."""
    del flow, flows, is_pressed
    return int(limits.window)


def never_pressed(pressure: Pressure, who: Any) -> bool:
    """Take no notice of what all sessions hold."""
    del pressure, who
    return False


def never_relieved(pressure: Pressure) -> None:
    """Leave those waiting who were held back."""
    pressure.is_on = pressure.used >= pressure.limit


def finish_silently(flows: Flows, flow: Flow) -> None:
    """Handle the end of a flow, and do not say so."""
    del flows, flow


def leave_unanswered(flows: Flows, flow: Flow, payload: bytes) -> Reset:
    """Be told of a reset, and go on as if nothing had been."""
    reset = decode_payload(Reset, payload)
    flow.was_reset(reset)
    flows._hear(flow, RESET)
    return reset


def abandon_as_handled(flows: Flows, flow: Flow, code: ResetCode, reason: str) -> None:
    """Say of a flow that is abandoned that everything received was handled."""
    if not flow.ours & RESET and flow.ours != ENDED | DONE:
        reset = Reset(code=code, handled=flow.received, taken=flow.received, reason=reason)
        flow.ours |= RESET
        flows._drop(flow)
        flows._write(flow.number, encode_payload(FrameType.RESET, reset, flow.number))
        flows._forget_if_over(flow)


def forget_at_our_end(flow: Flow) -> bool:
    """Take a flow for over as soon as this end is through with it."""
    return flow.ours == ENDED | DONE or flow.ours & RESET != 0


def tell_of_the_unheard(flows: Flows, purpose: str, window: int) -> Flow:
    """Tell totals of a flow before the peer has heard of it."""
    flow = _begin(flows, purpose, window)
    flow.opened_at = -1
    return flow


def end_before_the_data(session: Session, flow: Flow) -> None:
    """Let the end of a flow overtake what is before it."""
    if not flow.ours & (ENDED | RESET):
        session._flows._write(flow.number, session._flows.ended(flow))


def receive_without_counting(session: Session, kind: int, number: int, payload: bytes) -> None:
    """Do not count the frames about flows."""
    _receive_about(session, kind, number, payload)
    session.received -= 1
