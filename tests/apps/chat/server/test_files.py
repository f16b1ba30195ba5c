"""Files that people offer each other: told to whom they are for, accepted once each, within finite numbers, and gone when their time is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat import wire
from landline.apps.chat.limits import ChatLimits
from landline.apps.chat.server.house import House
from landline.apps.chat.server.people import Refusal

FILE = 4711
NO = "There is no such file"


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A house whose people have programs, except for gus."""

    def __init__(self, listener: Callable[..., Any], **limits: Any) -> None:
        self.clock = Clock()
        self.house = House(ChatLimits(**limits), clock=self.clock)
        self.files = self.house.files
        self._listener = listener
        self._people: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        """Somebody who is in the lobby, from the first time that they are named."""
        if name not in self._people:
            client = 0 if name == "gus" else 1000 + len(self._people)
            person = self._people[name] = self._listener(client=client)
            self.house.enter(person, name)
            self.house.rooms.join(person, "lobby")
        return self._people[name]

    def offer(self, who: Any, *, file: int = FILE, size: int = 10, to: str = "", room: str = "lobby") -> None:
        room = "" if to else room
        self.house.offer_file(who, wire.OfferFile(1, file, "a.txt", size, to, room))

    def ticket(self, sender: Any) -> int:
        """The number that the sender was told last."""
        return next(told.ticket for told in reversed(files_told(sender)) if isinstance(told, wire.FileWanted))

    def begin(self, sender: Any, ticket: int, size: int = 10) -> Any:
        stopped: list[int] = []
        begun, taker = self.files.begin(sender.client, f"{ticket:x}", size, lambda: stopped.append(ticket))
        return begun, taker, stopped


@pytest.fixture
def scene(listener: Callable[..., Any]) -> Scene:
    return Scene(listener)


def files_told(person: Any) -> list[Any]:
    """What they were told of files since the last look."""
    kinds = wire.FileOffered | wire.FileWanted | wire.FileRefused | wire.FileGone
    return [told for told in person.heard() if isinstance(told, kinds)]


def test_a_file_for_one_is_told_to_that_one(scene: Scene) -> None:
    """Nobody else hears of it, and nobody else may have it."""
    ana, ben, cleo = scene.ana, scene.ben, scene.cleo

    scene.offer(ana, to="Ben")

    assert files_told(ben) == [wire.FileOffered(FILE, "ana", "a.txt", 10)]
    assert files_told(cleo) == files_told(ana) == []
    for attempt in (scene.files.take, scene.files.drop):
        with pytest.raises(Refusal, match=NO):
            attempt(cleo, FILE)


def test_a_file_for_a_room_is_told_to_those_in_it(scene: Scene) -> None:
    """But for the sender, and who has no program for it; who comes later is told then."""
    ana, ben, gus = scene.ana, scene.ben, scene.gus

    scene.offer(ana)
    cleo = scene.cleo
    scene.files.came(cleo, "lobby")
    scene.files.came(ana, "lobby")

    for person in (ben, cleo):
        assert files_told(person) == [wire.FileOffered(FILE, "ana", "a.txt", 10, "lobby")]
    assert files_told(ana) == files_told(gus) == []


def test_who_may_say_nothing_offers_nothing(scene: Scene) -> None:
    """To oneself, to nobody, to a plain caller, in a room that one is not in, after one has left."""
    ana, _, gus = scene.ana, scene.ben, scene.gus
    for to, room, why in (
        ("ana", "", "That is you"),
        ("nobody", "", "nobody"),
        ("gus", "", "without a program"),
        ("", "dev", "not in the room"),
    ):
        with pytest.raises(Refusal, match=why):
            scene.offer(ana, to=to, room=room)
    with pytest.raises(Refusal, match="program of landline at both ends"):
        scene.offer(gus)
    scene.house.leave(ana)
    with pytest.raises(Refusal, match="left the chat"):
        scene.offer(ana, to="ben")


def test_whoever_accepts_gets_a_ticket_which_only_the_sender_may_use_once(scene: Scene) -> None:
    """What ``authorize`` is asked about: whose, for which, and not twice."""
    ana, ben, cleo = scene.ana, scene.ben, scene.cleo
    scene.offer(ana)
    scene.files.take(ben, FILE)
    number = scene.ticket(ana)

    assert scene.files.awaits(ana.client, f"{number:x}")
    for client, name in (
        (cleo.client, f"{number:x}"),
        (ana.client, "1"),
        (ana.client, "../x"),
        (ana.client, "f" * 17),
    ):
        assert not scene.files.awaits(client, name)
        with pytest.raises(Refusal, match="nobody waits"):
            scene.files.begin(client, name, 10, lambda: None)
    ticket, taker, _ = scene.begin(ana, number)
    assert taker is ben
    with pytest.raises(Refusal, match="nobody waits"):
        scene.begin(ana, number)
    scene.files.end(ticket)
    assert not scene.files.awaits(ana.client, f"{number:x}")


