"""What arrives: taken in its order, refused at the frame that is wrong, and many frames at once as one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import ProtocolError
from landline.protocol.codec import BYTES, TEXT, Packed
from landline.protocol.frames import FrameType, ResetCode
from landline.protocol.states import Role
from tests.protocol.lines import frames_of, receive
from tests.protocol.test_flows import about
from tests.protocol.test_session import ALL, attached


def test_a_payload_that_cannot_be_read_counts_for_nothing() -> None:
    """It is not in the inbox, and not received."""
    session = attached()
    with pytest.raises(ProtocolError):
        session.receive(TEXT, 0, (b"\xff",))

    assert (session.received, list(session.messages.inbox)) == (0, [])


PAYLOADS = st.lists(st.one_of(st.binary(max_size=60), st.just(b"\xff")), min_size=1, max_size=12)
"""Some of which are no text."""


@given(
    PAYLOADS,
    st.sampled_from((BYTES, TEXT, FrameType.END, FrameType.DONE)),
    st.sampled_from((1, 400, 1 << 18)),
    st.sampled_from(("open", "open", "ended", "abandoned", "never")),
)
def test_frames_that_come_together_are_as_frames_that_come_one_by_one(
    payloads: list[bytes], kind: int, granted: int, flow: str
) -> None:
    """What is received, what is refused and at which frame, and what is to be told to the peer."""

    def received(*series: list[bytes]) -> tuple[Any, ...]:
        session = attached(role=Role.SERVER)
        if flow != "never":
            receive(session, *about(1))
            session.flows[1].granted = granted
        if flow == "ended":
            receive(session, FrameType.END, 1, b"")
        elif flow == "abandoned":
            session.abandon_flow(session.flows[1], ResetCode.CANCELLED)
        error = ""
        try:
            for each in series:
                session.receive(kind, 1, each)
        except ProtocolError as raised:
            error = str(raised)
        inbox = [
            (value.unpack() if isinstance(value, Packed) else value, cost)
            for value, cost in (session.flows[1].inbox if 1 in session.flows else ())
        ]
        told = list(frames_of(session.data_to_send(0.0, ALL)))
        return error, inbox, session.received, session.memory, session.pressure.used, told

    assert received(payloads) == received(*([payload] for payload in payloads))
