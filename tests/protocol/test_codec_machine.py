"""Values become frames, frames become bytes, bytes arrive in any chunks: a state machine for hypothesis, whose model is the list of values."""

from __future__ import annotations

import sys
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from landline.protocol.codec import Packed, decode_data, encode_data
from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import encode_frame

MOST = 1 << 16

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


class CodecMachine(RuleBasedStateMachine):
    """One end encodes, the other decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, Any]] = []
        self.heard: list[tuple[int, Any]] = []
        self.under_way = bytearray()
        self.decoder = FrameDecoder(MOST)

    @rule(value=VALUES, number=st.integers(0, (1 << 32) - 1))
    def say(self, value: Any, number: int) -> None:
        kind, payload = encode_data(value, MOST)
        self.said.append((number, value))
        self.under_way += encode_frame(kind, number, payload)

    @rule(size=st.integers(1, 40))
    def arrive(self, size: int) -> None:
        """The next bytes, as one chunk."""
        chunk = bytes(self.under_way[:size])
        del self.under_way[: len(chunk)]
        for kind, number, payload in self.decoder.feed(chunk):
            value = decode_data(kind, payload)
            self.heard.append((number, value.unpack() if isinstance(value, Packed) else value))

    @rule()
    def all_arrives(self) -> None:
        self.arrive(len(self.under_way))

    @invariant()
    def what_is_heard_was_said(self) -> None:
        """In order, each once."""
        assert self.heard == self.said[: len(self.heard)]

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            self.all_arrives()
            assert self.heard == self.said
            assert not self.decoder.held


CodecMachine.TestCase.settings = hypothesis.settings(max_examples=60, stateful_step_count=30)


TestCodec = CodecMachine.TestCase
"""What arrives is what was said, whatever the chunks."""
