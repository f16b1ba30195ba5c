"""Names: one person each, however they are spelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landline.apps.chat.server.names import Names
from landline.apps.chat.server.people import Refusal
from landline.apps.chat.text import MAX_NAME, valid_name

Listening = Callable[..., Any]


def claim(names: Names, person: Any, wished: str) -> str:
    names.claim(person, wished)
    return str(person.name)


def test_a_free_name_is_given_as_it_was_wished(listener: Listening) -> None:
    """Spelled as wished, found however it is spelled."""
    names, ana = Names(), listener()

    assert names.claim(ana, "Ana") == ""
    assert ana.name == "Ana"
    assert names.find("ana") is ana


@pytest.mark.parametrize("wished", ["ana", "ANA", "ａｎａ", "аna", "ana.", "ana-"])
def test_a_taken_name_becomes_another_however_it_is_spelled(listener: Listening, wished: str) -> None:
    """Case, width and a Cyrillic а make no other name."""
    names = Names()
    names.claim(listener(), "ana")
    name = claim(names, listener(), wished)

    assert name != wished
    assert name.endswith("-2") or name == "guest-1"


def test_each_further_one_gets_the_next_number(listener: Listening) -> None:
    """Three of one name are ana, ana-2 and ana-3."""
    names = Names()

    assert [claim(names, listener(), "ana") for _ in range(3)] == ["ana", "ana-2", "ana-3"]


def test_a_number_does_not_make_a_name_too_long(listener: Listening) -> None:
    """The name gives way, not the limit."""
    names = Names()
    names.claim(listener(), "x" * MAX_NAME)
    name = claim(names, listener(), "x" * MAX_NAME)

    assert len(name) == MAX_NAME
    assert name.endswith("-2")


def test_a_released_name_is_free(listener: Listening) -> None:
    """The next one gets it unchanged."""
    names, ana = Names(), listener()
    names.claim(ana, "ana")
    names.release(ana)

    assert claim(names, listener(), "ana") == "ana"


def test_releasing_twice_does_not_take_the_name_from_its_next_owner(listener: Listening) -> None:
    """A late farewell says nothing about who has the name by then."""
    names, first, second = Names(), listener(), listener()
    names.claim(first, "ana")
    names.release(first)
    names.claim(second, "ana")
    names.release(first)

    assert names.find("ana") is second


@pytest.mark.parametrize("wished", ["host", "HOST", "h0st", "hоst", "hóst", "host.", "server", "Iandline"])
def test_the_names_of_the_house_are_nobodys(listener: Listening, wished: str) -> None:
    """A reserved name is changed on entering, and says why; renaming to it is refused."""
    names, ana = Names(), listener()
    notice = names.claim(ana, wished)

    assert "reserved" in notice or "mixed" in notice
    with pytest.raises(Refusal, match=r"reserved|mixed"):
        names.rename(ana, wished)


def test_what_cannot_be_a_name_becomes_the_nearest_and_says_why(listener: Listening) -> None:
    """Escapes and spaces go, what is left stays, and the sentence is safe to show."""
    names, person = Names(), listener()
    notice = names.claim(person, "ana\x1b[2J of\nthe hill")

    assert person.name.startswith("ana")
    assert "\x1b" not in person.name and " " not in person.name
    assert notice.endswith(".")
    assert "\x1b" not in notice


@pytest.mark.parametrize("wished", ["a" + "\u0301" * 300_000, "ana" * 300_000, "ana\u034f", "\ufe0f"])
def test_whoever_wishes_for_anything_gets_some_name(listener: Listening, wished: str) -> None:
    """Which is theirs to keep: it can be a name."""
    names = Names()
    notice = names.claim(person := listener(), wished)

    assert notice.endswith(("can.", "most."))
    assert valid_name(person.name) == person.name


def test_whom_nobody_can_be_called_is_not_looked_for(listener: Listening) -> None:
    """A name of any length is nobody's, and takes no time."""
    names = Names()
    names.claim(listener(), "ana")
    with pytest.raises(Refusal, match="nobody called") as refusal:
        names.find("a" + "\u0301" * 150_000 + "\u0323" * 150_000)

    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("wished", ["guest", "guest-9", "Guest_9", "guést-l"])
def test_the_names_of_guests_are_given_by_the_server(listener: Listening, wished: str) -> None:
    """Whoever wishes for one gets the next, and is told; nobody renames to one, but may keep their own."""
    names, ana, guest = Names(), listener(), listener()
    names.claim(ana, "ana")
    with pytest.raises(Refusal, match="names of guests"):
        names.rename(ana, wished)

    assert "names of guests" in names.claim(guest, wished)
    assert guest.name == "guest-1"
    assert names.rename(guest, "guest-1") == "guest-1"


def test_the_name_of_whoever_is_away_stays_theirs(listener: Listening) -> None:
    """Nobody answers to it just now, and the refusal says why it is not free."""
    names, ana, ben = Names(), listener(), listener()
    names.claim(ana, "ana")
    names.claim(ben, "ben")
    ben.away = True

    with pytest.raises(Refusal, match=r"ben's line is down; the name stays theirs .* Ben-2 is free"):
        names.rename(ana, "Ben")


def test_renaming_gives_the_old_name_free(listener: Listening) -> None:
    """And the new one is found at once."""
    names, ana, ben = Names(), listener(), listener()
    names.claim(ana, "ana")

    assert names.rename(ana, "anna") == "ana"
    assert claim(names, ben, "ana") == "ana"
    assert names.find("anna") is ana


def test_renaming_to_a_taken_name_is_refused_and_nothing_changes(listener: Listening) -> None:
    """The sentence names one that is free."""
    names, ana, ben = Names(), listener(), listener()
    names.claim(ana, "ana")
    names.claim(ben, "ben")
    with pytest.raises(Refusal, match="Somebody is called Ana already; Ana-2 is free"):
        names.rename(ben, "Ana")

    assert names.find("ben") is ben


def test_one_may_spell_ones_own_name_otherwise(listener: Listening) -> None:
    """Nobody stands in one's own way."""
    names, ana = Names(), listener()
    names.claim(ana, "ana")
    names.rename(ana, "Ana")

    assert ana.name == "Ana"
    assert len(names) == 1


def test_the_host_stays_the_host(listener: Listening) -> None:
    """Whoever sits at the server is always called the same."""
    names, host = Names(), listener()
    names.claim_reserved(host, "host")
    with pytest.raises(Refusal, match="called host"):
        names.rename(host, "ana")


def test_who_is_not_there_is_not_found_and_the_nearest_is_named(listener: Listening) -> None:
    """A typing error is helped, and rubbish is neither echoed nor long."""
    names = Names()
    names.claim(listener(), "benjamin")
    with pytest.raises(Refusal, match=r"nobody called benjami here\. Did you mean benjamin"):
        names.find("benjami")
    with pytest.raises(Refusal) as refusal:
        names.find("x\x1b[31m" * 1000)

    assert "\x1b" not in str(refusal.value)
    assert len(str(refusal.value)) < 200
