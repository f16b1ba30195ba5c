"""Which letters a name may be made of, and which look alike."""

from __future__ import annotations

import itertools
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import letters
from landline.apps.chat.letters import (
    is_mark,
    may_be_accent,
    script_of,
    skeleton,
    with_ascii_digits,
)

# Default_Ignorable_Code_Point of Unicode 16: what is drawn as nothing wherever it stands.
IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
    *(0x16FE4,),  # the Khitan filler, which the property forgets
]


def test_nothing_invisible_is_a_letter() -> None:
    """Whatever is drawn as nothing would make two names of one."""
    assert [
        f"{code:04X}" for code in IGNORABLE if script_of(chr(code)) or may_be_accent(chr(code), "Latin")
    ] == []


def test_every_letter_is_of_one_script() -> None:
    """The ranges are in order and apart, and each holds something."""
    for (_, last, _), (first, _, _) in itertools.pairwise(letters._RANGES):
        assert last < first
    for first, last, script in letters._RANGES:
        assert first <= last
        assert any(script_of(chr(code)) == script for code in range(first, last + 1))


def test_letters_stay_what_they_are_when_they_are_composed() -> None:
    """A compatibility form is no letter here: its plain form is, and two forms would be two names."""
    forms = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if script_of(char)
        and unicodedata.normalize("NFKC", char) != unicodedata.normalize("NFC", char)
        # Thai and Lao AM come apart so; Lao's HO NO and HO MO are digraphs that are written either way.
        and char not in "\u0e33\u0eb3\u0edc\u0edd\u0f77\u0f79"
        and script_of(char) not in ("Latin", "Greek", "Armenian", "Arabic")
    ]

    assert forms == []


@pytest.mark.parametrize(
    ("char", "script"),
    [
        ("a", "Latin"), ("Z", "Latin"), ("é", "Latin"), ("ğ", "Latin"), ("ế", "Latin"), ("ж", "Cyrillic"), ("ѕ", "Cyrillic"),
        ("λ", "Greek"), ("ש", "Hebrew"), ("م", "Arabic"), ("۳", "Arabic"), ("नि"[1], "Devanagari"), ("字", "Chinese or Japanese"),
        ("か", "Chinese or Japanese"), ("カ", "Chinese or Japanese"), ("김", "Korean"), ("ก", "Thai"),
        # Not letters, archaic, phonetic, single jamo, look-alike alphabets, tatweel, clicks, circled, mathematical.
        ("5", ""), ("@", ""), ("×", ""), ("ѡ", ""), ("ɑ", ""), ("ᴏ", ""), ("ꜱ", ""), ("ᄀ", ""), ("Ꮋ", ""), ("ꓳ", ""), ("𐑄", ""),
        ("ـ", ""), ("ǀ", ""), ("ⓐ", ""), ("𝗵", ""), ("ſ", ""), ("ª", ""), ("।", ""), ("\u0378", ""), ("\U00016fe4", ""),
    ],
)  # fmt: skip
def test_the_script_of_a_letter(char: str, script: str) -> None:
    """By the allow-list, and none for what is no letter of a living alphabet."""
    assert script_of(char) == script


def test_accents_stand_on_letters_that_have_accents() -> None:
    """Not on Arabic ones; and what strikes a letter through, underlines it or joins it is no accent."""
    assert may_be_accent("\u0301", "Greek")
    assert not may_be_accent("\u0301", "Arabic")
    assert not any(may_be_accent(mark, "Latin") for mark in "\u0332\u0336\u034f\u20dd")
    assert is_mark("\u0301") and is_mark("\u0bbe") and not is_mark("a")


def test_digits_of_every_script_are_the_same_numbers() -> None:
    """Bengali's four looks like an eight, and many a zero like an o."""
    assert with_ascii_digits("a৪٣۳०²") == "a4330²"
    assert with_ascii_digits("plain 5") == "plain 5"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("host", "H0ST"), ("landline", "Iandl1ne"), ("оса", "oca"), ("РОМА", "POMA"), ("ΑΝΝΑ", "ANNA"), ("ΑΝΝΑ", "anna"),
        ("Зоя", "3оя"), ("İbo", "ibo"), ("ıvan", "lvan"), ("ё", "ë"), ("й", "и\u0306"), ("տ", "s"),
        ("سی", "سي"), ("کم", "كم"), ("カー", "力一"), ("ペ", "へ\u309a"), ("٣", "3"), ("ﬁ", "fi"), ("ΝΙΚΟΣ", "νικος"),
    ],
)  # fmt: skip
def test_what_looks_alike_has_one_skeleton(one: str, other: str) -> None:
    """Over scripts, case, digits and forms."""
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ana", "anna"), ("jose", "josé"), ("ira", "era"), ("чн", "шн"), ("田", "由")]
)
def test_what_differs_has_its_own_skeleton(one: str, other: str) -> None:
    """An accent is a difference, unless none is to count."""
    assert skeleton(one) != skeleton(other)


def test_bare_letters_have_no_accents_and_no_strokes() -> None:
    """For the words that nobody may come near."""
    assert skeleton("ħóşt\u0336", bare=True) == skeleton("host")


@given(st.text(max_size=40))
def test_a_skeleton_is_made_of_anything(anything: str) -> None:
    """And case makes none of it another, where it has another case at all and no capital of Greek is alone."""
    assert isinstance(skeleton(anything), str)
    assert skeleton(anything) == skeleton(unicodedata.normalize("NFC", anything))
