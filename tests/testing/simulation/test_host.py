"""The server in a world runs the protocol's own host; whoever is let in, fenced or turned out is so by what runs."""

from __future__ import annotations

import random

from landline.protocol.frames import MAGIC, CloseCode, FrameType
from landline.protocol.handshake import Resume, encode_payload
from landline.protocol.states import Phase
from landline.testing.simulation.account import Account
from landline.testing.simulation.faults import make_world as new_world
from landline.testing.simulation.line import Port
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.world import World


def make_world() -> tuple[World, Account]:
    world = new_world(1, draw_shape(random.Random(1)))
    for name in ["flow", "tick"] * 4:
        world._operations[name](0, 0)
        world._settle()
    (account, *_) = world.server.book.accounts.values()
    return world, account


def resume(world: World, account: Account) -> Port:
    """Its client asks for the session on another line."""
    port = world.server.accept(1000)
    greeting = Resume(
        session=account.id,
        token=account.shown[-1],
        attempt=account.attempt + 1,
        life=world.server.life,
        received=account.talk.base,
        credentials=account.principal,
    )
    port.arrive(MAGIC + encode_payload(FrameType.RESUME, greeting))
    world.advance(world.auth_delay + 0.001)
    return port


def test_a_resume_fences_the_line_before() -> None:
    """One carrier at a time; the one before is told that it was replaced, and nothing it says counts."""
    world, account = make_world()
    before = account.carrier
    port = resume(world, account)

    assert before is not None
    assert account.carrier is port
    assert before.connection.session is None
    assert world.server.host.kept[account.id].carrier is port
    assert account.attempt == 2


def test_every_token_is_in_the_account() -> None:
    """The one that began the session, and one for each line since; none of them is shown before its client did."""
    world, account = make_world()
    resume(world, account)

    assert len(set(account.tokens)) == len(account.tokens) == 2
    assert account.shown == account.tokens[:1]


def test_a_line_that_was_not_confirmed_ends_with_its_session() -> None:
    """A session is lost while a new line waits for its token to be shown: that line is told, and does not live on without one."""
    world, account = make_world()
    port = resume(world, account)
    assert port.connection.phase is Phase.CONFIRMING
    account.is_stolen = True
    account.end.lose(CloseCode.REVOKED, "a token was used that had been replaced")
    world._settle()

    assert port.is_over
    assert account.id not in world.server.host.kept


def test_a_session_that_is_not_confirmed_is_forgotten_in_time() -> None:
    """The host is told of the time when it asked to be: also the earlier of two times that it asked for."""
    world, account = make_world()
    world.clients[0].die()
    world._settle()
    begun = set(world.server.host.kept)
    for _ in range(2):
        world._flow_all()
    client = world.clients[0]
    assert client.port is not None
    client.port.vanish()
    world.is_refusing = True
    world.advance(world.limits.resume_window + world.limits.handshake_timeout + 100)

    assert begun == {account.id}
    assert not world.server.host.kept


def test_a_host_that_dies_knows_nothing_any_more() -> None:
    """Its sessions are gone, and excused."""
    world, account = make_world()
    world.server.die()

    assert not world.server.host.kept
    assert not world.server.book.accounts
    assert account.talk.excuses == {"server died"}