def test_another_size_than_was_offered_is_refused(scene: Scene) -> None:
    """Else the limit of sizes could be passed by; and its ticket is gone."""
    ana, ben = scene.ana, scene.ben
    scene.offer(ana, size=10)
    scene.files.take(ben, FILE)
    number = scene.ticket(ana)

    with pytest.raises(Refusal, match="size that was offered"):
        scene.begin(ana, number, size=11)

    assert not scene.files.awaits(ana.client, f"{number:x}")


def test_its_sender_takes_it_back(scene: Scene) -> None:
    """Everybody is told, and what is on its way is stopped."""
    ana, ben = scene.ana, scene.ben
    scene.offer(ana)
    scene.files.take(ben, FILE)
    _, _, stopped = scene.begin(ana, scene.ticket(ana))
    files_told(ben)

    scene.files.drop(ana, FILE)

    gone = wire.FileGone(FILE, "ana took it back")
    assert files_told(ben) == files_told(ana) == [gone]
    assert stopped
    with pytest.raises(Refusal, match=NO):
        scene.files.take(ben, FILE)


def test_who_refuses_tells_the_sender(scene: Scene) -> None:
    """Also in the middle of it; whoever changes their mind accepts again."""
    ana, ben = scene.ana, scene.ben
    scene.offer(ana)
    scene.files.drop(ben, FILE)
    assert files_told(ana) == [wire.FileRefused(FILE, "ben")]
    scene.files.take(ben, FILE)
    _, _, stopped = scene.begin(ana, scene.ticket(ana))

    scene.files.drop(ben, FILE)

    assert stopped
    assert files_told(ana) == [wire.FileRefused(FILE, "ben")]


def test_who_accepts_again_gets_another_ticket(scene: Scene) -> None:
    """Their client is on another session: what goes to the one before is stopped."""
    ana, ben = scene.ana, scene.ben
    scene.offer(ana)
    scene.files.take(ben, FILE)
    first = scene.ticket(ana)
    _, _, stopped = scene.begin(ana, first)

    scene.files.take(ben, FILE)

    assert stopped == [first]
    assert scene.ticket(ana) != first


def test_who_offers_it_again_goes_on_with_it(scene: Scene) -> None:
    """On another session: those who wait are told once more, their tickets are void, and it counts as one."""
    ana, ben = scene.ana, scene.ben
    scene.offer(ana)
    scene.files.take(ben, FILE)
    number = scene.ticket(ana)
    files_told(ben)

    scene.offer(ana)

    assert files_told(ben) == [wire.FileOffered(FILE, "ana", "a.txt", 10, "lobby")]
    assert not scene.files.awaits(ana.client, f"{number:x}")


def test_a_number_belongs_to_one_file(scene: Scene) -> None:
    """Nobody offers something else under the number of what others have accepted."""
    ana, ben = scene.ana, scene.ben
    scene.offer(ana)
    for who, size in ((ben, 10), (ana, 11)):
        with pytest.raises(Refusal, match="Another file"):
            scene.offer(who, size=size)


def test_what_somebody_offers_goes_with_them(scene: Scene) -> None:
    """And what they had accepted waits for nobody."""
    ana, ben, cleo = scene.ana, scene.ben, scene.cleo
    scene.offer(ana)
    scene.offer(ben, file=5)
    scene.files.take(ana, 5)
    number = scene.ticket(ben)
    files_told(ben)
    files_told(cleo)

    scene.house.leave(ana, "the line was lost")

    assert files_told(ben) == files_told(cleo) == [wire.FileGone(FILE, "the line was lost")]
    assert not scene.files.awaits(ben.client, f"{number:x}")


# Limits.


@pytest.mark.limit("chat.file_size")
def test_a_file_has_a_largest_size(listener: Callable[..., Any]) -> None:
    """One byte more is refused."""
    scene = Scene(listener, file_size=10)
    scene.offer(scene.ana, size=10)
    with pytest.raises(Refusal, match="too large") as refused:
        scene.offer(scene.ana, file=2, size=11)
    assert refused.value.limit == "chat.file_size"


@pytest.mark.limit("chat.file_offers")
def test_one_person_offers_so_many(listener: Callable[..., Any]) -> None:
    """Until one is taken back; others are not concerned."""
    scene = Scene(listener, file_offers=2)
    ana, ben = scene.ana, scene.ben
    scene.offer(ana, file=1)
    scene.offer(ana, file=2)
    with pytest.raises(Refusal, match="2 files") as refused:
        scene.offer(ana, file=3)
    assert refused.value.limit == "chat.file_offers"
    scene.offer(ben, file=3)
    scene.files.drop(ana, 1)
    scene.offer(ana, file=4)


@pytest.mark.limit("chat.file_takers")
def test_one_file_has_so_many_takers(listener: Callable[..., Any]) -> None:
    """Who comes later tries again when somebody has it."""
    scene = Scene(listener, file_takers=2)
    ana, ben, cleo, dan = scene.ana, scene.ben, scene.cleo, scene.dan
    scene.offer(ana)
    scene.files.take(ben, FILE)
    ticket, _, _ = scene.begin(ana, scene.ticket(ana))
    scene.files.take(cleo, FILE)
    with pytest.raises(Refusal, match="2 people") as refused:
        scene.files.take(dan, FILE)
    assert refused.value.limit == "chat.file_takers"
    scene.files.end(ticket)
    scene.files.take(dan, FILE)


