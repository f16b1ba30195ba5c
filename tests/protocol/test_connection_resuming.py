"""A session on one line after another: replay before anything new, the old line fenced off, counts that must agree."""

from __future__ import annotations

from typing import Any

import pytest

from landline.errors import ProtocolError
from landline.limits import Limits
from landline.protocol.events import ConnectionEnded
from landline.protocol.frames import COUNT, COUNTS, LARGE, MAGIC, CloseCode, FrameType, encode_frame
from landline.protocol.states import Phase
from tests.protocol.lines import Pair, frames_of, hear, open_pair, say


def texts_of(data: bytes) -> list[str]:
    return [payload.decode() for kind, _, payload in frames_of(data) if kind == FrameType.TEXT]


def test_talk_goes_on_where_it_stopped() -> None:
    """Both ways, each message once."""
    pair = open_pair()
    say(pair.guest.core, "up 1")
    say(pair.host.core, "down 1")
    pair.settle()
    for core in (pair.guest.core, pair.host.core):
        say(core, "lost on the way")
    pair.line.write(pair.now)
    pair.cut()
    for core in (pair.guest.core, pair.host.core):
        say(core, "while away")

    pair.dial()
    pair.settle()

    assert hear(pair.host.core) == ["up 1", "lost on the way", "while away"]
    assert hear(pair.guest.core) == ["down 1", "lost on the way", "while away"]


def test_replay_comes_before_anything_new() -> None:
    """Also when it was sent before the line was there, and however large the replay is."""
    pair = open_pair()
    for number in range(3):
        say(pair.guest.core, f"old {number}")
    pair.line.write(pair.now)
    pair.cut()
    say(pair.guest.core, "new")
    pair.dial()
    pair.step()
    pair.step()

    data = b"".join(pair.line.client.data_to_send(pair.now))

    assert texts_of(data.removeprefix(MAGIC)) == ["old 0", "old 1", "old 2", "new"]


@pytest.mark.parametrize("cut_at", range(0, 400, 7))
def test_a_cut_after_any_byte_loses_nothing(cut_at: int) -> None:
    """Of each direction that many bytes arrive, then the line drops; and again on the next line."""
    pair = open_pair()
    for number in range(8):
        say(pair.guest.core, number)
        say(pair.host.core, number)
    for _ in range(2):
        pair.line.write(pair.now)
        pair.step(up=cut_at, down=max(0, cut_at - 100))
        pair.step(up=0, down=0)
        pair.cut()
        pair.dial()
        pair.settle()

    assert hear(pair.host.core) == list(range(8))
    assert hear(pair.guest.core) == list(range(8))


