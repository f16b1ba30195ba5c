"""A folder, served to read: what lies in it and nothing else, whatever path is asked for and whatever is swapped meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from landline.limits import WEB
from landline.web import files as module
from landline.web.files import Files, content_type

if TYPE_CHECKING:
    from .conftest import Calls, Place

SECRET = b"a secret outside"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something in it, beside something that is none of its business."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    folder = tmp_path / "served"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "with index").mkdir()
    (folder / "a.txt").write_bytes(b"0123456789")
    (folder / "empty").touch()
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "sub" / "deep" / "ä b.css").write_text("x")
    (folder / "with index" / "index.html").write_text("index")
    (folder / ".hidden").write_bytes(SECRET)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(SECRET)
    (folder / "%2e%2e").mkdir()
    (folder / "%2e%2e" / "odd.txt").write_text("odd")
    (folder / "link.txt").symlink_to("a.txt")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def files(folder: Path) -> Iterator[Files]:
    files = Files(folder)
    yield files
    files.close()


async def test_a_file_is_served_whole(call: Calls, files: Files, folder: Path) -> None:
    """With what it is, how large, and what it can be known by."""
    status, fields, body = await call(files, "/a.txt")
    facts = (folder / "a.txt").stat()

    assert (status, body) == (200, b"0123456789")
    assert fields[b"content-length"] == b"10"
    assert fields[b"content-type"] == b"text/plain; charset=utf-8"
    assert fields[b"last-modified"].decode() == formatdate(int(facts.st_mtime), usegmt=True)
    assert fields[b"accept-ranges"] == b"bytes" and b"etag" in fields
    assert b"content-disposition" not in fields


async def test_names_are_what_the_disk_has(call: Calls, files: Files) -> None:
    """Once decoded, in UTF-8, and not twice."""
    assert (await call(files, "/sub/deep/%C3%A4%20b.css"))[2] == b"x"
    assert (await call(files, "/%252e%252e/odd.txt"))[2] == b"odd"


async def test_a_page_may_run_nothing(call: Calls, files: Files) -> None:
    """It would run in this server's name."""
    fields = (await call(files, "/page.html"))[1]

    assert fields[b"content-type"] == b"text/html; charset=utf-8"
    assert fields[b"content-security-policy"].startswith(b"sandbox; default-src 'none'")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tar.gz", b"application/octet-stream"),
        ("a.unknown", b"application/octet-stream"),
        ("a", b"application/octet-stream"),
        ("a.png", b"image/png"),
        ("A.HTML", b"text/html; charset=utf-8"),
    ],
)
def test_types_go_by_names(name: str, expected: bytes) -> None:
    """What is packed stays packed."""
    assert content_type(name) == expected


async def test_an_empty_file_is_a_file(call: Calls, files: Files) -> None:
    """Of no bytes."""
    status, fields, body = await call(files, "/empty")

    assert (status, fields[b"content-length"], body) == (200, b"0", b"")


