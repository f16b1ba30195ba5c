"""The fixtures that users of pytest take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import landline
from landline.testing import fixtures
from landline.testing.network import Faults

landline_pair = fixtures.landline_pair
landline_network = fixtures.landline_network


async def test_a_pair_as_a_fixture(landline_pair) -> None:  # type: ignore[no-untyped-def]
    """Opened by a call, closed by the end of the test."""
    client, server = await landline_pair()
    _ = await client.send("hello")
    assert await server.receive() == "hello"


async def test_a_network_as_a_fixture(landline_network) -> None:  # type: ignore[no-untyped-def]
    """In front of any server."""

    async def echo(session: landline.Session) -> None:
        async for message in session:
            _ = await session.send(message)

    async with landline.serve(echo, "tcp://localhost:0") as listening:
        proxy = await landline_network(listening.addresses[0], Faults(slice_to=2))
        async with landline.connect(proxy.address) as session:
            _ = await session.send("in pieces")
            assert await session.receive() == "in pieces"


USERS = """
pytest_plugins = ["landline.testing.fixtures"]
"""
USES = """
async def test_it(landline_pair):
    client, server = await landline_pair()
    await client.send("hello")
    assert await server.receive() == "hello"
"""


def test_a_users_suite_takes_them_by_one_line(tmp_path: Path) -> None:
    """In a suite that knows nothing of ours but the name of the module."""
    (tmp_path / "conftest.py").write_text(USERS)
    (tmp_path / "test_it.py").write_text(USES)
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "pytest_asyncio.plugin"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout
