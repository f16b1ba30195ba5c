"""Which topics a server has, and who may do what with them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from landline.errors import TopicError
from landline.hits import Failures
from landline.patterns.rules import Asking, Authorize, Rules, TopicRule, allow_all
from landline.protocol.feed import Behind
from landline.storage import Pattern, Retention


def rule(pattern: str, behind: Behind = Behind.HISTORY) -> TopicRule:
    return TopicRule(Pattern(pattern), Retention(), behind)


def asking(authorize: Authorize) -> Asking:
    return Asking(authorize, Failures(logging.getLogger("landline.topics"), lambda: 0.0))


def test_the_last_rule_that_selects_a_topic_counts() -> None:
    """There are no topics but those that a rule selects; what is not there any more is read as history."""
    every, one = rule("a.*"), rule("a.b", Behind.LATEST)
    rules = Rules([every, one], allow_all)

    assert (rules.of("a.b"), rules.of("a.c")) == (one, every)
    assert rules.behind("a.b") is Behind.LATEST
    assert rules.behind("gone") is Behind.HISTORY
    with pytest.raises(TopicError, match="has no topic 'b'"):
        rules.of("b")
    with pytest.raises(TopicError):
        rules.of("a.*")


def test_a_pattern_may_select_what_is_not_there_yet_and_a_topic_may_not() -> None:
    """A wild one needs no more than that something could come to fit."""
    rules = Rules([rule("a.*")], allow_all)

    assert (rules.selects("**").text, rules.selects("a.b").text) == ("**", "a.b")
    for bad in ("b", "a.**.c", ""):
        with pytest.raises(TopicError):
            rules.selects(bad)


@pytest.mark.parametrize(("verdict", "may"), [(True, True), (False, False), (None, False), (1, True)])
def test_what_authorize_says_counts(verdict: Any, may: bool) -> None:
    """It is asked with the principal, the verb, and the topic or pattern."""
    asked: list[tuple[str, ...]] = []

    def authorize(*question: str) -> Any:
        asked.append(question)
        return verdict

    assert Rules([], asking(authorize)).may("ana", "publish", "a.b") is may
    assert asked == [("ana", "publish", "a.b")]


async def _later(*question: str) -> bool:
    return True


def _fails(*question: str) -> bool:
    raise RuntimeError("its database is away")


class _Undecided:
    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


def _says_neither(*question: str) -> Any:
    return _Undecided()


@pytest.mark.parametrize("authorize", [_later, _fails, _says_neither])
def test_nobody_may_where_authorize_does_not_say_so(authorize: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One that fails lets nobody in, nor one that is asynchronous; the log tells the program's author."""
    with caplog.at_level(logging.ERROR, "landline.topics"):
        assert Rules([], asking(authorize)).may("ana", "publish", "a.b") is False

    assert "authorize" in caplog.text


def test_a_pattern_that_no_topic_can_fit_is_refused() -> None:
    """Whoever subscribes to it would wait for ever; one that some topic could fit is read by."""
    rules = Rules([rule("prices.*"), rule("news.**")], allow_all)

    for text in ("**", "prices.**", "*.acme", "news.*.late"):
        assert rules.selects(text).text == text
    for text in ("*", "price.*", "prices.*.*", "price.**"):
        with pytest.raises(TopicError, match="could select"):
            rules.selects(text)
