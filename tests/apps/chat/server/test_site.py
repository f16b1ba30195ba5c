"""The chat over HTTP: the page as strict as it can be, files where a folder is given, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import landline
from landline.apps.chat.server.doors import Doors
from landline.apps.chat.server.site import CSP, page_files

Opening = Callable[..., Awaitable[Any]]


async def head_of(chat: Any, path: str) -> dict[str, str]:
    """The fields of an answer."""
    caller = await landline.dial(chat.address)
    caller.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while chunk := await caller.receive(10):
        answer += chunk
    await caller.close()
    lines = answer.decode().split("\r\n")
    return dict(line.split(": ", 1) for line in lines[1:] if line) | {"status": lines[0].split()[1]}


async def test_the_page_is_at_the_root(open_one: Any) -> None:
    """It may load its own files and talk to where it came from, and nothing else; nobody frames it."""
    status, page = await open_one.request("GET", "/")
    fields = await head_of(open_one, "/")

    assert status == 200
    assert page.lower().startswith(b"<!doctype html>")
    assert fields["content-security-policy"] == CSP.decode()
    assert all(
        part in fields["content-security-policy"]
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types")
    )
    assert fields["x-content-type-options"] == "nosniff"
    assert "unsafe" not in fields["content-security-policy"]


async def test_every_file_of_the_page_is_served_with_its_type(open_one: Any) -> None:
    """From memory: no request's path reaches the disk."""
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
    for path in page_files():
        fields = await head_of(open_one, path)
        assert fields["status"] == "200"
        assert fields["content-type"].startswith(types.get(Path(path).suffix or ".html", ""))


async def test_the_page_loads_nothing_from_elsewhere(open_one: Any) -> None:
    """Whatever it needs comes from this server: each file that it names is one of its own or of the client's."""
    for path, body in page_files().items():
        text = body.decode()
        assert "http://" not in text.replace("http://www.w3.org/", ""), path
        assert "//cdn" not in text, path


@pytest.mark.parametrize(
    "path", ["/nothing", "/page/", "/page/../wire.py", "/page/%2e%2e/wire.py", "/files/", "/rooms"]
)
async def test_what_is_not_there(path: str, open_one: Any) -> None:
    """A folder is served where one is given, and no other."""
    assert (await open_one.request("GET", path))[0] == 404


async def test_a_folder_is_served_below_files(open_chat_with: Opening, tmp_path: Path) -> None:
    """Listed, read, and left by no trick; the page has its own paths beside it."""
    (tmp_path / "secret").write_text("outside")
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "a b.txt").write_text("content")
    chat = await open_chat_with(doors=Doors(files=folder))

    assert await chat.request("GET", "/files/a%20b.txt") == (200, b"content")
    assert b"a b.txt" in (await chat.request("GET", "/files/"))[1]
    assert (await head_of(chat, "/files"))["location"] == "/files/"
    for path in ("/files/../secret", "/files/%2e%2e/secret", "/files/..%2fsecret", "/files//etc/passwd"):
        assert (await chat.request("GET", path))[0] in (400, 404)
    assert (await chat.request("GET", "/"))[0] == 200
