"""``python -m benchmarks.install``: brings the peers that only the benchmarks need into ``.cache/bench/``, each on its own.

From PyPI by the lock, hash-checked, into a folder that only the benchmarks' processes look into; from Debian's packages servers, unpacked there
and not installed, so that no service of the machine begins. What cannot be had is said, and left out by the benchmarks; this never fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .peers.peer import DEBIAN, PACKAGES, ROOT, find_program

LOCK = ROOT / "requirements" / "bench.txt"
WANTED = ROOT / "requirements" / "bench.in"
READY = PACKAGES.parent / "ready"
SERVERS = {
    "sshd": ("openssh-server", "libwrap0"),
    "redis-server": ("redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"),
    "mosquitto": ("mosquitto", "libcjson1", "libdlt2", "libmosquitto1", "libwrap0"),
}
"""By the name of the program: the packages that hold it, and the libraries that not every machine has."""
LONGEST = 300.0
"""Seconds for one package."""


def main() -> None:
    """Install what is missing; instant when nothing is."""
    wanted = LOCK.read_bytes() + repr(SERVERS).encode()
    if READY.exists() and READY.read_bytes() == wanted:
        return
    PACKAGES.mkdir(parents=True, exist_ok=True)
    lock = LOCK.read_text(encoding="utf-8")
    complaints = [_install(name, lock) for name in _wanted()]
    missing = [name for name in SERVERS if find_program(name) is None]
    complaints += _unpack(missing) if missing else []
    for complaint in filter(None, complaints):
        print(f"benchmarks: {complaint}", file=sys.stderr)
    if not any(complaints):
        READY.write_bytes(wanted)


def _wanted() -> list[str]:
    lines = WANTED.read_text(encoding="utf-8").splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip()) and not name.startswith("-")]


def _install(name: str, lock: str) -> str | None:
    """Install a package and what it needs; return what went wrong."""
    pinned = re.search(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    if pinned is None:
        return f"{name} is not in {LOCK.name}"
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        only = Path(folder) / "one.txt"
        only.write_text(pinned.group(), encoding="utf-8")
        options = ["--quiet", "--target", str(PACKAGES), "--require-hashes", "-r", str(only), "-c", str(LOCK)]
        options += ["--python", sys.executable] if uv else ["--upgrade"]
        return _run(name, [*installer, "install", *options])


def _unpack(names: list[str]) -> list[str | None]:
    """Take servers out of Debian's packages; return what went wrong with each."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return [f"{name}: there is none, and no Debian to have it from" for name in names]
    if os.getuid() == 0 and (failure := _run("apt-get update", ["apt-get", "update", "-qq"])):
        return [failure]
    return [_unpack_one(name) for name in names]


def _unpack_one(name: str) -> str | None:
    folder = DEBIAN / "packages" / name
    folder.mkdir(parents=True, exist_ok=True)
    # As root and not as its own user, who may not write here.
    get = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", *SERVERS[name]]
    if failure := _run(name, get, folder):
        return failure
    for package in folder.glob("*.deb"):
        if failure := _run(name, ["dpkg", "-x", str(package), str(DEBIAN)]):
            return failure
    return None


def _run(what: str, command: list[str], folder: Path = ROOT) -> str | None:
    environment = {"UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), **os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    try:
        ended = subprocess.run(
            command, cwd=folder,
            capture_output=True, text=True, timeout=LONGEST, check=False, env=environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what}: {error}"
    if not ended.returncode:
        return None
    return f"{what}: {(ended.stderr.strip() or ended.stdout.strip() or 'no word').splitlines()[-1]}"


if __name__ == "__main__":
    main()
