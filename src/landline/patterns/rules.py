"""Which topics a server has, and who may do what with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from ..errors import TopicError
from ..history import Gap, Publication
from ..hits import Failures
from ..protocol.feed import Behind
from ..storage.base import Retention
from ..storage.names import Pattern, check_topic
from .middleware import Call

P = TypeVar("P", Publication, Gap)

_REMEMBERED: Final = 1024
"""Topics whose rule need not be looked for again."""

Authorize = Callable[[str, str, str], bool]
"""Takes a principal, a verb and its object; returns whether they may: ``"enter"`` and the door, ``"publish"`` and the topic, ``"subscribe"`` and the topic
or pattern, ``"call"`` and the method, ``"join"`` or ``"watch"`` and the group, ``"send"`` and the file's name."""


class TopicRule(msgspec.Struct, frozen=True):
    """What a server says of the topics that a pattern selects."""

    pattern: Pattern
    kept: Retention
    behind: Behind
    vet: Callable[[Any, str, Any], Any] | None = None
    """Takes the session, the topic and the data of a client's publish; returns the data to store or an awaitable of it, or raises."""


class Asking:
    """A program's ``authorize``, to be asked instead of it: nobody may where that fails, or does not say so at once.

    Args:
        authorize: the program's.
        failures: hears of it.
    """

    def __init__(self, authorize: Authorize, failures: Failures) -> None:
        self._authorize = authorize
        self._failures = failures

    def __call__(self, principal: str, verb: str, what: str) -> bool:
        """Return whether somebody may."""
        try:
            verdict: object = self._authorize(principal, verb, what)
            if verdict is True or verdict is False:
                return verdict
            if not inspect.isawaitable(verdict):
                return bool(verdict)
            getattr(verdict, "close", _nothing)()
            raise TypeError(
                "authorize must say at once what may be, and not later"
            )  # else it lets everybody in
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the program's own code: its bug lets nobody in
            self._failures.log("authorize failed", error)
            return False


async def vetted_by(rule: TopicRule, call: Call) -> Any:
    """Return the data to store of a client's publish; the last that it comes to behind the middlewares."""
    if rule.vet is None:
        return call.data
    vetted = rule.vet(call.session, call.object, call.data)
    return await vetted if inspect.isawaitable(vetted) else vetted


def allow_all(principal: str, verb: str, topic: str) -> bool:
    """Let everybody do everything: the default."""
    del principal, verb, topic
    return True


class Rules:
    """The rules of one server.

    Args:
        rules: which topics there are; the last one that selects a topic counts.
        authorize: who may publish and subscribe to what.
    """

    def __init__(self, rules: list[TopicRule], authorize: Authorize) -> None:
        self._rules = rules[::-1]
        self._authorize = authorize
        self._find = lru_cache(_REMEMBERED)(self._search)  # every publication asks, twice

    def of(self, topic: str) -> TopicRule:
        """Return the rule of a topic.

        Raises:
            TopicError: it is no good name, or there is no such topic.
        """
        rule = self._find(check_topic(topic))
        if rule is None:
            raise TopicError(f"this server has no topic {topic!r}")
        return rule

    def selects(self, text: str) -> Pattern:
        """Return a pattern to read by, checked.

        Raises:
            TopicError: it breaks the rules for names, or is a topic that is not there, or no topic that can be there fits.
        """
        pattern = Pattern(text)
        if pattern.is_exact:
            self.of(text)
        elif not any(pattern.overlaps(rule.pattern) for rule in self._rules):
            raise TopicError(f"this server has no topics that {text!r} could select")
        return pattern

    def of_these(self, found: Iterable[P]) -> list[P]:
        """Return what was read of topics that are there: a storage may hold those of others, or of rules that are gone."""
        parts = list(found)
        known = {
            topic: "*" in topic or self._find(topic) is not None for topic in {part.topic for part in parts}
        }
        return [part for part in parts if known[part.topic]]

    def behind(self, topic: str) -> Behind:
        """Return what becomes of publications that a reader is too slow for."""
        rule = self._find(topic)
        return Behind.HISTORY if rule is None else rule.behind

    def may(self, principal: str, verb: str, topic: str) -> bool:
        """Return whether somebody may."""
        return self._authorize(principal, verb, topic)

    def _search(self, topic: str) -> TopicRule | None:
        return next((rule for rule in self._rules if rule.pattern.matches(topic)), None)


def _nothing() -> None:
    pass
