"""A process and its sockets in virtual time: bytes wait until they are moved, timers until they are due."""

from __future__ import annotations

from hashlib import blake2b

from landline.limits import Limits
from landline.protocol.connection import Connection
from landline.protocol.events import ConnectionEnded, Event, HelloReceived
from landline.protocol.frames import CloseCode
from landline.protocol.handshake import ID_SIZE, TOKEN_SIZE, Hello, Welcome
from landline.protocol.session import Session
from landline.protocol.states import Role
from landline.testing.simulation.line import Node, Port, join


class Still:
    """A world in which nothing else happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.trace = blake2b()
        self.is_touched = False


def make_line(capacity: int = 1000) -> tuple[Still, Port, Port, list[Event], list[Event]]:
    """A client's port and a server's, with a greeting on its way."""
    world = Still()
    at_client: list[Event] = []
    at_server: list[Event] = []
    client = Port(Node(world, 100.0), Connection(Role.CLIENT, Limits(), 100.0), capacity)
    server = Port(Node(world, 0.0), Connection(Role.SERVER, Limits(), 0.0), capacity)
    client.deliver, server.deliver = at_client.append, at_server.append
    join(client, server)
    client.connection.greet(Hello(life=bytes(ID_SIZE), window=1000, max_message=1000))
    client.node.turn()
    server.node.turn()
    return world, client, server, at_client, at_server


def test_bytes_arrive_when_they_are_moved_and_in_pieces() -> None:
    """A greeting in two pieces is heard after the second; everything that arrives is in the trace."""
    world, client, server, _, at_server = make_line()
    before = world.trace.hexdigest()

    assert client.move(10) == 10
    assert at_server == []
    assert client.move(1000) > 10
    assert [type(event) for event in at_server] == [HelloReceived]
    assert client.out == b""
    assert server.taken > 20
    assert world.trace.hexdigest() != before


def test_a_blocked_line_and_a_stalled_loop_take_nothing() -> None:
    """The bytes wait, and arrive afterwards."""
    _, client, server, _, at_server = make_line()
    client.is_blocked = True
    assert client.move(1000) == 0
    client.is_blocked, server.node.is_stalled = False, True
    assert client.move(1000) == 0
    server.node.is_stalled = False

    assert client.move(1000) > 0
    assert at_server


def test_the_end_of_a_line_follows_its_last_byte() -> None:
    """Hanging up cuts nothing off that was written; then the other end is told."""
    _, client, _, at_client, at_server = make_line()
    client.abort()
    client.node.turn()
    assert isinstance(at_client[-1], ConnectionEnded)

    client.move(5)
    assert at_server == []
    client.move(1000)
    assert client.far is not None
    client.far.node.turn()
    assert [type(event) for event in at_server] == [HelloReceived, ConnectionEnded]


def test_nothing_is_written_on_a_line_that_was_hung_up() -> None:
    """What a connection still wants to say goes nowhere."""
    _, client, server, _, _ = make_line()
    server.is_hung_up = True
    client.move(1000)
    server.connection.break_off(CloseCode.NORMAL, "")
    server.node.turn()

    assert server.out == b""


def test_a_node_fires_what_is_due_by_its_own_clock() -> None:
    """A clock that is ahead is asked by its own time, and tells by the world's."""
    world, client, server, _, at_server = make_line()
    rung: list[float] = []
    client.node.after(1.0, lambda: rung.append(client.node.now))

    assert client.node.next_due() == 1.0
    world.now = 1.0
    client.node.run_due()
    assert rung == [101.0]

    world.now = 10.0
    server.node.run_due()
    assert isinstance(at_server[-1], ConnectionEnded)  # nobody finished greeting


def test_who_attaches_to_a_line_that_had_ended_is_told() -> None:
    """The end was told to whoever waited for an answer; who goes on with the line hears it too."""
    _, client, _, _, _ = make_line()
    client.abort()
    client.node.turn()
    assert client.is_over

    attached: list[Event] = []
    client.deliver = attached.append
    welcome = Welcome(
        session=bytes(ID_SIZE),
        token=bytes(TOKEN_SIZE),
        life=bytes(ID_SIZE),
        received=0,
        resumed=False,
        window=1000,
        max_message=1000,
        heartbeat=25.0,
        dead_after=8.0,
        resume_window=300.0,
    )
    client.connection.carry(welcome, Session(Limits(), peer_window=1000, peer_max_message=1000), 100.0)
    client.schedule()
    client.node.turn()
    assert [type(event) for event in attached] == [ConnectionEnded]


def test_a_dead_process_says_nothing_more() -> None:
    """Its lines end for the others, and its timers are forgotten."""
    _, client, server, at_client, at_server = make_line()
    client.node.after(1.0, lambda: None)
    client.node.die()

    assert client.node.next_due() == float("inf")
    client.move(1000)
    server.node.turn()
    assert at_client == []
    assert isinstance(at_server[-1], ConnectionEnded)
