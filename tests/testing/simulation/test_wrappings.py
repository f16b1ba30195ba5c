"""What carriers put around bytes: it comes off again whatever pieces it arrives in, and who writes part of a frame is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import blake2b

import pytest

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import Event, HelloReceived
from landline.protocol.frames import MAGIC, FrameType, encode_frame
from landline.protocol.handshake import ID_SIZE, Hello
from landline.protocol.states import Role
from landline.testing.simulation import wrappings
from landline.testing.simulation.ablations import seeds_to_find
from landline.testing.simulation.carrier_safeguards import CARRIER_ABLATIONS
from landline.testing.simulation.line import Node, Port, Violation, join
from landline.testing.simulation.run import STEPS, run
from landline.testing.simulation.switched_off import Ablation
from landline.testing.simulation.wrappings import (
    BYTES,
    KINDS,
    TLS,
    WEBSOCKET,
    TlsWrapping,
    WebSocketWrapping,
    check_whole,
    draw_wrappings,
    kind_of,
)

Ends = tuple[wrappings.Wrapping, wrappings.Wrapping]


def websocket(seed: int = 1) -> Ends:
    chance = random.Random(seed)
    return WebSocketWrapping(chance, is_client=True), WebSocketWrapping(chance, is_client=False)


def tls() -> Ends:
    return TlsWrapping(), TlsWrapping()


def write(number: int) -> list[bytes]:
    """What is written at once: a frame or two."""
    frames = [
        encode_frame(FrameType.BYTES, 0, bytes([number]) * (40 * number)),
        encode_frame(FrameType.PING),
    ]
    return [MAGIC, *frames] if number == 0 else frames


@pytest.mark.parametrize("size", [1, 3, 7, 100, 1 << 20])
@pytest.mark.parametrize("make", [websocket, tls])
@pytest.mark.parametrize("is_up", [True, False])
def test_what_is_wrapped_comes_out_again(make: Callable[[], Ends], is_up: bool, size: int) -> None:
    """In pieces of any size, in either direction, the same bytes in the same order, and the farewell behind them."""
    client, server = make()
    near, far = (client, server) if is_up else (server, client)
    written = b"".join(near.wrap(write(number)) for number in range(40)) + near.farewell()
    told = b"".join(far.unwrap(written[at : at + size]) for at in range(0, len(written), size))

    assert told == b"".join(b"".join(write(number)) for number in range(40))
    assert far.has_ended
    assert not near.has_ended


def test_some_messages_come_in_fragments_and_behind_pings() -> None:
    """Pings are answered at once, by either end."""
    near, far = websocket()
    for number in range(100):
        far.unwrap(near.wrap(write(number)))

    answers, far.answer = far.answer, b""
    assert 5 < answers.count(b"still there?") < 30
    assert not near.unwrap(answers)
    assert not near.answer


def test_of_a_record_all_or_nothing_arrives() -> None:
    """Its last byte brings it whole; a cut before that takes all of it."""
    near, far = tls()
    record = near.wrap([MAGIC])

    assert far.unwrap(record[:-1]) == b""
    assert far.unwrap(record[-1:]) == MAGIC
    assert not far.has_ended


def test_a_record_is_missed() -> None:
    """What does not follow the one before would not decrypt."""
    near, far = tls()
    near.wrap([MAGIC])

    with pytest.raises(Violation, match="record 1 arrived where 0 was due"):
        far.unwrap(near.wrap([b"more"]))


def test_a_websocket_whose_rules_are_broken_is_a_violation() -> None:
    """Two honest ends never break them: here one is told that both are clients."""
    near, _ = websocket()
    other, _ = websocket(2)

    with pytest.raises(Violation, match="a masked frame from a server"):
        other.unwrap(near.wrap(write(0)))


@pytest.mark.parametrize("missing", [1, 5, 9, 40])
def test_a_write_that_ends_inside_a_frame_is_found(missing: int) -> None:
    """In a payload, in a header, and before the magic is whole."""
    whole = b"".join(write(0)) + b"".join(write(3))
    check_whole(whole, is_first=True)
    check_whole(whole[len(MAGIC) :], is_first=False)

    with pytest.raises(Violation, match="a frame straddles two writes"):
        check_whole(whole[:-missing] if missing != 9 else whole + whole[8:12], is_first=True)
    with pytest.raises(Violation, match="not with the magic"):
        check_whole(whole[len(MAGIC) :], is_first=True)


def test_every_kind_is_drawn() -> None:
    """Both ends of a line are of one kind; half of all lines carry bytes as they are."""
    chance = random.Random(1)
    drawn = [draw_wrappings(chance) for _ in range(400)]
    kinds = [BYTES if client is None else client.kind for client, _ in drawn]

    assert {(client and client.kind) == (server and server.kind) for client, server in drawn} == {True}
    assert 150 < kinds.count(BYTES) < 250
    assert min(kinds.count(WEBSOCKET), kinds.count(TLS)) > 50


class Still:
    """A world in which nothing else happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.trace = blake2b()
        self.is_touched = False


@pytest.mark.parametrize("make", [websocket, tls])
def test_a_line_says_farewell_unless_it_is_hung_up(make: Callable[[], Ends]) -> None:
    """An orderly end is told in the carrier's own words, and heard as the end; who aborts says nothing."""
    ends: dict[bool, int] = {}
    for is_hung_up in (False, True):
        heard: list[Event] = []
        client = Port(Node(Still(), 0.0), Connection(Role.CLIENT, Limits(), 0.0), 1000)
        server = Port(Node(Still(), 0.0), Connection(Role.SERVER, Limits(), 0.0), 1000)
        server.deliver = heard.append
        join(client, server)
        client.wrapping, server.wrapping = make()
        client.connection.greet(Hello(life=bytes(ID_SIZE), window=1000, max_message=1000))
        client.node.turn()
        assert kind_of(client) == kind_of(server)
        client.move(1)
        assert not heard
        assert not server.taken
        before = len(client.out)
        if is_hung_up:
            client.abort()
        else:
            client.connection.receive_end()  # nobody is to be told: it only ends
            client.schedule()
        client.node.turn()
        ends[is_hung_up] = len(client.out) - before
        client.move(1000)
        server.node.turn()
        assert [type(event).__name__ for event in heard] == [HelloReceived.__name__, "ConnectionEnded"]

    assert ends[False] > ends[True] == 0


def test_the_report_counts_lines_and_changes() -> None:
    """Of some world: every dial was over something, and sessions went on over something else."""
    results = [run(seed, 300) for seed in range(12)]

    assert {kind for result in results for kind in result.lines} == set(KINDS)
    assert all(result.changed <= result.changes for result in results)
    assert sum(result.changed for result in results) > 3
    assert max(result.changes for result in results) > 1


@pytest.mark.long
@pytest.mark.parametrize("ablation", CARRIER_ABLATIONS, ids=lambda ablation: ablation.name)
def test_only_a_websocket_shows_it(ablation: Ablation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty worlds without one find nothing missing."""
    monkeypatch.setattr(wrappings, "KINDS", (BYTES, TLS))

    assert seeds_to_find(ablation, 20, STEPS) is None
