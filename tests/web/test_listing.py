"""A folder's names as a page."""

from __future__ import annotations

import os
import re

import pytest

from landline.web.listing import Entry, listing


def test_folders_come_first_and_names_in_order() -> None:
    """Sizes in bytes; a way up where there is one."""
    page = listing(["a", "b"], [Entry("z", 1000), Entry("c", 0), Entry("y", None)], is_all=True).decode()

    assert re.findall(r'href="([^"]*)"', page) == ["../", "./y/", "./c", "./z"]
    assert "1,000 bytes" in page and "<title>/a/b/</title>" in page and "more" not in page
    assert '"../"' not in listing([], [], is_all=True).decode()


def test_a_page_that_is_not_all_says_so() -> None:
    """A folder may have millions."""
    assert b"There are more." in listing([], [Entry("a", 1)], is_all=False)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("<script>alert(1)</script>", "./%3Cscript%3Ealert%281%29%3C/script%3E"),
        ("\" onclick='x", "./%22%20onclick%3D%27x"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ("a?b#c%20", "./a%3Fb%23c%2520"),
        ("&amp;", "./%26amp%3B"),
        ("ä b", "./%C3%A4%20b"),
        (os.fsdecode(b"\xff"), "./%FF"),
    ],
)
def test_a_name_is_only_ever_a_name(name: str, address: str) -> None:
    """Neither a tag nor the end of an attribute, nor an address of another kind."""
    page = listing([name], [Entry(name, 1)], is_all=True).decode()

    assert re.findall(r'href="([^"]*)"', page)[-1] == address
    assert "<script" not in page and "onclick='" not in page


def test_a_name_cannot_turn_the_page_around() -> None:
    """What is written from right to left stays within its own name."""
    assert "<bdi>\u202eabc</bdi>" in listing([], [Entry("\u202eabc", 1)], is_all=True).decode()
