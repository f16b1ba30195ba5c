"""What may be shown and what may be a name."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.apps.chat import letters, text
from landline.apps.chat.text import (
    head,
    name_from,
    name_key,
    pieces,
    safe_text,
    valid_line,
    valid_name,
    valid_room,
)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain words", "plain words"),
        ("naïve café Жук 漢字 שלום สวัสดี", "naïve café Жук 漢字 שלום สวัสดี"),
        ("red \x1b[31mink\x1b[0m", "red [31mink[0m"),
        ("title \x1b]0;pwned\x07 clipboard \x1b]52;c;cm0=\x1b\\", "title ]0;pwned clipboard ]52;c;cm0=\\"),
        ("eight-bit \x9b31m and \x90 and \x85 next", "eight-bit 31m and  and \n next"),
        ("bell\x07 back\x08 delete\x7f null\x00", "bell back delete null"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("tab\there", "tab\there"),
        ("evil \u202etxt.exe\u202c \u2066x\u2069 \u200e\u200f\u061c", "evil txt.exe x "),
        ("zero\u200bwidth\u2060\ufeff soft\u00adhyphen tag\U000e0041", "zerowidth softhyphen tag"),
        ("family 👨\u200d👩\u200d👧 نمی\u200cخواهم", "family 👨\u200d👩\u200d👧 نمی\u200cخواهم"),
        ("half \ud800 a pair", "half \ufffd a pair"),
        ("not one \ufffe\U0001fffe", "not one \ufffd\ufffd"),
        ("e" + "\u0301" * 40 + "!", "e" + "\u0301" * text.MAX_MARKS + "!"),
        ("\u0301\u0301floating", "floating"),
        ("x\u200d" + "\u0301" * 40, "x\u200d" + "\u0301" * text.MAX_MARKS),
    ],
)
def test_safe_text_keeps_writing_and_drops_what_moves_things(given_text: str, shown: str) -> None:
    """Every script stays as it is; control, direction and invisible characters go."""
    assert safe_text(given_text) == shown


def test_safe_text_on_one_line() -> None:
    """Where a line end or a tab would be out of place it becomes a space."""
    assert safe_text("one\r\ntwo\tthree\x85four", keep="") == "one two three four"


@given(st.text() | st.text(alphabet="\x1b[]0;?7hlmABCDHJK\x07\x08\r\x9b\x9dx\u202e\u0301"))
def test_safe_text_cannot_move_a_cursor(anything: str) -> None:
    """On a terminal, safe text of one line changes no other line, no title and no mode, and is stable."""
    safe = safe_text(anything, keep="")
    screen = pyte.Screen(80, 5)
    screen.cursor_position(3, 1)
    modes, title = set(screen.mode), screen.title
    pyte.Stream(screen).feed(safe[:40])

    assert (screen.mode, screen.title) == (modes, title)
    assert screen.cursor.y in (2, 3)  # at most wrapped by wide characters
    assert screen.display[0] == screen.display[1] == screen.display[4] == " " * 80
    assert safe_text(safe, keep="") == safe
    assert not {unicodedata.category(char) for char in safe} & {"Cc", "Cs", "Zl", "Zp"}


NAMES: Final = [
    "ana",
    "Ana-2",
    "o'neill",
    "a.b_c",
    "7of9",
    "José",
    "Ayşe",
    "Łukasz",
    "Þór",
    "Søren",
    "Øyvind",
    "Œuvre",
    "Nguyễn",
    "Oyèlárán",
    "İbrahim",
    "ɓala",
    "жук",
    "Анна",
    "Київ",
    "Ђорђе",
    "Ελένη",
    "Արամ",
    "გიორგი",
    "שרה",
    "محمد",
    "عائشة",
    "فاطمه",
    "ތާނަ",
    "अनिता",
    "বাংলা",
    "ਪੰਜਾਬੀ",
    "ગુજરાતી",
    "ଓଡ଼ିଆ",
    "தமிழ்",
    "తెలుగు",
    "ಕನ್ನಡ",
    "മലയാളം",
    "ටිල්ලි",
    "สมชาย",
    "ລາວ",
    "བསྟན",
    "មោង",
    "ኃይሌ",
    "မောင်",
    "សុខ",
    "田中",
    "漢字かな",
    "アーノルド",
    "ゆき",
    "김민수",
]


@pytest.mark.parametrize(
    "name",
    [*NAMES, "x" * 32],
)
def test_names_that_are_fine(name: str) -> None:
    """Words of any script with a few marks are names, and spaces around them do not count."""
    assert valid_name(f" {name} ") == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 33, "too long"),
        ("two words", "a space"),
        ("a@b", "@"),
        ("a:b", ":"),
        ("a\x1b[2J", "U\\+001B"),
        ("a\u202eb", "U\\+202E"),
        ("a\u200db", "U\\+200D"),
        ("\u3164", "U\\+3164"),
        ("-dash", "first character"),
        ("a" + "\u0323\u0324\u0325\u0326\u032d\u032e\u0330", "too many marks"),
        ("pаypal", "Cyrillic and Latin"),
        ("ana王", "Chinese or Japanese and Latin"),
        ("h\u05e1st", "Hebrew and Latin"),
        ("ho\u034fst", "U\\+034F"),
        ("ana\ufe0f", "U\\+FE0F"),
        ("host\U000e0100", "U\\+E0100"),
        ("host\u180b", "U\\+180B"),
        ("host\u17b4", "U\\+17B4"),
        ("host\U00016fe4", "U\\+16FE4"),
        ("h\u1d0fst", "ᴏ"),
        ("ho\ua731t", "ꜱ"),
        ("\ua4e7\ua4f3\ua4e2\ua4d4", "U\\+A4E7"),
        ("\u13bb\u13be\u13da\u13a2", "Ꮋ"),
        ("h\U00010444st", "𐑄"),
        ("مح\u0640مد", "U\\+0640"),
        ("7\u0301", "mark U\\+0301"),
        ("a-\u0301", "mark U\\+0301"),
        ("กิิ", "mark U\\+0E34"),
        ("م\u0301", "mark U\\+0301"),
        ("ーana", "first character"),
        ("Iandline", "reserved"),
        ("host.", "reserved"),
        ("host-_'", "reserved"),
        ("h\u0be6st", "reserved"),
        ("hóst", "reserved"),
        ("ħoşt", "reserved"),
        ("0perat0r", "reserved"),
        ("μе", "Cyrillic and Greek"),
        ("ΜΕ", "reserved"),
        ("host", "reserved"),
        ("HOST", "reserved"),
        ("h0st", "reserved"),
        ("ｈｏｓｔ", "ｈ"),
        ("hοst", "Greek and Latin"),
        ("Server", "reserved"),
        ("/nick", "/"),
        ("#room", "#"),
        ("🦊", "🦊"),
    ],
)
def test_names_that_are_refused_with_a_sentence(name: str, why: str) -> None:
    """The sentence says what is wrong, and shows nothing that could do harm."""
    with pytest.raises(ValueError, match=why) as refusal:
        valid_name(name)

    sentence = str(refusal.value)
    assert sentence.endswith((".", "can."))
    assert safe_text(sentence, keep="") == sentence


def test_a_name_is_kept_composed() -> None:
    """However an accent was typed, the name is the same."""
    assert valid_name("Jose\u0301") == "José"


def test_digits_are_kept_as_ascii() -> None:
    """Those of other scripts look like other digits, or like letters."""
    assert valid_name("गीता२") == "गीता2"


@pytest.mark.parametrize("mark", "*·…?!#/>(-~—–→←+ー")
def test_no_name_begins_with_what_marks_a_line_of_the_house(mark: str) -> None:
    """Whoever is called so would seem to speak for it."""
    with pytest.raises(ValueError, match=r"in a name|first character"):
        valid_name(mark + "ana")


MARKS_ON_ONE_LETTER = "a" + "\u0301" * 150_000 + "\u0323" * 150_000


@pytest.mark.limit("chat.apart")
@pytest.mark.parametrize("valid", [valid_name, valid_room, valid_line])
def test_what_is_far_too_long_is_never_normalized(
    valid: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes time with the square of its marks: this one stopped everything for a minute."""
    longest = 0

    def normalize(form: Any, anything: str) -> str:
        nonlocal longest
        longest = max(longest, len(anything))
        return unicodedata.normalize(form, anything[: text.RAW_ROOM])

    for module in (text, letters):
        monkeypatch.setattr(
            module, "unicodedata", SimpleNamespace(**{**vars(unicodedata), "normalize": normalize})
        )
    with pytest.raises(ValueError, match=r"too long.*300,001|too long.*600,001"):
        valid(MARKS_ON_ONE_LETTER)
    assert name_key(MARKS_ON_ONE_LETTER) == MARKS_ON_ONE_LETTER
    assert not text.is_reserved(MARKS_ON_ONE_LETTER)
    assert name_from(MARKS_ON_ONE_LETTER) == "guest"

    assert longest <= 4 * text.MAX_ROOM


