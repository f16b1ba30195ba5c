"""The pace at which rooms are made, by person and by source; time is what the test says it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.founding import Founding, source
from landline.apps.chat.server.people import Refusal

Listening = Callable[..., Any]


class World:
    """Somewhere to make rooms, and a clock."""

    def __init__(self, listener: Listening, **limits: Any) -> None:
        self.now = 0.0
        self.founding = Founding(ChatLimits(**limits), lambda: self.now)
        self._listener = listener

    def person(self, source: str) -> Any:
        person = self._listener()
        person.source = source
        return person

    def makes(self, person: Any) -> bool:
        """Let a person make a room; say whether they could."""
        try:
            self.founding.check(person)
        except Refusal:
            return False
        self.founding.count(person)
        return True


@pytest.mark.limit("chat.rooms_founded", "chat.founding_interval")
def test_a_person_makes_so_many_at_once_and_then_one_an_interval(listener: Listening) -> None:
    """At the limit, over it, and after the wait that the sentence names."""
    world = World(listener, rooms_founded=3, founding_interval=30.0)
    ana = world.person("a")
    assert [world.makes(ana) for _ in range(4)] == [True, True, True, False]
    world.now = 29.5
    with pytest.raises(Refusal, match="You made many rooms just now; the next can be made in 1 s"):
        world.founding.check(ana)
    world.now = 30.0

    assert [world.makes(ana) for _ in range(2)] == [True, False]


@pytest.mark.limit("chat.rooms_founded_source", "chat.founding_interval_source")
def test_a_source_makes_so_many_whoever_comes_from_it(listener: Listening) -> None:
    """One person after the other, each new; somebody from elsewhere does not wait for them."""
    world = World(listener, rooms_founded=2, rooms_founded_source=5, founding_interval_source=10.0)

    made = [world.makes(person) for person in (world.person("a") for _ in range(4)) for _ in range(2)]
    assert sum(made) == 5
    with pytest.raises(Refusal, match=r"People where you are made many rooms just now; .* in 10 s"):
        world.founding.check(world.person("a"))
    assert world.makes(world.person("b"))
    world.now = 10.0
    assert world.makes(world.person("a"))


def test_the_house_itself_is_no_source(listener: Listening) -> None:
    """The operator waits for nobody."""
    world = World(listener, rooms_founded_source=1)

    assert all(world.makes(world.person("")) for _ in range(3))


@pytest.mark.limit("chat.sources")
def test_the_sources_remembered_are_bounded(listener: Listening) -> None:
    """Those that are as good as new go first, then the ones known for longest."""
    world = World(listener, sources=2, rooms_founded_source=1, founding_interval_source=10.0)
    assert world.makes(world.person("a"))
    world.now = 10.0
    assert world.makes(world.person("b"))
    assert world.makes(world.person("c"))
    assert [world.makes(world.person(name)) for name in "bc"] == [False, False]
    assert world.makes(world.person("d"))

    assert [world.makes(world.person(name)) for name in "dcb"] == [False, False, True]


def test_a_source_that_is_as_good_as_new_is_forgotten_before_one_that_is_not(listener: Listening) -> None:
    """Else coming from many places would be a way to have one's own pace forgotten."""
    world = World(listener, sources=2, rooms_founded_source=2, founding_interval_source=10.0)
    assert [world.makes(world.person(name)) for name in "aab"] == [True, True, True]
    world.now = 10.0
    assert world.makes(world.person("c"))

    assert [world.makes(world.person("a")) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("tcp://192.0.2.7:5000", "192.0.2.7"),
        ("tcp://[2001:db8:1:2:3:4:5:6]:5000", "2001:db8:1:2::/64"),
        ("tcp://[::ffff:192.0.2.7]:5000", "192.0.2.7"),
        ("tcp://127.0.0.1:5000", "this machine"),
        ("tcp://[::1]:5000", "this machine"),
        ("unix:///run/x.sock", "this machine"),
        ("memory://chat", "this machine"),
        ("", "this machine"),
        ("tcp://[half", "this machine"),
    ],
)
def test_a_source_is_a_host_or_a_network_and_never_a_port(peer: str, name: str) -> None:
    """Who has one address of an IPv6 network has all of it, and who is on this machine is on this machine."""
    assert source(peer) == name
