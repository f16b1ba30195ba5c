"""The rules as tables: a verdict for every frame type in every phase of either role, and states that all lead to an end."""

from __future__ import annotations

from typing import Final

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import ConnectionEnded
from landline.protocol.frames import (
    COUNT,
    COUNTS,
    MAGIC,
    CloseCode,
    FrameType,
    ResetCode,
    encode_frame,
)
from landline.protocol.handshake import Close, Open, Refusal, Reset, encode_payload
from landline.protocol.states import ACCEPTED, TRANSITIONS, Phase, Role, State
from tests.protocol.lines import TOKEN, make_hello, make_resume, make_session, make_welcome

FRAMES: Final[dict[FrameType, bytes]] = {
    FrameType.HELLO: encode_payload(FrameType.HELLO, make_hello()),
    FrameType.RESUME: encode_payload(FrameType.RESUME, make_resume()),
    FrameType.WELCOME: encode_payload(FrameType.WELCOME, make_welcome()),
    FrameType.REFUSE: encode_payload(FrameType.REFUSE, Refusal(code=CloseCode.BUSY)),
    FrameType.CONFIRM: encode_frame(FrameType.CONFIRM, 0, TOKEN),
    FrameType.PING: encode_frame(FrameType.PING),
    FrameType.PONG: encode_frame(FrameType.PONG),
    FrameType.ACK: encode_frame(FrameType.ACK, 0, COUNTS.pack(0, 1)),
    FrameType.HANDLED: encode_frame(FrameType.HANDLED, 0, COUNT.pack(0)),
    FrameType.CREDIT: encode_frame(FrameType.CREDIT, 0, COUNT.pack(1 << 20)),
    FrameType.ASK: encode_frame(FrameType.ASK, 0, COUNT.pack(1)),
    FrameType.CLOSE: encode_payload(FrameType.CLOSE, Close(code=CloseCode.NORMAL)),
    FrameType.BYTES: encode_frame(FrameType.BYTES, 0, b"x"),
    FrameType.TEXT: encode_frame(FrameType.TEXT, 0, b"x"),
    FrameType.PACKED: encode_frame(FrameType.PACKED, 0, b"\xc0"),
    FrameType.WAITING: encode_frame(FrameType.WAITING, 0, COUNT.pack(1 << 18)),
}
"""One of each type, that is right wherever its type is."""


def frame_for(role: Role, kind: FrameType) -> bytes:
    """One of this type that is right for this end; the peer has opened a flow, which our program has ended."""
    opened = THEIRS[role]
    if kind is FrameType.OPEN:
        return encode_payload(kind, Open(purpose="another", window=1), opened + 2)
    if kind is FrameType.RESET:
        return encode_payload(kind, Reset(code=ResetCode.CANCELLED, handled=0, taken=0), opened)
    if kind in (FrameType.END, FrameType.DONE):
        return encode_frame(kind, opened)
    return FRAMES[kind]


THEIRS: Final = {Role.CLIENT: 2, Role.SERVER: 1}
"""The first flow that the peer of this end opens."""

# Read it as: a client that is greeting takes WELCOME and REFUSE. `+` taken, `x` protocol error, `.` not looked at.
VERDICTS: Final = """
                    HELLO RESUME WELCOME REFUSE CONFIRM PING PONG ACK HANDLED CREDIT ASK WAITING CLOSE BYTES TEXT PACKED OPEN END DONE RESET
client greeting     x     x      +       +      x       x    x    x   x       x      x   x       x     x     x    x      x    x   x    x
client deciding     x     x      x       x      x       x    x    x   x       x      x   x       +     x     x    x      x    x   x    x
client confirming   x     x      x       x      x       x    x    x   x       x      x   x       x     x     x    x      x    x   x    x
client open         x     x      x       x      x       +    +    +   +       +      +   +       +     +     +    +      +    +   +    +
client closing      x     x      x       x      x       +    +    +   +       +      +   +       +     +     +    +      +    +   +    +
client draining     x     x      x       x      x       +    +    +   +       +      +   +       x     x     x    x      x    x   x    x
client closed       .     .      .       .      .       .    .    .   .       .      .   .       .     .     .    .      .    .   .    .
server greeting     +     +      x       x      x       x    x    x   x       x      x   x       x     x     x    x      x    x   x    x
server deciding     x     x      x       x      x       x    x    x   x       x      x   x       x     x     x    x      x    x   x    x
server confirming   x     x      x       x      +       x    x    x   x       x      x   x       x     x     x    x      x    x   x    x
server open         x     x      x       x      x       +    +    +   +       +      +   +       +     +     +    +      +    +   +    +
server closing      x     x      x       x      x       +    +    +   +       +      +   +       +     +     +    +      +    +   +    +
server draining     x     x      x       x      x       +    +    +   +       +      +   +       x     x     x    x      x    x   x    x
server closed       .     .      .       .      .       .    .    .   .       .      .   .       .     .     .    .      .    .   .    .
"""


