"""`landline serve` with TLS: certificates are read anew at SIGHUP, and bad ones change nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import landline

BOUND = 30.0


def certificate(folder: Path) -> Path:
    """A new one, whose file holds its key as well."""
    landline.make_certificate(folder, ["localhost"])
    (path,) = folder.glob("*.pem")
    return path


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A chat server, and the port that it serves."""
    environ = {**os.environ, "LANDLINE_DATA": str(folder / "data")}
    command = [
        sys.executable,
        "-m",
        "landline",
        "-v",
        "serve",
        "--port",
        "0",
        "--no-operator",
        "--log-format",
        "human",
    ]
    with subprocess.Popen(
        [*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert "is open at" in first, process.stderr and process.stderr.read()
            yield process, first.split("tcp://")[1].split()[0].rstrip(".")
        finally:
            process.terminate()
            process.wait(BOUND)


def logged(process: subprocess.Popen[str], words: str) -> str:
    """The next line of the log that has these words."""
    assert process.stderr is not None
    while words not in (line := process.stderr.readline()):
        assert line, f"it ended without saying {words!r}"
    return line


async def fingerprint(place: str) -> str:
    """Of what is shown there."""
    with pytest.raises(landline.Untrusted) as caught:
        await landline.connect(f"tls://{place}", connect_timeout=BOUND)
    return caught.value.fingerprint


def test_a_new_certificate_is_shown_after_a_hang_up(tmp_path: Path) -> None:
    """Without a restart; a file that is damaged leaves the former in use, and the log says why."""
    path = tmp_path / "shown.pem"
    shutil.copy(certificate(tmp_path / "a"), path)
    with serving(tmp_path, "--tls", "yes", "--certificate", str(path)) as (process, place):
        first = asyncio.run(fingerprint(place))
        path.write_text("rubbish")
        process.send_signal(signal.SIGHUP)
        assert "everything stays as it was" in logged(process, "not read anew")
        assert asyncio.run(fingerprint(place)) == first
        shutil.copy(certificate(tmp_path / "b"), path)
        process.send_signal(signal.SIGHUP)
        logged(process, "anew")

        assert asyncio.run(fingerprint(place)) != first


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--tls", "yes", "--certificate", "missing.pem"), "missing.pem cannot be read"),
        (("--files", "missing"), "there is no folder"),
        (("--files", "x" * 300), "cannot be served: file name too long"),
        (("--origin", "example.com"), "'example.com' is no origin"),
        (("--host-name", "https://example.com"), "'https://example.com' is no host's name"),
        (("--client-authority", "missing.pem"), "turn it on with --tls yes"),
    ],
)
def test_what_cannot_be_served_starts_nothing(flags: tuple[str, ...], says: str, tmp_path: Path) -> None:
    """A setting is wrong: exit code 2, and its name."""
    environ = {**os.environ, "LANDLINE_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "landline", "serve", "--port", "0", *flags],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        cwd=tmp_path,
        timeout=BOUND,
    )

    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
