"""Files from memory: their types and tags, and where they are found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline.limits import WEB
from landline.web.assets import Assets, package_files

if TYPE_CHECKING:
    from .conftest import Calls

FILES = {"/": b"<!doctype html>", "/page/x.css": b"a {}", "/page/x.js": b"1", "/page/x.bin": b"\0"}


async def test_a_file_is_served_with_its_type_and_tag(call: Calls) -> None:
    """And asked for anew each time, so that no two versions are mixed."""
    status, fields, body = await call(Assets(FILES), "/page/x.css")

    assert (status, body) == (200, b"a {}")
    assert fields[b"content-type"] == b"text/css; charset=utf-8"
    assert fields[b"cache-control"] == b"no-cache"
    assert fields[b"etag"].startswith(b'"') and fields[b"etag"].endswith(b'"')


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", b"text/html; charset=utf-8"),
        ("/page/x.js", b"text/javascript; charset=utf-8"),
        ("/page/x.bin", b"application/octet-stream"),
    ],
)
async def test_types_are_our_own_table(call: Calls, path: str, expected: bytes) -> None:
    """A machine's table may call a script anything, and then no browser runs it."""
    assert (await call(Assets(FILES), path))[1][b"content-type"] == expected


async def test_who_has_it_gets_nothing_but_that(call: Calls) -> None:
    """The tag is the content's: it changes with it, and only then."""
    tag = (await call(Assets(FILES), "/"))[1][b"etag"].decode()
    status, fields, body = await call(Assets(FILES), "/", headers={"If-None-Match": tag})
    other, _, _ = await call(Assets({"/": b"other"}), "/", headers={"If-None-Match": tag})

    assert (status, body, fields[b"etag"].decode(), other) == (304, b"", tag, 200)


@pytest.mark.parametrize("path", ["/page", "/page/", "/page/../", "//", "/page/X.css", "/page/x.css/"])
async def test_what_is_not_there_is_not_found(call: Calls, path: str) -> None:
    """A path is looked up as it is."""
    assert (await call(Assets(FILES), path))[0] == 404


async def test_a_file_is_only_read(call: Calls) -> None:
    """By whichever method that is said."""
    assert (await call(Assets(FILES), "/", method="POST"))[0] == 405


async def test_files_may_have_fields_in_common(call: Calls) -> None:
    """What a page may load, for example; also where nothing changed."""
    app = Assets(FILES, headers=[(b"content-security-policy", b"x")])
    tag = (await call(app, "/"))[1][b"etag"].decode()

    assert (await call(app, "/"))[1][b"content-security-policy"] == b"x"
    assert (await call(app, "/", headers={"If-None-Match": tag}))[1][b"content-security-policy"] == b"x"


@pytest.mark.limit("web.assets")
def test_what_is_kept_in_memory_has_a_size() -> None:
    """All files together."""
    half = bytes(WEB.assets // 2)
    Assets({"/a": half, "/b": half})

    with pytest.raises(ValueError, match="16,777,216 bytes"):
        Assets({"/a": half, "/b": half, "/c": b"x"})


def test_files_of_a_package_are_found_in_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that end as they are to; a package without that folder has none."""
    (tmp_path / "somepackage" / "script" / "deep").mkdir(parents=True)
    (tmp_path / "somepackage" / "__init__.py").touch()
    for name in ("a.js", "deep/b.js", "c.json"):
        (tmp_path / "somepackage" / "script" / name).write_text(name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    assert package_files("somepackage.script", ".js") == {"/a.js": b"a.js", "/deep/b.js": b"deep/b.js"}
    assert package_files("somepackage.none", ".js") == {}


def test_the_client_is_what_the_package_has() -> None:
    """Of whichever files it is made."""
    folder = Path(__file__).parents[2] / "src" / "landline" / "javascript"
    names = {f"/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.js")}

    assert package_files("landline.javascript", ".js").keys() == names