def rows() -> dict[tuple[Role, Phase], dict[FrameType, str]]:
    head, *rows = VERDICTS.strip().splitlines()
    kinds = [FrameType[name] for name in head.split()]
    found = {}
    for row in rows:
        role, phase, *verdicts = row.split()
        found[Role(role), Phase(phase)] = dict(zip(kinds, verdicts, strict=True))
    return found


def connection_in(role: Role, phase: Phase) -> Connection:
    """Bring a connection there the way that real ones come there."""
    connection = Connection(role, Limits(), 0.0)
    if role is Role.CLIENT:
        _bring_client(connection, phase)
    else:
        _bring_server(connection, phase)
    if connection.session is not None and connection.phase is Phase.OPEN:
        _have_a_flow_opened(connection)
    if phase in (Phase.CLOSING, Phase.CLOSED):
        connection.close(CloseCode.NORMAL, "", 0.0)
    if phase is Phase.CLOSED:
        connection.receive_data(FRAMES[FrameType.CLOSE], 0.0)
    if phase is Phase.DRAINING:
        connection.receive_data(FRAMES[FrameType.CLOSE], 0.0)
    if (role, phase) == (Role.CLIENT, Phase.CONFIRMING):
        connection.phase = phase  # no client comes there; if one did, nothing would be right
    assert connection.phase is phase
    connection.data_to_send(0.0)
    connection.events()
    return connection


def _have_a_flow_opened(connection: Connection) -> None:
    session, number = connection.session, THEIRS[connection.role]
    assert session is not None
    opening = Open(purpose="whatever", window=1 << 18)
    connection.receive_data(encode_payload(FrameType.OPEN, opening, number), 0.0)
    session.end_flow(session.flows[number])
    connection.data_to_send(0.0)


def _bring_client(connection: Connection, phase: Phase) -> None:
    connection.greet(make_hello())
    connection.receive_data(MAGIC, 0.0)
    if phase is not Phase.GREETING:
        connection.receive_data(FRAMES[FrameType.WELCOME], 0.0)
    if phase not in (Phase.GREETING, Phase.DECIDING, Phase.CONFIRMING):
        connection.carry(make_welcome(), make_session(), 0.0)


def _bring_server(connection: Connection, phase: Phase) -> None:
    connection.receive_data(MAGIC, 0.0)
    if phase is not Phase.GREETING:
        connection.receive_data(FRAMES[FrameType.HELLO], 0.0)
    if phase not in (Phase.GREETING, Phase.DECIDING):
        connection.welcome(make_welcome(), make_session(role=Role.SERVER), 0, 0.0)
    if phase not in (Phase.GREETING, Phase.DECIDING, Phase.CONFIRMING):
        connection.receive_data(FRAMES[FrameType.CONFIRM], 0.0)


def verdict(role: Role, phase: Phase, kind: FrameType) -> str:
    """What a connection does with a frame of this type; ``?`` is what no table may say."""
    connection = connection_in(role, phase)

    connection.receive_data(frame_for(role, kind), 1.0)

    ends = [event for event in connection.events() if isinstance(event, ConnectionEnded)]
    if [(end.code, end.local) for end in ends] == [(CloseCode.PROTOCOL_ERROR, True)]:
        return "x"
    if any(end.local for end in ends):
        return "?"
    if phase is Phase.CLOSED:
        return "." if not ends and connection.data_to_send(1.0) == [] else "?"
    return "+"


def test_every_cell_has_a_verdict() -> None:
    """Each role, phase and frame type once."""
    assert rows().keys() == {(role, phase) for role in Role for phase in Phase}
    assert all(row.keys() == set(FrameType) for row in rows().values())


@pytest.mark.parametrize(("role", "phase"), rows(), ids=lambda value: value.name.lower())
def test_each_frame_in_each_phase(role: Role, phase: Phase) -> None:
    """What the table says is what a connection does with each type of frame, and what ``ACCEPTED`` says."""
    row = rows()[role, phase]

    assert {kind: verdict(role, phase, kind) for kind in FrameType} == row
    assert {kind for kind in FrameType if row[kind] == "+"} == ACCEPTED[role, phase]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", [0x00, 0x0E, 0x1F, 0x27, 0xFF])
def test_unknown_types_are_errors_everywhere(role: Role, kind: int) -> None:
    """Whether they look counted or not."""
    for phase in set(Phase) - {Phase.CLOSED}:
        connection = connection_in(role, phase)

        connection.receive_data(encode_frame(kind), 1.0)

        (end,) = connection.events()
        assert isinstance(end, ConnectionEnded)
        assert (end.code, end.reason) == (CloseCode.PROTOCOL_ERROR, f"frame type {kind:#x} is unknown")


def test_every_state_leads_to_an_end() -> None:
    """Nothing comes after closed and lost, and both can be reached from everywhere else."""
    assert TRANSITIONS.keys() == set(State)
    for state, following in TRANSITIONS.items():
        if state in (State.CLOSED, State.LOST):
            assert following == frozenset()
        else:
            assert {State.CLOSED, State.LOST} <= following
            assert state not in following


def test_every_state_can_be_reached() -> None:
    """From connecting, by some way."""
    reached = {State.CONNECTING}
    while more := {after for state in reached for after in TRANSITIONS[state]} - reached:
        reached |= more

    assert reached == set(State)
