"""Names that came from somebody else: whatever they are, what comes out is one plain name."""

from __future__ import annotations

import unicodedata
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.limits import FILES
from landline.protocol.filenames import UNNAMED, numbered, safe_name

ROOM = FILES.name - 16
NASTY = st.text(
    st.sampled_from('./\\~- ab:*\0\n\x1b\u202e\u0301é\ud800\ufeffCON1 \u3000\u0338\u2028*|<>"?\u00b9$'),
    max_size=40,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("C:\\temp\\x", "x"),
        ("C:x", "C_x"),
        ("..", UNNAMED),
        (".", UNNAMED),
        ("", UNNAMED),
        ("///", UNNAMED),
        ("a/..", "a"),
        (".ssh", "_ssh"),
        (".ssh/authorized_keys", "authorized_keys"),
        ("..bashrc", "_bashrc"),
        ("~root", "_root"),
        ("-rf", "_rf"),
        ("a\0b.txt", "ab.txt"),
        ("evil\x1b[2J.txt", "evil[2J.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("two\nlines", "twolines"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("LPT1.tar.gz", "_LPT1.tar.gz"),
        ("COM¹", "_COM¹"),
        ("CON .txt", "_CON .txt"),
        ("console", "console"),
        ("name. . ", "name"),
        ("  spaced", "spaced"),
        (" \u0301x", "x"),
        ("\u3000\u200b \u0338.con", "_con"),
        ('a<b>c:d"e|f?g*h', "a_b_c_d_e_f_g_h"),
        ("no\u00a0break", "no break"),
        ("cafe\u0301", "café"),
        ("\ud800x", "x"),
        ("日本語.txt", "日本語.txt"),
        ("...", UNNAMED),
        ("___", UNNAMED),
    ],
)
def test_a_name_becomes_a_plain_one(text: str, name: str) -> None:
    """No path, no device, no option, nothing hidden, nothing that cannot be seen."""
    assert safe_name(text) == name


def test_within_a_new_folder_a_name_may_be_hidden() -> None:
    """There it shadows nothing; only the dots that mean folders stay away."""
    assert safe_name(".git", may_be_hidden=True) == ".git"
    assert safe_name("..", may_be_hidden=True) == UNNAMED


@given(st.one_of(st.text(max_size=400), NASTY), st.booleans())
def test_whatever_comes_is_one_name(text: str, may_be_hidden: bool) -> None:
    """It names no folder, it can be shown and encoded, it fits, and cleaning it again changes nothing."""
    name = safe_name(text, may_be_hidden=may_be_hidden)

    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\\0<>:"|?*')
    assert name[0] not in "-~ "
    assert may_be_hidden or name[0] != "."
    assert name[-1] not in ". "
    assert len(name.encode()) <= ROOM
    assert unicodedata.category(name[0]) not in {"Mn", "Me"}
    assert unicodedata.is_normalized("NFC", name)
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert safe_name(name, may_be_hidden=may_be_hidden) == name


@pytest.mark.limit("files.name")
def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    """So that a number still fits behind it; a name that fits stays whole."""
    assert safe_name("x" * ROOM) == "x" * ROOM
    assert safe_name("x" * 5000 + ".pdf") == "x" * (ROOM - 4) + ".pdf"
    assert len(safe_name("ü" * 5000).encode()) in (ROOM, ROOM - 1)
    assert safe_name("a." + "y" * 500) == ("a." + "y" * 500)[:ROOM]
    assert safe_name("con." + "y" * 500) == ("_con." + "y" * 500)[:ROOM]
    assert safe_name("con" + " " * 500 + "x.txt") == "_con" + " " * (ROOM - 8) + ".txt"
    assert max(len(name.encode()) for name in numbered(safe_name("x" * 5000 + ".pdf"))) <= FILES.name


@pytest.mark.limit("files.raw_name")
def test_of_a_name_without_end_the_end_counts() -> None:
    """The ending is there; the rest may be anything."""
    within = "x/" + "a" * (FILES.raw_name - 6) + ".txt"
    beyond = "x/" + "a" * (FILES.raw_name - 4) + ".txt"

    assert safe_name(within) == safe_name(beyond) == "a" * (ROOM - 4) + ".txt"
    assert safe_name("keep.txt" + "/" * (FILES.raw_name - 8)) == "keep.txt"
    assert safe_name("keep.txt" + "/" * (FILES.raw_name - 7)) == "eep.txt"


@pytest.mark.limit("files.marks")
def test_so_many_marks_stay_on_a_letter() -> None:
    """A tower of them covers the lines above."""
    name = safe_name("x" + "\u0323\u0330" * 50)

    assert len(name) == 1 + FILES.marks or unicodedata.normalize("NFD", name).count("\u0330") <= FILES.marks
    assert safe_name("x" + "\u0330" * FILES.marks) == "x" + "\u0330" * FILES.marks
    assert safe_name("\u0330x") == "x"


@pytest.mark.limit("files.numbers")
def test_other_names_have_a_number_before_the_ending() -> None:
    """And there are only so many."""
    assert list(islice(numbered("a.tar.gz"), 3)) == ["a.tar.gz", "a.tar (1).gz", "a.tar (2).gz"]
    assert list(islice(numbered(".git"), 2)) == [".git", ".git (1)"]
    assert len(list(numbered("x"))) == FILES.numbers + 1
