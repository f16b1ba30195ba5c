"""Who is called what: each name belongs to one person at a time, however it is spelled, and stays theirs while they are in the chat."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator
from typing import Final

from landline.apps.chat import text
from landline.apps.chat.server.people import Person, Refusal

_ARE_GIVEN: Final = "The names of guests are given by the server; please take another one."


class Names:
    """The names in use."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._guests = itertools.count(1)

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Person]:
        """Yield everybody, in the order in which they got their names."""
        return iter(list(self._people.values()))

    def holds(self, person: Person) -> bool:
        """Say whether the name that the person bears is theirs now."""
        return self._people.get(text.name_key(person.name)) is person

    def claim(self, person: Person, wished: str) -> str:
        """Give the person the wished name, or the nearest one that can be had: ``ana-2`` when it is taken.

        Returns:
            a sentence that says why the name was changed, when it could not be a name; else an empty string.
        """
        notice = ""
        try:
            name = text.valid_name(wished)
        except ValueError as error:
            name, notice = text.name_from(wished), str(error)
        if text.is_guest_name(name):
            self.claim_guest(person)
            return notice or _ARE_GIVEN
        self._give(person, self._free(name))
        return notice

    def claim_guest(self, person: Person) -> None:
        """Call the person guest-N."""
        self._give(person, f"guest-{next(self._guests)}")

    def claim_reserved(self, person: Person, name: str) -> None:
        """Give one of the house's own names to somebody of the house."""
        self._give(person, name)

    def rename(self, person: Person, wished: str) -> str:
        """Give the person another name, and return the one they had.

        Raises:
            Refusal: it cannot be a name, is reserved, or is somebody else's.
        """
        if text.is_reserved(person.name):
            raise Refusal(f"Whoever sits at the server is called {person.name}.")
        try:
            name = text.valid_name(wished)
        except ValueError as error:
            raise Refusal.of(error) from None
        if text.is_guest_name(name) and text.name_key(name) != text.name_key(person.name):
            raise Refusal(_ARE_GIVEN)
        holder = self._people.get(text.name_key(name), person)
        if holder is not person:
            free = f"{self._free(name)} is free."
            if holder.away:
                raise Refusal(
                    f"{holder.name}'s line is down; the name stays theirs until they are gone for good. {free}"
                )
            raise Refusal(f"Somebody is called {name} already; {free}")
        old = person.name
        self.release(person)
        self._give(person, name)
        return old

    def release(self, person: Person) -> None:
        """The person has left: their name is free."""
        key = text.name_key(person.name)
        if self._people.get(key) is person:
            del self._people[key]

    def replace(self, person: Person, successor: Person) -> None:
        """Hand the person's name on to somebody else."""
        self._give(successor, person.name)

    def is_taken(self, name: str) -> bool:
        """Say whether somebody is called this, however it is spelled."""
        return text.name_key(name) in self._people

    def find(self, name: str) -> Person:
        """Return who is called this.

        Raises:
            Refusal: nobody is.
        """
        name = name.strip()[: text.RAW_NAME]  # what goes on after that is nobody's, however it goes on
        person = self._people.get(text.name_key(name))
        if person is None:
            shown = text.safe_text(name, keep="")[: text.MAX_NAME]
            # Only where few names are compared: it takes its time.
            near = difflib.get_close_matches(
                shown, [other.name for other in itertools.islice(self, 200)], n=1
            )
            hint = f"Did you mean {near[0]}?" if near else "/who says who is here."
            raise Refusal(f"There is nobody called {shown} here. {hint}")
        return person

    def _give(self, person: Person, name: str) -> None:
        person.name = name
        self._people[text.name_key(name)] = person

    def _free(self, name: str) -> str:
        candidate = name
        for number in itertools.count(2):
            if text.name_key(candidate) not in self._people:
                break
            suffix = f"-{number}"
            candidate = name[: text.MAX_NAME - len(suffix)] + suffix
        return candidate
