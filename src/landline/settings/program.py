"""How this program is called from another terminal, so that every command which is printed runs as it stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "landline"


def program() -> str:
    """Return the name where it is on the PATH, else the file that was started, else the interpreter with ``-m``."""
    if shutil.which(NAME):
        return NAME
    started = Path(sys.argv[0])
    if started.stem == NAME and started.exists():
        return shlex.quote(str(started.absolute()))
    return f"{shlex.quote(sys.executable)} -m {NAME}"
