"""What every answer tells a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from landline.web.answers import answer
from landline.web.security import SECURITY, secured, with_security

if TYPE_CHECKING:
    from .conftest import Calls


def test_what_an_answer_says_itself_is_kept() -> None:
    """In whatever case it says it."""
    fields = with_security([(b"X-Frame-Options", b"SAMEORIGIN")])

    assert [value for name, value in fields if name.lower() == b"x-frame-options"] == [b"SAMEORIGIN"]
    assert len(fields) == len(SECURITY)


async def test_an_application_for_other_servers_says_it_too(call: Calls) -> None:
    """Whatever it answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 404, "x")

    _, fields, _ = await call(secured(app))

    assert dict(SECURITY).items() <= fields.items()
