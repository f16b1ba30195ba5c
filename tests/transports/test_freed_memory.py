"""What a process frees stays with it, as far as that is wanted: counted in page faults, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest

from landline.cli.limits import CLI
from landline.limits import TRANSPORT

FAULTS: Final = """
import resource, sys
from landline.transports.freed_memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

kept, size = map(int, sys.argv[1:])
keep_freed_memory(kept)
before = faults()
keep_freed_memory(kept)
keep_freed_memory(kept // 2)
assert faults() - before < 8, "once is enough"
pieces = [b"x" * 65536 for _ in range(size // 65536)]
del pieces
before = faults()
for _ in range(4):
    pieces = [b"x" * 65536 for _ in range(size // 65536)]
    del pieces
print((faults() - before) / (4 * size >> 20))
"""
"""Prints how many page faults a mebibyte costs that was had and freed before."""


def faults_a_mebibyte(kept: int, size: int) -> float:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))
    }
    ended = subprocess.run(
        [sys.executable, "-c", FAULTS, str(kept), str(size)],
        capture_output=True, text=True, check=False, timeout=60, env=environment,
    )  # fmt: skip
    assert not ended.returncode, ended.stderr
    return float(ended.stdout)


@pytest.mark.skipif(
    "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or "" if sys.platform == "linux" else ""),
    reason="another C library has its own ways",
)
@pytest.mark.limit("transport.kept_memory", "cli.kept_memory")
@pytest.mark.parametrize("kept", [TRANSPORT.kept_memory, CLI.kept_memory])
def test_what_is_freed_is_kept_up_to_a_bound(kept: int) -> None:
    """Below it nothing is faulted in anew; above it the system has it back."""
    assert faults_a_mebibyte(kept, kept // 2) < 10
    assert faults_a_mebibyte(kept, kept * 2) > 50
    assert faults_a_mebibyte(0, kept // 2) > 50
