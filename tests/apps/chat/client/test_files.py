"""The files of a chat client without a screen, as conversations: what is typed and told goes in, requests and events come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat import wire
from landline.apps.chat.client import events
from landline.apps.chat.client.files import no_file
from landline.apps.chat.client.model import Client
from landline.apps.chat.limits import CLIENT
from tests.apps.chat.client.test_model import come_back, in_lobby

FILE = 77
OFFERED = wire.FileOffered(FILE, "ben", "a.bin", 10)


def found(typed: str) -> tuple[Path, str, int]:
    """Every file is there."""
    return Path("/", typed), typed, 10


def sitting() -> Client:
    client = in_lobby()
    client.files._find = found
    return client


def sent(client: Client, kind: type[Any]) -> list[Any]:
    """The requests of this kind that go out."""
    return [request for request in client.to_send() if isinstance(request, kind)]


def told(client: Client, kind: type[Any]) -> list[Any]:
    return [event for event in client.events() if isinstance(event, kind)]


def offering(typed: str = "/send a.bin @ben") -> tuple[Client, int]:
    """A client that offers a file, and its number."""
    client = sitting()
    client.typed(typed, 1.0)
    (request,) = sent(client, wire.OfferFile)
    client.heard(wire.Done(request.id), 1.0)
    client.events()
    return client, request.file


def test_whom_a_file_is_for_is_the_servers_business_where_the_name_is_the_houses() -> None:
    """It knows whether somebody is called so, and takes files; other names that cannot be are refused here."""
    client = sitting()
    client.typed("/send a.bin @host", 1.0)
    client.typed("/send a.bin @a$b", 1.0)
    assert [request.to for request in sent(client, wire.OfferFile)] == ["host"]
    assert [said.text for said in told(client, events.Said)] == [
        "There cannot be the character $ in a name: letters, digits and - _ . ' can."
    ]


def accepting() -> Client:
    """A client that has accepted what ben offers."""
    client = sitting()
    client.heard(OFFERED, 1.0)
    client.typed("/accept", 1.0)
    client.to_send()
    client.events()
    return client


def test_a_file_goes_where_a_line_would_go() -> None:
    """To the room, in a call to the other one, with a name to that one."""
    client = sitting()
    client.typed("/send a.bin", 1.0)
    client.typed("/send a.bin @ben", 1.0)
    client.heard(wire.CallBegan("cleo"), 1.0)
    client.typed("/send a.bin", 1.0)

    assert [(each.to, each.room) for each in sent(client, wire.OfferFile)] == [
        ("", "lobby"),
        ("ben", ""),
        ("cleo", ""),
    ]


def test_what_stands_is_told_when_the_server_says_so() -> None:
    """Not before, and once; a refusal is told instead."""
    client = sitting()
    client.typed("/send a.bin @ben", 1.0)
    (request,) = sent(client, wire.OfferFile)
    assert client.events() == []
    client.heard(wire.Done(request.id), 1.0)
    assert client.events() == [events.FileOut(1, "a.bin", 10, "ben")]
    client.typed("/send b.bin @eva", 1.0)
    (request,) = sent(client, wire.OfferFile)
    client.heard(wire.Sorry(request.id, "There is nobody of that name."), 1.0)

    assert [event.text for event in told(client, events.Said)] == ["There is nobody of that name."]
    client.typed("/files", 1.0)
    assert [state.name for state in told(client, events.Files)[0].files] == ["a.bin"]


def test_an_offer_is_accepted_by_its_number() -> None:
    """The only one without; of several, which is asked."""
    client = sitting()
    client.heard(OFFERED, 1.0)
    client.typed("/accept", 1.0)
    assert [each.file for each in sent(client, wire.TakeFile)] == [FILE]
    client.heard(wire.FileOffered(78, "ben", "b.bin", 10, "lobby"), 1.0)
    client.events()
    client.typed("/refuse", 1.0)
    assert "Which one? /refuse 1 (a.bin), /refuse 2 (b.bin)" in told(client, events.Said)[0].text
    client.typed("/refuse 2", 1.0)
    assert [each.file for each in sent(client, wire.DropFile)] == [78]
    client.events()
    for typed in ("/accept 9", "/refuse 2"):
        client.typed(typed, 1.0)
        assert "There is no file" in told(client, events.Said)[0].text


def test_who_accepted_is_sent_the_file_until_they_have_it() -> None:
    """What is for one person is then over; what is for a room stands."""
    for typed, is_left in (("/send a.bin @ben", False), ("/send a.bin", True)):
        client, file = offering(typed)
        client.heard(wire.FileWanted(file, 5, "ben"), 1.0)
        ((ticket, each),) = client.files.to_send().items()
        assert (ticket, each.path) == (5, Path("/a.bin"))
        assert client.files.is_busy
        client.files.sent(each, ticket)
        assert client.files.to_send() == {}
        assert client.events()[-1] == events.FileSent("a.bin", "ben")
        client.typed("/files", 1.0)
        assert bool(told(client, events.Files)[0].files) is is_left


def test_in_another_session_we_offer_again_what_we_offer() -> None:
    """Under the same number; what was on its way waits until it is accepted again."""
    client, file = offering()
    client.heard(wire.FileWanted(file, 5, "ben"), 1.0)

    client.ended(2.0, "lost")
    come_back(client, 3.0)

    assert client.files.to_send() == {}
    assert [each.file for each in sent(client, wire.OfferFile)] == [file]


def test_who_is_back_later_than_we_is_offered_it_then() -> None:
    """That nobody of the name is there takes back no offer that stood; one that never stood is gone."""
    client, file = offering()
    client.ended(2.0, "lost")
    come_back(client, 3.0)
    (again,) = sent(client, wire.OfferFile)
    client.heard(wire.Sorry(again.id, "There is nobody called ben here."), 3.0)
    assert sent(client, wire.OfferFile) == []

    client.heard(wire.Came("lobby", "cleo"), 4.0)
    assert sent(client, wire.OfferFile) == []
    client.heard(wire.Came("lobby", "Ben"), 4.0)
    (again,) = sent(client, wire.OfferFile)
    assert again.file == file
    client.heard(wire.Done(again.id), 4.0)
    client.heard(wire.Came("tea", "ben"), 4.0)
    assert sent(client, wire.OfferFile) == []

    client.typed("/send b.bin @dora", 5.0)
    (request,) = sent(client, wire.OfferFile)
    client.heard(wire.Sorry(request.id, "There is nobody called dora here."), 5.0)
    client.events()
    client.typed("/files", 5.0)
    assert [each.name for each in told(client, events.Files)[0].files] == ["a.bin"]


def test_what_was_accepted_is_accepted_again_when_it_is_offered_again() -> None:
    """Whichever session ended; and what was not is no news."""
    client = accepting()
    client.heard(wire.FileOffered(78, "ben", "b.bin", 10), 1.0)
    client.events()
    client.heard(wire.FileGone(FILE, "ben lost the line"), 2.0)
    assert client.events() == [events.FileGone("a.bin", "ben", "ben lost the line", own=False, goes_on=True)]
    client.heard(OFFERED, 3.0)
    assert len(sent(client, wire.TakeFile)) == 1

    client.ended(4.0, "lost")
    come_back(client, 5.0)
    client.events()
    client.heard(OFFERED, 6.0)
    client.heard(wire.FileOffered(78, "ben", "b.bin", 10), 6.0)

    assert [each.file for each in sent(client, wire.TakeFile)] == [FILE]
    assert told(client, events.FileOffered) == []


@pytest.mark.parametrize(
    "other",
    [
        wire.FileOffered(FILE, "mallory", "a.bin", 10),
        wire.FileOffered(FILE, "ben", "b.bin", 10),
        wire.FileOffered(FILE, "ben", "a.bin", 11),
    ],
)
def test_another_file_under_the_same_number_is_not_accepted_by_itself(other: wire.FileOffered) -> None:
    """Nor one of somebody else: it is a new offer, to be answered."""
    client = accepting()
    client.heard(wire.FileGone(FILE, "gone"), 2.0)
    client.events()

    client.heard(other, 3.0)

    assert sent(client, wire.TakeFile) == []
    assert len(told(client, events.FileOffered)) == 1
    assert client.files.expected(FILE, other.size) is None


def test_offered_again_while_it_comes_it_goes_on_when_that_stops() -> None:
    """The two may be told in either order."""
    client = accepting()
    each = client.files.expected(FILE, 10)
    assert each is not None
    move = client.files.began(each, "/home")
    client.heard(OFFERED, 2.0)
    assert sent(client, wire.TakeFile) == []

    client.files.not_received(each, move, "the line was lost", 3.0)

    assert [request.file for request in sent(client, wire.TakeFile)] == [FILE]
    client.files.not_received(each, move, "the line was lost", 3.0)
    assert events.FileStopped(1, "a.bin", "ben", "the line was lost", own=False) in client.events()


def test_only_what_was_accepted_is_expected() -> None:
    """Of the size that was offered, until it is refused."""
    client = sitting()
    client.heard(OFFERED, 1.0)
    assert client.files.expected(FILE, 10) is None
    client.typed("/accept", 1.0)
    assert client.files.expected(FILE, 11) is None
    assert client.files.expected(78, 10) is None
    each = client.files.expected(FILE, 10)
    assert each is not None
    client.typed("/refuse", 1.0)
    assert client.files.expected(FILE, 10) is None
    assert not client.files.is_wanted(each)


def test_what_came_or_was_refused_is_no_news_again() -> None:
    """Its sender comes back and offers it to the room once more."""
    client = accepting()
    each = client.files.expected(FILE, 10)
    assert each is not None
    client.files.received(each, "/home/a.bin")
    client.events()

    client.heard(OFFERED, 2.0)

    assert client.events() == []


def test_a_limit_that_refuses_leaves_the_offer() -> None:
    """To be accepted again in a while."""
    client = sitting()
    client.heard(OFFERED, 1.0)
    client.typed("/accept", 1.0)
    (request,) = sent(client, wire.TakeFile)
    client.heard(wire.Sorry(request.id, "Too many."), 1.0)
    assert client.files.expected(FILE, 10) is None

    client.typed("/accept", 2.0)

    assert len(sent(client, wire.TakeFile)) == 1


def test_who_leaves_waits_for_what_is_on_its_way() -> None:
    """Asked twice, no more."""
    client = accepting()
    client.typed("/bye", 1.0)
    assert not client.is_done
    client.advance(10.0)
    assert "Files are on their way; /bye again" in told(client, events.Said)[0].text
    client.typed("/bye", 11.0)
    assert client.is_done


def test_a_file_that_did_not_get_there_says_whether_it_goes_on() -> None:
    """Refused over there, or merely stopped."""
    for error, is_refused in (
        (landline.TransferRefused("no room"), True),
        (landline.TransferError("no line"), False),
    ):
        client, file = offering()
        client.heard(wire.FileWanted(file, 5, "ben"), 1.0)
        client.events()
        client.files.not_sent(client.files.to_send()[5], 5, error)
        assert client.events() == [
            events.FileStopped(1, "a.bin", "ben", str(error), own=True, is_refused=is_refused)
        ]


def test_people_that_are_renamed_are_followed() -> None:
    """So that what they offer again is known."""
    client = accepting()
    client.heard(wire.Renamed("ben", "eva"), 1.0)
    client.heard(wire.FileOffered(FILE, "eva", "a.bin", 10), 2.0)
    assert len(sent(client, wire.TakeFile)) == 1
    client.typed("/send b.bin @eva", 3.0)
    client.heard(wire.Renamed("eva", "ben"), 4.0)
    client.ended(5.0, "lost")
    come_back(client, 6.0)
    assert [request.to for request in sent(client, wire.OfferFile)] == ["ben"]


@pytest.mark.limit("chat.client.files")
def test_so_many_offers_are_remembered() -> None:
    """Of more, the oldest that was not accepted goes."""
    client = accepting()
    for number in range(CLIENT.files - 1):
        client.heard(wire.FileOffered(1000 + number, "ben", "b", 1), 1.0)
    client.typed("/files", 1.0)
    assert len(told(client, events.Files)[0].files) == CLIENT.files

    client.heard(wire.FileOffered(5000, "ben", "c", 1), 1.0)

    client.typed("/files", 1.0)
    files = told(client, events.Files)[0].files
    assert [files[0].number, files[1].number, files[-1].name] == [1, 3, "c"]
    assert len(files) == CLIENT.files


def test_one_that_has_just_come_is_remembered_beside_as_many_that_were_accepted() -> None:
    """It is told of, so it can be accepted; the next one takes its place."""
    client = accepting()
    client.typed("/accept", 1.0)
    for number in range(CLIENT.files - 1):
        client.heard(wire.FileOffered(1000 + number, "ben", "b", 1), 1.0)
        client.typed(f"/accept {number + 2}", 1.0)

    for file, name in ((5000, "c"), (5001, "d")):
        client.heard(wire.FileOffered(file, "ben", name, 1), 1.0)
        told(client, events.Files)
        client.typed("/files", 1.0)
        files = told(client, events.Files)[0].files
        assert [files[-2].name, files[-1].name] == ["b", name]
        assert len(files) == CLIENT.files + 1


def test_where_no_files_are_found_none_are_sent() -> None:
    """A client without a disk says so."""
    with pytest.raises(ValueError, match="cannot be sent from here"):
        no_file("a")
