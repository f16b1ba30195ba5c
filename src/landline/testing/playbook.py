"""A test that reads as the conversation on the wire: what arrives at an end, what it must write, and when.

    Playbook(server).arrives("HELLO life=b'cccccccccccccccc' window=1000 max_message=1000").leaves("WELCOME resumed=False")

The end is anything that takes bytes and time and gives bytes (``Peer``), so it tests another implementation of ``docs/protocol.md`` as well
as ours. When the end says something else, the whole conversation is shown, with what was expected beside what came.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import msgspec

from ..protocol.decoder import FrameDecoder
from ..protocol.frames import MAGIC, Frame
from .words import does_say, frame_words, words_frame

_LARGEST = 64 << 20


class Peer(Protocol):
    """The end of a connection that a playbook tests."""

    def receive(self, data: bytes, now: float) -> bytes:
        """Take bytes that arrived; return what to write."""
        ...

    def advance(self, now: float) -> bytes:
        """Do what is due by ``now``, in seconds; return what to write."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the end has hung up."""
        ...


class Mismatch(AssertionError):
    """The conversation went otherwise; the message shows how."""


class _Step(msgspec.Struct, frozen=True):
    verb: str
    what: Any


class Playbook:
    """A conversation with ``peer``, written step by step and then played.

    Args:
        peer: the end that is tested.
        speaks_first: whether the peer is a client, whose magic comes before ours.
    """

    def __init__(self, peer: Peer, *, speaks_first: bool = False) -> None:
        self._peer = peer
        self._speaks_first = speaks_first
        self._steps: list[_Step] = []
        self._decoder = FrameDecoder(_LARGEST)
        self._head = b""
        self._frames: list[Frame] = []
        self._now = 0.0
        self._has_greeted = False

    # Writing it...

    def arrives(self, *frames: str) -> Self:
        """These frames arrive, in one chunk; before the first of them the magic."""
        self._steps.append(_Step("arrives", frames))
        return self

    def arrives_raw(self, data: bytes) -> Self:
        """These bytes arrive, just as they are."""
        self._steps.append(_Step("arrives raw", data))
        return self

    def leaves(self, *frames: str) -> Self:
        """The peer must write these frames next, and nothing else so far; of a map only the fields that are named are looked at."""
        self._steps.append(_Step("leaves", frames))
        return self

    def leaves_nothing(self) -> Self:
        """The peer must have written nothing more."""
        return self.leaves()

    def after(self, seconds: float) -> Self:
        """So much time passes."""
        self._steps.append(_Step("after", seconds))
        return self

    def ends(self) -> Self:
        """The peer must have hung up."""
        self._steps.append(_Step("ends", None))
        return self

    # Playing it...

    def play(self) -> None:
        """Play all of it.

        Raises:
            Mismatch: the peer did something else.
            ValueError: a step says no frame.
        """
        for step in self._steps:  # before anything is played: a typing error is none of the peer's
            if step.verb in ("arrives", "leaves"):
                for words in step.what:
                    words_frame(words)
        told: list[str] = []
        for step in self._steps:
            self._play(step, told)

    def _play(self, step: _Step, told: list[str]) -> None:
        if step.verb == "arrives":
            told += [f"    arrives  {words}" for words in step.what]
            data = b"".join(map(words_frame, step.what))
            self._take(self._peer.receive(data if self._has_greeted else MAGIC + data, self._now))
            self._has_greeted = True
        elif step.verb == "arrives raw":
            told.append(f"    arrives  {step.what!r}")
            self._has_greeted = True
            self._take(self._peer.receive(step.what, self._now))
        elif step.verb == "after":
            told.append(f"    after    {step.what:g} s")
            self._now += step.what
            self._take(self._peer.advance(self._now))
        elif step.verb == "leaves":
            if self._speaks_first and not told:
                self._take(self._peer.advance(self._now))
            self._compare(step.what, told)
        elif not self._peer.is_over:
            raise Mismatch("\n".join([*told, "!   ends     expected; the peer goes on"]))
        else:
            told.append("    ends")

    def _take(self, data: bytes) -> None:
        if len(self._head) < len(MAGIC):
            self._head += data
            data = self._head[len(MAGIC) :]
            if self._head[: len(MAGIC)] != MAGIC[: len(self._head)]:
                raise Mismatch(f"the peer began with {self._head[:40]!r}, which is not the magic")
        self._frames += self._decoder.feed(data)

    def _compare(self, expected: tuple[str, ...], told: list[str]) -> None:
        found, self._frames = self._frames, []
        is_right = len(found) == len(expected) and all(map(does_say, expected, found))
        if is_right:
            told += [f"    leaves   {frame_words(frame)}" for frame in found]
            return
        told.append("!   leaves   expected, and what came instead:")
        for place in range(max(len(expected), len(found))):
            wanted = expected[place] if place < len(expected) else "nothing"
            came = frame_words(found[place]) if place < len(found) else "nothing"
            is_same = place < min(len(expected), len(found)) and does_say(expected[place], found[place])
            told.append(f"{' ' if is_same else '!'}     {wanted:<40} | {came}")
        raise Mismatch("\n".join(told))