async def test_head_reads_nothing(call: Calls, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what GET would."""
    monkeypatch.setattr(os, "pread", None)
    status, fields, body = await call(files, "/a.txt", method="HEAD")

    assert (status, fields[b"content-length"], body) == (200, b"10", b"")


TRICKS = [
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/sub/../a.txt",
    "/./a.txt",
    "/sub/.",
    "/sub/..",
    "/..",
    "/../",
    "//etc/passwd",
    "//a.txt",
    "/sub//deep/",
    "/%2e%2e/secret.txt",
    "/%2E%2E%2Fsecret.txt",
    "/..%2fsecret.txt",
    "/..%252fsecret.txt",
    "/sub%2fdeep/%C3%A4%20b.css",
    "/sub%2Fdeep/",
    "/%252e%252e/secret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/sub\\..\\..\\secret.txt",
    "/..%c0%afsecret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/%uff0e%uff0e/secret.txt",
    "/a.txt%00",
    "/a.txt%00.html",
    "/%00",
    "/a.txt%0a",
    "/a.txt/",
    "/a.txt/x",
    "/a.txt/../a.txt",
    "/.hidden",
    "/.git/config",
    "/%2egit/config",
    "/.git",
    "/link.txt",
    "/out.txt",
    "/out/",
    "/out/secret.txt",
    "/out/served/a.txt",
    "/loop",
    "/loop/",
    "/pipe",
    "/nothing",
    "/A.txt",
    "/a.txt.",
    "/" + "x" * 300,
    "/" + "x/" * 3000,
    "/%",
    "/%zz",
    "/~root/",
    "/C:/secret.txt",
]


@pytest.mark.parametrize("path", TRICKS)
async def test_no_path_leads_out(call: Calls, files: Files, path: str) -> None:
    """Nor to what is hidden, linked or no file."""
    status, _, body = await call(files, path)

    assert (status, body) == (404, b"There is nothing here.\n")


async def test_a_socket_and_a_device_are_not_served(
    call: Calls, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not even opened."""
    monkeypatch.chdir(folder)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        opened: list[Any] = []
        files, devices = Files(folder), Files(Path("/dev"))
        monkeypatch.setattr(os, "open", lambda *names, **_: opened.append(names))
        try:
            assert (await call(files, "/sock"))[0] == 404
            assert (await call(devices, "/zero"))[0] == 404
        finally:
            files.close()
            devices.close()

    assert opened == []


async def test_what_is_swapped_between_the_look_and_the_opening_leads_nowhere(
    call: Calls, files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link and a pipe put in a file's place at the worst moment: neither followed nor waited for."""
    looked = os.stat

    def swapping(target: Path) -> Any:
        def stat(name: Any, **options: Any) -> os.stat_result:
            found = looked(name, **options)
            if name == "a.txt":
                (folder / "a.txt").unlink()
                target.rename(folder / "a.txt")
            return found

        return stat

    monkeypatch.setattr(os, "stat", swapping(folder / "out.txt"))

    assert (await call(files, "/a.txt"))[0] == 404

    monkeypatch.setattr(os, "stat", looked)
    (folder / "a.txt").unlink()
    (folder / "a.txt").touch()
    monkeypatch.setattr(os, "stat", swapping(folder / "pipe"))

    assert (await call(files, "/a.txt"))[0] == 404


async def test_a_racing_swap_of_links_leads_nowhere(call: Calls, files: Files, folder: Path) -> None:
    """A folder and a link out of it change places all the time: what is served is the folder's, or nothing."""
    inside, outside, place = folder / "one", folder.parent / "two", folder / "place"
    inside.mkdir()
    outside.mkdir()
    (inside / "x").write_bytes(b"ours")
    (outside / "x").write_bytes(SECRET)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inside.rename(place)
            place.rename(inside)
            place.symlink_to(outside)
            place.unlink()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        found = [await call(files, "/place/x") for _ in range(200)]
    finally:
        stop.set()
        swapper.join()

    assert {body for status, _, body in found if status == 200} <= {b"ours"}
    assert {status for status, _, _ in found} <= {200, 404}


async def test_a_folder_is_listed(call: Calls, files: Files) -> None:
    """What can be asked for in it, and only that."""
    status, fields, body = await call(files, "/")
    page = body.decode()

    assert (status, fields[b"content-type"]) == (200, b"text/html; charset=utf-8")
    assert all(name in page for name in ("./a.txt", "./empty", "./sub/", "./with%20index/", "./page.html"))
    assert not any(name in page for name in (".hidden", ".git", "link.txt", "out", "pipe", "loop"))


@pytest.mark.limit("web.listing")
async def test_a_listing_has_an_end(
    call: Calls, files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many names as the limit are all; with one more it says that there are more."""
    monkeypatch.setattr(module, "LISTING", 3)
    for name in ("x", "y", "z"):
        (folder / "sub" / "deep" / name).touch()
    (folder / "sub" / "deep" / "ä b.css").unlink()

    assert b"more" not in (await call(files, "/sub/deep/"))[2]

    (folder / "sub" / "deep" / "w").touch()
    page = (await call(files, "/sub/deep/"))[2]

    assert b"There are more." in page and page.count(b"<li>") == 3 + 1


async def test_a_folder_with_an_index_is_that(call: Calls, files: Files) -> None:
    """A page of the folder's own."""
    status, fields, body = await call(files, "/with%20index/")

    assert (status, fields[b"content-type"], body) == (200, b"text/html; charset=utf-8", b"index")


async def test_a_folder_ends_with_a_slash(call: Calls, files: Files) -> None:
    """Else what it links to would be looked for beside it. No path makes this a way to another server."""
    status, fields, _ = await call(files, "/with%20index")

    assert (status, fields[b"location"]) == (308, b"/with%20index/")
    assert (await call(files, "//evil.example"))[0] == (await call(files, "/\\evil.example"))[0] == 404


async def test_a_folder_may_be_served_below_a_path(call: Calls, folder: Path) -> None:
    """And nothing beside that."""
    files = Files(folder, under="/files/")
    try:
        assert (await call(files, "/files/a.txt"))[2] == b"0123456789"
        assert (await call(files, "/files/"))[0] == 200
        assert [
            (await call(files, path))[0] for path in ("/a.txt", "/files", "/filesa.txt", "/files//a.txt")
        ] == [404] * 4
    finally:
        files.close()


async def test_a_file_is_only_read(call: Calls, files: Files, folder: Path) -> None:
    """Whatever is tried."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await call(files, "/a.txt", method=method))[0] == 405

    assert (folder / "a.txt").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    ("asked", "status", "part", "body"),
    [
        ("bytes=2-4", 206, b"bytes 2-4/10", b"234"),
        ("bytes=-2", 206, b"bytes 8-9/10", b"89"),
        ("bytes=8-", 206, b"bytes 8-9/10", b"89"),
        ("bytes=10-", 416, b"bytes */10", b"The file has 10 bytes.\n"),
        ("bytes=0-1,4-5", 200, None, b"0123456789"),
        ("nonsense", 200, None, b"0123456789"),
    ],
)
async def test_a_part_of_a_file(
    call: Calls, files: Files, asked: str, status: int, part: bytes | None, body: bytes
) -> None:
    """One, if it is there; several are not worth their price."""
    found, fields, given = await call(files, "/a.txt", headers={"Range": asked})

    assert (found, fields.get(b"content-range"), given) == (status, part, body)
    assert fields[b"content-length"] == b"%d" % len(body)


async def test_a_part_is_of_the_file_that_was_begun(call: Calls, files: Files) -> None:
    """``If-Range``: by tag or by date; another one gets the whole file."""
    fields = (await call(files, "/a.txt"))[1]
    part = {"Range": "bytes=1-1"}
    for name in (b"etag", b"last-modified"):
        status = (await call(files, "/a.txt", headers={**part, "If-Range": fields[name].decode()}))[0]
        assert status == 206
    for other in ('"other"', "W/" + fields[b"etag"].decode(), formatdate(0, usegmt=True)):
        assert (await call(files, "/a.txt", headers={**part, "If-Range": other}))[0] == 200


async def test_who_has_the_file_gets_nothing_but_that(call: Calls, files: Files, folder: Path) -> None:
    """By tag, which goes first, or by date; a file that changed is sent."""
    fields = (await call(files, "/a.txt"))[1]
    tag, date = fields[b"etag"].decode(), fields[b"last-modified"].decode()

    assert (await call(files, "/a.txt", headers={"If-None-Match": tag}))[0] == 304
    assert (await call(files, "/a.txt", headers={"If-Modified-Since": date}))[0] == 304
    assert (await call(files, "/a.txt", headers={"If-Modified-Since": formatdate(0, usegmt=True)}))[0] == 200
    assert (await call(files, "/a.txt", headers={"If-Modified-Since": "yesterday"}))[0] == 200
    assert (await call(files, "/a.txt", headers={"If-None-Match": '"x"', "If-Modified-Since": date}))[
        0
    ] == 200

    os.utime(folder / "a.txt", ns=(0, 1))

    assert (await call(files, "/a.txt", headers={"If-None-Match": tag}))[0] == 200


@pytest.mark.limit("web.piece")
async def test_a_file_is_read_piece_by_piece(files: Files, folder: Path) -> None:
    """None is larger than the limit, each is taken before the next is read, and not by the loop."""
    (folder / "big").write_bytes(os.urandom(2 * WEB.piece + 1))
    sizes: list[int] = []
    threads: set[int] = set()
    read = os.pread

    def pread(fd: int, size: int, offset: int) -> bytes:
        threads.add(threading.get_ident())
        assert offset == sum(sizes)
        return read(fd, size, offset)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            sizes.append(len(message["body"]))

    scope = {"type": "http", "method": "GET", "path": "/big", "raw_path": b"/big", "headers": []}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", pread)
        await files(scope, None, send)  # type: ignore[arg-type]

    assert sizes == [WEB.piece, WEB.piece, 1]
    assert threading.get_ident() not in threads


async def test_a_file_that_is_cut_short_meanwhile_is_not_passed_off_as_whole(
    place: Place,
    files: Files,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its connection breaks off: the length was said already."""
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: read(fd, size, offset) if offset == 0 else b"x")
    (folder / "a.txt").write_bytes(bytes(WEB.piece + 2))
    await place.serve(files, address="tcp://127.0.0.1:0")
    line = await place.line()
    found = await line.ask(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert (found.status, found.is_whole) == (200, False)
    assert "cut short" in caplog.text
    caplog.clear()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc, to see what is open")
async def test_what_is_opened_is_closed(place: Place, call: Calls, files: Files, folder: Path) -> None:
    """Whatever was found, and whoever went meanwhile."""
    (folder / "big").write_bytes(bytes(4 << 20))
    before = open_files()
    for path in (
        "/a.txt",
        "/",
        "/sub",
        "/nothing",
        "/sub/deep/nothing",
        "/pipe",
        "/out/x",
        "/with%20index/",
        "/a.txt/",
    ):
        await call(files, path)

    assert open_files() == before

    await place.serve(files, address="tcp://127.0.0.1:0")
    line = await place.line()
    line.say(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await line.until(b"200")
    line.transport.abort()
    await place.empty()
    asked = asyncio.ensure_future(call(files, "/a.txt"))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await asyncio.get_running_loop().shutdown_default_executor()
    for _ in range(10):  # what the thread found is told in some turns of the loop
        await asyncio.sleep(0)

    assert not any("/served/" in target for target in open_files())


def open_files() -> list[str]:
    """What this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found.append(str(link.readlink()))
    return sorted(found)


def test_a_folder_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    """And not at the first request."""
    (tmp_path / "file").touch()
    for name in ("nothing", "file"):
        with pytest.raises(OSError, match=name):
            Files(tmp_path / name)
