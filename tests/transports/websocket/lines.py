"""A line that a test holds the other end of: what is written to it is kept, what arrives is said by the test."""

from __future__ import annotations

from collections.abc import Callable

from landline.transports.base import Borrower, Receiver, Transport, nothing
from landline.transports.websocket.frames import FrameReader, encode_frame


class FakeLine:
    """A transport that remembers what is done to it."""

    def __init__(self, peer: str = "tcp://127.0.0.1:5") -> None:
        self.peer = peer
        self.source = "10.0.0.1"
        self.on_lost: Callable[[Transport], None] = nothing
        self.backlog = 0
        self.wrapping = 0
        self.is_writable = True
        self.receiver: Receiver | None = None
        self.written = bytearray()
        self.done: list[str] = []

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def hold(self, is_held: bool) -> None:
        self.done.append("hold" if is_held else "let go")

    def widen(self, borrower: Borrower) -> None:
        self.done.append("widen")

    def write(self, *pieces: bytes) -> None:
        self.written += b"".join(pieces)

    def end(self) -> None:
        self.done.append("end")

    def close(self) -> None:
        if "close" not in self.done:
            self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    # What the test says...

    def say(self, data: bytes) -> None:
        assert self.receiver is not None
        self.receiver.data_received(data)

    def say_end(self) -> None:
        assert self.receiver is not None
        self.receiver.data_ended()

    def lose(self, error: Exception | None = None) -> None:
        assert self.receiver is not None
        self.receiver.lost(error)
        self.on_lost(self)

    def heard(self, *, is_masked: bool = False) -> list[tuple[int, bytes]]:
        """Return what was written since the last time, as frames, of which a Close is the last."""
        reader = FrameReader(is_masked=is_masked, takes_text=True)
        found = [(kind, payload) for kind, payload, _ in reader.feed(bytes(self.written))]
        assert reader.failure is None
        key = b"mask" if is_masked else b""
        assert len(self.written) == sum(len(encode_frame(kind, payload, key)) for kind, payload in found)
        self.written.clear()
        return found