@pytest.mark.limit("chat.apart")
def test_a_name_may_be_typed_apart() -> None:
    """As long as it fits when it is composed."""
    assert valid_name(unicodedata.normalize("NFD", "ᾂ" * 32)) == "ᾂ" * 32
    with pytest.raises(ValueError, match="129 characters, and 32"):
        valid_name("x" * 129)


def test_a_room_name_is_lower_case_and_longer() -> None:
    """Rooms are typed with or without the # of other chats."""
    assert valid_room("#Garden") == "garden"
    assert valid_room("x" * text.MAX_ROOM) == "x" * text.MAX_ROOM
    assert valid_room("host") == "host"  # reserved for people only
    assert valid_room("İSTANBUL") == "istanbul"
    for unlike in ("lob\u034fby", "lobby\ufe00", "lоbby"):
        with pytest.raises(ValueError, match="cannot be"):
            valid_room(unlike)
    with pytest.raises(ValueError, match="64 is the most"):
        valid_room("x" * (text.MAX_ROOM + 1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "ana"),
        ("ana", "аnа"),
        ("b0b", "bob"),
        ("guest-1", "guest-l"),
        ("ali", "all"),
        ("IIya", "llya"),
        ("ana.", "ana"),
        ("ana-_'", "ana"),
        ("गीता२", "गीता2"),
        ("ﬁn", "fin"),
        ("straße", "STRASSE"),
        ("Ä", "a\u0308"),
    ],
)
def test_names_that_look_alike_have_one_key(one: str, other: str) -> None:
    """Nobody can be mistaken for somebody else."""
    assert name_key(one) == name_key(other)