@pytest.mark.limit("chat.files_each")
def test_one_person_receives_and_sends_so_many_at_once(listener: Callable[..., Any]) -> None:
    """One more is refused, either way, until one is through."""
    scene = Scene(listener, files_each=2)
    ana, ben, cleo, dan = scene.ana, scene.ben, scene.cleo, scene.dan
    for file in (1, 2, 3):
        scene.offer(ana, file=file)
    scene.files.take(ben, 1)
    first, _, _ = scene.begin(ana, scene.ticket(ana))
    scene.files.take(ben, 2)
    second, _, _ = scene.begin(ana, scene.ticket(ana))
    with pytest.raises(Refusal, match="receiving 2 files") as refused:
        scene.files.take(ben, 3)
    assert refused.value.limit == "chat.files_each"
    scene.files.take(cleo, 1)
    number = scene.ticket(ana)
    with pytest.raises(Refusal, match="sending 2 files") as refused:
        scene.begin(ana, number)
    assert refused.value.limit == "chat.files_each"
    scene.files.end(first)
    scene.files.take(ben, 3)
    scene.begin(ana, number)
    scene.files.end(second)
    assert dan.client


def test_who_takes_nothing_waits_behind_the_others(listener: Callable[..., Any]) -> None:
    """Given up for now, it has a ticket again, which its sender hears of after those of who waited; only where somebody waits."""
    scene = Scene(listener, files_each=1)
    ana, ben, cleo = scene.ana, scene.ben, scene.cleo
    scene.offer(ana, file=1)
    scene.offer(ana, file=2)
    scene.files.take(ben, 1)
    first, _, stopped = scene.begin(ana, scene.ticket(ana))
    assert not scene.files.holds_up(first)
    scene.files.take(cleo, 2)
    second = scene.ticket(ana)
    assert scene.files.holds_up(first)

    scene.files.wait_again(first)

    assert not stopped
    (wanted,) = files_told(ana)
    assert (wanted.file, wanted.by) == (1, ben.name)
    begun, taker, _ = scene.begin(ana, second)
    assert taker is cleo
    assert scene.files.holds_up(begun)
    scene.files.end(begun, is_there=True)
    again, taker, _ = scene.begin(ana, wanted.ticket)
    assert taker is ben
    assert not scene.files.holds_up(again)


@pytest.mark.parametrize("what", ["taken-back", "taker-gone", "accepted-anew"])
def test_who_waits_again_needs_what_everybody_needs(listener: Callable[..., Any], what: str) -> None:
    """An offer that stands, and to be there; who has accepted anew meanwhile has a ticket already."""
    scene = Scene(listener)
    ana, ben = scene.ana, scene.ben
    scene.offer(ana)
    scene.files.take(ben, FILE)
    ticket, _, _ = scene.begin(ana, scene.ticket(ana))
    match what:
        case "taken-back":
            scene.files.drop(ana, FILE)
        case "taker-gone":
            scene.house.leave(ben)
        case _:
            scene.files.take(ben, FILE)
    files_told(ana)

    scene.files.wait_again(ticket)

    assert files_told(ana) == []


@pytest.mark.limit("chat.files")
def test_so_many_are_on_their_way_in_all(listener: Callable[..., Any]) -> None:
    """Whoever they are of and for."""
    scene = Scene(listener, files=2)
    ana, ben, cleo = scene.ana, scene.ben, scene.cleo
    scene.offer(ana)
    scene.offer(ben, file=5)
    scene.files.take(ben, FILE)
    ticket, _, _ = scene.begin(ana, scene.ticket(ana))
    scene.files.take(ana, 5)
    with pytest.raises(Refusal, match="2 files are on their way") as refused:
        scene.files.take(cleo, FILE)
    assert refused.value.limit == "chat.files"
    scene.files.end(ticket)
    scene.files.take(cleo, FILE)


@pytest.mark.limit("chat.file_stands")
def test_an_offer_stands_for_a_while(listener: Callable[..., Any]) -> None:
    """Then it is gone for those who have not begun to receive it; what is on its way comes through."""
    scene = Scene(listener, file_stands=100.0)
    ana, ben, cleo = scene.ana, scene.ben, scene.cleo
    scene.offer(ana)
    scene.files.take(ben, FILE)
    _, _, stopped = scene.begin(ana, scene.ticket(ana))
    scene.clock.now = 99.9
    scene.files.take(cleo, FILE)
    late = scene.ticket(ana)
    for person in (ana, ben, cleo):
        files_told(person)
    assert scene.files.next_end == 100.0

    scene.clock.now = 100.0
    scene.files.expire()

    gone = wire.FileGone(FILE, "nobody may accept it any more")
    assert files_told(ana) == files_told(cleo) == [gone]
    assert files_told(ben) == stopped == []
    assert not scene.files.awaits(ana.client, f"{late:x}")
    assert scene.files.next_end is None
