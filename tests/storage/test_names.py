"""Topic names and patterns: which are good, and what a pattern selects."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import TopicError
from landline.storage import names as names_module
from landline.storage.names import MAX_NAME_BYTES, MAX_TOKENS, MAX_WILDCARDS, Pattern, check_topic

TOKENS = st.sampled_from(["a", "b", "ab", "ä"])
TOPICS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)


@st.composite
def patterns(draw: st.DrawFn) -> str:
    tokens = draw(st.lists(TOKENS, min_size=1, max_size=4))
    for place in draw(st.sets(st.integers(0, len(tokens) - 1), max_size=2)):
        tokens[place] = "*"
    if tokens.count("*") < 2 and draw(st.booleans()):
        tokens[-1] = "**"
    return ".".join(tokens)


def by_regex(pattern: str) -> re.Pattern[str]:
    parts = {"*": r"[^.]+", "**": r"[^.]+(\.[^.]+)*"}
    return re.compile(r"\.".join(parts.get(token) or re.escape(token) for token in pattern.split(".")))


@given(patterns(), TOPICS)
def test_a_pattern_selects_what_its_words_say(pattern: str, topic: str) -> None:
    """``*`` is one token and ``**`` one or more: a regular expression built from these words agrees."""
    assert Pattern(pattern).matches(topic) == (by_regex(pattern).fullmatch(topic) is not None)


@given(patterns(), TOPICS)
def test_every_match_begins_with_the_prefix(pattern: str, topic: str) -> None:
    """A storage may look only at names with the prefix."""
    selected = Pattern(pattern)

    assert not selected.matches(topic) or topic.startswith(selected.prefix)
    assert selected.is_exact == ("*" not in pattern)


@pytest.mark.parametrize(
    "name", ["a", "prices.acme", "räume.große-halle", "x" * 255, "$sys.a", "a/b", "日本"]
)
def test_a_good_name_is_a_topic_and_a_pattern(name: str) -> None:
    """A topic comes back as it is, and selects itself."""
    assert check_topic(name) == name
    assert Pattern(name).matches(name)


@pytest.mark.limit("storage.topic", "storage.tokens")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("a..b", "empty token"),
        (".a", "empty token"),
        ("a.", "empty token"),
        ("x" * 256, "longer than 255 bytes"),
        ("ä" * 128, "longer than 255 bytes"),
        (".".join("a" * 17), "17 tokens"),
        ("a b", "space"),
        ("a\rb", "invisible"),
        ("a\x9bb", "invisible"),
        ("a\u200bb", "invisible"),
        ("a\u202eb", "invisible"),
        ("\udc80", "invisible"),
        ("a>b", "within a name"),
        ("a*", "within a name"),
    ],
)
def test_a_bad_name_says_why(name: str, why: str) -> None:
    """Neither topic nor pattern, and the error is a ValueError that names the rule."""
    with pytest.raises(TopicError, match=why):
        check_topic(name)
    with pytest.raises(ValueError, match=why):
        Pattern(name)


@pytest.mark.limit("storage.wildcards")
@pytest.mark.parametrize(
    ("pattern", "why"), [("*.*.*", "3 wildcards"), ("a.**.b", "only stand at the end"), ("**.a", "end")]
)
def test_a_bad_pattern_says_why(pattern: str, why: str) -> None:
    """Wildcards are few, and ``**`` ends a pattern."""
    with pytest.raises(TopicError, match=why):
        Pattern(pattern)


@pytest.mark.parametrize("wild", ["*", "**"])
def test_a_wildcard_is_no_topic(wild: str) -> None:
    """One publishes to one topic."""
    with pytest.raises(TopicError, match="within a name"):
        check_topic(f"a.{wild}")


@pytest.mark.limit("storage.topic", "storage.tokens", "storage.wildcards")
def test_the_limits_themselves_are_good() -> None:
    """At the limit passes; over the limit is among the bad names."""
    assert check_topic("ä" * 127 + "a")
    assert len(("ä" * 127 + "a").encode()) == MAX_NAME_BYTES
    assert check_topic(".".join("a" * MAX_TOKENS))
    assert Pattern("*.a.**").matches("x.a.y.z")


def test_what_is_no_text_is_refused() -> None:
    """A name from a decoded message may be anything."""
    with pytest.raises(TopicError, match="not bytes"):
        check_topic(b"a")  # type: ignore[arg-type]


def test_what_is_known_of_good_topics_is_bounded() -> None:
    """Whoever may name topics could fill the memory with them; one that is known is as good as it was."""
    for number in range(3000):
        assert check_topic(f"t.{number}") == f"t.{number}"
        assert len(names_module._good) <= names_module._MOST_GOOD
    assert check_topic("t.2999") == "t.2999"


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        ("a", "a", True), ("a", "b", False), ("a", "a.b", False), ("*", "a", True), ("*", "a.b", False), ("**", "a", True),
        ("**", "**", True), ("a.**", "a", False), ("a.**", "a.b", True), ("a.**", "a.b.**", True), ("a.**", "b.**", False),
        ("a.*", "*.b", True), ("a.*.c", "*.b.d", False), ("a.*.**", "a.b", False), ("a.*.**", "*.b.c", True), ("a.b.**", "a.*", False),
    ],
)  # fmt: skip
def test_two_patterns_overlap_where_one_topic_fits_both(one: str, other: str, fits: bool) -> None:
    """Whichever is asked."""
    assert Pattern(one).overlaps(Pattern(other)) is fits
    assert Pattern(other).overlaps(Pattern(one)) is fits


FEW = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4).filter(
    lambda tokens: tokens.count("*") < MAX_WILDCARDS
)


@given(FEW, FEW, st.booleans(), st.booleans())
def test_an_overlap_is_what_some_topic_says(
    one: list[str], other: list[str], is_one_open: bool, is_other_open: bool
) -> None:
    """As found by trying every topic of a few tokens."""
    first = Pattern(".".join(one + ["**"] * is_one_open))
    second = Pattern(".".join(other + ["**"] * is_other_open))
    topics = (".".join(tokens) for size in range(1, 6) for tokens in itertools.product("ab", repeat=size))

    assert first.overlaps(second) is any(first.matches(topic) and second.matches(topic) for topic in topics)
