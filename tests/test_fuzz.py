"""What ``make fuzz`` holds of any bytes, tried on the vectors and on whatever hypothesis thinks of."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landline.protocol.decoder import FrameDecoder
from landline.protocol.frames import FrameType, encode_frame
from landline.protocol.session import Session

ROOT = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "scripts" / "fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FUZZ = load()
FRAMES = st.builds(
    encode_frame,
    st.sampled_from([int(kind) for kind in FrameType]),
    st.sampled_from([0, 1, 2, 3, 4, 5, 2**32 - 1]),
    st.binary(max_size=40),
)


def test_every_seed_holds() -> None:
    """The vectors at each stage: a corpus to begin with."""
    found = FUZZ.seeds()
    for seed in found:
        FUZZ.check(seed)

    assert len(found) > 800


@settings(max_examples=400)
@given(st.integers(0, 15), st.integers(0, 255), st.lists(FRAMES | st.binary(max_size=20), max_size=12))
@pytest.mark.long
def test_any_frames_and_bytes_hold(stage: int, size: int, parts: list[bytes]) -> None:
    """Frames of every type with any number and payload, and noise between them, in any chunks."""
    FUZZ.check(bytes([stage, size]) + b"".join(parts))


def test_a_decoder_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail."""

    def feed(self: FrameDecoder, data: bytes) -> Any:
        raise IndexError

    monkeypatch.setattr(FrameDecoder, "feed", feed)
    with pytest.raises(IndexError):
        FUZZ.check(b"\x00\x01 anything")


def test_a_flow_that_takes_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credit that nobody minds."""
    receive = Session.receive

    def receive_all(self: Session, kind: int, number: int, payloads: Sequence[bytes]) -> None:
        flow = self.flows.get(number, self.messages)
        granted, flow.granted = flow.granted, 1 << 62
        receive(self, kind, number, payloads)
        flow.granted = granted

    monkeypatch.setattr(Session, "receive", receive_all)
    flood = b"".join(encode_frame(FrameType.BYTES, 0, b"x" * 4000) for _ in range(5))
    with pytest.raises(AssertionError, match="beyond its credit"):
        FUZZ.check(bytes([10, 39]) + flood)