def test_names_that_differ_have_their_own_keys() -> None:
    """Numbers that the server gives stay apart."""
    keys = {name_key(f"guest-{number}") for number in range(1000)}

    assert len(keys) == 1000
    assert name_key("ana-b") != name_key("anab")


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("ana", "ana"),
        ("ana@example.org", "ana"),
        ("Ana Maria", "Ana-Maria"),
        ("DOMAIN\\ana", "DOMAIN-ana"),
        ("host", "host-1"),
        ("", "guest"),
        ("\x1b\x1b", "guest"),
        ("---", "guest"),
        ("x" * 99, "x" * 30),
        ("pаypal", "guest"),
        ("ａｎａ", "ana"),
        ("ana" * 100_000, ("ana" * 10)[:30]),
    ],
)
def test_a_name_from_an_account(account: str, name: str) -> None:
    """The nearest valid name, or the default."""
    assert name_from(account) == name


@given(st.text())
def test_a_name_from_anything_is_valid(account: str) -> None:
    """Whatever the account is called, the person gets in."""
    name = name_from(account)

    assert valid_name(name) == name


def test_a_line_is_cleaned() -> None:
    """What is said is safe to show, without blanks behind it."""
    assert valid_line("hi\x1b[2J there  \r\n\n") == "hi[2J there"
    assert valid_line("\n  indented\n  code") == "  indented\n  code"


@pytest.mark.parametrize("nothing", ["", "  \t\n", "\x1b\x00\u200b"])
def test_a_line_of_nothing_is_refused(nothing: str) -> None:
    """A line that shows nothing is nothing."""
    with pytest.raises(ValueError, match="nothing to say"):
        valid_line(nothing)


@pytest.mark.limit("chat.text", "chat.text_lines")
def test_the_longest_line_and_one_more() -> None:
    """4,096 bytes and 100 lines are fine, and one more of either is refused with both figures."""
    assert valid_line("é" * 2048) == "é" * 2048
    assert valid_line("\n".join(["x"] * 100)).count("\n") == 99
    with pytest.raises(ValueError, match="4,097 bytes"):
        valid_line("é" * 2048 + "x")
    with pytest.raises(ValueError, match="1,000,000 bytes"):
        valid_line("x" * 1_000_000)
    assert valid_line("x" * 4096 + "\x1b" * 4000 + "\n" * 1_000_000) == "x" * 4096
    with pytest.raises(ValueError, match="101, and 100"):
        valid_line("\n".join(["x"] * 101))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(4, 40))
def test_pieces_are_whole_characters(anything: str, limit: int) -> None:
    """Each piece is valid by itself, none could be longer, and together they are the text."""
    cut = pieces(anything, limit)

    assert "".join(piece.decode() for piece in cut) == anything
    assert all(0 < len(piece) <= limit for piece in cut)
    for piece, following in itertools.pairwise(cut):
        assert len(piece) + len(following.decode()[0].encode()) > limit


def test_head_at_the_edge() -> None:
    """A text that just fits is not cut, and a character that does not fit stays whole in the rest."""
    assert head("x" * 1024, 1024) == (b"x" * 1024, "")
    assert head("x" * 1023 + "é", 1024) == (b"x" * 1023, "é")
    assert head("", 1024) == (b"", "")


@pytest.mark.limit("chat.marks")
def test_so_many_marks_on_one_letter() -> None:
    """The fifth stays, the sixth goes; the next letter has its own."""
    marks = "\u0323\u0324\u0325\u0326\u032d\u032e"

    assert safe_text("a" + marks[:5] + "b" + marks) == "a" + marks[:5] + "b" + marks[:5]


@pytest.mark.limit("chat.name", "chat.room_name")
def test_the_longest_names_and_one_character_more() -> None:
    """In characters, not in bytes; the sentence has both figures."""
    assert valid_name("é" * 32) == "é" * 32
    assert valid_room("é" * 64) == "é" * 64
    with pytest.raises(ValueError, match="33 characters, and 32"):
        valid_name("é" * 33)
    with pytest.raises(ValueError, match="65 characters, and 64"):
        valid_room("é" * 65)


@pytest.mark.limit("chat.raw_text")
def test_what_cannot_be_shown_may_take_so_much_room() -> None:
    """At the limit it is taken away; past it the text is judged as it is, and that is too long."""
    assert valid_line("x" * 4096 + "\x1b" * 4096) == "x" * 4096
    with pytest.raises(ValueError, match="8,193 bytes"):
        valid_line("x" * 4096 + "\x1b" * 4097)
