"""Calls: two people who talk privately, from the first ring. Each person is in one call at most.

A call goes on while the line of either is being redialled; it ends when one hangs up, declines or leaves the chat.
"""

from __future__ import annotations

from dataclasses import dataclass

from landline.apps.chat import wire
from landline.apps.chat.server.people import Person, Refusal, Telling


@dataclass(slots=True, eq=False)
class Call:
    """A call between two people; it rings until the callee accepts."""

    caller: Person
    callee: Person
    is_talking: bool = False

    def other(self, person: Person) -> Person:
        """Return who is at the other end."""
        return self.callee if person is self.caller else self.caller


def ring(caller: Person, callee: Person) -> Call | None:
    """Ring somebody; when they are ringing the caller, that accepts their call. Return the call that rings now, if one does.

    Raises:
        Refusal: there is a reason why not.
    """
    if caller is callee:
        raise Refusal("That is you: a call needs somebody else.")
    if caller.call is not None:
        _ring_again(caller.call, caller, callee)
        return None
    if callee.call is not None:
        raise Refusal(f"{callee.name} is in another call; try again later.")
    if callee.away:
        raise Refusal(f"The line of {callee.name} is down just now; try again when it is back.")
    caller.call = callee.call = call = Call(caller, callee)
    callee.tell(Telling(wire.Rang(caller.name)))
    return call


def _ring_again(call: Call, caller: Person, callee: Person) -> None:
    other = call.other(caller)
    if other is not callee:
        doing = (
            "in a call with" if call.is_talking else "ringing" if call.caller is caller else "being called by"
        )
        raise Refusal(f"You are {doing} {other.name}; that has to end first.")
    if call.is_talking:
        raise Refusal(f"You are in a call with {other.name} already.")
    if call.caller is caller:
        raise Refusal(f"You are ringing {other.name} already.")
    accept(caller)


def accept(person: Person) -> None:
    """Take the call that rings.

    Raises:
        Refusal: none does.
    """
    call = person.call
    if call is None or call.is_talking or call.callee is not person:
        raise Refusal("Nobody is calling you.")
    call.is_talking = True
    call.caller.tell(Telling(wire.CallBegan(call.callee.name)))
    call.callee.tell(Telling(wire.CallBegan(call.caller.name)))


def hang_up(person: Person) -> None:
    """End the call, decline the ringing one, or stop ringing.

    Raises:
        Refusal: there is none.
    """
    call = person.call
    if call is None:
        raise Refusal("There is no call to end.")
    if call.is_talking:
        end(call, person, "you hung up", "they hung up")
    elif call.caller is person:
        end(call, person, "you stopped ringing", "they stopped ringing")
    else:
        end(call, person, "you declined", "they declined")


def unanswered(call: Call) -> bool:
    """It has rung long enough; return whether it still did."""
    if call.caller.call is not call or call.is_talking:
        return False
    end(call, call.caller, "they did not answer", "you did not answer")
    return True


def gone(person: Person, how: str = "left the chat") -> None:
    """The person has gone, and the call with them; ``how`` completes the clause that begins with "they"."""
    if person.call is not None:
        end(person.call, person, "you left", f"they {how}")


def talk(person: Person, text: str) -> Person:
    """Say something in the call; return who heard it.

    Raises:
        Refusal: nobody is at the other end.
    """
    call = person.call
    if call is None or not call.is_talking:
        raise Refusal("You are in no call, so nobody heard that.")
    other = call.other(person)
    other.tell(Telling(wire.Talked(person.name, text)))
    return other


def end(call: Call, person: Person, why: str, why_other: str) -> None:
    """End a call, and tell the two what each should know."""
    other = call.other(person)
    person.call = other.call = None
    person.tell(Telling(wire.CallEnded(other.name, why)))
    other.tell(Telling(wire.CallEnded(person.name, why_other)))