@pytest.mark.parametrize("cut_at", range(0, 3 * LARGE, LARGE // 3))
def test_large_messages_are_written_again_as_they_were(cut_at: int) -> None:
    """Among small ones, in order; the bytes of each go to the carrier as they were given, and again after a cut."""
    pair = open_pair()
    large = [bytes([number]) * (LARGE + number) for number in range(3)]
    said = [large[0], b"small", large[1], large[2], b"last"]
    for value in said:
        say(pair.guest.core, value)
    first = pair.line.client.data_to_send(pair.now)
    pair.line.up += b"".join(first)
    pair.line.move(pair.now, up=cut_at)
    pair.cut()
    pair.dial()
    pair.step()
    pair.step()
    second = pair.line.client.data_to_send(pair.now)
    pair.line.up += b"".join(second)
    pair.settle()

    assert hear(pair.host.core) == said
    assert all(any(piece is value for piece in first) for value in large)
    assert any(piece is large[2] for piece in second)


def test_a_frame_cut_in_two_is_not_glued_to_the_next_line() -> None:
    """Half a frame dies with its transport; the whole one is written again."""
    pair = open_pair()
    say(pair.guest.core, "x" * 100)
    pair.line.write(pair.now)
    pair.line.move(pair.now, up=50)
    pair.cut()

    pair.dial()
    pair.settle()

    assert hear(pair.host.core) == ["x" * 100]


def test_credit_totals_are_repeated() -> None:
    """A grant that was lost with its line is made good by the next."""
    pair = open_pair(Limits(window=100))
    for number in range(6):
        say(pair.guest.core, number)
    pair.settle()
    assert len(hear(pair.host.core)) == 2
    pair.line.server.data_to_send(pair.now)  # the grant goes out, and is lost
    pair.cut()

    pair.dial()
    pair.settle()

    assert hear(pair.host.core) == [2, 3]


def test_outcomes_are_repeated() -> None:
    """A HANDLED that was lost with its line is told on the next."""
    pair = open_pair()
    say(pair.guest.core, "a")
    pair.settle()
    hear(pair.host.core)
    pair.cut()
    assert pair.guest.core.messages.handled_by_peer == 0

    pair.dial()
    pair.settle()

    assert pair.guest.core.messages.handled_by_peer == 1


# The old line...


def test_the_old_line_is_told_that_it_was_replaced() -> None:
    """And whatever still comes on it counts for nothing."""
    pair = open_pair()
    old, old_client = pair.line, pair.line.client
    pair.dial()
    say(pair.guest.core, "zombie")
    stale = b"".join([encode_frame(FrameType.TEXT, 0, b"zombie")])
    pair.settle()

    old.server.receive_data(stale, pair.now)
    (close,) = frames_of(old.server.data_to_send(pair.now))
    assert close[0] == FrameType.CLOSE
    assert old.server.phase is old_client.phase is Phase.CLOSED
    assert (
        ConnectionEnded(CloseCode.REPLACED, "another connection carries this session now", local=True)
        in old.server.events()
    )
    assert hear(pair.host.core) == ["zombie"]


def test_a_fenced_line_takes_nothing_with_it() -> None:
    """It writes no message any more, and its end does not detach the session."""
    pair = open_pair()
    old = pair.line
    pair.dial()
    pair.settle()
    say(pair.host.core, "new line only")

    assert texts_of(b"".join(old.server.data_to_send(pair.now))) == []
    old.server.receive_end()
    pair.host.read(old.server, pair.now)
    pair.settle()

    assert hear(pair.guest.core) == ["new line only"]
    assert pair.host.record.detached_at is None


def test_a_fenced_line_says_nothing_for_the_session() -> None:
    """Not even last acks, where it was draining: what it told would count as told on the new line."""
    pair = open_pair()
    say(pair.guest.core, "a")
    pair.line.client.close(CloseCode.NORMAL, "", pair.now)
    pair.settle()
    assert pair.line.server.phase is Phase.DRAINING
    hear(pair.host.core)

    pair.line.server.fence()

    assert [kind for kind, _, _ in frames_of(pair.line.server.data_to_send(pair.now))] == [FrameType.CLOSE]


def test_a_dial_that_comes_late_is_stale() -> None:
    """An older attempt that arrives after a newer one has no effect at all."""
    pair = open_pair()
    first = pair.dial()
    first.write(pair.now)
    second = pair.dial()
    pair.settle()
    assert pair.line is second
    attempt, token = pair.host.record.attempt, pair.host.record.current

    first.move(pair.now)
    pair.host.read(first.server, pair.now)

    assert first.server.phase is Phase.CLOSED
    assert (pair.host.record.attempt, pair.host.record.current) == (attempt, token)
    assert second.server.phase is Phase.OPEN


# Counts that cannot be...


def resume_with(pair: Pair, received: int) -> None:
    pair.cut()
    pair.guest.core.received = received
    pair.dial()
    pair.step()


@pytest.mark.parametrize("received", [1, 4])
def test_a_resume_with_an_impossible_count_is_a_miscount(received: int) -> None:
    """The host sent three, and the guest had acked two: it cannot have one or four."""
    pair = open_pair()
    for number in range(2):
        say(pair.host.core, number)
    pair.settle()
    pair.wait(1.0)
    say(pair.host.core, 2)
    pair.line.write(pair.now)

    with pytest.raises(ProtocolError) as caught:
        resume_with(pair, received)
    assert caught.value.code == "miscount"


@pytest.mark.parametrize("received", [1, 4])
def test_a_welcome_with_an_impossible_count_is_a_miscount(received: int) -> None:
    """The same of the server."""
    pair = open_pair()
    for number in range(2):
        say(pair.guest.core, number)
    pair.settle()
    pair.wait(1.0)
    say(pair.guest.core, 2)
    pair.line.write(pair.now)
    pair.cut()
    pair.host.core.received = received
    pair.dial()
    pair.step()

    with pytest.raises(ProtocolError) as caught:
        pair.step()
    assert caught.value.code == "miscount"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (FrameType.ACK, COUNTS.pack(2, 0)),  # more than this line has carried
        (FrameType.ACK, COUNTS.pack(0, 0)),  # fewer than were acked at the resume
        (FrameType.ACK, COUNTS.pack(1, 1)),  # the peer sent what did not arrive
        (FrameType.HANDLED, COUNT.pack(4)),  # more than was ever sent
    ],
)
def test_a_count_on_a_resumed_line_that_cannot_be_is_a_miscount(kind: FrameType, payload: bytes) -> None:
    """Three were sent, one had arrived, and nothing is replayed yet."""
    pair = open_pair()
    for number in range(3):
        say(pair.guest.core, number)
    pair.line.write(pair.now)
    pair.line.move(pair.now, up=len(encode_frame(FrameType.PACKED, 0, b"\x00")))
    pair.cut()
    pair.dial()
    pair.step()
    pair.step()
    assert pair.line.client.phase is Phase.OPEN

    pair.line.client.receive_data(encode_frame(kind, 0, payload), pair.now)

    *_, end = pair.line.client.events()
    assert isinstance(end, ConnectionEnded)
    assert end.code is CloseCode.MISCOUNT


def test_many_lines_one_session() -> None:
    """Fifty drops, a message each way on every line and between lines."""
    pair = open_pair()
    heard: dict[str, list[Any]] = {"up": [], "down": []}
    for number in range(50):
        say(pair.guest.core, number)
        say(pair.host.core, number)
        if number % 3:
            pair.step()
        pair.cut()
        pair.dial()
        pair.settle()
        heard["up"] += hear(pair.host.core)
        heard["down"] += hear(pair.guest.core)
    pair.wait(1.0)

    assert heard == {"up": list(range(50)), "down": list(range(50))}
    assert (pair.guest.core.outbox_frames, pair.host.core.outbox_frames) == (0, 0)
