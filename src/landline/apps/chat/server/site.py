"""The chat over HTTP: its page, the webhooks of its rooms, and a folder of files where one is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from landline.apps.chat.server.webhook import Webhook
from landline.web.answers import answer, path_in
from landline.web.assets import Assets, package_files
from landline.web.files import Files
from landline.web.types import App, Receive, Scope, Send

CSP: Final = (
    b"default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; manifest-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the page may do: load its own files, and talk to where it came from."""

_PAGE: Final = "/page"
_ROOMS: Final = "/rooms/"
FILES: Final = "/files"


class Site:
    """An application of all that.

    Args:
        webhook: takes lines for rooms.
        files: serves a folder below ``/files/``, if there is one.
    """

    def __init__(self, webhook: Webhook, files: Files | None) -> None:
        self._page = Assets(page_files(), headers=[(b"content-security-policy", CSP)])
        self._webhook = webhook
        self._files: App | None = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = path_in(scope)
        if path.startswith(_ROOMS):
            await self._webhook.post(path.removeprefix(_ROOMS), scope, receive, send)
        elif path.startswith(f"{FILES}/") and self._files is not None:
            await self._files(scope, receive, send)
        elif path == FILES and self._files is not None:
            await answer(
                send, 308, "The files are one slash further.", headers=[(b"location", f"{FILES}/".encode())]
            )
        else:
            await self._page.answer(path, scope, send)


def page_files() -> Mapping[str, bytes]:
    """Return the page's files by their paths: itself at ``/``, the others below ``/page/``."""
    found = package_files("landline.apps.chat.page", ".html", ".css", ".js", ".svg", ".png", ".webmanifest")
    files = {f"{_PAGE}{path}": body for path, body in found.items()}
    if (page := files.pop(f"{_PAGE}/index.html", None)) is not None:
        files["/"] = page
    return files
