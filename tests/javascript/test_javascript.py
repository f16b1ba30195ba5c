"""The JavaScript client: its own tests, run by Node, its types, and that it is shipped.

Each ``*.test.js`` beside this file is a test here. They start real servers with this Python; what they print is shown where one fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import landline

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIENT = ROOT / "src" / "landline" / "javascript"
OLDEST: Final = 20
"""The first version of Node that the client is for."""

HAS_WEBSOCKET: Final = 22
"""The first that has a WebSocket without being asked for it."""

LONGEST: Final = 440
"""Lines of a file, as in ``tests/test_layout.py``."""

SOURCES = sorted(CLIENT.rglob("*.js"))


def node_version() -> int:
    """Return Node's major version; skip where there is none that is new enough."""
    version = int(subprocess.check_output(["node", "--version"], text=True).lstrip("v").partition(".")[0])
    if version < OLDEST:
        pytest.skip(f"needs node, version {OLDEST} or newer; there is {version}")
    return version


QUICK: Final = {
    "core.test.js", "driver.test.js", "vectors.test.js", "websocket.test.js",
}  # fmt: skip
"""The files that run each time; the others take seconds of processor time each."""

FILES = [
    pytest.param(path.name, marks=() if path.name in QUICK else pytest.mark.long)
    for path in sorted(HERE.glob("*.test.js"))
]


@pytest.mark.needs("node")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FILES)
def test_the_client_in_node(name: str) -> None:
    """Everything in this file holds."""
    flags = ["--experimental-websocket"] if node_version() < HAS_WEBSOCKET else []
    result = subprocess.run(
        ["node", *flags, "--no-warnings", "--test", HERE / name],
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
        cwd=ROOT,
        env={**os.environ, "LANDLINE_TEST_PYTHON": sys.executable},
    )

    if result.returncode:
        pytest.fail(f"{result.stdout}\n{result.stderr}", pytrace=False)
    assert re.search(r"^# pass [1-9]|^ℹ pass [1-9]", result.stdout, re.MULTILINE)


def shown_programs() -> list[tuple[str, list[str]]]:
    """Return each program of the how-to with what the text says that it prints."""
    text = (ROOT / "docs" / "howto" / "javascript.md").read_text(encoding="utf-8")
    found = re.findall(r"^```js\n(.*?)^```\n+prints ([^\n]*)", text, re.MULTILINE | re.DOTALL)
    assert len(found) == text.count("```js\n")
    return [(program, re.findall(r"`([^`]*)`", says.partition(", where")[0])) for program, says in found]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that sends back what it hears."""
    command = [sys.executable, str(HERE / "server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"]


@pytest.mark.needs("node")
@pytest.mark.parametrize(("program", "says"), shown_programs())
def test_a_program_of_the_how_to_runs(program: str, says: list[str], server: str, tmp_path: Path) -> None:
    """As it stands, with the client installed as a package, and it prints what the text says that it prints."""
    node_version()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "landline").symlink_to(CLIENT)
    (tmp_path / "program.mjs").write_text(program, encoding="utf-8")
    result = subprocess.run(
        ["node", "program.mjs"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "SERVER": server},
    )

    assert result.stderr == ""
    assert result.stdout.splitlines() == says


@pytest.fixture
def tsc() -> Path:
    """The type checker, installed by its lock."""
    node_version()
    if shutil.which("npm") is None:
        pytest.skip("needs npm, which is not on PATH")
    made = subprocess.run(
        ["make", "setup-javascript"], capture_output=True, text=True, timeout=580, check=False, cwd=ROOT
    )
    if made.returncode:
        pytest.skip(f"needs what npm could not install: {made.stderr[-500:]}")
    return ROOT / ".cache" / "javascript" / "node_modules" / ".bin" / "tsc"


TLS_PROGRAM = """
import { connect } from "landline";

const session = await connect(process.env.SERVER, { connectTimeout: 10 });
await session.send("hello");
console.log(await session.receive());
await session.close();
"""


@pytest.mark.needs("node")
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_a_session_comes_by_tls_in_node(tmp_path: Path, *, is_trusted: bool) -> None:
    """From a server whose authority Node was told of, and from no other."""
    node_version()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "landline").symlink_to(CLIENT)
    (tmp_path / "program.mjs").write_text(TLS_PROGRAM, encoding="utf-8")
    tls = landline.make_certificate(tmp_path / "certificate", ["localhost"])
    (certificate,) = (tmp_path / "certificate").glob("*.pem")

    async def echo(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message)

    async with landline.serve(echo, "tcp://localhost:0", tls=tls) as listening:
        environ = {**os.environ, "SERVER": f"tls://localhost:{listening.addresses[0].rpartition(':')[2]}"}
        if is_trusted:
            environ["NODE_EXTRA_CA_CERTS"] = str(certificate)
        process = await asyncio.create_subprocess_exec(
            "node", "program.mjs", stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environ
        )
        said, complained = await process.communicate()

    if is_trusted:
        assert (said, complained) == (b"hello\n", b"")
    else:
        assert b"ConnectError" in complained
        assert b"self-signed" in complained


@pytest.mark.long
@pytest.mark.needs("node")
@pytest.mark.timeout(600)
def test_the_types_of_the_client_hold(tsc: Path) -> None:
    """Its JSDoc, strictly."""
    result = subprocess.run([tsc, "-p", HERE], capture_output=True, text=True, timeout=580, check=False)

    assert result.stdout == ""
    assert result.returncode == 0


def test_a_lock_names_no_registry() -> None:
    """Whoever installs by it asks the registry that is theirs; the digests are in it."""
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")

    assert "resolved" not in lock
    assert "integrity" in lock


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CLIENT).as_posix())
def test_a_file_says_what_it_is_for_and_holds_one_idea(path: Path) -> None:
    """It opens with a comment of more than a word, and is not long."""
    text = path.read_text(encoding="utf-8")
    opening = re.match(r"/\*\*\n(.*?)\*/", text, re.DOTALL)

    assert opening
    assert len(opening[1].split()) > 8
    assert len(text.splitlines()) <= LONGEST


def test_every_module_is_reached_from_the_front_door() -> None:
    """By imports as a browser follows them: relative, with their endings; nothing of Node's but behind the one that is loaded on demand."""
    reached, left = set(), [CLIENT / "index.js"]
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            named = re.findall(r'(?:from|import\() ?"([^"]+)"', path.read_text(encoding="utf-8"))
            assert [name for name in named if not name.startswith(".")] == (
                ["node:net", "node:tls"] if path.name == "node.js" else []
            )
            left += [(path.parent / name).resolve() for name in named if name.startswith(".")]

    assert reached == set(SOURCES)


def test_the_package_says_the_same_as_ours() -> None:
    """Name, version and licence."""
    package = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert (package["name"], package["version"], package["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert package["type"] == "module"
    assert "dependencies" not in package


def test_a_wheel_has_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """What setuptools would put into it."""
    from setuptools import Distribution  # type: ignore[import-untyped]
    from setuptools.command.build_py import build_py  # type: ignore[import-untyped]

    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files(["pyproject.toml"])
    command = build_py(distribution)
    command.finalize_options()
    command.manifest_files = {}  # what a version control system would add
    shipped = {Path(name) for name in command.find_data_files("landline", "src/landline")}

    assert shipped >= {path.relative_to(ROOT) for path in [*SOURCES, CLIENT / "package.json"]}
