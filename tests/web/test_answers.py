"""Short answers, and what a caller has already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from landline.web.answers import answer, answer_unchanged, field_of, is_current, is_reading, path_in

if TYPE_CHECKING:
    from .conftest import Calls


async def test_a_sentence_is_text_and_bytes_are_what_they_are(call: Calls) -> None:
    """With their length."""

    async def says(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 404, "Näh.", headers=[(b"x", b"y")])

    async def gives(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 200, b"\0", content_type=b"image/png")

    assert await call(says) == (
        404,
        {b"content-type": b"text/plain; charset=utf-8", b"content-length": b"6", b"x": b"y"},
        "Näh.\n".encode(),
    )
    assert await call(gives) == (200, {b"content-type": b"image/png", b"content-length": b"1"}, b"\0")


async def test_what_has_not_changed_is_not_sent(call: Calls) -> None:
    """Only what is known of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer_unchanged(send, [(b"etag", b'"1"')])

    assert await call(app) == (304, {b"etag": b'"1"'}, b"")


@pytest.mark.parametrize(
    ("method", "expected"), [("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405), ("get", 405)]
)
async def test_reading_is_one_thing(call: Calls, method: str, expected: int) -> None:
    """Whoever tries another is told what there is."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if await is_reading(scope, send):
            await answer(send, 200, "x")

    status, fields, _ = await call(app, method=method)

    assert status == expected
    assert fields.get(b"allow") == (b"GET, HEAD" if expected == 405 else None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b'"1"', True),
        (b'W/"1"', True),
        (b'"0", "1" , "2"', True),
        (b"*", True),
        (b'"2"', False),
        (b"1", False),
        (b'"1', False),
        (b"", False),
    ],
)
def test_a_tag_says_what_the_caller_has(given: bytes, expected: bool) -> None:
    """One of several, weak or not."""
    assert is_current({"headers": [(b"if-none-match", given)]}, b'"1"') is expected


def test_the_first_of_several_fields_counts() -> None:
    """None where there is none."""
    scope = {"headers": [(b"a", b"1"), (b"a", b"2")]}

    assert field_of(scope, b"a") == b"1"
    assert field_of(scope, b"b") is None


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/health", "", "/health"),
        ("/chat/health", "/chat", "/health"),
        ("/chat", "/chat", "/"),
        ("/chat/", "/chat/", "/"),
        ("/chatter", "/chat", "/chatter"),
        ("/health", "/chat", "/health"),
    ],
)
def test_a_path_is_read_below_where_the_application_is_mounted(path: str, root: str, expected: str) -> None:
    """Some servers give the whole of it, some what is below."""
    assert path_in({"path": path, "root_path": root}) == expected
