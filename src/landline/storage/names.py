"""The rules for topic names, and the patterns that select them.

A topic is one to sixteen tokens joined by dots: ``prices.acme``. In a pattern the token ``*`` stands for exactly one token and a final
``**`` for one or more, so ``prices.*`` selects ``prices.acme`` and ``prices.**`` also ``prices.acme.bid``. (``**`` and not NATS's ``>``,
because an unquoted ``>`` on a command line empties a file.) Matching is linear in the tokens and never recursive.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from ..errors import TopicError
from ..limits import STORAGE

MAX_NAME_BYTES: Final = STORAGE.topic
MAX_TOKENS: Final = STORAGE.tokens
MAX_WILDCARDS: Final = STORAGE.wildcards

ONE: Final = "*"
REST: Final = "**"

_MOST_GOOD: Final = 1024

# Controls, invisible formatting, lone surrogates and every kind of space: none may reach a log line, a terminal or a NATS subject.
_UNFIT_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_WILD_CHARACTERS: Final = frozenset("*>")


class Pattern:
    """A checked pattern: one topic, or several by wildcards.

    Raises:
        TopicError: the text is no pattern; the message says why.
    """

    __slots__ = ("_open_end", "_tokens", "prefix", "text")

    def __init__(self, text: str) -> None:
        tokens = _split(text, "pattern")
        wild = [place for place, token in enumerate(tokens) if token in (ONE, REST)]
        if len(wild) > MAX_WILDCARDS:
            raise TopicError(
                f"the pattern {text!r} has {len(wild)} wildcards; at most {MAX_WILDCARDS} are possible"
            )
        if REST in tokens[:-1]:
            raise TopicError(
                f"in the pattern {text!r} '**' is not the last token; it can only stand at the end"
            )
        for token in tokens:
            if token not in (ONE, REST):
                _check_token(token, text, "pattern")
        self.text = text
        self._open_end = tokens[-1] == REST
        self._tokens = tokens[:-1] if self._open_end else tokens
        self.prefix = text if not wild else "".join(token + "." for token in tokens[: wild[0]])
        """What every topic that matches begins with; the whole topic when there is no wildcard."""

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    @property
    def is_exact(self) -> bool:
        """Whether it selects one topic only."""
        return self.prefix == self.text

    def matches(self, topic: str) -> bool:
        """Return whether the pattern selects this topic."""
        if self.is_exact:
            return topic == self.text
        tokens = topic.split(".")
        if len(tokens) != len(self._tokens) and not (self._open_end and len(tokens) > len(self._tokens)):
            return False
        if self._open_end and len(tokens) == len(self._tokens):
            return False
        return all(wanted in (ONE, token) for wanted, token in zip(self._tokens, tokens, strict=False))

    def overlaps(self, other: Pattern) -> bool:
        """Return whether there could be a topic that both select."""
        for ours, theirs in zip(self._tokens, other._tokens, strict=False):
            if ours != theirs and ONE not in (ours, theirs):
                return False
        longer = len(self._tokens) - len(other._tokens)
        if self._open_end and other._open_end:
            return True
        if self._open_end:
            return longer < 0
        return longer > 0 if other._open_end else longer == 0


_good: Final[set[str]] = set()
"""Topics that were checked: every publication is, several times on its way."""


def check_topic(topic: str) -> str:
    """Return the topic if it is a good name.

    Raises:
        TopicError: it is empty or too long, has an empty token or too many, or a character that names may not have.
    """
    if type(topic) is str and topic in _good:
        return topic
    for token in _split(topic, "topic"):
        _check_token(token, topic, "topic")
    if len(_good) >= _MOST_GOOD:
        _good.clear()
    _good.add(topic)
    return topic


def _split(text: str, what: str) -> list[str]:
    if not isinstance(text, str):
        raise TopicError(f"a {what} is a str, not {type(text).__name__}")
    # The length comes first: nothing below may work on text of unbounded size.
    if len(text) > MAX_NAME_BYTES or len(text.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise TopicError(f"the {what} {text[:20]!r}… is longer than {MAX_NAME_BYTES} bytes")
    tokens = text.split(".")
    if len(tokens) > MAX_TOKENS:
        raise TopicError(f"the {what} {text!r} has {len(tokens)} tokens; at most {MAX_TOKENS} are possible")
    if "" in tokens:
        raise TopicError(f"the {what} {text!r} has an empty token" if text else f"the {what} is empty")
    return tokens


def _check_token(token: str, text: str, what: str) -> None:
    if token.isascii() and token.isalnum():
        return
    for character in token:
        if character in _WILD_CHARACTERS:
            raise TopicError(
                f"the {what} {text!r} has {character!r} within a name; wildcards are whole tokens of a pattern"
            )
        if unicodedata.category(character) in _UNFIT_CATEGORIES:
            raise TopicError(
                f"the {what} {text!r} has a space or an invisible character, which names cannot have"
            )
